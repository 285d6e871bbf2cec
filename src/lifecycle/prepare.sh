#!/bin/sh
# Prepares a running container for its session, as root in it: the one key that may log in, and what the session must
# know. Nothing below a home directory is touched: it may be a bind mount of the host's.
# $1 the user, by name or number; $2 the public key. Prints user=, shell= and host_key=, a line each.
set -e
umask 022
cd /
unset LD_LIBRARY_PATH LD_PRELOAD LD_AUDIT OPENSSL_CONF ENV BASH_ENV
PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH"
starter=/etc/dockerdo/sshd

dir=$("$starter" --dir)
printf "%s\n" "$2" > "$dir/authorized_keys.$$"
mv -f "$dir/authorized_keys.$$" "$dir/authorized_keys"
"$starter" -t

case $1 in
  *[!0-9]*) user=$1 ;;
  *) user=$(sed -n "s/^\([^:]*\):[^:]*:$1:.*/\1/p" /etc/passwd | head -n 1) ;;
esac
entry=$(grep "^$user:" /etc/passwd || getent passwd "$user" || :)
if [ -z "$entry" ]; then
  echo "dockerdo: there is no user $1 in the container" >&2
  exit 1
fi
# An empty field is /bin/sh (passwd(5)).
shell=${entry##*:}
shell=${shell:-/bin/sh}
if [ ! -x "$shell" ]; then
  echo "dockerdo: the login shell of $user is $shell, which is not in the container" >&2
  exit 1
fi
allowed=$(cat /etc/dockerdo/user)
if [ "$allowed" != "$user" ]; then
  echo "dockerdo: the image was built for the user $allowed, not $user: dockerdo overlay && dockerdo build" >&2
  exit 1
fi
printf "user=%s\nshell=%s\nhost_key=%s\n" "$user" "$shell" "$(ssh-keygen -y -f "$dir/ssh_host_ed25519_key")"
