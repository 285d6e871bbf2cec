import { usageFailure } from "../error.ts";
import { progress } from "../output.ts";
import type { Context } from "../process/context.ts";
import type { MountKind } from "../session/session.ts";

/**
 * Whether a session is to record edits: what was asked for, else `otherwise`. sshfs alone reports nothing of what is
 * done through it.
 */
export function decideRecording(
  context: Context,
  { asked, otherwise, mount }: {
    readonly asked: boolean | undefined;
    readonly otherwise: boolean;
    readonly mount: MountKind;
  },
): boolean {
  const record = asked ?? otherwise;
  if (!record || mount === "relay") return record;
  if (asked === true) {
    throw usageFailure(
      "edits cannot be recorded through a plain mount",
      "Leave out --record, or mount with the relay: --mount relay",
    );
  }
  progress(context, "local", "Edits are not recorded: a plain mount does not report them");
  return false;
}
