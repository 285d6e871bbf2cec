#!/bin/sh
# Starts a program in the background, in a session of its own: $1 its log, $2 the directory of the dockerdo session.
umask 077
log=$1
DOCKERDO_SESSION_DIR=$2
export DOCKERDO_SESSION_DIR
shift 2
cd /
if command -v setsid >/dev/null; then set -- setsid "$@"; fi
"$@" </dev/null >"$log" 2>&1 &
