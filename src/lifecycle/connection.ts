import { provideHelperImage, startHelper } from "../attach/helper.ts";
import { findRecreated } from "../attach/target.ts";
import { loadConfig } from "../config/config.ts";
import { restoreForwards, suspendForwards } from "../forward/forwarding.ts";
import { type Container, docker, inspectContainer } from "../docker.ts";
import {
  askEngineId,
  isOtherEngine,
  otherEngineFailure,
  ownsContainer,
} from "../session_containers.ts";
import { doctorHint, Failure } from "../error.ts";
import { mount, unmount } from "../mount/mount.ts";
import { isServed } from "../mount/table.ts";
import { progress } from "../output.ts";
import type { Context } from "../process/context.ts";
import { loadSession, type Session } from "../session/session.ts";
import { lockLifecycle, updateSession } from "../session/store.ts";
import { hasSocketDir, socketPath } from "../ssh/argv.ts";
import { type ContainerEndpoint, execAsRoot, writeSshConfig } from "../ssh/config_file.ts";
import { publishHostNames, writeHostBlock } from "../ssh/host_names.ts";
import {
  captureOnRemoteHost,
  endLostMasters,
  isMasterAlive,
  makeSocketDir,
  startMaster,
  stopMaster,
} from "../ssh/master.ts";
import PREPARE from "./prepare.sh" with { type: "text" };
import { askSshd, checkLoginShell } from "../ssh/container_login.ts";
import { closeRemoteShells } from "../ssh/remote_shell.ts";
import { findPublicKey, type PublicKey } from "../ssh/public_key.ts";

const READY_LIMIT_MS = 10_000;

const ASK_AGAIN_MS = 50;

// $1 the build dir. Prints its path without links: the relay must get the name that the server has for it.
const BUILD_DIR = 'mkdir -p -- "$1" && CDPATH= cd -- "$1" && pwd -P';

/**
 * Brings up the way to the remote host unless it is up: control sockets' directory, ssh_config and control
 * master. Where ssh may be `interactive`, it asks on the terminal. Returns the session, whose socket
 * directory may have moved.
 */
export async function reachRemoteHost(
  context: Context,
  session: Session,
  { interactive }: { readonly interactive: boolean },
): Promise<Session> {
  const placed = await ensureSocketDir(context, session);
  if (placed.remoteHost !== null) {
    await startMaster(context, placed, { destination: "remote", interactive });
  }
  return placed;
}

/**
 * The frame of a lifecycle command: `action` gets the session as it is stored now, its remote host reached and
 * (`buildDir`) the build dir there mounted, while other such commands of the session are kept out. `before`
 * comes first, also where the host does not answer. That is a failure, unless `unreachable` takes it and
 * returns: then the action continues without the host, and knows it.
 */
export async function withHost<T>(
  context: Context,
  found: Session,
  { interactive = true, buildDir = false, before, unreachable, action }: {
    readonly interactive?: boolean;
    readonly buildDir?: boolean;
    readonly before?: (session: Session) => Promise<void>;
    readonly unreachable?: (failure: Failure) => void;
    readonly action: (session: Session, reached: boolean) => Promise<T>;
  },
): Promise<T> {
  using _lock = await lockLifecycle(context, found);
  const session = loadSession(found.dir);
  await before?.(session);
  let reached: Session | undefined;
  try {
    reached = await (buildDir ? connectRemoteHost : reachRemoteHost)(context, session, {
      interactive,
    });
  } catch (error) {
    if (!(error instanceof Failure) || unreachable === undefined) throw error;
    unreachable(error);
  }
  return await action(reached ?? session, reached !== undefined);
}

/** {@link reachRemoteHost}, and the build dir there mounted. */
export async function connectRemoteHost(
  context: Context,
  session: Session,
  options: { readonly interactive: boolean },
): Promise<Session> {
  const placed = await reachRemoteHost(context, session, options);
  if (placed.remoteHost === null || placed.attached !== null) return placed;
  if (await isServed(context, placed, "remote")) return placed;
  progress(context, "local", `Mounting ${placed.remoteHost.name}:${placed.buildDir}`);
  const made = await captureOnRemoteHost(context, placed, {
    words: ["sh", "-c", BUILD_DIR, "dockerdo", placed.buildDir],
  });
  if (made.code !== 0) {
    throw new Failure(`cannot make the build dir ${placed.buildDir}: ${made.stderr.trim()}`);
  }
  const path = context.dryRun ? placed.buildDir : made.stdout.replace(/\n$/, "");
  // Links below a directory that is not known exactly could lead out of the mount.
  if (!context.dryRun && (!path.startsWith("/") || /[\0\n]/.test(path))) {
    throw new Failure(
      `${placed.remoteHost.name} does not say where the build dir ${placed.buildDir} is`,
      {
        hint:
          "On the remote host, `pwd -P` in that directory must print one line that starts with a slash.",
      },
    );
  }
  await mount(context, placed, { destination: "remote", path });
  return placed;
}

