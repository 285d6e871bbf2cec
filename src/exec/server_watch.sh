# Runs the language server or debug adapter "$@" and ends what it started when it ends, and when the connection
# does: the server's own watchdog would look for the editor's process, which is on another host. The parent is the
# login shell, and its parent the sshd of the connection.
read -r _ _ _ sshd _ <"/proc/$PPID/stat" 2>/dev/null || sshd=0
trap : HUP INT QUIT TERM
(
  trap '' HUP INT QUIT TERM
  exec <&- >&- 2>&-
  while [ "$sshd" != 0 ] && [ -d "/proc/$sshd" ]; do sleep 5; done
  if [ "$sshd" != 0 ]; then
    kill -s TERM 0
    sleep 2
    kill -s KILL 0
  fi
) &
watch=$!
"$@"
code=$?
kill -s KILL "$watch"
# Children of its own in the background, such as an indexer.
kill -s TERM 0
exit "$code"
