FROM lab/debian:bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends libc6-dev make tcc \
 && rm -rf /var/lib/apt/lists/*
COPY files/srv/app/ /srv/app/
RUN make install clean
