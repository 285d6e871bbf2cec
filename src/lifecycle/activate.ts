import { quote, quoteAll } from "../quote.ts";
import { selfCommand } from "../process/own_command.ts";
import type { Session } from "../session/session.ts";

/**
 * The text of a session's activate script, for sh-like shells or for fish. It names the session to this
 * shell, and brings masters and mounts back where they are gone (after a reboot, say).
 */
export function activateScript(session: Session, { fish }: { readonly fish: boolean }): string {
  const dir = quote(session.dir);
  const name = quote(session.name);
  const reconnect = quoteAll([...selfCommand(), "reconnect", session.name]);
  if (fish) {
    return `# source this file in fish: it makes ${session.name} the session of this shell.
set -gx DOCKERDO_SESSION_DIR ${dir}
set -gx DOCKERDO_SESSION_NAME ${name}
function deactivate_dockerdo
    set -e DOCKERDO_SESSION_DIR
    set -e DOCKERDO_SESSION_NAME
    functions -e deactivate_dockerdo
end
${reconnect}
`;
  }
  return `# source this file in bash, zsh or sh: it makes ${session.name} the session of this shell.
export DOCKERDO_SESSION_DIR=${dir}
export DOCKERDO_SESSION_NAME=${name}
deactivate_dockerdo() {
  unset DOCKERDO_SESSION_DIR DOCKERDO_SESSION_NAME
  unset -f deactivate_dockerdo
}
${reconnect}
`;
}
