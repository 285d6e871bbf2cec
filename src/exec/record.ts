import { type Execution, recordExecution } from "../history/executions.ts";
import { dropCaches } from "../relay/drop.ts";
import { isSecretVariable, maskSecrets } from "../secrets.ts";
import { relayDir, type Session } from "../session/session.ts";

/**
 * What follows a command in the container: the mount's relay forgets what the command may have changed, and the
 * history gets its line, without the secrets in the arguments and values. Throws what writing the history throws.
 */
export function record(session: Session, execution: Execution): void {
  try {
    if (session.mount === "relay") dropCaches(relayDir(session, "container"));
  } catch {
    // The command has ended, and its exit code counts: the relay finds out by itself, a little later.
  }
  const { env } = execution;
  const command = maskSecrets(execution.command);
  recordExecution(session, {
    ...execution,
    command,
    ...command !== execution.command && { secret: true },
    ...env !== undefined && { env: withoutSecrets(env) },
  });
}

/** The values to be kept: a secret's is not. */
function withoutSecrets(
  env: Readonly<Record<string, string | null>>,
): Record<string, string | null> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      name,
      value === null || isSecretVariable(name, value) ? null : value,
    ]),
  );
}
