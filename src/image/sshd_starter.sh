#!/bin/sh
# Starts sshd with a host key of this container; further arguments go to sshd. With --dir alone it prints where the
# host key and the key that may log in are: the first place that root alone may write.
set -e
umask 022
cd /
PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH"
# Variables of the image must not decide what is run here as root.
unset LD_LIBRARY_PATH LD_PRELOAD LD_AUDIT OPENSSL_CONF ENV BASH_ENV
dir=
for place in /etc/dockerdo /run/dockerdo /dev/shm/dockerdo; do
  mkdir -p "$place" 2>/dev/null || continue
  if [ -O "$place" ] && [ -w "$place" ]; then
    dir=$place
    break
  fi
done
if [ -z "$dir" ]; then
  echo "dockerdo: no place for keys: /etc, /run and /dev/shm are read-only" >&2
  exit 1
fi
if [ "$*" = --dir ]; then
  printf "%s\n" "$dir"
  exit
fi
# Two starters at once must end with one key: ln(1) fails where the name is taken.
key=$dir/ssh_host_ed25519_key
if [ ! -s "$key" ]; then
  ssh-keygen -q -t ed25519 -N "" -C dockerdo -f "$key.$$"
  ln "$key.$$" "$key" 2>/dev/null || [ -s "$key" ]
  rm -f "$key.$$" "$key.$$.pub"
fi
if [ "$dir" != /etc/dockerdo ] && [ ! -e "$dir/authorized_keys" ]; then
  cat /etc/dockerdo/authorized_keys > "$dir/authorized_keys"
fi
mkdir -p /run/sshd 2>/dev/null || :
# To the stderr of each command sshd writes that the home is not there; below a ChrootDirectory it does not.
user=$(cat /etc/dockerdo/user)
home=
while IFS=: read -r name _ _ _ _ entry _; do
  [ "$name" != "$user" ] || { home=$entry && break; }
done </etc/passwd
if [ -n "$home" ] && [ ! -d "$home" ] && [ -n "$(find / -prune -user 0 ! -perm -20 ! -perm -2 2>/dev/null)" ]; then
  set -- -o ChrootDirectory=/ "$@"
fi
exec env -i PATH="$PATH" "$(command -v sshd)" -f /etc/dockerdo/sshd_config -o HostKey="$key" \
  -o AuthorizedKeysFile="$dir/authorized_keys" -o AllowUsers="$user" "$@"
