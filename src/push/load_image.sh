#!/bin/sh
# Loads the archive on stdin into the engine, and prints "verified" when the image is there. Runs after remove_parts.sh.
# $1 the format, $2 the image's id there if it is known, $3 its tag, which moves when the whole image is there, $4 its
# layers, $5 the session whose parts of images have done their service then. A part has no tag. With containerd's image
# store docker load may end well with an image that it could not unpack, and leaves one anyway.
format=$1 id=$2 tag=$3 layers=$4 session=$5

dangling() { docker image ls -q --no-trunc --filter dangling=true; }
layers_of() { docker image inspect --format '{{range .RootFS.Layers}} {{.}}{{end}}' "$1" 2>/dev/null; }

fail() {
  [ -n "$id" ] || for new in $(dangling); do
    case $before in *"$new"*) continue ;; esac
    [ "$(layers_of "$new")" != "$layers" ] || docker image rm "$new"
  done >/dev/null 2>&1
  printf '%s\n' "$said" >&2
  exit "$1"
}

[ -n "$id" ] || before=$(docker image ls -q --no-trunc)
said=$(if [ "$format" = none ]; then docker load -q; else "$format" -dc | docker load -q; fi 2>&1) || fail $?
case $said in *'rror unpacking'*) fail 1 ;; esac
if [ -z "$id" ]; then
  id=${said##*sha256:}
  id=sha256:${id%%[!0-9a-f]*}
  [ "$(layers_of "$id")" = "$layers" ] || exit 0
fi
if [ -z "$tag" ]; then docker image inspect "$id" >/dev/null; else docker tag "$id" "$tag"; fi 2>/dev/null || exit 0
echo verified
[ -z "$session" ] || remove_parts "$session"
:
