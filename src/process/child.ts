import { doctorHint, Failure } from "../error.ts";
import { quote, quoteAll } from "../quote.ts";
import type { Context } from "./context.ts";

/** How a child process ended, with what it wrote. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface ChildOptions {
  /**
   * The child's directory; by default /. In the user's it would keep a mount busy, and not start where that
   * directory is gone.
   */
  readonly cwd?: string;
  /** The child's words may have relative paths of the user's: it runs in the context's directory. */
  readonly relative?: boolean;
  /** Variables added to the context's. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface RunOptions extends ChildOptions {
  readonly stdin?: "inherit" | "null";
  /** "stderr" keeps a talkative child off our stdout, which is for data. */
  readonly stdout?: "inherit" | "stderr";
  /** For the child's stdin. */
  readonly input?: string;
  /** "latin1": each character of `input` is a byte. File names need not be UTF-8. */
  readonly encoding?: Encoding;
}

type Encoding = "utf-8" | "latin1";

export interface CaptureOptions extends ChildOptions {
  /** The child only looks: it runs in a dry run too. */
  readonly readOnly?: boolean;
  readonly input?: string;
  /** "latin1": each character of `input` and of the output is a byte. */
  readonly encoding?: Encoding;
  /** Kill the child after this many ms; its code is then 124, as timeout(1) has it. */
  readonly limitMs?: number;
  /** More output than this many bytes is a failure: it is a container's or a host's that floods us. */
  readonly limitBytes?: number;
  /** Give the child a session of its own, so that Ctrl-C in our terminal does not reach it. */
  readonly detached?: boolean;
  readonly stderr?: "inherit";
}

const INSTALL_HINTS: Readonly<Record<string, string>> = {
  ssh: "Install the OpenSSH client (Debian: apt-get install openssh-client).",
  sshfs: "Install sshfs (Debian: apt-get install sshfs; macOS: macFUSE and sshfs).",
  docker: "Install the docker client (Debian: apt-get install docker.io).",
  ps: "Install procps (Debian: apt-get install procps).",
};

/** What a child may write to be kept in memory, in bytes. */
export const OUTPUT_LIMIT = 64 * 1024 * 1024;

const children = new Set<Deno.ChildProcess>();

let received: Deno.Signal | undefined;

const onReceived = new Set<() => void>();

/** What our children are to ignore as we do: Deno catches a signal once it listens to any, and they would not. */
let ignored: ReadonlySet<Deno.Signal> = new Set();

type Ending = "SIGINT" | "SIGTERM" | "SIGHUP";

const EXIT_CODES: Readonly<Record<Ending, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** The signals of a `SigIgn` mask (proc(5)) among `signals`: nohup(1) and a shell's `&` have them ignored. */
export function ignoredSignals(
  mask: string,
  signals: readonly Deno.Signal[],
): ReadonlySet<Deno.Signal> {
  const numbers: Readonly<Partial<Record<Deno.Signal, number>>> = {
    SIGHUP: 1,
    SIGINT: 2,
    SIGQUIT: 3,
    SIGTERM: 15,
  };
  const low = parseInt(mask.slice(-8), 16) || 0;
  return new Set(signals.filter((signal) => (low >> ((numbers[signal] ?? 0) - 1)) & 1));
}

/**
 * From now on SIGINT, SIGTERM and SIGHUP end the running child and surface as a {@link Failure} where it is
 * awaited, so that a command can undo what it did. Exit codes 130, 143 and 129. A signal that whoever started
 * us has set to be ignored stays ignored.
 */
export async function surfaceSignals(context: Context): Promise<void> {
  const signals: readonly Ending[] = ["SIGINT", "SIGTERM", "SIGHUP"];
  // Deno itself may not open anything in /proc; a child inherits what is ignored.
  const status = Deno.build.os !== "linux" ? "" : (await capture(
    { ...context, verbose: false },
    ["cat", "/proc/self/status"],
    { readOnly: true },
  ).catch(() => undefined))?.stdout ?? "";
  ignored = ignoredSignals(/^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "", signals);
  for (const signal of signals) {
    Deno.addSignalListener(signal, () => {
      if (ignored.has(signal)) return;
      received = signal;
      for (const child of children) endChild(child, signal);
      for (const wake of onReceived) wake();
    });
  }
}