async function ensureSocketDir(context: Context, session: Session): Promise<Session> {
  if (context.dryRun || hasSocketDir(session)) return session;
  return await updateSession(session.dir, async (stored) => {
    // Another command may have made one in the meantime, and begun a control master there.
    if (hasSocketDir(stored)) return stored;
    await endLostMasters(context, stored, "container");
    await endLostMasters(context, stored, "remote");
    const moved = { ...stored, socketDir: await makeSocketDir(context, stored.id) };
    await writeSshConfig(context, moved, { endpoint: undefined });
    await writeHostBlock(context, moved, { endpoint: undefined });
    await publishHostNames(context);
    return moved;
  });
}

/**
 * Brings up the way into a running container unless it is up: host key pinned, user's key in place,
 * ssh_config, control master, and the mount.
 */
export async function connectContainer(
  context: Context,
  session: Session,
  { containerId, key }: { readonly containerId: string; readonly key: PublicKey },
): Promise<Session> {
  const target = session.attached === null
    ? undefined
    : await inspectContainer(context, session, containerId);
  const sshdIn = target === undefined ? containerId : await helperOf(context, session, target);
  const [type = "", blob = ""] = key.line.split(" ");
  const words = ["/bin/sh", "-c", PREPARE, "sh", session.user, `${type} ${blob}`];
  const [prepared, engineId] = await Promise.all([
    docker(context, session, {
      words: execAsRoot(sshdIn, words),
      doing: "Preparing sshd in the container",
    }),
    askEngineId(context, session.remoteHost === null ? "local" : session),
  ]);
  const user = answerOf(prepared, "user") || session.user;
  const loginShell = answerOf(prepared, "shell");
  const hostKey = answerOf(prepared, "host_key");
  if (!context.dryRun && !hostKey.startsWith("ssh-ed25519 ")) {
    throw new Failure(`the container did not report its host key: ${prepared}`);
  }
  const identityFile = key.file ?? `${session.dir}/identity.pub`;
  const endpoint = await findEndpoint(context, session, sshdIn);
  if (context.dryRun) return session;
  if (key.file === null) await Deno.writeTextFile(identityFile, `${key.line}\n`, { mode: 0o600 });
  await Deno.writeTextFile(`${session.dir}/known_hosts`, `dockerdo-${session.id} ${hostKey}\n`, {
    mode: 0o600,
  });
  const container = await inspectContainer(context, session, containerId);
  if (session.attached !== null && containerId !== session.containerId) {
    progress(
      context,
      "remote",
      `${container?.name} is a new container (${containerId.slice(0, 12)})`,
    );
  }
  const image = { env: container?.env ?? {}, workdir: container?.workdir ?? "/", loginShell };
  const connected = await updateSession(
    session.dir,
    (stored) => ({
      ...stored,
      containerId,
      engineId,
      user,
      identityFile,
      image,
      ...stored.attached !== null && container !== undefined && { containerName: container.name },
    }),
  );
  await writeSshConfig(context, connected, { endpoint });
  await writeHostBlock(context, connected, { endpoint });
  await publishHostNames(context);
  await startContainerMaster(context, connected, sshdIn);
  if (session.attached === null) await checkLoginShell(context, connected);
  await restoreForwards(context, connected);
  progress(context, "local", "Mounting the container");
  await mount(context, connected, { destination: "container", path: "/" });
  return connected;
}

async function helperOf(context: Context, session: Session, target: Container): Promise<string> {
  const image = await provideHelperImage(
    context,
    session,
    (await loadConfig(context)).default_image,
  );
  return await startHelper(context, session, { target, image });
}

function answerOf(text: string, name: string): string {
  return new RegExp(`^${name}=(.*)$`, "m").exec(text)?.[1] ?? "";
}

/**
 * Brings everything back that a session with a running container needs, in whatever state it is: after a
 * reboot, a killed master, a restarted container. One process at a time; the others find it done. A container
 * that does not run is a failure that says so. With `gone`, a docker id that is no container any more, a connection
 * to that one does not count, though it still seems to be up.
 */
export async function reconnect(
  context: Context,
  found: Session,
  { interactive, gone }: { readonly interactive: boolean; readonly gone?: string | null },
): Promise<Session> {
  try {
    return await withHost(context, found, {
      interactive,
      buildDir: true,
      action: async (session) => {
        if (session.containerId === gone) await stopMaster(context, session, "container");
        return await bringContainerBack(context, session);
      },
    });
  } finally {
    // A dodo may run for hours.
    closeRemoteShells();
  }
}

