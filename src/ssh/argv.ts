import { quoteForLogin } from "../quote.ts";
import { isThereAndOwn } from "../session/ownership.ts";
import type { Session } from "../session/session.ts";

/** What is the engine's own: another one is another row. */
interface Engine {
  readonly program: string;
  /** What it writes where it has no such container or image. */
  readonly noContainer: RegExp;
  readonly noImage: RegExp;
  /** The words that print its own id, which no other engine has. */
  readonly askId: readonly string[];
}

export const ENGINE: Engine = {
  program: "docker",
  noContainer: /no such container/i,
  noImage: /no such image/i,
  askId: ["info", "--format", "{{.ID}}"],
};

/** A script of ours, which calls the engine `docker`, for the engine there is. */
export function engineScript(script: string): string {
  return ENGINE.program === "docker"
    ? script
    : `docker() { command ${ENGINE.program} "$@"; }\n${script}`;
}

/** The argv of the engine's program where a session's engine is. */
export function onEngine(
  session: Session,
  words: readonly string[],
  options: { readonly terminal?: boolean; readonly options?: readonly string[] } = {},
): string[] {
  return onRemoteHost(session, [ENGINE.program, ...words], options);
}

/** The end of a control master: the session's remote host, or its container. */
export type Destination = "remote" | "container";

/**
 * The session's own ssh configuration for a destination. `ssh -F` the container's, and `container` is a host; the
 * remote host's is another file, since it includes the user's configuration and the container's must not.
 */
export function sshConfigPath(session: Session, destination: Destination): string {
  return `${session.dir}/ssh_config${destination === "remote" ? ".remote" : ""}`;
}

/** The name by which `-F` {@link sshConfigPath} knows a destination. */
export function sshHost(session: Session, destination: Destination): string {
  return destination === "container" ? "container" : session.remoteHost?.name ?? "localhost";
}

/** A control socket's path. */
export function socketPath(session: Session, destination: Destination): string {
  return `${session.socketDir}/${destination}`;
}

/**
 * Whether the socket directory is there and this user's alone. It is removed by a reboot, and on a shared `/tmp`
 * another container may have its name by now.
 */
export function hasSocketDir(session: Session): boolean {
  return isThereAndOwn(session.socketDir, 0o077);
}

// By this the helper knows a command of ours, which is for it and not for the container; see attach/command.sh. In
// the line itself, since a control master passes no variable on that an option sets.
const HELPER_LINE = ": dockerdo helper; ";

/** The argv that runs a line of shell on a destination; with a terminal there if asked for. */
export function sshTo(
  session: Session,
  destination: Destination,
  { line, terminal = false, overMaster = true, options = [] }: {
    readonly line: string;
    readonly terminal?: boolean;
    readonly overMaster?: boolean;
    /** Further options of ssh. */
    readonly options?: readonly string[];
  },
): string[] {
  return [
    "ssh",
    "-F",
    sshConfigPath(session, destination),
    "-o",
    "ClearAllForwardings=yes",
    ...overMaster ? [] : ["-o", "ControlPath=none"],
    ...options,
    ...terminal ? ["-tt", "-e", "none"] : ["-T"],
    "--",
    sshHost(session, destination),
    session.attached !== null && destination === "container" ? HELPER_LINE + line : line,
  ];
}

/** The argv that runs `words`, intact, where the session's engine is: over ssh, or as they are. */
export function onRemoteHost(
  session: Session,
  words: readonly string[],
  { terminal = false, options = [] }: {
    readonly terminal?: boolean;
    /** Further options of ssh, where there is one. */
    readonly options?: readonly string[];
  } = {},
): string[] {
  return session.remoteHost === null
    ? [...words]
    : sshTo(session, "remote", { line: quoteForLogin(words), terminal, options });
}

/** Options of an ssh that only looks: it asks no question, and it waits this long for the host. */
export function probeOptions(limitMs: number): string[] {
  const timeout = `ConnectTimeout=${Math.ceil(limitMs / 1000)}`;
  return ["-o", "BatchMode=yes", "-o", timeout, "-o", "ConnectionAttempts=1"];
}
