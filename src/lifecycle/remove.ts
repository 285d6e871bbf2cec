import { disconnectContainer, disconnectRemoteHost } from "./connection.ts";
import { captureDocker, type EngineHost } from "../docker.ts";
import { dropForwards } from "../forward/table.ts";
import { Failure } from "../error.ts";
import { isForSession, overlayPath, readOverlay } from "../image/overlay.ts";
import { removeReaders } from "../push/store_container.ts";
import { removeParts } from "../push/remote_load.ts";
import { isOnPath } from "../process/search_path.ts";
import { type Context } from "../process/context.ts";
import { quote } from "../quote.ts";
import { forgetSession, relayDir, type Session, SESSION_FILES } from "../session/session.ts";
import { publishHostNames, writeHostBlock } from "../ssh/host_names.ts";
import { updateSession } from "../session/store.ts";
import { ENGINE } from "../ssh/argv.ts";

/**
 * Takes down what a session has here, its containers being gone: mounts, masters, sockets; with `delete` its
 * image on every engine at hand, its place in the index and its directory too. Fine to repeat.
 */
export async function removeSession(
  context: Context,
  session: Session,
  { force, delete: whole, reached }: {
    /** Detach mounts that are in use. */
    readonly force: boolean;
    readonly delete: boolean;
    /** Whether the remote host answers. */
    readonly reached: boolean;
  },
): Promise<void> {
  await disconnectContainer(context, session, { force });
  if (whole && session.attached === null) await removeImages(context, session, { reached });
  await disconnectRemoteHost(context, session, { force });
  if (context.dryRun) return;
  await dropForwards(session);
  const left = await updateSession(
    session.dir,
    (stored) => ({ ...stored, containerId: null }),
  );
  if (!whole) await writeHostBlock(context, left, { endpoint: undefined });
  if (whole) {
    await removeOverlay(session);
    try {
      await deleteSession(context, session);
    } finally {
      await publishHostNames(context);
    }
  } else await publishHostNames(context);
}

// An unedited one would be used for the next session.
async function removeOverlay(session: Session): Promise<void> {
  const text = await readOverlay(session).catch(() => undefined);
  if (text !== undefined && isForSession(text, session)) await Deno.remove(overlayPath(session));
}

async function removeImages(
  context: Context,
  session: Session,
  { reached }: { readonly reached: boolean },
): Promise<void> {
  const remote = session.remoteHost !== null && reached;
  const engines: readonly EngineHost[] = [
    ...session.remoteHost === null || await isOnPath(context, ENGINE.program)
      ? ["local" as const]
      : [],
    ...remote ? [session] : [],
  ];
  // What a push that was killed left would keep the image.
  if (session.remoteHost !== null && engines.includes("local")) {
    await removeReaders(context, session.id);
  }
  if (remote) {
    await removeReaders(context, session.id, { remote: session });
    await removeParts(context, session);
  }
  for (const engine of engines) {
    const removed = await captureDocker(context, engine, {
      words: ["image", "rm", session.imageTag],
    });
    if (removed.code !== 0 && !ENGINE.noImage.test(removed.stderr)) {
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
    hint: `Everything else of the session is removed. Look at them, then: rm -r ${
      quote(session.dir)
    }`,
  });
}
