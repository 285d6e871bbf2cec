import { buildCommand } from "@stricli/core";
import {
  type CliContext,
  commonAliases,
  type CommonFlags,
  commonFlags,
  contextOf,
  switchFlag,
} from "../command.ts";
import { disconnectContainer, disconnectRemoteHost, reachRemoteHost } from "../connection.ts";
import { captureDocker, docker, type Engine, sessionContainers } from "../docker.ts";
import { Failure } from "../error.ts";
import { progress } from "../output.ts";
import type { Context } from "../process.ts";
import {
  findSession,
  forgetSession,
  lockLifecycle,
  relayDir,
  type Session,
  SESSION_FILES,
  updateSession,
} from "../session.ts";

interface RmFlags extends CommonFlags {
  readonly force: boolean;
  readonly delete: boolean;
}

export const command = buildCommand<RmFlags, [], CliContext>({
  func: rm,
  parameters: {
    flags: {
      ...commonFlags,
      force: switchFlag(
        "Remove a running container, detach busy mounts, go on if the host is gone",
      ),
      delete: switchFlag("Remove the session's image and the session directory too"),
    },
    aliases: { ...commonAliases, f: "force" },
  },
  docs: {
    brief: "Remove the session's container, and with --delete the session",
    fullDescription:
      "Removes the container and unmounts everything. Fine to repeat.\n\n  dockerdo rm --force --delete",
  },
});

async function rm(this: CliContext, flags: RmFlags): Promise<void> {
  const context = contextOf(this, flags);
  const found = findSession(context);
  using _lock = await lockLifecycle(context, found);
  const session = await reach(context, found, flags);
  if (session !== undefined) await removeContainers(context, session, flags);
  const local = session ?? found;
  await disconnectContainer(context, local, { force: flags.force });
  if (flags.delete && session !== undefined) await removeImages(context, session);
  await disconnectRemoteHost(context, local, { force: flags.force });
  if (context.dryRun) return;
  await updateSession(local.dir, (stored) => ({ ...stored, containerId: null }));
  if (flags.delete) await deleteSession(context, local);
}

/** The session with its host at hand; undefined where the host cannot be reached and `--force` goes on without. */
async function reach(
  context: Context,
  session: Session,
  flags: RmFlags,
): Promise<Session | undefined> {
  try {
    return await reachRemoteHost(context, session, { interactive: true });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (!flags.force) {
      throw new Failure(error.message, {
        cause: error,
        hint: "dockerdo rm --force takes down what is here and leaves the container there.",
      });
    }
    const host = session.remoteHost?.name ?? "the local host";
    context.stderr(
      `dockerdo: ${error.message}\n  What may be left there: ssh ${host} docker rm -f ${session.containerName}\n`,
    );
    return undefined;
  }
}

async function removeContainers(context: Context, session: Session, flags: RmFlags): Promise<void> {
  const containers = await sessionContainers(context, session);
  const busy = containers.find(({ status }) => status === "running" || status === "paused");
  if (busy !== undefined && !flags.force) {
    throw new Failure(`the container ${busy.name} is ${busy.status}`, {
      hint: "dockerdo stop stops it first; dockerdo rm --force removes it at once.",
    });
  }
  // The mount goes first: a program that uses it must not find its server gone.
  await disconnectContainer(context, session, { force: flags.force });
  for (const { id, name } of containers) {
    progress(context, "remote", `Removing the container ${name}`);
    await docker(context, session, { words: ["rm", "-f", id], doing: "Removing the container" });
  }
}

async function removeImages(context: Context, session: Session): Promise<void> {
  const engines: readonly Engine[] = session.remoteHost === null ? ["local"] : ["local", session];
  for (const engine of engines) {
    const removed = await captureDocker(context, engine, {
      words: ["image", "rm", session.imageTag],
    });
    if (removed.code !== 0 && !/no such image/i.test(removed.stderr)) {
      context.stderr(`dockerdo: the image ${session.imageTag} stays: ${removed.stderr.trim()}\n`);
    }
  }
}

async function deleteSession(context: Context, session: Session): Promise<void> {
  await forgetSession(context, session);
  for await (const { name } of Deno.readDir(session.dir)) {
    // What a command that was killed left of a write is ours too.
    const own = (SESSION_FILES as readonly string[]).includes(name) ||
      /^session\.json\.[-0-9a-f]{36}$/.test(name);
    const path = `${session.dir}/${name}`;
    if ([relayDir(session, "container"), relayDir(session, "remote")].includes(path)) {
      await Deno.remove(path, { recursive: true }).catch(() => {});
    } else if (own) await Deno.remove(path).catch(() => {});
  }
  const foreign = (await Array.fromAsync(Deno.readDir(session.dir))).map(({ name }) => name);
  if (foreign.length === 0) {
    await Deno.remove(session.dir);
    return;
  }
  throw new Failure(`${session.dir} holds files that are not dockerdo's: ${foreign.join(", ")}`, {
    hint: `Everything else of the session is removed. Look at them, then: rm -r ${session.dir}`,
  });
}
