# PEP 668, a typo, an input that was deleted.
cd "$C/srv/app"
d 0 apt-get update
d 0 apt-get install -y --no-install-recommends python3-pip python3-venv
mkdir wheels
cp "$W/hello-1.0-py3-none-any.whl" wheels/
d 1 pip install --no-index --find-links wheels hello
d 0 python3 -m venv /opt/venv
d 1 /opt/venv/bin/pip install --no-index --find-links wheels helo
d 0 /opt/venv/bin/pip install --no-index --find-links wheels hello
dockerdo export PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
d 0 python -c 'import hello'
d 0 rm -r wheels
