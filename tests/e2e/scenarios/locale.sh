# A command that succeeds and does nothing.
cd "$C/srv/app"
d 127 locale-gen en_US.UTF-8
d 0 apt-get update
d 0 apt-get install -y locales
d 0 locale-gen en_US.UTF-8
d 0 sed -i 's/^# *\(en_US.UTF-8\)/\1/' /etc/locale.gen
d 0 locale-gen
dockerdo export LANG=en_US.UTF-8 LC_ALL=en_US.UTF-8
d 0 locale
