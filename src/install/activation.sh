# shellcheck shell=sh disable=SC1090
# For the rc file of bash and zsh: init, up and attach activate the session that they begin.
dockerdo() {
  case ${1-} in
    init | up | attach) ;;
    *) command dockerdo "$@"; return ;;
  esac
  if [ ! -t 1 ]; then command dockerdo "$@"; return; fi
  __dockerdo_script=$(command dockerdo "$@") || return
  case $__dockerdo_script in
    *.fish) printf '%s\n' "$__dockerdo_script" ;;
    ?*) if [ -f "$__dockerdo_script" ]; then . "$__dockerdo_script"; else printf '%s\n' "$__dockerdo_script"; fi ;;
  esac
  unset __dockerdo_script
}
