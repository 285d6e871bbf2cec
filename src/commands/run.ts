import { refuseAttached } from "../session/attachment.ts";
import { plainCommand } from "../command_line/command.ts";
import {
  forwardFlag,
  passedArguments,
  recordFlag,
  type SessionFlags,
  sessionFlags,
  sessionOf,
  textFlag,
} from "../command_line/flags.ts";
import { configOfEnvironment, loadConfig } from "../config/config.ts";
import {
  connectContainer,
  disconnectContainer,
  findContainers,
  withHost,
} from "../lifecycle/connection.ts";
import {
  captureDocker,
  docker,
  dockerFailure,
  inspectImage,
  OVERLAY_LABEL,
  OVERLAY_VERSION,
  SESSION_LABEL,
} from "../docker.ts";
import { withLocalEnvironment } from "../lifecycle/run_environment.ts";
import { ownContainers } from "../session_containers.ts";
import { decideRecording } from "../lifecycle/recording.ts";
import { startFailure } from "../lifecycle/start_failure.ts";
import { deferUndo, Failure, usageFailure } from "../error.ts";
import { findPublicKey, type PublicKey } from "../ssh/public_key.ts";
import { checkMountPoint } from "../mount/mount.ts";
import { isMounted } from "../mount/table.ts";
import { progress } from "../output.ts";
import type { Context } from "../process/context.ts";
import { enginePlace, remoteHostForSsh } from "../session/remote_host.ts";
import {
  containerMount,
  type ForwardMode,
  type MountKind,
  type Session,
} from "../session/session.ts";
import { updateSession } from "../session/store.ts";

interface RunFlags extends SessionFlags {
  readonly connect?: "exec" | "port";
  readonly record?: boolean;
  readonly forward?: ForwardMode;
  readonly defaultArgs: boolean;
  readonly sshPortOnRemoteHost?: string;
  readonly remoteDelay?: string;
}

export const command = plainCommand<RunFlags, string[]>({
  about:
    "Starts the container on the remote host and mounts its filesystem at WORK_DIR/container. All other " +
    "options go to docker run. --mount plain and --mount relay are dockerdo's: they set how the filesystem is " +
    "mounted; any other --mount is docker's.\n\n" +
    "  dockerdo run --gpus all -v /data:/data -e X=1",
  flags: {
    ...sessionFlags,
    connect: {
      kind: "enum",
      values: ["exec", "port"],
      brief: "Reach sshd by docker exec or a loopback port",
      optional: true,
    },
    record: recordFlag,
    forward: forwardFlag,
    defaultArgs: {
      kind: "boolean",
      brief: "Do not use default_docker_run_args of the configuration",
      default: true,
    },
    sshPortOnRemoteHost: {
      ...textFlag("Accepted for old scripts, as --connect port", "port"),
      hidden: true,
    },
    remoteDelay: {
      ...textFlag("Accepted for old scripts; nothing waits any more", "seconds"),
      hidden: true,
    },
  },
  // A volume.
  passesV: true,
  positional: passedArguments("docker run"),
  action: runContainer,
});

// Runs as long as any container: sshd starts with each connection and needs no process of its own.
// The image's PATH may be anything.
const SLEEP = ["/bin/sh", "-c", "PATH=$PATH:/usr/bin:/bin; exec sleep 2147483647"];

/** Starts the session's container, and mounts its filesystem. */
export async function runContainer(
  context: Context,
  flags: RunFlags,
  ...words: string[]
): Promise<void> {
  const config = await loadConfig(context);
  const { kind, rest } = takeMountKind(words);
  const typed = [...flags.defaultArgs ? config.default_docker_run_args : [], ...rest];
  refuseClashes(typed);
  const runArguments = await withLocalEnvironment(context, typed);
  const { default_connect, default_mount, default_forward, always_record_inotify } =
    configOfEnvironment(context);
  const port = flags.sshPortOnRemoteHost === undefined ? undefined : "port";
  await withHost(context, sessionOf(context, flags), {
    buildDir: true,
    action: async (stored) => {
      refuseAttached(stored, "run");
      const connect = flags.connect ?? port ?? default_connect ?? stored.connect;
      const mount = kind ?? default_mount ?? stored.mount;
      const forward = flags.forward ?? default_forward ?? stored.forward;
      const record = decideRecording(context, {
        asked: flags.record ?? always_record_inotify,
        otherwise: stored.record,
        mount,
      });
      const key = await findPublicKey(context, config.ssh_key_path, stored);
      await bringUp(context, { ...stored, connect, mount, forward, record }, { key, runArguments });
    },
  });
}

async function bringUp(
  context: Context,
  session: Session,
  { key, runArguments }: { readonly key: PublicKey; readonly runArguments: readonly string[] },
): Promise<void> {
  await clearTheWay(context, session);
  await checkImage(context, session);

  await using undo = new AsyncDisposableStack();
  progress(context, enginePlace(session), `Starting the container ${session.containerName}`);
  deferUndo(undo, context, () => undoRun(context, session));
  const containerId = await dockerRun(context, session, runArguments);
  if (!context.dryRun) {
    const { connect, mount, forward, record } = session;
    await updateSession(session.dir, (stored) => ({
      ...stored,
      connect,
      mount,
      forward,
      record,
      containerId,
    }));
    deferUndo(
      undo,
      context,
      () => updateSession(session.dir, (stored) => ({ ...stored, containerId: null })),
    );
  }
  deferUndo(undo, context, () => disconnectContainer(context, session, { force: true }));
  try {
    await connectContainer(context, session, { containerId, key });
  } catch (error) {
    throw await startFailure(context, session, { containerId, error });
  }
  undo.move();
  progress(context, "container", `Ready: ${containerMount(session)}`);
}

