/** The context of this process: its environment, directory and streams. */
export function hostContext(): Context {
  return {
    env: hostEnvironment(Deno.env.toObject()),
    cwd: currentDirectory(),
    verbose: false,
    dryRun: false,
    stdout: (text) => writeAll(Deno.stdout, text),
    stderr: (text) => void writeAll(Deno.stderr, text),
  };
}

/**
 * The environment that children get: without the parts of `PATH` that mean the current directory, which may be a
 * container's.
 */
export function hostEnvironment(env: Record<string, string>): Record<string, string> {
  const path = env["PATH"]?.split(":").filter((dir) => dir.startsWith("/")).join(":");
  return path === undefined ? env : { ...env, PATH: path };
}

// A directory that was removed has no name any more, and one that is no UTF-8 none for Deno; most commands need none.
function currentDirectory(): string {
  try {
    return Deno.cwd();
  } catch {
    return "";
  }
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): boolean {
  let rest = new TextEncoder().encode(text);
  try {
    while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
    return true;
  } catch (error) {
    // The reader went away (`dockerdo history | head`): there is nobody left to tell.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    return false;
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
  /** Returns false where nobody reads any more. */
  readonly stdout: (text: string) => boolean | void;
  readonly stderr: (text: string) => void;
}
