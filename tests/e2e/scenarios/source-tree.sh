# A source tree with odd names that is built, changed and built again; links, deletions, what is cleaned up.
cd "$C/srv/app"
mkdir -p 'src/ü ö' src/lib
echo 'a $HOME `x` \n' >'src/ü ö/$dollar "quoted"'
printf 'x' >"src/lib/new
line"
cat >src/build.sh <<'S'
#!/bin/sh -e
mkdir -p /opt/big/lib /tmp/build
i=0
while [ $i -lt 1500 ]; do echo "$i VERSION" > "/opt/big/lib/f$i"; i=$((i + 1)); done
ln -sfn lib/f1 /opt/big/current
ln -f /opt/big/lib/f2 /opt/big/hard
ln -sfn /nowhere /opt/big/dangling
cp -r lib /tmp/build
S
chmod +x src/build.sh
cd src
d 0 ./build.sh
sed -i s/VERSION/2/ build.sh
d 0 ./build.sh
d 0 rm -rf /tmp/build
cd "$C/opt/big"
d 0 -c 'cd lib && rm f9* && cd .. && ls | wc -l'
d 1 -c 'rm /opt/big/none && touch /opt/big/never'
d 0 -c 'mv /etc/debian_version /etc/version && echo more >> /etc/version'
d 0 rm -rf /etc/issue /etc/issue.net
d 0 -c 'printf "%s\n" one two |
  sort -r > /etc/sorted
echo "it'"'"'s done" >> /etc/sorted'
d 0 rm -r /opt/tool
d 0 ln -s /opt/big /opt/tool
d 0 touch /etc/environment
d 0 -c 'echo tmp > /srv/scratch; rm /srv/scratch'
d 0 mkdir /srv/gone
d 0 rmdir /srv/gone
rm "$C/etc/motd"
mkdir -p "$C/usr/local/lib/x/y"
ln -s ../lib/x "$C/usr/local/bin/x"
dockerdo export 'GREETING=say "hi" $USER \o/' A=1
dockerdo export A=2
