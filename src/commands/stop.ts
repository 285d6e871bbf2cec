import { buildCommand } from "@stricli/core";
import {
  type CliContext,
  commonAliases,
  type CommonFlags,
  commonFlags,
  contextOf,
  switchFlag,
} from "../command.ts";
import { disconnectContainer, findContainer, reachRemoteHost } from "../connection.ts";
import { docker } from "../docker.ts";
import { progress } from "../output.ts";
import { findSession, lockLifecycle } from "../session.ts";

interface StopFlags extends CommonFlags {
  readonly force: boolean;
}

export const command = buildCommand<StopFlags, [], CliContext>({
  func: stop,
  parameters: {
    flags: { ...commonFlags, force: switchFlag("Detach the mount even if it is in use") },
    aliases: { ...commonAliases, f: "force" },
  },
  docs: {
    brief: "Unmount the container's filesystem and stop the container",
    fullDescription:
      "Unmounts the container's filesystem and stops the container; dockerdo start brings both back.\n\n  dockerdo stop",
  },
});

async function stop(this: CliContext, flags: StopFlags): Promise<void> {
  const context = contextOf(this, flags);
  const found = findSession(context);
  using _lock = await lockLifecycle(context, found);
  await disconnectContainer(context, found, { force: flags.force });
  const session = await reachRemoteHost(context, found, { interactive: true });
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
