# A user, sudoers, chown, commands as the user.
cd "$C/srv/app"
d 0 apt-get update
d 0 apt-get install -y sudo
d 0 useradd -m -s /bin/bash -G sudo dev
d 0 -c 'echo "dev ALL=(ALL) NOPASSWD:ALL" > /etc/sudoers.d/dev'
d 0 chmod 0440 /etc/sudoers.d/dev
d 0 visudo -c
d 0 mkdir -p /srv/data
d 0 chown dev:dev /srv/data
d 0 -u dev -c 'mkdir -p ~/bin && echo "PATH=~/bin:\$PATH" >> ~/.profile'
d 0 -u dev sudo id
