import { doctorHint, Failure } from "../error.ts";
import { capture, type CaptureOptions, type Finished } from "../process/child.ts";
import { type Context } from "../process/context.ts";
import { processes } from "../process/processes.ts";
import { quoteAll, quoteForLogin } from "../quote.ts";
import { userDirectory } from "../paths.ts";
import { type Session } from "../session/session.ts";
import { isOwnDirectory, isThereAndOwn } from "../session/ownership.ts";
import { remoteHostForSsh, remoteHostText } from "../session/remote_host.ts";
import { captureInShell, fitsShell } from "./remote_shell.ts";
import {
  type Destination,
  hasSocketDir,
  probeOptions,
  socketPath,
  sshConfigPath,
  sshHost,
  sshTo,
} from "./argv.ts";

/** ssh binds PATH.XXXXXXXXXXXXXXXX first, and a socket's path has 104 bytes on macOS and 108 on Linux. */
export const LONGEST_SOCKET_PATH = Deno.build.os === "darwin" ? 86 : 90;

const ANSWER_LIMIT_MS = 5000;

/** How long a connection may take before something is said of it. */
const PATIENCE_MS = 4000;

// Separates what a chatty login shell prints from what the command prints.
const MARK = "\x1e";

/**
 * Runs `words` where the session's engine is and returns what they wrote, without what a login shell's
 * start-up files wrote before. A broken connection is a failure. With `probe` there need be no control
 * master, none is made, and nothing is asked; `limitMs` is then the time for it all.
 */
export async function captureOnRemoteHost(
  context: Context,
  session: Session,
  { words, probe = false, ...options }: CaptureOptions & {
    readonly words: readonly string[];
    readonly probe?: boolean;
  },
): Promise<Finished> {
  if (session.remoteHost === null) return await capture(context, words, options);
  const argv = sshTo(session, "remote", {
    line: markedLine(words),
    ...probe
      ? {
        overMaster: await isMasterAlive(context, session, "remote"),
        options: probeOptions(options.limitMs ?? ANSWER_LIMIT_MS),
      }
      : {},
  });
  if (!probe && fitsShell(context, options)) {
    const answer = await captureInShell(context, session, {
      words,
      argv,
      options,
    });
    if ("broken" in answer) {
      throw connectionFailure(session, { destination: "remote", stderr: answer.broken });
    }
    return answer;
  }
  const finished = await capture(context, argv, options);
  const output = afterMark(finished.stdout);
  if (finished.code === 255 && output === undefined) {
    throw connectionFailure(session, { destination: "remote", stderr: finished.stderr });
  }
  return { ...finished, stdout: output ?? finished.stdout };
}

/** A line of shell that writes a mark, then runs `words`: see {@link afterMark}. */
export function markedLine(words: readonly string[]): string {
  return `printf '\\036'; ${quoteForLogin(words)}`;
}

/** What came after the mark of {@link markedLine}; undefined where the line was never run. */
export function afterMark(output: string): string | undefined {
  const at = output.indexOf(MARK);
  return at < 0 ? undefined : output.slice(at + 1);
}

/** Makes the directory of the control sockets: short, and this user's alone. Returns its path. */
export async function makeSocketDir(context: Context, id: string): Promise<string> {
  const dir = socketPlace(context, id);
  if (dir === undefined) return await Deno.makeTempDir({ dir: "/tmp", prefix: "dockerdo-" });
  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  await Deno.chmod(dir, 0o700);
  return dir;
}

/**
 * Where a session's sockets are: below `$XDG_RUNTIME_DIR`, else below the user's state directory, if that is the
 * user's alone and the path is short enough; undefined: in a new directory below /tmp.
 */
export function socketPlace(context: Context, id: string): string | undefined {
  const runtime = context.env["XDG_RUNTIME_DIR"];
  if (runtime?.startsWith("/") && isThereAndOwn(runtime) && isOwnOrNew(`${runtime}/dockerdo`)) {
    const dir = `${runtime}/dockerdo/${id}`;
    if (fits(dir) && isOwnOrNew(dir)) return dir;
  }
  if (!context.env["HOME"] && !context.env["XDG_STATE_HOME"]) return undefined;
  const state = userDirectory(context, "STATE");
  const dir = `${state}/sockets/${id}`;
  return fits(dir) && [state, `${state}/sockets`, dir].every(isOwnOrNew) ? dir : undefined;
}

