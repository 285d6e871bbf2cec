# shellcheck shell=bash
# Sourced by sessions that are played: what is said, and what is typed.
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1;32m' plain=$'\e[0m' dim=$'\e[2m'; else bold='' plain='' dim=''; fi
say() { printf '\n%s# %s%s\n' "$dim" "$*" "$plain"; }
# Shows a command line and runs it in this shell. `project` is the work dir.
type_in() {
  # shellcheck disable=SC2154
  printf '%s%s$%s %s\n' "$bold" "${PWD/#$project/\~/project}" "$plain" "$1"
  eval "$1"
}
