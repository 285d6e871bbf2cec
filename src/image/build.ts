import type { EngineHost } from "../docker.ts";
import { Failure } from "../error.ts";
import BUILD_FROM_LIST from "./build_from_list.sh" with { type: "text" };
import { needsContext } from "./overlay.ts";
import { capture, run } from "../process/child.ts";
import { type Context } from "../process/context.ts";
import { buildMount, containerMount, type Session } from "../session/session.ts";
import { ENGINE, engineScript, onRemoteHost } from "../ssh/argv.ts";
import { captureOnRemoteHost } from "../ssh/master.ts";

// The names that ssh-keygen gives private keys, with what people append.
const KEY_FILE = /^id_(rsa|dsa|ecdsa|ed25519)(?!.*\.pub$)/;

/**
 * Runs `docker build` with a Dockerfile on an engine, its output on stderr, and returns its exit code.
 * Without COPY or ADD nothing is sent but the Dockerfile. Else the build context is the work dir (on the
 * remote host: the build dir) without mounts, ssh keys, and what `.dockerignore` names.
 */
export async function buildImage(
  context: Context,
  session: Session,
  { engine, dockerfile, onBuild = [], words }: {
    readonly engine: EngineHost;
    readonly dockerfile: string;
    /** What the base image adds to the build. */
    readonly onBuild?: readonly string[];
    /** Arguments of `docker build`, without the context. */
    readonly words: readonly string[];
  },
): Promise<number> {
  const onEngine = (argv: readonly string[]): string[] =>
    engine === "local" ? [...argv] : onRemoteHost(session, argv);
  if (!needsContext(dockerfile, onBuild)) {
    const argv = onEngine([ENGINE.program, "build", ...words, "-"]);
    return await run(context, argv, { input: dockerfile, stdout: "stderr", relative: true });
  }
  const remote = engine !== "local" && session.remoteHost !== null;
  const dir = remote ? session.buildDir : session.workDir;
  if (remote) await copyDockerfile(context, session, dockerfile);
  const files = await listContext(context, session, { remote, dir });
  const argv = onEngine(
    [
      "sh",
      "-c",
      engineScript(BUILD_FROM_LIST),
      "dockerdo",
      dir,
      "build",
      ...words,
      "-f",
      "Dockerfile.dockerdo",
      "-",
    ],
  );
  return await run(context, argv, {
    input: files.map((file) => `${file}\0`).join(""),
    encoding: "latin1",
    stdout: "stderr",
    relative: true,
  });
}

async function copyDockerfile(
  context: Context,
  session: Session,
  dockerfile: string,
): Promise<void> {
  const copied = await captureOnRemoteHost(context, session, {
    words: [
      "sh",
      "-c",
      'mkdir -p -- "$1" && cat > "$1/Dockerfile.dockerdo"',
      "dockerdo",
      session.buildDir,
    ],
    input: dockerfile,
  });
  if (copied.code !== 0) {
    throw new Failure(
      `cannot copy Dockerfile.dockerdo to ${session.buildDir}: ${copied.stderr.trim()}`,
    );
  }
}

async function listContext(
  context: Context,
  session: Session,
  { remote, dir }: { readonly remote: boolean; readonly dir: string },
): Promise<string[]> {
  const mounts = [containerMount(session), buildMount(session)]
    .flatMap((point) => point === undefined ? [] : [point.slice(session.workDir.length + 1)]);
  const pruned = (remote ? [] : mounts)
    .flatMap((name) => ["-path", `./${escapeGlob(name)}`, "-prune", "-o"]);
  const find = ["find", ".", "-xdev", "-name", ".ssh", "-prune", "-o", ...pruned, "-print0"];
  const words = ["sh", "-c", 'cd -- "$1" && shift && "$@"', "dockerdo", dir, ...find];
  const options = { readOnly: true, words, encoding: "latin1" } as const;
  const found = remote
    ? await captureOnRemoteHost(context, session, options)
    : await capture(context, words, options);
  const paths = found.stdout.split("\0").map((path) => path.replace(/^\.\//, ""))
    .filter((path) => path !== "" && path !== "." && !KEY_FILE.test(path.split("/").at(-1) ?? ""));
  const ignore = paths.includes(".dockerignore")
    ? await readIgnore(context, session, { remote, dir })
    : "";
  const taken = ignore === "" ? paths : await withoutIgnored(paths, ignore);
  if (found.code !== 0) {
    // An unreadable directory does no harm where .dockerignore names it.
    const unread = Array.from(
      found.stderr.matchAll(/^find: [‘'"]?(?:\.\/)?(.+?)[’'"]?: /gm),
      ([, path = ""]) => path,
    );
    if (unread.length === 0 || unread.some((path) => taken.includes(path))) {
      throw new Failure(`cannot list the build context ${dir}: ${found.stderr.trim()}`, {
        hint: "Name what is not to be in it in .dockerignore.",
      });
    }
  }
  // With ./ in front no name can be taken for an option, which tar reads from a list too.
  return taken.map((path) => `./${path}`);
}

async function readIgnore(
  context: Context,
  session: Session,
  { remote, dir }: { readonly remote: boolean; readonly dir: string },
): Promise<string> {
  if (!remote) return await Deno.readTextFile(`${dir}/.dockerignore`);
  const words = ["cat", "--", `${dir}/.dockerignore`];
  return (await captureOnRemoteHost(context, session, { words, readOnly: true })).stdout;
}

async function withoutIgnored(paths: readonly string[], ignore: string): Promise<string[]> {
  const { default: dockerignore } = await import("@balena/dockerignore");
  // The package's types speak of ES modules, its code is CommonJS.
  const make = dockerignore as unknown as typeof dockerignore.default;
  // Each character of a path is a byte; the rules must be in the same form.
  const asBytes = Array.from(new TextEncoder().encode(ignore), (byte) => String.fromCharCode(byte));
  const rules = make().add(asBytes.join("").split("\n").filter((line) => !line.startsWith("#")));
  return paths.filter((path) => path === "Dockerfile.dockerdo" || !rules.ignores(path));
}

function escapeGlob(name: string): string {
  return name.replace(/[*?[\\]/g, "\\$&");
}
