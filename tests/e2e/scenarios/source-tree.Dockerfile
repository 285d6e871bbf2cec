FROM lab/debian:bookworm
COPY files/srv/app/src/ /srv/app/src/
WORKDIR /srv/app/src
RUN ./build.sh && rm -rf /tmp/build
WORKDIR /opt/big
RUN rm lib/f9* \
 && mv /etc/debian_version /etc/version && echo more >> /etc/version \
 && rm -rf /etc/issue /etc/issue.net
COPY files/etc/sorted /etc/
RUN rm -r /opt/tool && ln -s /opt/big /opt/tool
ENV GREETING="say \"hi\" \$USER \\o/" A=2
RUN rm /etc/motd \
 && mkdir -p /usr/local/lib/x/y && ln -s ../lib/x /usr/local/bin/x
WORKDIR /srv/app
