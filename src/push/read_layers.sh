#!/bin/sh
# Writes a directory of a container as a tar archive; the container is made for it and never started. It is removed
# while the other end still works, and also after the reader has ended. Runs after remove_readers.sh.
# $1 the container's label, $2 the process it belongs to, $3 the directory; then options of docker create (binds), the
# image, and a command that is never run.
label=$1 pid=$2 dir=$3
shift 3
id=$(docker create --network none --label "$label" --label "dockerdo.push.pid=$pid" "$@") || exit
docker cp "$id:$dir" - && exec >&-
code=$?
docker rm -fv "$id" >/dev/null 2>&1
# The same process may be reading others.
remove_readers "$label" none
exit "$code"
