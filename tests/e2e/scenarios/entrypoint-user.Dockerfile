FROM lab/entrypoint:1
USER root
RUN apt-get update \
 && apt-get install -y --no-install-recommends rsync \
 && rm -rf /var/lib/apt/lists/*
COPY --chown=app:app files/home/app/.gitconfig /home/app/
COPY --chown=app:app files/home/app/.bashrc /home/app/
RUN install -d -o app -g app /home/app/work
ENV RSYNC_RSH=ssh
USER 1000
