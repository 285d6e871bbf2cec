FROM lab/debian:bookworm
COPY files/etc/init.d/keep /etc/init.d/
COPY files/usr/local/bin/keep /usr/local/bin/
COPY files/etc/keep.conf /etc/
RUN useradd -m app \
 && install -d -m 1777 /var/lib/redis
# hadolint ignore=DL3001 # to stop it again
RUN service keep start \
 && keep one \
 && su app -c 'keep two' \
 && service keep stop
ENV KEEP=1
