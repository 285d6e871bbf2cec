/** A person at london's keyboard: a work dir, a shell, and `dockerdo` and `dodo` on the PATH. */

import { BASE_IMAGE, freshDirectory, london, type Outcome, poll, reykjavik } from "../lab/lab.ts";

export interface User extends AsyncDisposable {
  readonly workDir: string;
  /** Where config, data, state, runtime and temporary files of this user alone are. */
  readonly home: string;
  /** Every file of dockerdo's outside the work dir. */
  traces(): Promise<string>;
  /** Runs a script in bash, in the work dir, in the activated session if there is one. */
  types(script: string, options?: { stdin?: string; cwd?: string }): Promise<Outcome>;
  /** The same, and a failure unless its exit code is 0. Returns stdout. */
  does(script: string, options?: { stdin?: string; cwd?: string }): Promise<string>;
  /** Begins a session and activates it for what is typed from now on. */
  begins(initArguments: string): Promise<string>;
  /** The same in a container that runs already, by the arguments of attach; `config` is the configuration file. */
  attaches(attachArguments: string, config?: string): Promise<string>;
  /** {@link begins}, builds where the container is to run, and runs it. */
  runs(initArguments: string, runArguments?: string): Promise<void>;
  /** The environment of what is typed, on top of the tests' own. */
  env(): Record<string, string>;
  /** The directory of the activated session. */
  sessionDir(): string;
}

const programs = new URL("../../bin", import.meta.url).pathname;

/** A user in a work dir of their own. When disposed of, the session goes, and all that is left of it fails the test. */
export async function newUser(): Promise<User> {
  const directory = await freshDirectory();
  const home = await freshDirectory();
  for (const name of ["bin", "config", "data", "state", "run", "tmp"]) {
    await Deno.mkdir(`${home.path}/${name}`, { mode: 0o700 });
  }
  await Deno.symlink(Deno.execPath(), `${home.path}/bin/deno`);
  const env: Record<string, string> = {
    PATH: `${Deno.env.get("DOCKERDO_BIN") ?? programs}:${home.path}/bin:${Deno.env.get("PATH")}`,
    TMPDIR: `${home.path}/tmp`,
    XDG_CONFIG_HOME: `${home.path}/config`,
    XDG_DATA_HOME: `${home.path}/data`,
    XDG_STATE_HOME: `${home.path}/state`,
    XDG_RUNTIME_DIR: `${home.path}/run`,
  };
  const types: User["types"] = (script, options = {}) =>
    london(["bash", "-c", script], { cwd: directory.path, env, ...options });
  const does: User["does"] = async (script, options) => {
    const { code, stdout, stderr } = await types(script, options);
    if (code !== 0) throw new Error(`exit code ${code}: ${script}\n${stdout}${stderr}`);
    return stdout;
  };
  // Also the sessions that a failing test did not expect to begin.
  const end = async (): Promise<void> => {
    const index = `${home.path}/state/dockerdo/sessions`;
    const { stdout } = await london(["find", index, "-type", "f"]);
    for (const entry of stdout.split("\n").filter(Boolean)) {
      const dir = await Deno.readTextFile(entry);
      await keepLayers(dir);
      const removed = await types(`DOCKERDO_SESSION_DIR=${dir} dockerdo rm --force --delete`);
      if (removed.code !== 0) throw new Error(`rm failed: ${removed.stdout}${removed.stderr}`);
    }
    await directory[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  };
  const activates = async (command: string): Promise<string> => {
    const script = (await does(command)).trim();
    env["DOCKERDO_SESSION_DIR"] = script.slice(0, script.lastIndexOf("/"));
    return script;
  };
  const begins: User["begins"] = (initArguments) => activates(`dockerdo init ${initArguments}`);
  return {
    workDir: directory.path,
    home: home.path,
    traces: async () =>
      (await types(
        `cd ${home.path} && find config data state run tmp -not -type d -o -path 'tmp/dockerdo[_-]*'`,
      )).stdout,
    types,
    does,
    begins,
    async attaches(attachArguments, config = `default_image: ${BASE_IMAGE}\n`): Promise<string> {
      await Deno.mkdir(`${home.path}/config/dockerdo`, { recursive: true });
      await Deno.writeTextFile(`${home.path}/config/dockerdo/dockerdo.yaml`, config);
      return await activates(`dockerdo attach ${attachArguments}`);
    },
    async runs(initArguments, runArguments = ""): Promise<void> {
      await begins(initArguments);
      await does(`dockerdo build --remote && dockerdo run ${runArguments}`);
    },
    env: () => ({ ...env }),
    sessionDir: () => env["DOCKERDO_SESSION_DIR"] ?? "",
    [Symbol.asyncDispose]: end,
  };
}

// With the last image of its kind the builder's cache would go: ten seconds more for each test.
async function keepLayers(dir: string): Promise<void> {
  const { imageTag, baseImage, user } = JSON.parse(await Deno.readTextFile(`${dir}/session.json`));
  const kept = `lab/kept:${baseImage.replaceAll(/[^a-z0-9]+/g, "-")}-${user}`;
  // Which engine has the image is not known here; one that has not says no.
  for (const host of [london, reykjavik]) await host(["docker", "tag", imageTag, kept]);
}

/** Whether a path is there, asked without following it. */
export function isThere(path: string): Promise<boolean> {
  return Deno.lstat(path).then(() => true, () => false);
}

/** A path's permission bits. */
export async function modeOf(path: string): Promise<number> {
  return ((await Deno.lstat(path)).mode ?? 0) & 0o777;
}

/** What is left on both hosts that carries a session's mark: processes, mounts, containers, files. */
export async function remains(id: string): Promise<string[]> {
  const label = `label=dockerdo.session=${id}`;
  // One after another: the first look must not find the others, which have the mark too.
  const looks: [string, () => Promise<Outcome>][] = [
    ["process", () => london(["pgrep", "-af", id])],
    ["mount", () => london(["grep", id, "/proc/self/mountinfo"])],
    ["file", () => london(["find", "/tmp", "-xdev", "-maxdepth", "5", "-name", `*${id}*`])],
    ["container here", () => london(["docker", "ps", "-aq", "--filter", label])],
    ["container there", () => reykjavik(["docker", "ps", "-aq", "--filter", label])],
  ];
  const found: string[] = [];
  for (const [what, look] of looks) {
    const { stdout } = await look();
    for (const line of stdout.split("\n").filter(Boolean)) found.push(`${what}: ${line}`);
  }
  return found;
}

/** Waits until nothing is left of a session: what was told to end may take a moment. */
export async function nothingRemains(id: string): Promise<void> {
  let left: string[] = [];
  await poll(async () => (left = await remains(id)).length === 0, {
    what: `the end of everything of session ${id}`,
    limitMs: 5000,
  }).catch((error) => {
    throw new Error(`${error.message}; left are\n${left.join("\n")}`);
  });
}

/** The stored session. */
export async function storedSession(user: User): Promise<Record<string, unknown>> {
  return JSON.parse(await Deno.readTextFile(`${user.sessionDir()}/session.json`));
}
