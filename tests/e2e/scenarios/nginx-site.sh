# A site by sed, editor and link; the duplicate default; a server that ran for a moment.
cd "$C/srv/app"
d 0 apt-get update
d 0 apt-get install -y nginx-light
printf 'server {\n  listen 80 default_server;\n  root /var/www/app;\n}\n' >"$C/etc/nginx/sites-available/app"
d 0 ln -s /etc/nginx/sites-available/app /etc/nginx/sites-enabled/app
d 1 nginx -t
d 0 rm /etc/nginx/sites-enabled/default
d 0 nginx -t
d 0 sed -i 's/# server_tokens off;/server_tokens off;/' /etc/nginx/nginx.conf
mkdir -p "$C/var/www/app"
echo '<h1>app</h1>' >"$C/var/www/app/index.html"
d 0 chown -R www-data:www-data /var/www/app
d 0 nginx
d 127 curl -s localhost
d 0 nginx -s stop
