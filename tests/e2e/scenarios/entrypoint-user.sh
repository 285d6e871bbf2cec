# A base with ENTRYPOINT and USER.
cd "$C/srv/app"
d 100 -u app apt-get update
d 0 apt-get update
d 0 apt-get install -y --no-install-recommends rsync
echo 'alias l=ls' >>"$C/home/app/.bashrc"
printf '[user]\n\tname = app\n' >"$C/home/app/.gitconfig"
d 0 chown app:app /home/app/.gitconfig
d 0 -u app mkdir -p /home/app/work
dockerdo export RSYNC_RSH=ssh
