#!/bin/sh
# Prints what an engine has of an image. Behind remove_readers.sh and read_blobs.sh.
# $1 the image's id, $2 its tag, $3 the session, $4 a directory for read_blobs, then the image's layers, the lowest
# first. An image's layers count only as a chain, so what can be spared is the longest beginning that some image there
# has, too. What does not need an answer is asked at the same time. Only a classic store has a driver called overlay2.
id=$1 tag=$2 session=$3 dir=$4
shift 4
for name in zstd gzip; do
  if command -v "$name" >/dev/null 2>&1; then echo "program $name"; fi
done
docker image inspect --format 'known {{.Id}} {{json .RepoTags}} {{json .RootFS.Layers}}' "$id" "$tag" 2>/dev/null &
docker image ls -q --filter "label=dockerdo.push=$session" --format 'part {{.ID}}' &
ids=$(docker image ls -q --no-trunc) || exit
set -f
# shellcheck disable=SC2086 # a list of ids
have=$(docker image inspect \
  --format '{{.Id}} {{with .GraphDriver}}{{.Name}}{{end}} |{{range .RootFS.Layers}} {{.}}{{end}} ' $ids 2>/dev/null)
prefix='' n=0 all=$# base='' same=''
for layer; do
  case $have in *"|$prefix $layer "*) ;; *) break ;; esac
  prefix="$prefix $layer" n=$((n + 1))
done
case $have in
  *' overlay2 |'*) store='' ;;
  *) store=$(docker info --format '{{json .DriverStatus}}') || exit ;;
esac
wait
[ "$n" = 0 ] || base=$(printf '%s\n' "$have" | grep -F "|$prefix ")
echo "present $n"
case $store in
  *io.containerd.snapshotter*)
    echo containerd
    [ "$n" = 0 ] || base=${base%% *}
    ;;
  *) base='' ;;
esac
case $have in
  *"$id "*) [ "$n" != "$all" ] || base='' ;;
  *)
    [ "$n" != "$all" ] ||
      same=$(printf '%s\n' "$have" | grep "|$prefix \$" | while read -r one _; do echo "$one"; done)
    ;;
esac
# shellcheck disable=SC2086 # a list of ids
[ -z "$same" ] || docker image inspect $same 2>/dev/null
if [ -n "$base" ]; then
  printf '\037%s' "$base"
  read_blobs "$base" "${base#sha256:}" "$session" "$dir"
fi
:
