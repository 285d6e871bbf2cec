import { Failure, usageFailure } from "../error.ts";
import { isWithin } from "../paths.ts";
import { capture, endChild } from "../process/child.ts";
import type { Context } from "../process/context.ts";
import { runForeground } from "../process/foreground.ts";
import { quoteForLogin } from "../quote.ts";
import { containerMount, inputsPath, type Session } from "../session/session.ts";
import { hasSocketDir, onEngine, socketPath, sshTo } from "../ssh/argv.ts";
import type { Needs, Request, Translation } from "./needs.ts";
import { type ContainerCommand, packBare, packCommand, signalWords } from "./container_command.ts";

const NUMBERS: Readonly<Partial<Record<Deno.Signal, number>>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGTERM: 15,
};

// Deno has put a mark in the place of each byte that it could not read.
function refuseUnreadable(words: readonly string[]): void {
  const unreadable = words.find((word) => word.includes("\uFFFD"));
  if (unreadable === undefined) return;
  throw new Failure(`${JSON.stringify(unreadable)} is not UTF-8 and cannot be sent unchanged`, {
    hint: "Let the container's shell find the name: dodo -c 'COMMAND PATTERN'",
  });
}

export async function execute(
  context: Context & Needs,
  found: Session,
  request: Request,
): Promise<number> {
  refuseUnreadable(request.command);
  const session = await connected(context, found);
  const translation = request.through === undefined
    ? undefined
    : (await context.loadTranslation()).translation(context, session, request);
  const conversing = translation?.pipes.stdin === true;
  const inBackground = Deno.stdin.isTerminal() && await isInBackground(context);
  const terminal = !conversing &&
    (request.terminal ?? (request.stdin && hasTerminal() && !inBackground));
  if (request.command.length === 0 && !terminal) {
    throw usageFailure("exec needs a command if there is no terminal", "dockerdo exec --help");
  }
  const cwd = containerDirectory(context, session, request.workdir);
  const words = translation?.command ?? request.command;
  const values = Object.values(request.env);
  const mapped = request.map ? await mapPaths(context, session, [...words, ...values]) : words;
  const command = mapped.slice(0, words.length);
  const env = request.map
    ? Object.fromEntries(
      Object.keys(request.env).map((name, at) => [name, mapped[words.length + at] ?? ""]),
    )
    : request.env;
  const began = Date.now();
  const stdin = request.stdin && !(inBackground && !terminal)
    ? stdinFor(terminal, request)
    : "null";
  const input = stdin === "inherit" && !terminal && !conversing
    ? crypto.getRandomValues(new Uint8Array(6)).toHex()
    : undefined;
  const running = runInContainer(context, session, {
    what: { cwd, command, env },
    user: request.user,
    terminal,
    stdin,
    input,
    translation,
  });
  // The command is on its way: what its record needs is read meanwhile, and the first date takes half a millisecond.
  const recording = context.dryRun ? undefined : context.loadRecord();
  recording?.catch(() => {});
  const time = new Date(began).toISOString();
  const exitCode = await running;
  if (recording === undefined) return exitCode;
  const durationMs = Date.now() - began;
  try {
    (await recording).record(session, {
      time,
      cwd,
      command,
      exitCode,
      durationMs,
      ...session.containerId !== null && { container: session.containerId },
      ...request.user !== undefined && { user: request.user },
      ...Object.keys(request.env).length > 0 && { env: request.env },
      ...terminal && { terminal: true },
      ...input !== undefined && { input },
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    context.stderr(`dockerdo: this command was not recorded in the history: ${why}\n`);
  }
  return exitCode;
}

/**
 * ssh reads whether the command does or not. Where the output goes elsewhere, the terminal's keys are for others:
 * for the pager that reads the pipe, for the shell that put us into the background. With -T they are the command's.
 */
function stdinFor(terminal: boolean, request: Request): "inherit" | "null" | "passed on" {
  if (terminal || !Deno.stdin.isTerminal()) return "inherit";
  return request.terminal === undefined && !Deno.stdout.isTerminal() ? "null" : "passed on";
}

/**
 * Whether the terminal is another process group's: of the shell that put us into the background, or of who started
 * timeout(1) in a script. Job control would stop us there as soon as we read, or changed the terminal's settings.
 */
async function isInBackground(context: Context): Promise<boolean> {
  const linux = Deno.build.os === "linux";
  const look = linux ? ["cat", "/proc/self/stat"] : ["ps", "-o", "stat=", "-p", String(Deno.pid)];
  const { code, stdout } = await capture({ ...context, verbose: false }, look, { readOnly: true });
  if (!linux) return code === 0 && !stdout.includes("+");
  // proc(5): after the name come state, ppid, pgrp, session, tty_nr and tpgid, which is -1 without a terminal.
  const fields = stdout.slice(stdout.lastIndexOf(")") + 2).split(" ");
  return fields[5] !== "-1" && fields[5] !== fields[2];
}

function hasTerminal(): boolean {
  return Deno.stdin.isTerminal() && Deno.stdout.isTerminal() && Deno.stderr.isTerminal();
}

// The control socket is the sign of a link that is up; without it, and only then, the code that makes one
// is loaded. ssh itself replaces a socket without a listener.
export async function connected(context: Context & Needs, session: Session): Promise<Session> {
  if (session.containerId === null) {
    throw new Failure(`the session ${session.name} has no container`, { hint: "dockerdo run" });
  }
  if (context.dryRun || hasMasterSocket(session)) return session;
  return await bringBack(context, session);
}

// A socket in another user's directory would receive the command, its variables and our streams.
function hasMasterSocket(session: Session): boolean {
  if (!hasSocketDir(session)) return false;
  try {
    Deno.realPathSync(socketPath(session, "container"));
    return true;
  } catch {
    return false;
  }
}

async function bringBack(
  context: Context & Needs,
  session: Session,
  options: { readonly gone?: string | null } = {},
): Promise<Session> {
  const { reconnect } = await context.loadConnection();
  const interactive = Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
  // In a pipe the command's stderr is the command's alone.
  const quiet = interactive ? context : { ...context, stderr: () => {} };
  return await reconnect(quiet, session, { interactive, ...options });
}

/** The container's directory for the local one: the same below the mount, else the image's WORKDIR. */
function containerDirectory(
  context: Context,
  session: Session,
  workdir: string | undefined,
): string {
  if (workdir?.startsWith("/")) return workdir;
  if (context.cwd === "") {
    throw new Failure("the current directory has been removed, or its name is not UTF-8", {
      hint: "cd to another one, or use -w.",
    });
  }
  const mount = containerMount(session);
  const cwd = isWithin(context.cwd, mount)
    ? context.cwd.slice(mount.length) || "/"
    : session.image.workdir;
  return workdir === undefined ? cwd : `${cwd === "/" ? "" : cwd}/${workdir}`;
}

/** Local paths below the mount as the container's, also as the shell spells them after a symbolic link (`PWD`). */
async function mapPaths(
  context: Context & Needs,
  session: Session,
  words: readonly string[],
): Promise<readonly string[]> {
  const mount = containerMount(session);
  const logical = context.env["PWD"] ?? "";
  const aliases: [local: string, there: string][] = [];
  if (isWithin(context.cwd, mount) && logical.startsWith("/") && logical !== context.cwd) {
    const below = context.cwd.slice(mount.length);
    aliases.push([logical, below]);
    const above = logical.slice(0, logical.length - below.length);
    if (logical.endsWith(below) && above !== "") aliases.push([above, ""]);
  }
  const isAlias = (word: string): boolean =>
    !word.includes(mount) && aliases.some(([prefix]) => word.includes(prefix));
  // Only a shell keeps PWD true; a program that starts us elsewhere leaves its own.
  const believed = words.some(isAlias) && isRealPath(logical, context.cwd) ? aliases : [];
  const prefixes: [local: string, there: string][] = [[mount, ""], ...believed];
  const outside = isWithin(context.cwd, mount) ? undefined : context.cwd;
  const name = `${mount.slice(mount.lastIndexOf("/") + 1)}/`;
  // A path within a word (-I/x, a:b, file:///x) or a relative one is rare, and what finds it is loaded for it.
  const isRare = (word: string): boolean =>
    prefixes.some(([prefix]) => word.indexOf(prefix, 1) > 0) || /file:\//i.test(word) ||
    (outside !== undefined && !word.startsWith("/") && word.includes(name));
  if (words.some(isRare)) {
    return (await context.loadTranslation()).mapWords(words, prefixes, { outside });
  }
  return words.map((word) => {
    const [local, there] = prefixes.find(([prefix]) => isWithin(word, prefix)) ?? [];
    return local === undefined ? word : there + word.slice(local.length) || "/";
  });
}

function isRealPath(path: string, real: string): boolean {
  try {
    return Deno.realPathSync(path) === real;
  } catch {
    return false;
  }
}

async function runInContainer(
  context: Context & Needs,
  session: Session,
  { what, user, terminal, stdin, input, translation }: {
    readonly what: ContainerCommand;
    readonly user: string | undefined;
    readonly terminal: boolean;
    readonly stdin: "inherit" | "null" | "passed on";
    readonly input: string | undefined;
    readonly translation: Translation | undefined;
  },
): Promise<number> {
  const token = `dodo-${crypto.getRandomValues(new Uint8Array(16)).toHex()}`;
  const bare = session.attached?.hasShell === false;
  const byDocker = user !== undefined || session.attached !== null;
  const { line, words, env, oversized } = bare
    ? packBare(session, what, { token })
    : packCommand(session, what, {
      token,
      terminal: terminal ? context.env : undefined,
      sizeComes: terminal && byDocker && hasSize(),
    });
  const argv = byDocker
    ? asUser(session, {
      connection: context.dryRun || session.remoteHost === null
        ? "shared"
        : await (await context.loadSlots()).takeSlot(session, { terminal }),
      words,
      env,
      user: user ?? session.attached?.user ?? "",
      terminal,
      cwd: bare ? what.cwd : "/",
    })
    : sshTo(session, "container", { line, terminal, overMaster: !oversized });
  const signalling = (signal: string): string[] =>
    sshTo(session, "container", { line: quoteForLogin(signalWords(token, signal)) });
  const signal = (name: string): void => {
    capture({ ...context, verbose: false }, signalling(name), { detached: true, limitMs: 10_000 })
      .catch(() => {});
  };
  let failure: Failure | undefined;
  const attach = async (child: Deno.ChildProcess): Promise<void> => {
    failure = await translation?.attach(child, () => signal("TERM"));
  };
  let interruption: Deno.Signal | undefined;
  const began = Date.now();
  const code = await runForeground(context, argv, {
    env: byDocker ? {} : env,
    stdin,
    // With a terminal, Ctrl-C is a byte that is sent to the container; without, we pass the signal on.
    detached: !terminal,
    guard: () => signalling("HUP"),
    note: input === undefined ? undefined : { path: inputsPath(session), mark: input },
    pipes: translation === undefined ? undefined : { ...translation.pipes, attach },
    onSignal: (received, child) => {
      const again = interruption !== undefined;
      interruption ??= received;
      signal(again ? "KILL" : received.slice(3));
      if (terminal || again) endChild(child, "SIGTERM");
    },
  });
  if (failure !== undefined) throw failure;
  if (interruption !== undefined && (code === 255 || code === 143 || code === 137)) {
    return 128 + (NUMBERS[interruption] ?? 0);
  }
  // Also docker's own code where the container does not take a command.
  if (code === 1 && byDocker) {
    const why = await (await context.loadRefusal()).refusal(context, session);
    if (why === "gone") {
      await bringBack(context, session, { gone: session.containerId });
      throw new Failure(
        `the container of ${session.name} is another one now; the command was not run`,
        { hint: "The session uses the new container: run the command again." },
      );
    }
    if (why !== undefined) throw why;
  }
  if (code !== 255) return code;
  const { isSameMaster } = await context.loadConnection();
  if (await isSameMaster(context, session, began)) return code;
  throw await connectionLost(context, session);
}

function hasSize(): boolean {
  try {
    return Deno.consoleSize().columns > 0;
  } catch {
    return false;
  }
}

// ssh has no word for another user's uid and gid: docker has.
function asUser(
  session: Session,
  { connection, words, env, user, terminal, cwd }: {
    readonly connection: "shared" | "own";
    readonly words: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    /** Empty: the container's own. */
    readonly user: string;
    readonly terminal: boolean;
    readonly cwd: string;
  },
): string[] {
  const variables = Object.entries(env).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  // Our own cd comes after docker's, for which WORKDIR must exist; no user types these keys to detach.
  const keys = ["--detach-keys", "ctrl-^,ctrl-_,ctrl-^,ctrl-_"];
  const who = user === "" ? [] : ["-u", user];
  const options = [terminal ? "-it" : "-i", ...keys, "-w", cwd, ...who, ...variables];
  const argv = ["exec", ...options, session.containerId ?? "", ...words];
  // Beyond the host's MaxSessions ssh goes on by a connection of its own, and would report it on the command's stderr.
  const alone = connection === "own" ? "ControlPath=none" : "LogLevel=FATAL";
  return onEngine(session, argv, { terminal, options: ["-o", alone] });
}

// Only a look at the container can tell a lost link from a container that has ended.
async function connectionLost(context: Context & Needs, session: Session): Promise<Failure> {
  try {
    await bringBack(context, session);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  return new Failure(
    "the connection was lost, and is back now; the command may have ended or still run",
    {
      hint: "dodo ps ax shows it, where the image has ps.",
    },
  );
}
