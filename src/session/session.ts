import { Failure, usageFailure } from "../error.ts";
import { isWithin, joinPath, userDirectory } from "../paths.ts";
import type { Context } from "../process/context.ts";
import { type Attachment, isAttachment } from "./attachment.ts";
import { quote } from "../quote.ts";
import { isOwnDirectory } from "./ownership.ts";
import type { RemoteHost } from "./remote_host.ts";

/** What `exec` must know of the container, since sshd gives a session nothing of it. */
export interface ImageSettings {
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  /** The path of the user's login shell there; empty where it is not known. */
  readonly loginShell: string;
}

/** How container and build dir are mounted: by sshfs alone, or with the relay and its caches below it. */
export type MountKind = "plain" | "relay";

/** Whether the container's ports are forwarded as they come and go, or only those that `forward` names. */
export type ForwardMode = "auto" | "none";

/** Everything about a session that cannot be asked elsewhere. Stored as `session.json`. */
export interface Session {
  readonly version: 1;
  /** A random word: the label of our containers, the directory of our control sockets. */
  readonly id: string;
  readonly name: string;
  readonly created: string;
  readonly workDir: string;
  /** Where the control sockets are; short, because a socket's path may have 90 bytes only. */
  readonly socketDir: string;
  /** null: the remote host is the local host. */
  readonly remoteHost: RemoteHost | null;
  /** On the remote host, relative to the home directory there. */
  readonly buildDir: string;
  readonly distro: string | null;
  readonly baseImage: string;
  readonly imageTag: string;
  readonly registry: string | null;
  readonly containerName: string;
  readonly user: string;
  readonly connect: "exec" | "port";
  readonly mount: MountKind;
  readonly forward: ForwardMode;
  /** Whether what is done through the container's mount is written down. */
  readonly record: boolean;
  /** The private or public key file that ssh is to offer to the container; null: not chosen yet. */
  readonly identityFile: string | null;
  /** Docker's id of the container that `run` made. */
  readonly containerId: string | null;
  /** The id of the engine that has it; null: not known. */
  readonly engineId: string | null;
  readonly image: ImageSettings;
  /** What `export` has set. */
  readonly env: Readonly<Record<string, string>>;
  /** null: the container is the session's own. */
  readonly attached: Attachment | null;
  /** The session directory; where the file was found, so not stored in it. */
  readonly dir: string;
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";

const isTextOrNull: Check = (value) => value === null || isText(value);
const isTexts: Check = (value) => isRecord(value) && Object.values(value).every(isText);

// By hand, since `exec` reads it each time: a library would cost as much as all of exec's own code.
const CHECKS: Readonly<Record<Exclude<keyof Session, "dir">, Check>> = {
  version: (value) => value === 1,
  id: isText,
  name: isText,
  created: isText,
  workDir: isText,
  socketDir: isText,
  remoteHost: (value) =>
    value === null ||
    isRecord(value) && isText(value["name"]) && isTextOrNull(value["user"]) &&
      (value["port"] === null || Number.isInteger(value["port"])),
  buildDir: isText,
  distro: isTextOrNull,
  baseImage: isText,
  imageTag: isText,
  registry: isTextOrNull,
  containerName: isText,
  user: isText,
  connect: (value) => value === "exec" || value === "port",
  // Sessions from before there was a choice lack it.
  mount: (value) => value === undefined || value === "plain" || value === "relay",
  forward: (value) => value === undefined || value === "auto" || value === "none",
  record: (value) => value === undefined || typeof value === "boolean",
  identityFile: isTextOrNull,
  containerId: isTextOrNull,
  engineId: (value) => value === undefined || isTextOrNull(value),
  image: (value) =>
    isRecord(value) && isTexts(value["env"]) && isText(value["workdir"]) &&
    isText(value["loginShell"]),
  env: isTexts,
  attached: (value) => value === undefined || value === null || isAttachment(value),
};

/** The values of sessions from before these were stored. */
const MISSING = {
  mount: "plain",
  forward: "none",
  record: false,
  engineId: null,
  attached: null,
} as const;

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** The lock files that count the commands by docker exec in the connection to the remote host. */
export const SLOTS = ["slot-0", "slot-1", "slot-2", "slot-3", "slot-4", "slot-5"] as const;

/** The files of a session directory; `rm --delete` removes these and names any other. */
export const SESSION_FILES = [
  "session.json",
  "session.json~",
  "session.lock",
  "lifecycle.lock",
  "ssh_config",
  "ssh_config~",
  "ssh_config.remote",
  "ssh_config.remote~",
  "ssh_host",
  "ssh_host~",
  "known_hosts",
  "identity.pub",
  "activate",
  "activate.fish",
  "history.jsonl",
  "inputs",
  "changes.jsonl",
  "sweeps.jsonl",
  "forwards.json",
  "forwards.json~",
  "forwards.lock",
  "forward-auto.lock",
  "forward-auto.log",
  "slot-turn",
  ...SLOTS,
  "mount-remote.log",
  "mount-container.log",
] as const;

/** What the relay of a mount keeps on the disk: its bell, its log. */
export function relayDir(session: Session, destination: "container" | "remote"): string {
  return `${session.dir}/${destination === "container" ? "relay" : "relay-remote"}`;
}

/** Where the relay writes down what is done through the container's mount; see `relay/journal.ts`. */
export function journalPath(session: Session): string {
  return `${session.dir}/changes.jsonl`;
}

const MOUNT_NAME = "container";

/** The file in which the guard of each command writes down what stdin is: only a child of ours may look. */
export function inputsPath(session: Session): string {
  return `${session.dir}/inputs`;
}

/** The container's filesystem on the local host. */
export function containerMount(session: Session): string {
  return joinPath(session.workDir, MOUNT_NAME);
}

/** The remote build directory on the local host; undefined where the remote host is the local one. */
export function buildMount(session: Session): string | undefined {
  return session.remoteHost === null
    ? undefined
    : joinPath(session.workDir, session.remoteHost.name);
}

/** Checks a session's name: it becomes a directory, part of an image tag and of a container's name. */
export function checkSessionName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(name)) return name;
  throw usageFailure(
    `${JSON.stringify(name)} cannot be a session's name`,
    "Use a letter or digit, then at most 62 letters, digits, dots, dashes or underscores.",
  );
}

