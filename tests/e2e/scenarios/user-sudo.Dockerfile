FROM lab/debian:bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends sudo \
 && rm -rf /var/lib/apt/lists/*
RUN useradd -m -s /bin/bash -G sudo dev \
 && echo 'dev ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/dev \
 && chmod 0440 /etc/sudoers.d/dev \
 && install -d -o dev -g dev /srv/data
USER dev
RUN mkdir -p ~/bin && echo 'PATH=~/bin:$PATH' >> ~/.profile
# hadolint ignore=DL3002 # as in the base image
USER root
