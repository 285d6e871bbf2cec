import { removeHelpers } from "../attach/helper.ts";
import { sessionCommand } from "../command_line/command.ts";
import { switchFlag } from "../command_line/flags.ts";
import { disconnectContainer, withHost } from "../lifecycle/connection.ts";
import { docker, dockerTrouble } from "../docker.ts";
import {
  askEngineId,
  isOtherEngine,
  otherEngineFailure,
  ownContainers,
} from "../session_containers.ts";
import { Failure } from "../error.ts";
import { progress } from "../output.ts";
import type { Context } from "../process/context.ts";
import { removeSession } from "../lifecycle/remove.ts";
import { type Session } from "../session/session.ts";
import { enginePlace, remoteHostForSsh } from "../session/remote_host.ts";

interface RmFlags {
  readonly force: boolean;
  readonly delete: boolean;
}

export const command = sessionCommand<RmFlags>({
  about: "Removes the container and unmounts everything. Can be repeated.\n\n" +
    "  dockerdo rm --force --delete NAME",
  flags: {
    force: switchFlag(
      "Remove a running container, detach busy mounts, continue if the host is gone",
    ),
    delete: switchFlag("Also remove the session's image and directory"),
  },
  aliases: { f: "force" },
  action: rm,
});

async function rm(context: Context, found: Session, flags: RmFlags): Promise<void> {
  await withHost(context, found, {
    unreachable: (failure) => goOnWithout(context, found, { flags, failure }),
    action: async (session, reached) => {
      if (session.attached !== null) return await detach(context, session, { flags, reached });
      const usable = reached && await canRemoveContainers(context, session, flags);
      await removeSession(context, session, { ...flags, reached: usable });
    },
  });
}

/** Removes the containers; false, with --force, where docker cannot be used there, as little as a host that is gone. */
async function canRemoveContainers(
  context: Context,
  session: Session,
  flags: RmFlags,
): Promise<boolean> {
  try {
    await removeContainers(context, session, flags);
    return true;
  } catch (error) {
    const trouble = error instanceof Failure ? dockerTrouble(error.message) : undefined;
    if (!(error instanceof Failure) || trouble === undefined || trouble === "space") throw error;
    goOnWithout(context, session, { flags, failure: error });
    return false;
  }
}

/** What is not the session's own stays as it was, and without it there is no session. */
async function detach(
  context: Context,
  session: Session,
  { flags, reached }: { readonly flags: RmFlags; readonly reached: boolean },
): Promise<void> {
  await disconnectContainer(context, session, { force: flags.force });
  if (reached) await removeHelpers(context, session);
  await removeSession(context, session, { force: flags.force, delete: true, reached });
  progress(context, enginePlace(session), `${session.containerName} is left as it is`);
}

function goOnWithout(
  context: Context,
  session: Session,
  { flags, failure }: { readonly flags: RmFlags; readonly failure: Failure },
): void {
  if (!flags.force) {
    throw new Failure(failure.message, {
      cause: failure,
      hint: "dockerdo rm --force removes what is on this host and leaves the container.",
    });
  }
  const { remoteHost, containerName } = session;
  const login = remoteHost === null ? "" : `ssh ${remoteHostForSsh(remoteHost)} `;
  context.stderr(
    `dockerdo: ${failure.message}\n  Left on the remote host, perhaps: ${login}docker rm -f ${containerName}\n`,
  );
}

async function removeContainers(context: Context, session: Session, flags: RmFlags): Promise<void> {
  const engine = session.remoteHost === null ? "local" : session;
  if (session.engineId !== null && isOtherEngine(session, await askEngineId(context, engine))) {
    const failure = otherEngineFailure(session);
    if (!flags.force) throw failure;
    context.stderr(`dockerdo: ${failure.message}: it stays there\n`);
    await disconnectContainer(context, session, { force: true });
    return;
  }
  const containers = await ownContainers(context, session);
  const busy = containers.find(({ status }) => status === "running" || status === "paused");
  if (busy !== undefined && !flags.force) {
    throw new Failure(`the container ${busy.name} is ${busy.status}`, {
      hint: "dockerdo stop stops it first; dockerdo rm --force removes it at once.",
    });
  }
  // The mount is removed first: a program that uses it must not find its server gone.
  await disconnectContainer(context, session, { force: flags.force });
  for (const { id, name } of containers) {
    progress(context, enginePlace(session), `Removing the container ${name}`);
    await docker(context, session, { words: ["rm", "-fv", id], doing: "Removing the container" });
  }
}
