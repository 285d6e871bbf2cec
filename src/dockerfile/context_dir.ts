/** The build context that a Dockerfile is written with. */
import { dockerArgv } from "../docker.ts";
import { Failure } from "../error.ts";
import type { Bytes } from "../bytes.ts";
import type { Context } from "../process/context.ts";
import { through } from "../process/pipe.ts";
import { TarReader } from "../push/tar.ts";
import { isWithin } from "../paths.ts";
import { containerMount, type Session } from "../session/session.ts";
import { isPlainMode } from "./arrange.ts";
import { parentOf, type Tree } from "./tree.ts";

/** The first line of `.dockerignore`, by which a directory of ours is known again. */
const SIGNATURE = "# The build context of a Dockerfile that dockerdo wrote.";
const IGNORE = `${SIGNATURE}\n*\n!files\n`;

/** Refuses a directory of the container, and one in which there is anything that dockerdo did not write. */
export async function checkContextDir(dir: string, session: Session): Promise<void> {
  if (isWithin(await nearestRealPath(dir), containerMount(session))) {
    throw new Failure(`${dir} is in the container: what is written there would change it`, {
      hint: "Name a directory outside of the mount: dockerdo dockerfile -o DIR",
    });
  }
  let names: string[];
  try {
    names = (await Array.fromAsync(Deno.readDir(dir), ({ name }) => name))
      .filter((name) => name !== ".verifyignore");
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return;
    throw new Failure(`cannot write into ${dir}: ${(cause as Error).message}`, { cause });
  }
  if (names.length === 0) return;
  const ignore = await Deno.readTextFile(`${dir}/.dockerignore`).catch(() => "");
  if (ignore.startsWith(SIGNATURE)) return;
  throw new Failure(`${dir} is not empty, and nothing that dockerdo wrote`, {
    hint: "Name a new directory, or an empty one: dockerdo dockerfile -o DIR",
  });
}

/** The real path of what there is of a path: of itself, or of a directory above it. */
async function nearestRealPath(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch {
    const slash = path.replace(/\/+$/, "").lastIndexOf("/");
    if (slash === 0 || path === ".") return "/";
    return await nearestRealPath(slash < 0 ? "." : path.slice(0, slash));
  }
}

/** Writes the Dockerfile and its context; files that an earlier one needed are removed. */
export async function writeContext(
  context: Context,
  session: Session,
  { dir, text, files, tree, containerId }: {
    readonly dir: string;
    readonly text: string;
    /** Context path below `files/` by container path. */
    readonly files: ReadonlyMap<string, string>;
    readonly tree: Tree;
    readonly containerId: string;
  },
): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
  await Deno.writeTextFile(`${dir}/.dockerignore`, IGNORE);
  await Deno.remove(`${dir}/files`, { recursive: true }).catch(() => {});
  await Deno.mkdir(`${dir}/files`);
  await copyOut(context, session, { dir, files, tree, containerId });
  await Deno.writeTextFile(`${dir}/Dockerfile`, text);
}

const TAR = "tar --no-recursion -cf - --null -T -";

/** Fetches the files out of the container. */
async function copyOut(
  context: Context,
  session: Session,
  { dir, files, tree, containerId }: {
    readonly dir: string;
    readonly files: ReadonlyMap<string, string>;
    readonly tree: Tree;
    readonly containerId: string;
  },
): Promise<void> {
  const wanted = [...files.keys()].filter((path) => tree.has(path)).sort();
  for (const [path, file] of files) {
    if (!path.startsWith("local:")) continue;
    const made = `${dir}/files/${file}`;
    await Deno.mkdir(parentOf(made), { recursive: true });
    await Deno.copyFile(path.slice("local:".length), made);
    await Deno.chmod(made, 0o644);
  }
  if (wanted.length === 0) return;
  const target = (path: string): string =>
    `${dir}/files/${asName(files.get(path) ?? path.slice(1))}`;
  for (const path of wanted) {
    const entry = tree.get(path);
    const made = target(path);
    await Deno.mkdir(parentOf(made), { recursive: true });
    if (entry?.type === "d") await Deno.mkdir(made, { recursive: true });
    if (entry?.type === "l") await Deno.symlink(asName(entry.target), made);
  }
  const regular = wanted.filter((path) => tree.get(path)?.type === "f");
  const list = regular.map((path) => `${path.slice(1)}\0`).join("");
  const bytes = Uint8Array.from(list, (letter) => letter.charCodeAt(0));
  const argv = dockerArgv(session, [
    "exec",
    "-i",
    "-u",
    "0",
    "-w",
    "/",
    containerId,
    "/bin/sh",
    "-c",
    TAR,
  ]);
  const reader = new TarReader(
    through(context, argv, once(bytes)),
    { mostEntries: 10_000_000 },
  );
  const links = new Map<string, string>();
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    const path = `/${entry.name}`;
    const made = target(path);
    const mode = tree.get(path)?.mode ?? 0o644;
    if (entry.type === "1") {
      links.set(path, linkTarget(entry.header));
      continue;
    }
    using file = await Deno.open(made, { create: true, write: true, truncate: true });
    for await (const piece of reader.data()) {
      for (let rest = piece; rest.length > 0;) rest = rest.subarray(await file.write(rest));
    }
    await Deno.chmod(made, isPlainMode(mode) ? mode : (mode & 0o111) !== 0 ? 0o755 : 0o644);
  }
  for (const [path, source] of links) {
    await Deno.copyFile(target(source), target(path));
  }
  for (const path of wanted.filter((path) => tree.get(path)?.type === "d")) {
    await Deno.chmod(target(path), 0o755);
  }
}

async function* once(bytes: Bytes): AsyncGenerator<Bytes> {
  yield await Promise.resolve(bytes);
}

function linkTarget(header: Uint8Array): string {
  const name = header.subarray(header.length - 512 + 157, header.length - 512 + 257);
  const end = name.indexOf(0);
  return `/${String.fromCharCode(...(end < 0 ? name : name.subarray(0, end)))}`;
}

// Deno's names are text; one that is no UTF-8 has another name in the context.
function asName(path: string): string {
  return new TextDecoder("utf-8", { ignoreBOM: true })
    .decode(Uint8Array.from(path, (letter) => letter.charCodeAt(0)));
}
