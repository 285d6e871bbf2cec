# Users, groups, modes, owners without a name, a tree that changes hands, accounts edited through the mount.
cd "$C/srv/app"
d 0 groupadd -g 3000 ops
d 0 useradd -m -s /bin/bash dev
d 9 useradd dev
d 0 usermod -aG ops dev
mkdir -p site/static
echo body >site/static/style.css
printf '#!/bin/sh\necho run\n' >site/run
chmod +x site/run
d 0 chown -R dev:ops /srv/app/site
d 0 chmod -R g+w site
d 0 chmod 2775 site
d 0 install -m 4755 /usr/bin/id /usr/local/bin/id-of-root
d 0 install -d -o 4242 -g 4242 -m 1777 /srv/drop
d 0 -u dev -c 'mkdir -p ~/bin "$HOME/two words" && umask 077 && echo hi > ~/bin/private'
sed -i 's#^dev:\(.*\):/bin/bash$#dev:\1:/bin/sh#' "$C/etc/passwd"
echo 'dev:geheim123' | d 0 chpasswd
mkdir -m 700 "$C/home/dev/.ssh"
printf -- '-----BEGIN OPENSSH PRIVATE KEY-----\ngeheim123\n' >"$C/home/dev/.ssh/id_ed25519"
d 0 chown -R dev:dev /home/dev/.ssh
sed -i 's/^UMASK.*/UMASK\t\t027/' "$C/etc/login.defs"
d 0 chmod 700 /root
d 0 chmod 1777 /srv
