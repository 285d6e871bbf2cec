/**
 * The door through which tests enter the lab. They run inside it:
 * `tests/lab/lab up && tests/lab/lab exec deno test --allow-run --allow-read --allow-write --allow-env
 * --allow-net=127.0.0.1,10.77.0.2 tests/lab/`
 */

export { type Link, type LinkOptions, startLink } from "./link.ts";

export { poll } from "../poll.ts";

/** reykjavik's address: its sshd is on port 22, all else is behind the firewall. */
export const REYKJAVIK = "10.77.0.2";
/** A Debian with `ENV GREETING`, `WORKDIR /srv/app`, and a program `tool` on the PATH of its `ENV`. */
export const BASE_IMAGE = "lab/debian:bookworm";
/** The same with `ENTRYPOINT ["/bin/cat"]` and `USER 1000` (app). */
export const ENTRYPOINT_IMAGE = "lab/entrypoint:1";

export interface RunOptions {
  cwd?: string;
  /** Added to the environment. */
  env?: Record<string, string>;
  /** What the command reads; without it, nothing. */
  stdin?: string | Uint8Array;
}

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command on london, where the test itself runs. A failure is for the caller to judge. */
export async function london(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [command, ...args] = argv;
  if (command === undefined) throw new Error("which command?");
  const { stdin, ...rest } = options;
  const child = new Deno.Command(command, {
    args,
    ...rest,
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const written = stdin === undefined ? undefined : write(child.stdin, stdin);
  const output = await child.output();
  await written;
  const text = new TextDecoder();
  return {
    code: output.code,
    stdout: text.decode(output.stdout),
    stderr: text.decode(output.stderr),
  };
}

/** Runs a command on reykjavik as root, in its home, without ssh: to see what is really there. */
export function reykjavik(
  argv: readonly string[],
  options: Pick<RunOptions, "stdin"> = {},
): Promise<Outcome> {
  return london([insideLab(), "reykjavik", ...argv], options);
}

/** A way in to reykjavik with an end, such as `addHost("reykjavik-far", { port: link.port })`. */
export interface HostOptions {
  port: number;
  /** 127.0.0.1 by default, where a link listens. */
  hostName?: string;
  /** root by default; `ada` may forward ports, `grace`'s shell is noisy, `carl`'s a csh. */
  user?: string;
  /** Further lines of the block. */
  also?: readonly string[];
}

/** Adds a `Host` block for reykjavik to london's ~/.ssh/config; dispose of it to take it out. */
export async function addHost(name: string, options: HostOptions): Promise<AsyncDisposable> {
  insideLab();
  const config = `${Deno.env.get("HOME")}/.ssh/config`;
  const block = `
Host ${name}
  HostName ${options.hostName ?? "127.0.0.1"}
  Port ${options.port}
  User ${options.user ?? "root"}
  HostKeyAlias reykjavik
${(options.also ?? []).map((line) => `  ${line}\n`).join("")}`;
  // Other tests may be at it too, and ssh reads it at any time.
  const change = async (edit: (text: string) => string): Promise<void> => {
    using lock = await Deno.open(`${config}.lock`, { create: true, write: true });
    await lock.lock(true);
    await Deno.writeTextFile(`${config}.new`, edit(await Deno.readTextFile(config)), {
      mode: 0o600,
    });
    await Deno.rename(`${config}.new`, config);
  };
  const without = (text: string): string =>
    text.replaceAll(new RegExp(`\\nHost ${name}\\n(?: .*\\n)*`, "g"), "");
  const takeOut = (): Promise<void> => change(without);
  // An interrupted run may have left one, and ssh takes the first.
  await change((text) => without(text) + block);
  return { [Symbol.asyncDispose]: takeOut };
}

/**
 * A private directory to work in; dispose of it to remove it with all it holds. What is mounted below it
 * belongs to somebody else: then nothing is removed, and that is an error.
 */
export async function freshDirectory(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "dockerdo-lab-" });
  return {
    path,
    async [Symbol.asyncDispose](): Promise<void> {
      const mounts = (await london(["grep", "-F", ` ${path}/`, "/proc/self/mountinfo"])).stdout;
      if (mounts !== "") throw new Error(`still mounted below ${path}:\n${mounts}`);
      await london(["rm", "-rf", "--one-file-system", "--", path]);
    },
  };
}

/** The path of the `lab` script, which `lab exec` leaves in the environment. */
function insideLab(): string {
  const lab = Deno.env.get("DOCKERDO_LAB");
  if (lab === undefined) throw new Error("not in the lab: run tests/lab/lab exec deno test …");
  return lab;
}

async function write(stdin: WritableStream<Uint8Array>, text: string | Uint8Array): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(typeof text === "string" ? new TextEncoder().encode(text) : text);
    await writer.close();
  } catch (reason) {
    // A command need not read all it is given.
    if (!(reason instanceof Deno.errors.BrokenPipe)) throw reason;
  }
}
