import { quote, quoteAll } from "../quote.ts";
import { selfCommand } from "../process/own_command.ts";
import { containerMount, type Session } from "../session/session.ts";

/**
 * The text of a session's activate script, for sh-like shells or for fish. It names the session to this
 * shell, and brings masters and mounts back where they are gone (after a reboot, say). `dockerdo_prompt`, for a prompt,
 * prints the session's name and the container's directory, from what the shell knows by itself.
 */
export function activateScript(session: Session, { fish }: { readonly fish: boolean }): string {
  const dir = quote(session.dir);
  const name = quote(session.name);
  const mount = quote(containerMount(session));
  const reconnect = quoteAll([...selfCommand(), "reconnect", session.name]);
  if (fish) {
    return `# source this file in fish: it makes ${session.name} the session of this shell.
set -gx DOCKERDO_SESSION_DIR ${dir}
set -gx DOCKERDO_SESSION_NAME ${name}
function dockerdo_prompt
    set -l mount ${mount}
    set -l length (string length -- $mount)
    if test (string sub -l (math $length + 1) -- $PWD/) = $mount/
        set -l dir (string sub -s (math $length + 1) -- $PWD)
        test -n "$dir"; or set dir /
        printf '%s:%s' ${name} (string replace -ra '[[:cntrl:]]' '?' -- "$dir")
    else
        printf %s ${name}
    end
end
function deactivate_dockerdo
    set -e DOCKERDO_SESSION_DIR
    set -e DOCKERDO_SESSION_NAME
    functions -e deactivate_dockerdo dockerdo_prompt
end
${reconnect}
`;
  }
  return `# source this file in bash, zsh or sh: it makes ${session.name} the session of this shell.
export DOCKERDO_SESSION_DIR=${dir}
export DOCKERDO_SESSION_NAME=${name}
dockerdo_prompt() {
  set -- ${mount}
  case $PWD/ in
    "$1"/*) set -- "\${PWD#"$1"}" ;;
    *) printf %s ${name}; return ;;
  esac
  case $1 in *[[:cntrl:]]*) set -- "$(printf %s "$1" | tr '[:cntrl:]' '?')" ;; esac
  # zsh gives each % of a prompt a meaning.
  if [ -n "\${ZSH_VERSION-}" ]; then eval 'set -- "\${1//[%]/%%}"'; fi
  printf %s ${name}:"\${1:-/}"
}
deactivate_dockerdo() {
  unset DOCKERDO_SESSION_DIR DOCKERDO_SESSION_NAME
  unset -f deactivate_dockerdo dockerdo_prompt
}
${reconnect}
`;
}
