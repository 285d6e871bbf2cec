#!/bin/sh
# Serves SFTP from inside the root of the container that this helper is for: by a chroot, since a path prefix would
# resolve absolute links in the helper. The programs come from the helper's own root, which a process that is not
# chrooted shows in the /proc of both; nothing of the container's is run, and nothing is written there.
set -eu
read -r id user </etc/dockerdo/target

fail() {
  echo "dockerdo: $*" >&2
  exit 1
}

# The first process of that very container: its cgroup has the id, its mounts are not ours, it sees a root, and none is
# older. What runs in a container within it, or in a root of its own, is younger. Where processes are not the host's,
# it is number 1.
target="" oldest=""
for dir in /proc/1 /proc/[0-9]*; do
  grep -qs "$id" "$dir/cgroup" || continue
  [ "$(readlink "$dir/ns/mnt" 2>/dev/null)" != "$(readlink /proc/self/ns/mnt)" ] || continue
  grep -qsE '^([^ ]+ ){4}/ ' "$dir/mountinfo" || continue
  # proc_pid_stat(5): when it started is the 22nd field, the 20th after the name in brackets.
  started=$(sed -n '$s/.*) //p' "$dir/stat" 2>/dev/null | cut -d ' ' -f 20)
  [ -n "$started" ] || continue
  if [ -z "$oldest" ] || [ "$started" -lt "$oldest" ]; then target=${dir#/proc/} oldest=$started; fi
  [ "$target" != 1 ] || break
done
[ -n "$target" ] || fail "no process of the container $id is to be seen here"
root=/proc/$target/root
[ -d "$root/" ] || fail "the root of the container cannot be opened; a security module (AppArmor, SELinux) may forbid it"

# The loader and each library by its real path: links would lead into the container.
server=
for server in /usr/lib/openssh/sftp-server /usr/lib/ssh/sftp-server /usr/libexec/openssh/sftp-server \
  /usr/libexec/sftp-server; do
  [ ! -x "$server" ] || break
done
for loader in /lib64/ld-linux-*.so.* /lib/ld-linux-*.so.* /lib/ld-musl-*.so.*; do
  [ ! -e "$loader" ] || break
done
loader=$(readlink -f "$loader")
libraries() {
  "$loader" --list "$1" | sed -n 's/.*=> \(\/[^ ]*\) (.*/\1/p' | while read -r library; do
    library=$(readlink -f "$library")
    printf '%s\n' "${library%/*}"
  done | sort -u
}
preload=
# Runs a program of the helper inside: inside ANCHOR OPTIONS-OF-CHROOT -- PROGRAM ARGUMENTS
inside() {
  prefix=/proc/$1/root
  options=$2
  program=$(readlink -f "$3")
  shift 3
  path=
  for dir in $(libraries "$program"); do path=${path:+$path:}$prefix$dir; done
  # shellcheck disable=SC2086
  chroot $options "$root" "$prefix$loader" --library-path "$path" ${preload:+--preload "$prefix$preload"} \
    "$prefix$program" "$@"
}

# The user of docker exec, by the container's own files.
name=${user%%:*}
group=
case $user in *:*) group=${user#*:} ;; esac
entry=$(inside $$ "" /bin/cat /etc/passwd 2>/dev/null | awk -F: -v name="${name:-0}" '$1 == name || $3 == name { print $3, $4; exit }')
uid=${entry%% *}
case $name in
  "") uid=0 ;;
  *[!0-9]*) [ -n "$uid" ] || fail "the container has no user $name" ;;
  *) uid=$name ;;
esac
case $group in
  "") gid=${entry##* } ;;
  *[!0-9]*) gid=$(inside $$ "" /bin/cat /etc/group 2>/dev/null | awk -F: -v name="$group" '$1 == name { print $3; exit }') ;;
  *) gid=$group ;;
esac
gid=${gid:-0}
# sftp-server refuses a user that has no entry, as in an image without /etc/passwd: it is shown one of ours.
serve() {
  if [ -z "$entry" ]; then
    preload=$(readlink -f "$(find /usr/lib -name 'libnss_wrapper.so*' | head -n 1)")
    printf 'dockerdo:x:%s:%s::/:/\n' "$uid" "$gid" >"/run/passwd.$uid"
    printf 'dockerdo:x:%s:\n' "$gid" >"/run/group.$gid"
    chmod 644 "/run/passwd.$uid" "/run/group.$gid"
    export NSS_WRAPPER_PASSWD="/proc/$1/root/run/passwd.$uid" NSS_WRAPPER_GROUP="/proc/$1/root/run/group.$gid"
  fi
  inside "$1" "$2" "$server"
}
if [ "$uid" = 0 ]; then
  serve $$ ""
  exit
fi
groups=$(inside $$ "" /bin/cat /etc/group 2>/dev/null | awk -F: -v name="$name" '
  { n = split($4, members, ","); for (i = 1; i <= n; i++) if (members[i] == name) list = list "," $3 }
  END { print substr(list, 2) }')
# Another user cannot look through a process of root's: one of their own shows the helper's root.
chroot --userspec="$uid:$gid" --groups="$groups" / sleep 43200 </dev/null >/dev/null 2>&1 &
anchor=$!
trap 'kill "$anchor" 2>/dev/null' EXIT HUP INT TERM
tries=0
until [ "$(stat -c %u "/proc/$anchor" 2>/dev/null)" = "$uid" ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 200 ] || ! kill -0 "$anchor" 2>/dev/null; then
    echo "dockerdo: no process in the helper can be of the user $uid" >&2
    exit 1
  fi
  sleep 0.05
done
serve "$anchor" "--userspec=$uid:$gid --groups=$groups"
