# A server that commands need, with an edit and a restart in between; what failed while it did not run.
cd "$C/srv/app"
cat >"$C/etc/init.d/keep" <<'S'
#!/bin/sh
stop() { kill "$(cat /run/keep.pid)"; rm /run/keep.pid; }
start() { setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $! >/run/keep.pid; }
case $1 in
  start) start ;;
  stop) stop ;;
  restart) stop; start ;;
esac
S
cat >"$C/usr/local/bin/keep" <<'S'
#!/bin/sh -e
[ -d "/proc/$(cat /run/keep.pid || echo none)" ]
echo "$1" >>"/var/lib/redis/$(id -un)"
S
chmod +x "$C/etc/init.d/keep" "$C/usr/local/bin/keep"
d 0 useradd -m app
d 0 install -d -m 1777 /var/lib/redis
d 1 keep early
d 0 service keep start
d 0 keep one
echo 'port 1' >"$C/etc/keep.conf"
d 0 service keep restart
d 0 -u app keep two
dockerdo export KEEP=1
d 0 service keep stop
