FROM lab/debian:bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends locales \
 && rm -rf /var/lib/apt/lists/*
RUN sed -i 's/^# *\(en_US.UTF-8\)/\1/' /etc/locale.gen && locale-gen
ENV LANG=en_US.UTF-8 LC_ALL=en_US.UTF-8
