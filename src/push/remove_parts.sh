#!/bin/sh
# A function: remove_parts SESSION removes the parts of images that its pushes have left. A part of an image is of no
# use when the image is there.
remove_parts() {
  docker image ls -q --no-trunc --filter "label=dockerdo.push=$1" |
    while read -r part; do docker image rm "$part"; done >/dev/null 2>&1
}
