import { buildCommand } from "@stricli/core";
import {
  type CliContext,
  commonAliases,
  contextOf,
  type SessionFlags,
  sessionFlags,
  sessionName,
  sessionOf,
  switchFlag,
} from "../command_line/flags.ts";
import { disconnectContainer, findContainer, withHost } from "../lifecycle/connection.ts";
import { docker } from "../docker.ts";
import { progress } from "../output.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";

interface StopFlags extends SessionFlags {
  readonly force: boolean;
}

export const command = buildCommand<StopFlags, [string?], CliContext>({
  func: stop,
  parameters: {
    flags: { ...sessionFlags, force: switchFlag("Detach the mount even if it is in use") },
    aliases: { ...commonAliases, f: "force" },
    positional: sessionName,
  },
  docs: {
    brief: "Unmount the container's filesystem and stop the container",
    fullDescription:
      "Unmounts the container's filesystem and stops the container; dockerdo start brings both back.\n\n  dockerdo stop",
  },
});

async function stop(this: CliContext, flags: StopFlags, name?: string): Promise<void> {
  const context = contextOf(this, flags);
  await withHost(context, sessionOf(context, flags, name), {
    before: (session) => disconnectContainer(context, session, { force: flags.force }),
    action: (session) => stopContainer(context, session),
  });
}

async function stopContainer(context: Context, session: Session): Promise<void> {
  const container = await findContainer(context, session);
  if (container === undefined || ["exited", "created", "dead"].includes(container.status)) {
    progress(context, "remote", `The container of ${session.name} is not running`);
    return;
  }
  progress(context, "remote", `Stopping the container ${container.name}`);
  await docker(context, session, {
    words: ["stop", container.id],
    doing: "Stopping the container",
  });
}