function throwIfInterrupted(): void {
  if (received === undefined) return;
  const signal = received;
  received = undefined;
  const exitCode = EXIT_CODES[signal as Ending] ?? 1;
  throw new Failure(`interrupted by ${signal}`, { exitCode });
}

/**
 * For a command that waits without a child: the result of `work`, or the {@link Failure} of a signal that comes
 * before.
 */
export async function unlessInterrupted<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const wake = (): void => {
    try {
      throwIfInterrupted();
    } catch (error) {
      reject(error);
    }
  };
  onReceived.add(wake);
  try {
    wake();
    return await Promise.race([work, promise]);
  } finally {
    onReceived.delete(wake);
  }
}

/** Rejects with the {@link Failure} of the next signal, and never does anything else. */
export function interruption(): Promise<never> {
  const interrupted = unlessInterrupted(new Promise<never>(() => {}));
  // Whoever asked may have gone by then.
  interrupted.catch(() => {});
  return interrupted;
}

/**
 * What a child gets of an environment. The loader's variables are those of the user's programs, not of ssh and
 * docker, which may not start with them; and Deno starts no child that has one.
 */
export function childEnvironment(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(LD|DYLD)_/.test(name)));
}

/** Starts a child with nothing of our own environment; its end is to be awaited by {@link finish}. */
export function spawn(argv: readonly string[], options: Deno.CommandOptions): Deno.ChildProcess {
  throwIfInterrupted();
  const [program = "", ...args] = ignoring(argv);
  try {
    const env = childEnvironment(options.env ?? {});
    const child = new Deno.Command(program, {
      ...options,
      // ssh over a master does not respect an ignored SIGHUP, so it gets no SIGHUP: the terminal's goes to a process group.
      ...ignored.size > 0 && { detached: true },
      env,
      args,
      clearEnv: true,
    }).spawn();
    children.add(child);
    return child;
  } catch (cause) {
    if (cause instanceof Error && /os error 7\b/.test(cause.message)) {
      throw new Failure("the command line is longer than the system takes (execve: E2BIG)", {
        cause,
        hint: "Pass what is long through a file or a pipe.",
      });
    }
    if (options.cwd !== undefined && !isDirectory(options.cwd)) {
      throw new Failure(`cannot start ${program} in ${options.cwd}: the directory is gone`, {
        cause,
        hint: "cd to another one; where it was in a mount, dockerdo start brings that back.",
      });
    }
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    const name = program.split("/").at(-1) ?? program;
    const hint = INSTALL_HINTS[name];
    throw new Failure(`cannot start ${program}: no such program`, {
      cause,
      ...(hint === undefined ? {} : { hint: `${hint}\n${doctorHint()}` }),
    });
  }
}

function ignoring(argv: readonly string[]): readonly string[] {
  if (ignored.size === 0) return argv;
  const names = Array.from(ignored, (signal) => signal.slice("SIG".length)).join(" ");
  return ["sh", "-c", `trap "" ${names}; exec "$@"`, "sh", ...argv];
}

function isDirectory(path: string | URL): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** Waits for a child's end; a signal that reached us in the meantime surfaces here. */
export async function finish(child: Deno.ChildProcess): Promise<Deno.CommandStatus> {
  const status = await child.status;
  forget(child);
  throwIfInterrupted();
  return status;
}

/** No signal of ours is passed on to this child any more. */
export function forget(child: Deno.ChildProcess): void {
  children.delete(child);
}

/** Prints a child's command line where the context says so. */
export function announce(context: Context, line: () => string): void {
  if (context.verbose || context.dryRun) context.stderr(`${line()}\n`);
}

