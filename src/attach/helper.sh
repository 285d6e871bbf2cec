#!/bin/sh
# Waits while a client is connected, then ten minutes more. $1 the container's id, $2 its user.
printf '%s %s\n' "$1" "$2" >/etc/dockerdo/target
idle=0
trap 'exit 0' TERM
while [ "$idle" -lt 20 ]; do
  sleep 30 &
  wait $!
  if grep -qs /etc/dockerdo/sshd_config /proc/[0-9]*/cmdline; then idle=0; else idle=$((idle + 1)); fi
done
