/** A container's story in few words, for the tests of what becomes of it. */
import { type Command, type Evidence, weigh } from "../../../src/dockerfile/evidence.ts";
import { diffPaths } from "../../../src/dockerfile/difference.ts";
import { type Entry, parseNames, type Survey, type Tree } from "../../../src/dockerfile/tree.ts";
import type { Sweep } from "../../../src/history/sweeps.ts";
import type { JournalStep } from "../../../src/relay/journal.ts";

/** When the image was made; what happens to the container is later. */
const MADE = 100;

export function entry(path: string, fields: Partial<Entry> = {}): Entry {
  const type = path.endsWith("/") ? "d" : "f";
  return {
    path: path.replace(/(.)\/$/, "$1"),
    type,
    mode: type === "d" ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    size: 1,
    inode: "1",
    ctime: MADE,
    mtime: fields.ctime ?? MADE,
    target: "",
    ...fields,
  };
}

/** A path, with the time of its last change or more than that. */
export type Row = string | readonly [string, number | Partial<Entry>];

/** A tree of paths (a directory's ends in a slash) with the time of their last change, or with more than that. */
export function tree(
  ...rows: readonly (string | readonly [string, number | Partial<Entry>])[]
): Tree {
  const entries = rows.map((row) => {
    if (typeof row === "string") return entry(row);
    const [path, given] = row;
    const fields = typeof given === "number" ? { ctime: given } : given;
    // Another file has another inode.
    return entry(path, { inode: String(fields.ctime ?? 1), ...fields });
  });
  return new Map(entries.map((one) => [one.path, one]));
}

export function survey(files: Tree, accounts = "root:x:0\ndev:x:1000"): Survey {
  const names = parseNames(accounts);
  return {
    tree: files,
    clock: 1000,
    host: "box",
    users: names,
    groups: names,
    mounts: [],
    apt: "",
    capabilities: new Map(),
  };
}

/** A command that began at a second and took so many; in / and with exit code 0 unless said otherwise. */
export function command(
  line: string | readonly string[],
  [begin, seconds]: readonly [number, number],
  fields: Partial<Command> = {},
): Command {
  return {
    time: new Date(begin * 1000).toISOString(),
    cwd: "/",
    command: typeof line === "string" ? line.split(" ") : line,
    exitCode: 0,
    durationMs: seconds * 1000,
    number: 0,
    begin,
    end: begin + seconds,
    ...fields,
  };
}

/** A look at the container that found these paths, each with the time of its change. */
export function sweep(
  [since, begin]: readonly [number, number],
  found: Readonly<Record<string, number>> = {},
): Sweep {
  return {
    container: "c",
    since,
    begin,
    end: begin + 0.1,
    local: begin,
    left: 0,
    entries: Object.entries(found).map(([path, time]) => ({
      path: path.replace(/(.)\/$/, "$1"),
      ctime: time,
      mtime: time,
      isDirectory: path.endsWith("/"),
    })),
  };
}

export interface Story {
  readonly image: Tree;
  readonly container: Tree;
  readonly commands?: readonly Command[];
  readonly steps?: readonly JournalStep[];
  readonly sweeps?: readonly Sweep[];
  readonly slack?: number;
  readonly surveyed?: boolean;
}

export function evidence(
  { image, container, commands = [], steps = [], sweeps = [], slack = 0.01, surveyed = false }:
    Story,
): Evidence {
  const { changed, removed } = diffPaths(container, image);
  const numbered = commands.map((one, number) => ({ ...one, number }));
  return weigh({
    commands: numbered,
    steps,
    sweeps,
    changed,
    removed,
    container,
    image,
    slack,
    surveyed,
  });
}
