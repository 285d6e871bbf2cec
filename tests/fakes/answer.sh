# Sourced by each fake. Logs the call to $FAKE_LOG: program, one argument a line, and a line with ";".
# Answers with FAKE_<program>_<1st word>_<2nd word>, or with a shorter name: the value is the stdout;
# the same name with _stderr and _code has the rest. A call that no variable answers is unexpected: 99.
# With FAKE_STDIN set to a file, stdin goes there.
name=${0##*/}
printf '%s\n' "$name" "$@" ';' >> "$FAKE_LOG"
key=FAKE_$(printf '%s' "$name" | tr -c 'A-Za-z0-9' _)
one=$(printf '%s' "$1" | tr -c 'A-Za-z0-9' _)
two=$(printf '%s' "$2" | tr -c 'A-Za-z0-9' _)
for candidate in "${key}_${one}_$two" "${key}_$one" "$key"; do
  eval "known=\${$candidate+yes}"
  [ -n "$known" ] || continue
  if [ -n "$FAKE_STDIN" ]; then cat > "$FAKE_STDIN"; fi
  eval "printf %s \"\$$candidate\"; printf %s \"\$${candidate}_stderr\" >&2; exit \${${candidate}_code:-0}"
done
printf '%s\n' UNEXPECTED ';' >> "$FAKE_LOG"
echo "unexpected call of the fake $name: $*" >&2
exit 99
