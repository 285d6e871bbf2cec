FROM lab/debian:bookworm
COPY files/own.deb /tmp/
RUN apt-get update \
 && apt-get install -y --no-install-recommends /tmp/own.deb less \
 && rm -rf /var/lib/apt/lists/* /tmp/own.deb
COPY files/etc/own.conf /etc/
RUN install -g mail /usr/bin/id /usr/local/bin/bound \
 && setcap cap_net_bind_service=ep /usr/local/bin/bound \
 && update-alternatives --install /usr/bin/pager pager /usr/bin/own 90 \
 && dpkg-divert --local --rename --add /usr/bin/lesskey
