#!/bin/sh
# A function: read_blobs IMAGE DIGEST SESSION DIR writes the blob with that digest (hexadecimal) out of the content store
# that the engine has with containerd, and the configuration that it names if it is a manifest: the store's directory
# and the blobs, each after a \037 (which JSON has in no string), or nothing. A container that is never started gives
# them. Behind remove_readers.sh.
read_blobs() {
  image=$1 hex=$2 session=$3 dir=$4 text='' config=''
  info=$(docker info --format '{{json .DriverStatus}} {{.DockerRootDir}}')
  case $info in *io.containerd.snapshotter*) ;; *) return 0 ;; esac
  for store in "${info##*] }/containerd/daemon" /var/lib/containerd /var/lib/desktop-containerd/daemon; do
    store=$store/io.containerd.content.v1.content/blobs/sha256
    id=$(docker create --network none --label "dockerdo.push=$session" --label "dockerdo.push.pid=$$" \
      --mount "type=bind,source=$store,target=$dir,readonly" "$image" x 2>/dev/null) || continue
    text=$(read_blob "$hex")
    case $text in
      *'"config"'*)
        config=${text#*'"config"'}
        config=${config#*'"sha256:'}
        config=$(read_blob "${config%%'"'*}")
        ;;
    esac
    docker rm -fv "$id" >/dev/null 2>&1
    [ -z "$text" ] || break
  done
  remove_readers "dockerdo.push=$session" none
  [ -z "$text" ] || printf '\037%s' "$store" "$text" "$config"
}

read_blob() { docker cp "$id:$dir/$1" - 2>/dev/null | tr -d '\000'; }