/** The directory of a named session, or of all of them. */
export function namedSessionDir(context: Context, name: string): string {
  return `${userDirectory(context, "DATA")}/${name}`;
}

/** The directory of a session without a name: not below /tmp, where it would age, and anybody take its name. */
export function unnamedSessionDir(context: Context, id: string): string {
  return `${userDirectory(context, "STATE")}/unnamed/${id}`;
}

/**
 * Reads the session in a directory. A file that is missing, truncated or of another version is a failure; so is a
 * directory that another user owns or may write: what it says would be run as the user.
 */
export function loadSession(dir: string): Session {
  const path = `${dir}/session.json`;
  let found: unknown;
  try {
    if (!isOwnDirectory(dir)) {
      throw new Failure(`the session directory ${dir} is not this user's alone`, {
        hint: `Its owner and mode: ls -ld ${quote(dir)}`,
      });
    }
    found = JSON.parse(Deno.readTextFileSync(path));
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    if (cause instanceof Deno.errors.NotFound) {
      refusePythonSession(dir);
      throw new Failure(`there is no session in ${dir}`, {
        cause,
        hint: "Start one with: source $(dockerdo init)",
      });
    }
    throw new Failure(`the session file ${path} cannot be read: ${(cause as Error).message}`, {
      cause,
      hint: previousVersion(path),
    });
  }
  const wrong = isRecord(found)
    ? Object.entries(CHECKS).find(([key, isRight]) => !isRight(found[key]))?.[0]
    : "the file";
  if (wrong === undefined) {
    const session = found as unknown as Omit<Session, keyof typeof MISSING> & Partial<Session>;
    return { ...MISSING, ...session, dir };
  }
  throw new Failure(
    `the session file ${path} is not one that this version understands: ${wrong} is not as it should be`,
    { hint: previousVersion(path) },
  );
}

/** Throws if a directory holds a session of the Python dockerdo, of which nothing can be taken over. */
export function refusePythonSession(dir: string): void {
  try {
    Deno.lstatSync(`${dir}/session.yaml`);
  } catch {
    return;
  }
  throw new Failure(
    `${dir} holds a session of the Python dockerdo, which this version cannot use`,
    {
      hint:
        `session.yaml there names its container and its work dir. Remove the container with docker, unmount
what is mounted in the work dir (fusermount3 -u), and then: rm -r ${quote(dir)}
A new session: source $(dockerdo init)`,
    },
  );
}

function previousVersion(path: string): string {
  try {
    Deno.lstatSync(`${path}~`);
    return `Its previous version is kept as ${path}~.`;
  } catch {
    return "Move the session directory away, and begin a new session: dockerdo init";
  }
}

/** The directory with a file for each session, its name the id, with the session's directory in it. */
export function indexDir(context: Context): string {
  return `${userDirectory(context, "STATE")}/sessions`;
}

