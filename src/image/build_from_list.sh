#!/bin/sh
# Runs docker with a build context of the files whose names come on stdin, a NUL after each.
# $1 the directory; the others are docker's arguments. A context that is not whole is a failure (74, EX_IOERR of
# sysexits(3)), as it is where docker reads the files itself.
cd -- "$1" || exit
shift
# On macOS tar would add a file for each one with extended attributes.
export COPYFILE_DISABLE=1

archive() {
  case $(tar --help 2>&1 </dev/null) in
    *BusyBox*) tr '\000' '\n' | tar --no-recursion -cf - -T - ;;
    *) tar --null --no-recursion -cf - -T - ;;
  esac
}

exec 4>&1
codes=$(
  {
    {
      archive 3>&- 4>&-
      echo "tar=$?" >&3
    } | {
      docker "$@" >&4 3>&- 4>&-
      echo "docker=$?" >&3
    }
  } 3>&1
)
tar=0
docker=1
for code in $codes; do
  case $code in
    tar=*) tar=${code#*=} ;;
    docker=*) docker=${code#*=} ;;
  esac
done
if [ "$docker" = 0 ] && [ "$tar" != 0 ]; then
  echo "dockerdo: the image lacks files of the build context: tar failed, see above" >&2
  exit 74
fi
exit "$docker"
