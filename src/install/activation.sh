# shellcheck shell=bash disable=SC1090
# For the rc file of bash and zsh: init, up and attach activate the session that they begin.
dockerdo() {
  case ${1-} in
    init | up | attach) ;;
    *) command dockerdo "$@"; return ;;
  esac
  if [ ! -t 1 ]; then command dockerdo "$@"; return; fi
  local script
  script=$(command dockerdo "$@") || return
  case $script in *.fish) printf '%s\n' "$script" && return ;; esac
  if [ -f "$script" ]; then . "$script"; elif [ -n "$script" ]; then printf '%s\n' "$script"; fi
}
