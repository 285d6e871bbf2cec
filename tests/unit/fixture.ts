import assert from "node:assert/strict";
import { Failure } from "../../src/error.ts";
import type { Context } from "../../src/process/context.ts";
import type { Session } from "../../src/session/session.ts";

export { until } from "../poll.ts";

const FAKES = new URL("../fakes", import.meta.url).pathname;
const GOLDEN = new URL("../golden", import.meta.url).pathname;
const PATH = Deno.env.get("PATH") ?? "/usr/bin:/bin";

/** A directory that is removed when it is disposed of. */
export interface TemporaryDir extends Disposable {
  readonly path: string;
}

export function temporaryDir(): TemporaryDir {
  const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "dockerdo-unit-" }));
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** A context that keeps what is written, and that has no variables but those given and PATH. */
export interface TestContext extends Context {
  readonly written: { stdout: string; stderr: string };
}

export function testContext(options: Partial<Context> = {}): TestContext {
  const written = { stdout: "", stderr: "" };
  return {
    cwd: "/",
    verbose: false,
    dryRun: false,
    stdout: (text) => void (written.stdout += text),
    stderr: (text) => void (written.stderr += text),
    ...options,
    env: { PATH, ...options.env },
    written,
  };
}

/** A session of the remote host reykjavik; its directory need not exist. */
export function testSession(changed: Partial<Session> = {}): Session {
  return {
    version: 1,
    id: "0a1b2c3d4e5f",
    name: "demo",
    created: "2025-01-02T03:04:05.678Z",
    workDir: "/home/me/project",
    socketDir: "/run/user/1000/dockerdo/0a1b2c3d4e5f",
    remoteHost: { name: "reykjavik", user: null, port: null },
    buildDir: ".",
    distro: null,
    baseImage: "debian:bookworm",
    imageTag: "dockerdo-debian:bookworm-demo",
    registry: null,
    containerName: "dockerdo-demo-0a1b2c",
    user: "root",
    connect: "exec",
    mount: "plain",
    forward: "none",
    record: false,
    identityFile: "/home/me/.ssh/id_ed25519",
    containerId: null,
    engineId: null,
    image: { env: {}, workdir: "/", loginShell: "" },
    env: {},
    attached: null,
    dir: "/home/me/.local/share/dockerdo/demo",
    ...changed,
  };
}

/** The fakes on PATH, what they were called with, and a complaint about calls that nobody foresaw. */
export interface Fakes extends Disposable {
  readonly env: Readonly<Record<string, string>>;
  /** Each call as a list of words, the program first. */
  readonly calls: () => string[][];
}

/** `answers` has the FAKE_… variables of `tests/fakes/answer.sh`. */
export function fakes(dir: string, answers: Readonly<Record<string, string>> = {}): Fakes {
  const log = `${dir}/fake-calls`;
  Deno.writeTextFileSync(log, "");
  const calls = (): string[][] =>
    Deno.readTextFileSync(log).split("\n;\n").filter(Boolean).map((call) => call.split("\n"));
  return {
    env: { PATH: `${FAKES}:${PATH}`, FAKE_LOG: log, ...answers },
    calls,
    [Symbol.dispose]: () =>
      assert.deepEqual(
        calls().filter(([name], i, all) => (all[i + 1] ?? [name])[0] === "UNEXPECTED"),
        [],
      ),
  };
}

/** Compares a text with a file of tests/golden; with UPDATE_GOLDEN set, writes it. */
export function assertGolden(text: string, name: string): void {
  const path = `${GOLDEN}/${name}`;
  if (Deno.env.get("UPDATE_GOLDEN")) Deno.writeTextFileSync(path, text);
  assert.equal(text, Deno.readTextFileSync(path));
}

/** Runs a program of the system, outside of the code under test. */
export async function system(
  argv: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const [program = "", ...args] = argv;
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
    stdin: "null",
    clearEnv: true,
    env: { PATH, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** A test that needs a program of this machine: where it is missing the test is ignored, and its name says why. */
export function testWith(
  program: string,
  name: string,
  fn: (t: Deno.TestContext) => Promise<void>,
): void {
  const isThere = PATH.split(":").some((dir) => {
    try {
      return Deno.statSync(`${dir}/${program}`).isFile;
    } catch {
      return false;
    }
  });
  Deno.test({
    name: isThere ? name : `${name} (ignored: there is no ${program} here)`,
    ignore: !isThere,
    fn,
  });
}

/** The outcome, or a failure where it takes longer than `limitMs`: for what must not hang. */
export async function within<T>(limitMs: number, outcome: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([outcome, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The failure that an action ends with; anything else that it does fails the test. */
export function failureOf(action: () => Promise<unknown>): Promise<Failure>;
export function failureOf(action: () => unknown): Failure;
export function failureOf(action: () => unknown): Failure | Promise<Failure> {
  const noFailure = (): never => {
    throw new Error("no failure");
  };
  const checked = (error: unknown): Failure => {
    if (error instanceof Failure) return error;
    throw error;
  };
  let result: unknown;
  try {
    result = action();
  } catch (error) {
    return checked(error);
  }
  return result instanceof Promise ? result.then(noFailure, checked) : noFailure();
}
