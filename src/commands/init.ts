import { activateScript } from "../lifecycle/activate.ts";
import { plainCommand } from "../command_line/command.ts";
import { mountFlag, recordFlag, shellFlag, switchFlag, textFlag } from "../command_line/flags.ts";
import { loadConfig } from "../config/config.ts";
import {
  connectRemoteHost,
  disconnectRemoteHost,
  reachRemoteHost,
} from "../lifecycle/connection.ts";
import { checkRemoteShell } from "../ssh/remote_login.ts";
import { writeSshConfig } from "../ssh/config_file.ts";
import { decideRecording } from "../lifecycle/recording.ts";
import { deferUndo, Failure, usageFailure } from "../error.ts";
import { overlayTag, parseReference } from "../image/reference.ts";
import { checkMountPoint } from "../mount/mount.ts";
import { isMounted } from "../mount/table.ts";
import { progress } from "../output.ts";
import { checkUserName } from "../image/overlay.ts";
import { capture } from "../process/child.ts";
import { type Context } from "../process/context.ts";
import { quote } from "../quote.ts";
import {
  buildMount,
  checkSessionName,
  containerMount,
  forgetSession,
  indexSession,
  listSessions,
  type MountKind,
  namedSessionDir,
  refusePythonSession,
  type Session,
  unnamedSessionDir,
} from "../session/session.ts";
import { saveSession } from "../session/store.ts";
import { parseRemoteHost } from "../session/remote_host.ts";
import { publishHostNames, writeHostBlock } from "../ssh/host_names.ts";
import { makeSocketDir } from "../ssh/master.ts";

export interface InitFlags {
  readonly remote?: string;
  readonly local: boolean;
  readonly image?: string;
  readonly distro?: string;
  readonly container?: string;
  readonly user?: string;
  readonly registry?: string;
  readonly buildDir?: string;
  readonly connect?: "exec" | "port";
  readonly mount?: MountKind;
  readonly record?: boolean;
  readonly remoteDelay?: string;
  readonly shell?: "sh" | "fish";
}

/** The options of `init`, which `up` has as well. */
export const initFlags = {
  remote: textFlag("Host that runs the container", "host"),
  local: switchFlag("Run the container on the local host"),
  image: textFlag("Base image", "image"),
  distro: textFlag("Distribution (default: read from the image)", "distro"),
  container: textFlag("Name of the container", "name"),
  user: textFlag("User to log in as (default: root)", "user"),
  registry: textFlag("Docker registry to push to and pull from", "registry"),
  buildDir: textFlag("Remote directory to mount (default: home)", "path"),
  connect: {
    kind: "enum",
    values: ["exec", "port"],
    brief: "Reach sshd by docker exec or a loopback port",
    optional: true,
  },
  mount: mountFlag,
  record: recordFlag,
  remoteDelay: {
    ...textFlag("Accepted for old scripts; nothing waits any more", "seconds"),
    hidden: true,
  },
  shell: shellFlag,
} as const;

export const command = plainCommand<InitFlags, [string?]>({
  about:
    "Starts a session whose work dir is the current directory: connects to the remote host, mounts its build " +
    "dir at ./HOST, and prints the path of the activate script. A session without a name is temporary.\n\n" +
    "  source $(dockerdo init --remote reykjavik --image debian:bookworm)",
  flags: initFlags,
  positional: {
    kind: "tuple",
    parameters: [{
      brief: "Name of the session; without one it is temporary",
      placeholder: "name",
      parse: (name: string) => name,
      optional: true,
    }],
  },
  action: init,
});

async function init(context: Context, flags: InitFlags, name?: string): Promise<void> {
  await printScript(context, await begin(context, flags, name), flags);
}

/** Begins a session: its directory, its connection, and the mount of the build dir. */
export async function begin(context: Context, flags: InitFlags, name?: string): Promise<Session> {
  const planned = await planSession(context, flags, name);
  await refuseTaken(context, planned, { named: name !== undefined });
  await checkMountPoint(context, containerMount(planned));
  const buildPoint = buildMount(planned);
  if (buildPoint !== undefined) await checkMountPoint(context, buildPoint);

  await using undo = new AsyncDisposableStack();
  const session = await makeSessionDir(context, planned, { undo });
  if (session.remoteHost !== null) {
    progress(context, "local", `Connecting to ${session.remoteHost.name}`);
  }
  deferUndo(
    undo,
    context,
    () => disconnectRemoteHost({ ...context, verbose: false }, session, { force: true }),
  );
  await checkRemoteShell(
    context,
    await reachRemoteHost(context, session, { interactive: true }),
  );
  await connectRemoteHost(context, session, { interactive: true });
  undo.move();
  return session;
}

/** Prints the path of the activate script, which is all that `source $(…)` wants. */
export async function printScript(
  context: Context,
  session: Session,
  flags: { readonly shell?: "sh" | "fish" },
): Promise<void> {
  const script = `${session.dir}/${await usesFish(context, flags) ? "activate.fish" : "activate"}`;
  if (context.dryRun) return;
  context.stdout(`${script}\n`);
  if (Deno.stdout.isTerminal()) {
    context.stderr(`To activate the session in this shell: source ${quote(script)}\n`);
  }
}

