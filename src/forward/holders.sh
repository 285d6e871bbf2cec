# $1 inodes of sockets, as a|b|c. Prints for each process that has one: inode, pid, and its command line.
pid=
# One ls for all processes: the names are numbers, and a loop would start thousands of programs.
# shellcheck disable=SC2010
ls -l /proc/[0-9]*/fd 2>/dev/null | grep -E "^/proc/|socket:\[($1)\]\$" | while read -r line; do
  case $line in
    /proc/*)
      pid=${line#/proc/}
      pid=${pid%%/*}
      ;;
    *)
      inode=${line##*\[}
      printf '%s %s ' "${inode%\]}" "$pid"
      tr '\0\n' '\001 ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c 1-4000
      echo
      ;;
  esac
done
