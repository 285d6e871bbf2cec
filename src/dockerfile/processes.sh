# Prints when the machine was booted (seconds since 1970), then of each process of the container when it began, in
# ticks since then, and its name. Starts no program.
while read -r key value; do
  if [ "$key" = btime ]; then echo "$value"; fi
done </proc/stat
for directory in /proc/[0-9]*; do
  read -r line 2>/dev/null <"$directory/stat" || continue
  name=${line#*\(}
  name=${name%)*}
  # shellcheck disable=SC2086 # words are wanted
  set -- ${line##*) }
  if [ $# -ge 20 ]; then
    shift 19
    printf '%s %s\n' "$1" "$name"
  fi
done
