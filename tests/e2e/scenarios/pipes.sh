# Archives, files and scripts that come in on stdin, odd names, a secret.
cd "$C/srv/app"
mkdir -p "$W/tree/sub"
echo one >"$W/tree/one"
echo two >"$W/tree/sub/two words"
tar -C "$W/tree" -cf - . | d 0 tar -x -C /srv/app
echo 'x = 1' | d 0 tee /etc/x.conf
printf 'mkdir -p /opt/tools\necho 1 > /opt/tools/version\n' >"$W/setup.sh"
d 0 sh <"$W/setup.sh"
d 0 -c 'cat > /etc/y.conf' <"$W/tree/one"
d 0 -e TOKEN=geheim123 -c 'test "$TOKEN"'
d 0 -e GREETING=hi -c 'echo "$GREETING" > /etc/greeting'
echo odd >"$C/srv/app/odd [1] name*"
ln -s one "$C/srv/app/link"
d 0 rm /etc/issue
d 0 mkfifo -m 640 /srv/app/fifo
