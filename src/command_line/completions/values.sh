#!/bin/sh
# What completions ask for: sh -c VALUES dockerdo WHAT [WORD] prints a line each. values.ts takes all after this head.
# Lists are split at new lines (IFS) without patterns (set -f); programs in quotes run elsewhere.
# shellcheck disable=SC2016,SC2046,SC2086,SC2088

nl="
"
# Runs a program without input for a second at most, unless the user waits longer.
limited() {
  "$@" </dev/null 2>/dev/null &
  child=$!
  { sleep "${DOCKERDO_COMPLETION_SECONDS:-1}"; kill -9 "$child"; } >/dev/null 2>&1 &
  watcher=$!
  wait "$child"
  kill "$watcher"
} 2>/dev/null

# Only over an open control master: what would open a connection ends at once.
over_master() {
  config=$1; shift
  limited ssh -F "$config" -o ControlMaster=no -o ProxyCommand=false -o BatchMode=yes \
    -o LogLevel=QUIET -o ClearAllForwardings=yes -T -- "$@"
}

under() { case $1 in /*) printf "%s" "$1" ;; *) printf "%s" "$HOME/$2" ;; esac; }

# The session.json of every session, a line each.
session_files() {
  set +f
  for file in "$(under "$XDG_DATA_HOME" .local/share)"/dockerdo/*/session.json; do
    [ -f "$file" ] && [ -O "${file%/*}" ] && printf "%s\n" "$file"
  done
  for entry in "$(under "$XDG_STATE_HOME" .local/state)"/dockerdo/sessions/*; do
    dir=
    [ -f "$entry" ] && { IFS= read -r dir <"$entry" || :; }
    [ -n "$dir" ] && [ -O "$dir" ] && [ -f "$dir/session.json" ] && printf "%s\n" "$dir/session.json"
  done
}

sessions() {
  IFS=$nl
  set -f
  set -- $(session_files | sort -u)
  [ $# -gt 0 ] && sed -n 's/^  "name": "\(.*\)",*$/\1/p' "$@"
}

# The session that exec would take: its file, work dir, working directory and PATH in the container, host.
current_session() {
  active=${DOCKERDO_SESSION_DIR:+$DOCKERDO_SESSION_DIR/session.json}
  IFS=$nl
  set -f
  # In a mount, another session than the active one may be used.
  case ${DOCKERDO_COMPLETION_SESSION:+named}:${active:-none}:$here/ in
    named:* | :none:* | :*/container/*) set -- $({ session_files; printf "%s" "$active"; } | sort -u) ;;
    *) set -- "$active" ;;
  esac
  set +f
  [ $# -gt 0 ] || return
  HERE=$here ACTIVE=$active awk "$choose" "$@" 2>/dev/null
}
choose='
  function text(line) {
    sub(/^ *"[A-Za-z]*": "/, "", line); sub(/",?$/, "", line)
    gsub(/\\"/, "\"", line); gsub(/\\\\/, "\\", line)
    return line
  }
  function within(path, dir) { return path == dir || index(path, dir "/") == 1 }
  /^  "name": "/ { name[FILENAME] = text($0) }
  /^  "socketDir": "/ { sockets[FILENAME] = text($0) }
  /^  "workDir": "/ { work[FILENAME] = text($0) }
  /^  "remoteHost": \{/ { remote = 1 }
  /^  \}/ { remote = 0 }
  remote && /^    "name": "/ { host[FILENAME] = text($0) }
  /^    "workdir": "/ { directory[FILENAME] = text($0) }
  /^      "PATH": "/ { path[FILENAME] = text($0) }
  END {
    here = ENVIRON["HERE"]
    named = ENVIRON["DOCKERDO_COMPLETION_SESSION"]
    for (file in work) {
      rank = within(here, work[file]) ? 1 : 0
      if (file == ENVIRON["ACTIVE"]) rank = 2
      if (within(here, work[file] "/container")) rank = 3
      if (named != "") rank = name[file] == named ? 1 : 0
      if (rank > best || (rank == best && rank > 0 && length(work[file]) > length(work[found]))) {
        best = rank; found = file
      }
    }
    if (best) print found "\n" work[found] "\n" directory[found] "\n" path[found] "\n" host[found] "\n" sockets[found]
  }
'
load_session() {
  here=$(pwd -P) || return
  found=$(current_session; echo .)
  { IFS= read -r file && IFS= read -r work && IFS= read -r directory && IFS= read -r path && IFS= read -r host &&
    IFS= read -r sockets; } <<END
$found
END
  # What another user has put in their place is not believed.
  [ -O "${file%/*}" ] && [ -O "$sockets" ]
}

# What is in the container: inside path|directory|program WORD
inside() {
  load_session || return
  kind=$1 word=$2 mount=$work/container before=
  case $here in "$mount") directory=/ ;; "$mount"/*) directory=${here#"$mount"} ;; esac
  case $word in -*=*) before=${word%%=*}= word=${word#*=} ;; esac
  case $word in "$mount"/*) before=$before$mount word=${word#"$mount"} ;; esac
  export DODO_1="$listing" DODO_2="${directory:-/}" DODO_3="$word" DODO_4="$kind" DODO_5="$path"
  over_master "${file%/*}/ssh_config" container "exec /bin/sh -c 'eval \"\$DODO_1\"'" |
    sort -u | while IFS= read -r line; do printf "%s\n" "$before$line"; done
}
# Runs in the container.
listing='
  cd -- "$DODO_2" || exit
  nl="
"
  show() {
    case $1 in *"$nl"*) return ;; esac
    if [ -d "$1" ]; then printf "%s/\n" "$1"
    elif [ "$DODO_4" != directory ] && { [ -e "$1" ] || [ -h "$1" ]; }; then printf "%s\n" "$1"; fi
  }
  case $DODO_4:$DODO_3 in
    program:*/*) ;;
    program:*)
      IFS=:
      for dir in ${DODO_5:-$PATH}; do
        for file in "$dir/$DODO_3"*; do
          [ -f "$file" ] && [ -x "$file" ] && printf "%s\n" "${file##*/}"
        done
      done
      exit ;;
  esac
  for file in "$DODO_3"*; do show "$file"; done