/** Docker has a --mount of its own, but not with these values. The last one applies. */
export function takeMountKind(
  words: readonly string[],
): { readonly kind: MountKind | undefined; readonly rest: readonly string[] } {
  let kind: MountKind | undefined;
  const rest: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const apart = word === "--mount";
    const value = apart ? words[at + 1] : word.startsWith("--mount=") ? word.slice(8) : undefined;
    if (value === "plain" || value === "relay") {
      kind = value;
      if (apart) at++;
    } else rest.push(word);
  }
  return { kind, rest };
}

function refuseClashes(words: readonly string[]): void {
  const reasons: Readonly<Record<string, string>> = {
    "--name": "dockerdo init --container NAME names the container.",
    "--entrypoint": "Run the program with dodo once the session is up.",
    "--cidfile": "dockerdo status --json prints the container's id.",
    "-i": "The container runs in the background: use dodo for programs that need a terminal.",
    "-t": "The container runs in the background: use dodo for programs that need a terminal.",
    "-it": "The container runs in the background: use dodo for programs that need a terminal.",
    "-ti": "The container runs in the background: use dodo for programs that need a terminal.",
    "--interactive":
      "The container runs in the background: use dodo for programs that need a terminal.",
    "--tty": "The container runs in the background: use dodo for programs that need a terminal.",
  };
  const [first] = words;
  if (first !== undefined && !first.startsWith("-")) {
    throw usageFailure(
      `docker run would take ${JSON.stringify(first)} for an image; the session has an image`,
      `For the session of that name: dockerdo run --session ${first}`,
    );
  }
  for (const word of words) {
    // -dit is -d -i -t.
    const option = /^-d?(?=[it])[dit]+$/.test(word) ? "-it" : word.split("=", 1)[0] ?? "";
    const reason = Object.hasOwn(reasons, option) ? reasons[option] : undefined;
    if (reason !== undefined) {
      throw usageFailure(`docker run's ${option} cannot be used here`, reason);
    }
  }
}

async function checkImage(context: Context, session: Session): Promise<void> {
  const image = await inspectImage(context, session, session.imageTag);
  if (image === undefined) {
    if (context.dryRun) return;
    const where = session.remoteHost?.name ?? "the local host";
    throw new Failure(`${where} has no image ${session.imageTag}`, {
      hint: session.remoteHost === null
        ? "dockerdo build"
        : "dockerdo build && dockerdo push, or dockerdo build --remote",
    });
  }
  if (image.labels[OVERLAY_LABEL] !== OVERLAY_VERSION) {
    throw new Failure(`the image ${session.imageTag} was not made with this version's overlay`, {
      hint: "Build it again: dockerdo overlay --force && dockerdo build",
    });
  }
}

/** Removes what an earlier `run` left half made; keeps what is in use or another session's. */
async function clearTheWay(context: Context, session: Session): Promise<void> {
  const { own, named } = await findContainers(context, session);
  if (own !== undefined && own.status !== "created") {
    throw new Failure(`the container ${own.name} already exists (${own.status})`, {
      hint: own.status === "running" && own.id === session.containerId
        ? "Use it with dodo, or remove it first: dockerdo rm --force"
        : "dockerdo start connects to it; dockerdo rm --force removes it.",
    });
  }
  if (named !== undefined && named.sessionId !== session.id) {
    throw new Failure(`the name ${session.containerName} belongs to another container`, {
      hint: "Start a session with another name for it: dockerdo init --container NAME",
    });
  }
  await removeContainers(context, session);
  if (!(await isMounted(context, session, "container"))) {
    await checkMountPoint(context, containerMount(session));
  } else {
    await disconnectContainer(context, session, { force: false });
  }
}

async function undoRun(context: Context, session: Session): Promise<void> {
  try {
    await removeContainers(context, session);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { remoteHost, containerName } = session;
    const login = remoteHost === null ? "" : `ssh ${remoteHostForSsh(remoteHost)} `;
    throw new Failure(error.message, {
      cause: error,
      hint: `Left on the remote host, perhaps: ${login}docker rm -f ${containerName}`,
    });
  }
}

async function removeContainers(context: Context, session: Session): Promise<void> {
  for (const { id } of await ownContainers(context, session)) {
    await docker(context, session, { words: ["rm", "-fv", id], doing: "Removing the container" });
  }
}

async function dockerRun(
  context: Context,
  session: Session,
  runArguments: readonly string[],
): Promise<string> {
  const words = (init: readonly string[]): string[] => [
    "run",
    "-d",
    ...init,
    "--name",
    session.containerName,
    "--label",
    `${SESSION_LABEL}=${session.id}`,
    ...session.connect === "port" ? ["-p", "127.0.0.1::22"] : [],
    ...runArguments,
    session.imageTag,
    ...session.connect === "port" ? [] : SLEEP,
  ];
  const relative = true;
  let started = await captureDocker(context, session, { words: words(["--init"]), relative });
  if (started.code !== 0 && /docker-init/.test(started.stderr)) {
    // An engine without its init program: then the stop is to be a quick one at least.
    await removeContainers(context, session);
    started = await captureDocker(context, session, {
      words: words(["--stop-signal", "KILL"]),
      relative,
    });
  }
  if (started.code !== 0) throw dockerFailure(session, "Starting the container", started);
  if (started.stderr.trim() !== "") context.stderr(started.stderr);
  return started.stdout.trim() || session.containerName;
}