/** Lets the session be found from its work dir and by `listSessions`. */
export async function indexSession(context: Context, session: Session): Promise<void> {
  await Deno.mkdir(indexDir(context), { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(`${indexDir(context)}/${session.id}`, session.dir, { mode: 0o600 });
}

/** Takes a session out of the index. Fine to repeat. */
export async function forgetSession(context: Context, session: Session): Promise<void> {
  await Deno.remove(`${indexDir(context)}/${session.id}`).catch(() => {});
}

/** The names in a directory; an empty list where it cannot be read. */
export function namesIn(dir: string): string[] {
  try {
    return Array.from(Deno.readDirSync(dir), ({ name }) => name);
  } catch {
    return [];
  }
}

/** Every session of this user that the index knows and that can be read, named and unnamed. */
export function listSessions(context: Context): Session[] {
  const sessions: Session[] = [];
  for (const id of namesIn(indexDir(context))) {
    try {
      sessions.push(loadSession(Deno.readTextFileSync(`${indexDir(context)}/${id}`)));
    } catch {
      // A session that is gone or damaged must not keep the others from being found.
    }
  }
  return sessions;
}

/** The sentence of {@link findSession} where there is nothing to find. */
export const NO_SESSION = "no session is active, and none has its work dir here";

/**
 * The session that a command means: the one of this name, if one is given; else the one whose container
 * mount holds the cwd, else the activated one (`DOCKERDO_SESSION_DIR`), else the one whose work dir holds
 * the cwd. Where several fit, see {@link preferred}.
 */
export function findSession(context: Context, name?: string): Session {
  if (name !== undefined) return sessionNamed(context, name);
  const activeDir = context.env["DOCKERDO_SESSION_DIR"] || undefined;
  // Every mount is called so: elsewhere the other sessions need not be read, however many there are.
  const onMount = `${context.cwd}/`.includes(`/${MOUNT_NAME}/`);
  if (activeDir !== undefined && !onMount) return activated(activeDir);
  const sessions = listSessions(context);
  const mounted = sessions.filter((session) => isWithin(context.cwd, containerMount(session)));
  if (mounted.length > 0) return preferred(mounted, activeDir);
  if (activeDir !== undefined) return activated(activeDir);
  const holding = sessions.filter((session) => isWithin(context.cwd, session.workDir));
  if (holding.length > 0) return preferred(holding, activeDir);
  throw new Failure(NO_SESSION, {
    hint:
      "Start one with: source $(dockerdo init)\nor activate one with: source ~/.local/share/dockerdo/NAME/activate",
  });
}

function activated(dir: string): Session {
  try {
    return loadSession(dir);
  } catch (error) {
    if (!(error instanceof Failure) || !(error.cause instanceof Deno.errors.NotFound)) throw error;
    throw new Failure(error.message, {
      cause: error.cause,
      hint: "It is still activated in this shell: deactivate_dockerdo deactivates it.",
    });
  }
}

/**
 * Of sessions in whose directories the current one is, the one in the deepest; of several in the same, the activated
 * one, else the only one that has a container, else the only one whose container is connected. Where no session has a
 * container, the newest.
 */
function preferred(found: readonly Session[], activeDir: string | undefined): Session {
  const deepest = Math.max(...found.map(({ workDir }) => workDir.length));
  const rivals = found.filter(({ workDir }) => workDir.length === deepest)
    .sort((a, b) => a.created < b.created ? 1 : -1);
  const active = rivals.find(({ dir }) => dir === activeDir);
  if (active !== undefined) return active;
  const used = rivals.filter(({ containerId }) => containerId !== null);
  const connected = used.filter(({ socketDir }) => namesIn(socketDir).includes("container"));
  const [newest] = rivals;
  if (used.length === 0 && newest !== undefined) return newest;
  const [only, ...others] = connected.length > 0 ? connected : used;
  if (only !== undefined && others.length === 0) return only;
  const names = used.map(({ name }) => name).join(", ");
  throw new Failure(`${rivals[0]?.workDir} is the work dir of several sessions: ${names}`, {
    hint: "Say which one with --session NAME, or activate it.",
  });
}

function sessionNamed(context: Context, name: string): Session {
  const dir = namedSessionDir(context, checkSessionName(name));
  if (namesIn(dir).includes("session.json")) return loadSession(dir);
  const found = listSessions(context).find((session) => session.name === name);
  if (found !== undefined) return found;
  throw new Failure(`there is no session ${name}`, { hint: "dockerdo list shows them all." });
}