'

# The names in ssh_config(5) files, each once read with what it includes: no patterns.
hosts() { { config_hosts "$HOME/.ssh" config; config_hosts /etc/ssh ssh_config; } | sort -u; }
config_hosts() {
  base=$1
  seen=$nl
  IFS=$nl
  set -f
  set -- "$1/$2"
  while [ $# -gt 0 ]; do
    next=
    for entry in $(limited awk "$directives" "$@"); do
      name=${entry#??}
      case $entry in
        "H "*)
          # No pattern, nothing that init would refuse, and no name of a session's container.
          case $name in -* | *[!A-Za-z0-9_.:-]* | *.dockerdo) ;; *) printf "%s\n" "$name" ;; esac ;;
        "I "*)
          case $name in "~/"*) name=$HOME/${name#??} ;; /*) ;; *) name=$base/$name ;; esac
          set +f
          for file in $name; do
            case $seen in *"$nl$file$nl"*) continue ;; esac
            seen=$seen$file$nl
            [ -f "$file" ] && [ -r "$file" ] && next=$next$file$nl
          done
          set -f ;;
      esac
    done
    set -- $next
  done
}
directives='
  { sub(/\r$/, ""); sub(/^[ \t]+/, "") }
  tolower($0) ~ /^(host|include)[ \t=]/ {
    kind = toupper(substr($0, 1, 1))
    sub(/^[A-Za-z]+[ \t]*=?[ \t]*/, "")
    while ($0 != "" && substr($0, 1, 1) != "#") {
      quoted = match($0, /^"[^"]*"/)
      if (!quoted) match($0, /^[^ \t]+/)
      print kind " " substr($0, 1 + quoted, RLENGTH - 2 * quoted)
      $0 = substr($0, RLENGTH + 1)
      sub(/^[ \t]+/, "")
    }
  }
'

images() { limited docker image ls --format "{{.Repository}}:{{.Tag}}" | sed "/<none>/d"; }
containers() { limited docker ps --format "{{.Names}}"; }

# The options of docker, and their values: docker VERB [OPTION] WORD, asked where the container is.
docker_words() {
  verb=$1 word=
  [ $# -lt 3 ] || { option=$2; shift; }
  word=$2
  case $option$word in *[!A-Za-z0-9_./:=@,+-]*) return ;; esac
  if [ "$verb" != build ] && load_session && [ -n "$host" ]; then
    over_master "${file%/*}/ssh_config.remote" "$host" "docker __complete $verb $option '$word'"
  else
    limited docker __complete "$verb" ${option:+"$option"} "$word"
  fi | awk -F '\t' '/^:[0-9]+$/ { exit } /^_activeHelp_/ { next } { print $1 }'
}

case $1 in
  hosts | images | containers | sessions) "$1" ;;
  docker) shift; docker_words "$@" ;;
  *) inside "$@" ;;
esac
