FROM lab/debian:bookworm
COPY files/srv/app/src/ /srv/app/src/
RUN cd src && ./build.sh && rm -rf /tmp/build
RUN cd /opt/big/lib && rm f9* \
 && mv /etc/debian_version /etc/version && echo more >> /etc/version \
 && rm -rf /etc/issue /etc/issue.net /etc/motd /opt/tool \
 && ln -s /opt/big /opt/tool \
 && mkdir -p /usr/local/lib/x/y && ln -s ../lib/x /usr/local/bin/x
COPY files/etc/sorted /etc/
ENV GREETING="say \"hi\" \$USER \\o/" A=2
