import { removeHelpers } from "../attach/helper.ts";
import { sessionCommand } from "../command_line/command.ts";
import { switchFlag } from "../command_line/flags.ts";
import { disconnectContainer, findContainer, withHost } from "../lifecycle/connection.ts";
import { docker } from "../docker.ts";
import { progress } from "../output.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { enginePlace } from "../session/remote_host.ts";

interface StopFlags {
  readonly force: boolean;
}

export const command = sessionCommand<StopFlags>({
  about:
    "Unmounts the container's filesystem and stops the container. dockerdo start restores both.\n\n" +
    "  dockerdo stop",
  flags: { force: switchFlag("Detach the mount even if it is in use") },
  aliases: { f: "force" },
  action: stop,
});

async function stop(context: Context, session: Session, flags: StopFlags): Promise<void> {
  await withHost(context, session, {
    before: (reached) => disconnectContainer(context, reached, { force: flags.force }),
    action: (reached) => stopContainer(context, reached),
  });
}

async function stopContainer(context: Context, session: Session): Promise<void> {
  if (session.attached !== null) {
    await removeHelpers(context, session);
    progress(
      context,
      enginePlace(session),
      `${session.containerName} runs on: it is not dockerdo's`,
    );
    return;
  }
  const container = await findContainer(context, session);
  if (container === undefined || ["exited", "created", "dead"].includes(container.status)) {
    progress(context, enginePlace(session), `The container of ${session.name} is not running`);
    return;
  }
  progress(context, enginePlace(session), `Stopping the container ${container.name}`);
  await docker(context, session, {
    words: ["stop", container.id],
    doing: "Stopping the container",
  });
}
