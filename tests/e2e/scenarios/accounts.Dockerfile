FROM lab/debian:bookworm
RUN groupadd -g 3000 ops \
 && useradd -m -s /bin/sh -G ops dev
COPY --chown=dev:ops files/srv/app/site/ /srv/app/site/
COPY files/etc/login.defs /etc/
RUN chmod -R g+w /srv/app/site \
 && chmod 2775 /srv/app/site \
 && install -m 4755 /usr/bin/id /usr/local/bin/id-of-root \
 && install -d -o 4242 -g 4242 -m 1777 /srv/drop \
 && chmod 1777 /srv
USER dev
RUN mkdir -p ~/bin "$HOME/two words" && umask 077 && echo hi > ~/bin/private
# hadolint ignore=DL3002 # as in the base image
USER root
RUN install -d -o dev -g dev -m 700 /home/dev/.ssh
