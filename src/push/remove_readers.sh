#!/bin/sh
# A function: remove_readers LABEL PID removes the containers with this label of that process, and those of processes
# that are gone: nothing else removes them.
remove_readers() {
  docker ps -a --filter "label=$1" --filter label=dockerdo.push.pid \
    --format '{{.ID}} {{.Label "dockerdo.push.pid"}}' | while read -r reader owner; do
    if [ "$owner" = "$2" ] || ! kill -0 "$owner"; then docker rm -fv "$reader"; fi
  done >/dev/null 2>&1
}
