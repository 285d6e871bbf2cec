# A package of one's own whose dependencies are missing, a configuration file, capabilities, what is purged.
cd "$C/srv/app"
mkdir -p "$W/deb/DEBIAN" "$W/deb/etc" "$W/deb/usr/bin"
printf 'Package: own\nVersion: 1.0\nArchitecture: all\nMaintainer: me <me@x>\nDepends: libcap2-bin\nDescription: own\n' >"$W/deb/DEBIAN/control"
echo /etc/own.conf >"$W/deb/DEBIAN/conffiles"
echo 'a = 1' >"$W/deb/etc/own.conf"
printf '#!/bin/sh\necho own\n' >"$W/deb/usr/bin/own"
chmod 755 "$W/deb/usr/bin/own"
dpkg-deb --root-owner-group -b "$W/deb" "$C/srv/app/own.deb"
d 1 dpkg -i own.deb
d 0 apt-get update
d 0 apt-get install -y -f
d 0 own
sed -i 's/a = 1/a = 2/' "$C/etc/own.conf"
d 0 cp /usr/bin/id /usr/local/bin/bound
d 0 setcap cap_net_bind_service+ep /usr/local/bin/bound
d 0 chown root:mail /usr/local/bin/bound
d 0 setcap cap_net_bind_service=ep /usr/local/bin/bound
d 0 apt-get install -y ed less
d 0 apt-get purge -y ed
d 0 update-alternatives --install /usr/bin/pager pager /usr/bin/own 90
d 0 dpkg-divert --local --rename --add /usr/bin/lesskey
d 0 ls /