function isOwnOrNew(path: string): boolean {
  try {
    return isOwnDirectory(path);
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}

// The relay's starter is there too, and sshfs knows no way to write a blank in its name.
function fits(dir: string): boolean {
  return !/\s/.test(dir) &&
    new TextEncoder().encode(`${dir}/container`).length <= LONGEST_SOCKET_PATH;
}

/** Whether a control master answers on its socket. Says nothing about the link itself. */
export async function isMasterAlive(
  context: Context,
  session: Session,
  destination: Destination,
): Promise<boolean> {
  if (!hasSocketDir(session)) return false;
  try {
    await Deno.lstat(socketPath(session, destination));
  } catch {
    return false;
  }
  const { code } = await control(context, session, { destination, verb: "check" });
  return code === 0;
}

/** Ends a control master and everything that runs over it. Does nothing without a master. */
export async function stopMaster(
  context: Context,
  session: Session,
  destination: Destination,
): Promise<void> {
  if (await isMasterAlive(context, session, destination)) {
    await control(context, session, { destination, verb: "exit" });
  }
  await endLostMasters(context, session, destination);
  if (!context.dryRun) await Deno.remove(socketPath(session, destination)).catch(() => {});
}

/**
 * Ends the control masters of a destination but the one that answers. A logout removes `$XDG_RUNTIME_DIR`, and
 * tmpfiles what is old in /tmp, under a master that is alive; and where two start at once, the second one goes on
 * without a socket.
 */
export async function endLostMasters(
  context: Context,
  session: Session,
  destination: Destination,
): Promise<void> {
  const [, ...words] = masterArgv(session, destination);
  const start = ` ${words.join(" ")} `;
  // What ssh calls a master that it has put into the background by itself.
  const title = `ssh: ${socketPath(session, destination)} [mux]`;
  const masters = (await processes(context)).filter(({ args }) =>
    args === title || /^\S*ssh /.test(args) && args.includes(start)
  );
  if (masters.length === 0) return;
  const answer = await control(context, session, { destination, verb: "check" });
  const alive = answer.code === 0 ? Number(/pid=(\d+)/.exec(answer.stderr)?.[1]) : undefined;
  for (const { pid } of masters) {
    if (pid !== alive) await capture(context, ["kill", String(pid)]);
  }
}

/** How a control master is started; options and the host follow. */
function masterArgv(session: Session, destination: Destination): string[] {
  return ["ssh", "-F", sshConfigPath(session, destination), "-o", "ClearAllForwardings=yes", "-fN"];
}

function control(
  context: Context,
  session: Session,
  { destination, verb }: { readonly destination: Destination; readonly verb: "check" | "exit" },
): Promise<Finished> {
  const argv = [
    "ssh",
    "-F",
    sshConfigPath(session, destination),
    "-O",
    verb,
    sshHost(session, destination),
  ];
  return capture(context, argv, { readOnly: verb === "check", limitMs: 5000 });
}

/**
 * Starts a control master unless it runs; it stays in the background. With a terminal, ssh may ask
 * for a passphrase or a new host's key there.
 */
export async function startMaster(
  context: Context,
  session: Session,
  { destination, interactive }: {
    readonly destination: Destination;
    readonly interactive: boolean;
  },
): Promise<void> {
  if (await isMasterAlive(context, session, destination)) return;
  const base = masterArgv(session, destination);
  const target = ["--", sshHost(session, destination)];
  // In a session of its own Ctrl-C does not reach it; but there ssh has no terminal to ask on.
  const patience = setTimeout(() => context.stderr(waiting(session, destination)), PATIENCE_MS);
  const quiet = await capture(context, [...base, "-o", "BatchMode=yes", ...target], {
    detached: true,
  }).finally(() => clearTimeout(patience));
  if (quiet.code === 0) return await endLostMasters(context, session, destination);
  const couldAsk = /permission denied|host key verification failed/i.test(quiet.stderr);
  const asked = interactive && couldAsk ? await capture(context, [...base, ...target]) : quiet;
  if (asked.code !== 0) throw connectionFailure(session, { destination, stderr: asked.stderr });
}

// A key to touch, a page to visit: what a host or an agent waits for is not in ssh's output.
function waiting(session: Session, destination: Destination): string {
  const host = sshHost(session, destination);
  const login = session.remoteHost === null || destination === "container"
    ? `ssh -F ${quoteAll([sshConfigPath(session, destination)])} ${host}`
    : `ssh ${remoteHostForSsh(session.remoteHost)}`;
  return `dockerdo: still waiting for ${host}; what it waits for, a login by hand may show: ${login}\n`;
}

/** ssh's own words as a failure, with what usually helps. */
export function connectionFailure(
  session: Session,
  { destination, stderr }: { readonly destination: Destination; readonly stderr: string },
): Failure {
  const host = sshHost(session, destination);
  const remote = destination === "remote" ? session.remoteHost : null;
  const login = remote === null
    ? `ssh -F ${quoteAll([sshConfigPath(session, destination)])} ${host}`
    : `ssh ${remoteHostForSsh(remote)}`;
  const words = stderr.trim().split("\n").filter((line) => line.trim() !== "").join("\n");
  const hints: readonly (readonly [RegExp, string])[] = [
    [
      /administratively prohibited/i,
      "The remote host's sshd forbids forwarding: dockerdo run --connect exec does without.",
    ],
    [
      /host key verification failed/i,
      `Log in once by hand to check and accept its key: ${login}`,
    ],
    [/permission denied/i, `Check that this works without a password: ${login} true`],
    [/could not resolve/i, `Check the name, or add a Host block for ${host} to ~/.ssh/config.`],
    [
      /timed out|refused|no route|unreachable|closed by|reset by/i,
      `Check that the host is up and that this works: ${login} true`,
    ],
  ];
  const hint = hints.find(([pattern]) => pattern.test(words))?.[1];
  const doctor = doctorHint(remote === null ? undefined : remoteHostText(remote));
  return new Failure(
    words === "" ? `cannot connect to ${host}` : `cannot connect to ${host}: ${words}`,
    hint === undefined ? {} : { hint: `${hint}\n${doctor}` },
  );
}
