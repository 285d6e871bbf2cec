import { type Container, inspectContainer } from "../docker.ts";
import { Failure } from "../error.ts";
import type { Context } from "../process/context.ts";
import { containerLog } from "../session_containers.ts";
import type { Session } from "../session/session.ts";

// An init, the main process, sshd's three of each connection, the mount's server and a command.
const FEWEST_PROCESSES = 16;

/**
 * The failure of bringing a container up, with the container's state and the end of its log, as far as they can be
 * had: what goes wrong on the way does not take the place of the first reason.
 */
export async function startFailure(
  context: Context,
  session: Session,
  { containerId, error }: { readonly containerId: string; readonly error: unknown },
): Promise<unknown> {
  if (!(error instanceof Failure) || error.exitCode > 128) return error;
  const container = await ifAnswered(inspectContainer(context, session, containerId));
  if (container === null) return error;
  const log = await ifAnswered(containerLog(context, session, containerId));
  const hint = [limitOf(container), error.hint, stateOf(container), logText(log)];
  return new Failure(error.message, { cause: error, hint: hint.filter(Boolean).join("\n") });
}

/** null: the engine could not be asked. An interruption is thrown. */
async function ifAnswered<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof Failure) || error.exitCode > 128) throw error;
    return null;
  }
}

// What fails for want of processes says so rarely.
function limitOf(container: Container | undefined): string | undefined {
  const limit = container?.pidsLimit ?? 0;
  return limit > 0 && limit < FEWEST_PROCESSES
    ? `The container may have ${limit} processes: give docker run a larger --pids-limit.`
    : undefined;
}

function stateOf(container: Container | undefined): string {
  return container === undefined
    ? "The container is gone."
    : `The container is ${container.status}, exit code ${container.exitCode}.`;
}

function logText(log: string | null): string | undefined {
  if (log === null) return undefined;
  return log === "" ? "Its log is empty." : `The end of its log:\n${log}`;
}
