import { Failure } from "../error.ts";
import { capture } from "../process/child.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { ENGINE, onEngine } from "../ssh/argv.ts";

const LIMIT_MS = 5000;

/**
 * Why the engine runs no command in the session's container: by its state, since docker exec ends with the code of a
 * command then. Undefined where it does run commands; "gone" where there is no such container.
 */
export async function refusal(
  context: Context,
  session: Session,
): Promise<Failure | "gone" | undefined> {
  const id = session.containerId ?? "";
  const argv = onEngine(session, ["container", "inspect", "--format", "{{.State.Status}}", id]);
  const options = { readOnly: true, limitMs: LIMIT_MS };
  const { code, stdout, stderr } = await capture({ ...context, verbose: false }, argv, options);
  if (code !== 0) return ENGINE.noContainer.test(stderr) ? "gone" : undefined;
  const status = stdout.trim();
  if (status === "running" || status === "") return undefined;
  return new Failure(`the container of ${session.name} is ${status}`, {
    hint: session.attached === null
      ? "dockerdo start"
      : `dockerdo start ${session.name} goes on when ${session.containerName} runs again.`,
  });
}
