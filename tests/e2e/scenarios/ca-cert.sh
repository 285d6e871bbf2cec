# Renamed through the mount, a first run without effect.
cd "$C/usr/local/share/ca-certificates"
cp "$W/corp.crt" corp.pem
d 0 update-ca-certificates
mv corp.pem corp.crt
d 0 update-ca-certificates
d 0 openssl verify /usr/local/share/ca-certificates/corp.crt
dockerdo export NODE_EXTRA_CA_CERTS=/usr/local/share/ca-certificates/corp.crt