export function asLine(
  argv: readonly string[],
  options: ChildOptions & { readonly input?: string },
): string {
  const variables = Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`);
  const command = quoteAll(variables.length === 0 ? argv : ["env", ...variables, ...argv]);
  const fed = options.input === undefined ? command : `${asPrintf(options.input)} | ${command}`;
  return options.cwd === undefined ? fed : `(cd ${quoteAll([options.cwd])} && ${fed})`;
}

function asPrintf(input: string): string {
  if (!input.includes("\0")) return `printf %s ${quote(input)}`;
  return `printf %b ${quote(input.replaceAll("\\", "\\\\").replaceAll("\0", "\\0000"))}`;
}

/** Directory and environment of a child. */
export function surroundings(context: Context, options: ChildOptions): Deno.CommandOptions {
  return {
    cwd: options.cwd ?? (options.relative === true && context.cwd || "/"),
    env: options.env === undefined ? context.env : { ...context.env, ...options.env },
  };
}

async function feed(
  child: Deno.ChildProcess,
  { input, encoding }: { readonly input: string; readonly encoding?: Encoding | undefined },
): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(
      encoding === "latin1"
        ? Uint8Array.from(input, (letter) => letter.charCodeAt(0))
        : new TextEncoder().encode(input),
    );
    await writer.close();
  } catch (error) {
    // The exit code of a child that ends without reading says more.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Runs a child on our terminal and returns its exit code (128+n after signal n). */
export async function run(
  context: Context,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<number> {
  announce(context, () => asLine(argv, options));
  if (context.dryRun) return 0;
  const child = spawn(argv, {
    ...surroundings(context, options),
    stdin: options.input === undefined ? options.stdin ?? "inherit" : "piped",
    stdout: options.stdout === "stderr" ? "piped" : "inherit",
    stderr: "inherit",
  });
  const copied = options.stdout === "stderr"
    ? child.stdout.pipeTo(Deno.stderr.writable, { preventClose: true })
    : undefined;
  if (options.input !== undefined) {
    await feed(child, { input: options.input, encoding: options.encoding });
  }
  await copied;
  return (await finish(child)).code;
}

/** Runs a child and returns its exit code and output; in a dry run a change is only printed. */
export async function capture(
  context: Context,
  argv: readonly string[],
  options: CaptureOptions = {},
): Promise<Finished> {
  const readOnly = options.readOnly === true;
  if (context.verbose || !readOnly) announce(context, () => asLine(argv, options));
  if (context.dryRun && !readOnly) return { code: 0, stdout: "", stderr: "" };
  const child = spawn(argv, {
    ...surroundings(context, options),
    stdin: options.input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: options.stderr ?? "piped",
    detached: options.detached === true,
  });
  const expiry = new AbortController();
  const timer = options.limitMs === undefined ? undefined : setTimeout(() => {
    expiry.abort();
    endChild(child, "SIGKILL");
  }, options.limitMs);
  const limitBytes = options.limitBytes ?? OUTPUT_LIMIT;
  let flooded = false;
  const onFlood = (): void => {
    flooded = true;
    expiry.abort();
    endChild(child, "SIGKILL");
  };
  const reading = { signal: expiry.signal, limitBytes, onFlood };
  try {
    const [stdout, stderr] = await Promise.all([
      readAll(child.stdout, { encoding: options.encoding, ...reading }),
      options.stderr === "inherit" ? "" : readAll(child.stderr, reading),
      options.input === undefined
        ? undefined
        : feed(child, { input: options.input, encoding: options.encoding }),
    ]);
    const { code } = await finish(child);
    if (flooded) throw floodFailure(argv[0] ?? "", limitBytes);
    return expiry.signal.aborted ? { code: 124, stdout: "", stderr: "" } : { code, stdout, stderr };
  } finally {
    clearTimeout(timer);
  }
}

/** What a program that writes more than `limitBytes` ends with. */
export function floodFailure(program: string, limitBytes: number): Failure {
  return new Failure(
    `${program} wrote more than ${
      Math.round(limitBytes / 1024 / 1024)
    } MiB: more than dockerdo reads`,
    { hint: "With --verbose dockerdo prints the command; run it by hand to see what it writes." },
  );
}

// A grandchild may hold the pipe open long after the child has ended: the signal ends the reading too.
async function readAll(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  { encoding, signal, limitBytes, onFlood }: {
    readonly encoding?: Encoding | undefined;
    readonly signal: AbortSignal;
    readonly limitBytes: number;
    readonly onFlood: () => void;
  },
): Promise<string> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let total = 0;
  try {
    const sink = new WritableStream<Uint8Array<ArrayBuffer>>({
      write: (chunk) => {
        total += chunk.length;
        if (total > limitBytes) onFlood();
        else chunks.push(chunk);
      },
    });
    await stream.pipeTo(sink, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const bytes = await new Blob(chunks).arrayBuffer();
  return encoding === "latin1"
    ? Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join("")
    : new TextDecoder().decode(bytes);
}

/** Signals a child, unless it has ended. */
export function endChild(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended by itself in the meantime.
  }
}