async function bringContainerBack(context: Context, session: Session): Promise<Session> {
  const up = await isMasterAlive(context, session, "container") &&
    await isServed(context, session, "container");
  if (up || session.containerId === null) return session;
  const container = await findContainer(context, session);
  if (container?.status !== "running") {
    throw new Failure(
      `the container of ${session.name} is ${container?.status ?? "gone"}`,
      {
        hint: session.attached !== null
          ? `dockerdo start ${session.name} goes on when ${session.containerName} runs again.`
          : container === undefined
          ? "dockerdo run makes a new one."
          : "dockerdo start",
      },
    );
  }
  const { ssh_key_path } = await loadConfig(context);
  const key = await findPublicKey(context, ssh_key_path, session);
  return await connectContainer(context, session, { containerId: container.id, key });
}

async function findEndpoint(
  context: Context,
  session: Session,
  containerId: string,
): Promise<ContainerEndpoint> {
  if (session.connect === "exec") return { containerId };
  const published = await docker(context, session, {
    words: ["port", containerId, "22/tcp"],
    readOnly: true,
    doing: "Asking docker for the container's port",
  });
  const port = Number(/^127\.0\.0\.1:(\d+)$/m.exec(published)?.[1]);
  if (!Number.isInteger(port)) {
    throw new Failure(`docker has published no port of sshd on the loopback address: ${published}`);
  }
  return { containerId, port };
}

// Behind a published port sshd may need a moment until it listens; through docker exec it starts with the call.
async function startContainerMaster(
  context: Context,
  session: Session,
  containerId: string,
): Promise<void> {
  const limit = Date.now() + READY_LIMIT_MS;
  while (true) {
    try {
      return await startMaster(context, session, {
        destination: "container",
        interactive: Deno.stdin.isTerminal(),
      });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (session.connect !== "port") {
        throw await withReason(context, session, { containerId, error });
      }
      const starting = /refused|closed by|reset by|Connection closed/i.test(error.message);
      if (!starting || Date.now() > limit) {
        // A master that may not forward says no more than that.
        throw new Failure(error.message, {
          cause: error,
          hint:
            "Where the remote host's sshd forbids forwarding (AllowTcpForwarding no) there is no way to a port:\n" +
            `dockerdo run --connect exec does without.\n${doctorHint()}`,
        });
      }
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    }
  }
}

async function withReason(
  context: Context,
  session: Session,
  { containerId, error }: { readonly containerId: string; readonly error: Failure },
): Promise<Failure> {
  if (error.exitCode > 128) return error;
  const { words, hint } = await askSshd(context, session, containerId);
  if (words === "") return error;
  const hints = [hint, error.hint].filter((one) => one !== undefined).join("\n");
  return new Failure(`${error.message}\nsshd says: ${words}`, {
    cause: error,
    ...hints !== "" && { hint: hints },
  });
}

/** Takes down the mount of the container, then its control master. Fine where neither is up. */
export async function disconnectContainer(
  context: Context,
  session: Session,
  { force }: { readonly force: boolean },
): Promise<void> {
  await suspendForwards(context, session);
  await unmount(context, session, { destination: "container", force });
  await stopMaster(context, session, "container");
}

/** Takes down the mount of the build dir, then the remote host's control master, then the sockets' directory. */
export async function disconnectRemoteHost(
  context: Context,
  session: Session,
  { force }: { readonly force: boolean },
): Promise<void> {
  await unmount(context, session, { destination: "remote", force });
  if (session.remoteHost !== null) await stopMaster(context, session, "remote");
  if (!context.dryRun) await Deno.remove(session.socketDir).catch(() => {});
}

/**
 * The session's container as docker sees it: by the saved id, else by its name, else by compose's labels. Where there
 * is none, but the engine is another one than the container's, that is a failure: nothing is known of the container.
 */
export async function findContainer(
  context: Context,
  session: Session,
): Promise<Container | undefined> {
  return (await findContainers(context, session)).own;
}

/** {@link findContainer}, and whose container has the session's container name. */
export async function findContainers(
  context: Context,
  session: Session,
): Promise<{ readonly own: Container | undefined; readonly named: Container | undefined }> {
  const known = session.containerId === null
    ? undefined
    : await inspectContainer(context, session, session.containerId);
  const named = known?.name === session.containerName
    ? known
    : await inspectContainer(context, session, session.containerName);
  const container = known ?? named;
  if (container !== undefined && ownsContainer(session, container)) {
    return { own: container, named };
  }
  const engine = session.remoteHost === null ? "local" : session;
  if (
    session.engineId !== null && session.containerId !== null &&
    isOtherEngine(session, await askEngineId(context, engine))
  ) throw otherEngineFailure(session);
  return { own: await findRecreated(context, session), named };
}

/**
 * Whether the container's master is the one of `began` (ms): one that is alive, but younger, was brought back by
 * another container by now.
 */
export async function isSameMaster(
  context: Context,
  session: Session,
  began: number,
): Promise<boolean> {
  const socket = await Deno.lstat(socketPath(session, "container")).catch(() => undefined);
  const made = socket?.mtime?.getTime() ?? Infinity;
  return made <= began && await isMasterAlive(context, session, "container");
}
