FROM lab/debian:bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends nginx-light \
 && rm -rf /var/lib/apt/lists/*
COPY files/etc/nginx/sites-available/app /etc/nginx/sites-available/
RUN ln -s /etc/nginx/sites-available/app /etc/nginx/sites-enabled/app \
 && rm /etc/nginx/sites-enabled/default \
 && sed -i 's/# server_tokens off;/server_tokens off;/' /etc/nginx/nginx.conf
COPY --chown=www-data:www-data files/var/www/app/ /var/www/app/