/** The session that `init` is to begin, by options, variables and configuration. */
export async function planSession(
  context: Context,
  flags: InitFlags,
  name?: string,
): Promise<Session> {
  const config = await loadConfig(context);
  if (flags.local && flags.remote !== undefined) {
    throw usageFailure("--local and --remote exclude each other");
  }
  if (context.cwd === "") throw new Failure("the current directory has been removed");
  const id = crypto.randomUUID().replaceAll("-", "").slice(0, 12);
  const remote = flags.local ? undefined : flags.remote ?? config.default_remote_host ?? undefined;
  const baseImage = flags.image ?? config.default_image;
  const registry = flags.registry ?? config.default_docker_registry;
  const mount = flags.mount ?? config.default_mount;
  const sessionName = name === undefined ? `dockerdo_${id.slice(0, 6)}` : checkSessionName(name);
  parseReference(baseImage);
  const containerName = flags.container ?? `dockerdo-${sessionName}-${id.slice(0, 6)}`;
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]+$/.test(containerName)) {
    throw usageFailure(
      `${JSON.stringify(containerName)} cannot be a container's name`,
      "Use letters, digits, dots, dashes and underscores.",
    );
  }
  return {
    version: 1,
    id,
    name: sessionName,
    created: new Date().toISOString(),
    workDir: context.cwd,
    socketDir: "",
    remoteHost: remote === undefined ? null : parseRemoteHost(remote),
    buildDir: flags.buildDir ?? ".",
    distro: flags.distro ?? null,
    baseImage,
    imageTag: overlayTag(baseImage, {
      template: config.default_image_name_template,
      sessionName,
      sessionId: id,
      registry,
    }),
    registry,
    containerName,
    user: checkUserName(flags.user ?? "root"),
    connect: flags.connect ?? config.default_connect,
    mount,
    forward: config.default_forward,
    record: decideRecording(context, {
      asked: flags.record,
      otherwise: config.always_record_inotify,
      mount,
    }),
    identityFile: null,
    containerId: null,
    engineId: null,
    image: { env: {}, workdir: "/", loginShell: "" },
    env: {},
    attached: null,
    dir: name === undefined ? unnamedSessionDir(context, id) : namedSessionDir(context, name),
  };
}

/** Fails where the name or the work dir of a session that is to begin is in use. */
// Before a mount is found in the way: the advice to unmount it would break the session that it is of.
export async function refuseTaken(
  context: Context,
  { dir, name, workDir }: Session,
  { named }: { readonly named: boolean },
): Promise<void> {
  if (named && await Deno.lstat(dir).then(() => true, () => false)) throw nameTaken(dir, name);
  for (const other of listSessions(context).filter((other) => other.workDir === workDir)) {
    if (
      !await isMounted(context, other, "container") && !await isMounted(context, other, "remote")
    ) {
      continue;
    }
    throw new Failure(`${workDir} is the work dir of the session ${other.name}, which is in use`, {
      hint: `Activate it with: source ${quote(`${other.dir}/activate`)}\n` +
        "or start the new one in another directory.",
    });
  }
}

function nameTaken(dir: string, name: string, cause?: unknown): Failure {
  refusePythonSession(dir);
  return new Failure(`the session ${name} already exists`, {
    cause,
    hint: `Activate it with: source ${
      quote(`${dir}/activate`)
    }\nor remove it with: dockerdo rm --delete ${name}`,
  });
}

/** Makes the session's directory and everything in it; `undo` takes it away again. */
export async function makeSessionDir(
  context: Context,
  planned: Session,
  { undo }: { readonly undo: AsyncDisposableStack },
): Promise<Session> {
  if (context.dryRun) {
    return {
      ...planned,
      socketDir: "/tmp/dockerdo-XXXXXX",
    };
  }
  const { dir } = planned;
  await makeNamedDir(dir, planned.name);
  deferUndo(undo, context, () => Deno.remove(dir, { recursive: true }));
  const socketDir = await makeSocketDir(context, planned.id);
  undo.defer(() => Deno.remove(socketDir, { recursive: true }).catch(() => {}));
  const session = { ...planned, dir, socketDir };
  await saveSession(session);
  await writeSshConfig(context, session, { endpoint: undefined });
  for (const [file, fish] of [["activate", false], ["activate.fish", true]] as const) {
    await Deno.writeTextFile(`${dir}/${file}`, activateScript(session, { fish }), { mode: 0o700 });
  }
  await writeHostBlock(context, session, { endpoint: undefined });
  deferUndo(undo, context, async () => {
    await forgetSession(context, session);
    await publishHostNames(context);
  });
  await indexSession(context, session);
  await publishHostNames(context);
  return session;
}

async function makeNamedDir(dir: string, name: string): Promise<void> {
  const parent = dir.slice(0, dir.lastIndexOf("/"));
  try {
    await Deno.mkdir(parent, { recursive: true, mode: 0o700 });
    await Deno.mkdir(dir, { mode: 0o700 });
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) {
      throw nameTaken(dir, name, cause);
    }
    throw new Failure(`cannot create the session directory ${dir}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

// $SHELL is the login shell; the one that waits for our output is our parent.
async function usesFish(
  context: Context,
  flags: { readonly shell?: "sh" | "fish" },
): Promise<boolean> {
  if (flags.shell !== undefined) return flags.shell === "fish";
  const argv = ["ps", "-o", "comm=", "-p", String(Deno.ppid)];
  const { code, stdout } = await capture(context, argv, { readOnly: true });
  const shell = code === 0 ? stdout : context.env["SHELL"] ?? "";
  return /(^|\/)-?fish$/.test(shell.trim());
}
