import { Failure } from "../error.ts";
import { visible } from "../visible.ts";

/** The context of this process: its environment, directory and streams. */
export function hostContext(): Context {
  const { DOCKERDO_CWD: told, DOCKERDO_DOTTED: _dotted, ...env } = Deno.env.toObject();
  return {
    env: hostEnvironment(env),
    cwd: told === undefined
      ? systemDirectory() ?? directoryCalled(env["PWD"])
      : directoryCalled(told),
    verbose: false,
    dryRun: false,
    sharedShells: true,
    stdout: writeOut,
    stderr: (text) => writeError(redName(env, visible(text))),
    hasColours: (stream) => hasColours(env, stream),
  };
}

// The NO_COLOR of no-color.org; TERM=dumb is a terminal without colours.
function hasColours(env: Readonly<Record<string, string>>, stream: "stdout" | "stderr"): boolean {
  return !env["NO_COLOR"] && env["TERM"] !== "dumb" && Deno[stream].isTerminal();
}

function redName(env: Readonly<Record<string, string>>, text: string): string {
  return text.startsWith("dockerdo: ") && hasColours(env, "stderr")
    ? text.replace("dockerdo:", "\x1b[31m$&\x1b[39m")
    : text;
}

/** The arguments of this process. A dot that bin/dockerdo has put after each is removed. */
export function hostArguments(): string[] {
  const dotted = Deno.env.get("DOCKERDO_DOTTED") !== undefined;
  return dotted ? Deno.args.map((word) => word.slice(0, -1)) : Deno.args;
}

/**
 * The environment that children get: without the parts of `PATH` that name the current directory, which may be a
 * container's.
 */
export function hostEnvironment(env: Record<string, string>): Record<string, string> {
  const path = env["PATH"]?.split(":").filter((dir) => dir.startsWith("/")).join(":");
  return path === undefined ? env : { ...env, PATH: path };
}

/**
 * The current directory's path where the system has no name for it, by the name that the shell has: the path in a mount
 * that has died, for it says which one; empty where the directory has been removed, or its name is not UTF-8.
 */
export function directoryCalled(named: string | undefined): string {
  if (!named?.startsWith("/")) return "";
  try {
    Deno.statSync(named);
    // Something else has that name: the system has no name for this directory.
    return "";
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "" : named;
  }
}

function systemDirectory(): string | undefined {
  try {
    return Deno.cwd();
  } catch {
    return undefined;
  }
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): boolean {
  let rest = new TextEncoder().encode(text);
  try {
    while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
    return true;
  } catch (error) {
    // The reader has ended (`dockerdo history | head`), which is no failure.
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw error;
  }
}

function writeOut(text: string): boolean {
  try {
    return writeAll(Deno.stdout, text);
  } catch (cause) {
    throw new Failure(`cannot write to the standard output: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function writeError(text: string): void {
  try {
    writeAll(Deno.stderr, text);
  } catch {
    // There is no other place to say it; what a command does and its exit code must not depend on it.
  }
}

/** Where a command of ours runs: its environment, its directory, and what it may do to the outside. */
export interface Context {
  readonly env: Readonly<Record<string, string>>;
  /** Empty where the current directory has been removed. */
  readonly cwd: string;
  /** Print each child process before it starts, as a line that a shell understands. */
  readonly verbose: boolean;
  /** Print the child processes that would change something instead of starting them. */
  readonly dryRun: boolean;
  /** Ask a remote host through one shell that stays until the end, as a process of its own may. */
  readonly sharedShells?: boolean;
  /** Whether a stream is a terminal that shows colours, and NO_COLOR allows them. */
  readonly hasColours?: (stream: "stdout" | "stderr") => boolean;
  /** Returns false after the reader has ended. */
  readonly stdout: (text: string) => boolean | void;
  readonly stderr: (text: string) => void;
}
