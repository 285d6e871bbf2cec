/**
 * Which command changed what. A change leaves a new ctime, which nobody can set, on something that survives, at
 * least on a directory: so a path was changed last by the command during which its ctime lies. A sweep after a
 * command sees that before the next command can write over it.
 */
import type { Execution } from "../history/executions.ts";
import type { Sweep } from "../history/sweeps.ts";
import type { JournalStep } from "../relay/journal.ts";
import { isTemporary, volatileBy } from "./rules.ts";
import { type Entry, parentOf, type Tree } from "./tree.ts";

/** A command with the time that it ran, in seconds of the container's clock. */
export interface Command extends Execution {
  /** Counts from 0 in the order of their beginnings. */
  readonly number: number;
  readonly begin: number;
  readonly end: number;
}

/** Who changed a path last. */
export type Toucher =
  | { readonly by: "command"; readonly number: number }
  | { readonly by: "edit"; readonly time: number }
  /** No command ran and nobody edited it: a process that a command left, or somebody with docker exec. */
  | { readonly by: "outside"; readonly time: number };

/** What is known of a command's changes. */
export type Verdict =
  /** It changed what counts. */
  | "changed"
  /** It changed what a rule leaves out, and nothing else. */
  | "volatile"
  /** It changed nothing on the container's own file system. */
  | "nothing"
  | "unknown";

export interface Evidence {
  readonly commands: readonly Command[];
  readonly verdicts: readonly Verdict[];
  /** By command: the paths that count, those it made among them that are gone by now. */
  readonly touched: readonly ReadonlySet<string>[];
  /** By command: what it removed, of the image's or of what was made since. */
  readonly removes: readonly ReadonlySet<string>[];
  /** By command: temporary paths (/tmp) that it made. */
  readonly temporary: readonly ReadonlySet<string>[];
  /** By command: temporary paths that it removed. */
  readonly clears: readonly ReadonlySet<string>[];
  /** Of each path that is not as in the image. */
  readonly last: ReadonlyMap<string, Toucher>;
  /** When a path was first edited through the mount, and last, in the container's clock. */
  readonly edited: ReadonlyMap<string, { readonly first: number; readonly last: number }>;
  /** Deleted or renamed through the mount. */
  readonly deleted: ReadonlyMap<string, number>;
  /** When what was deleted or renamed through the mount had come by it. */
  readonly brought: ReadonlyMap<string, number>;
  /** Whether there were sweeps at all. */
  readonly swept: boolean;
}

/** The kernel's coarse clock may be a tick late. */
const TICK = 0.011;

/** What commands, edits and sweeps say of what differs between the image and the container. */
export function weigh(
  { commands, steps, sweeps, changed, removed, container, image, slack, surveyed }: {
    readonly commands: readonly Command[];
    /** The journal's, with times in seconds of the container's clock. */
    readonly steps: readonly (Omit<JournalStep, "time"> & { readonly time: number })[];
    readonly sweeps: readonly Sweep[];
    /** Paths of the container that are not as in the image it was started from. */
    readonly changed: readonly Entry[];
    /** Paths of that image that the container lacks. */
    readonly removed: readonly string[];
    readonly container: Tree;
    readonly image: Tree;
    /** Seconds by which the two clocks may be wrong about each other. */
    readonly slack: number;
    /** Whether `container` and `changed` are what the container itself said after all the commands. */
    readonly surveyed: boolean;
  },
): Evidence {
  const at = finder(commands, slack);
  const { edited, deleted, brought } = followEdits(steps);
  const touched = commands.map(() => new Set<string>());
  const temporary = commands.map(() => new Set<string>());
  const noisy = commands.map(() => false);
  const isGone = (path: string): boolean => !container.has(path);
  const differs = new Set(changed.map(({ path }) => path));
  const removedSet = new Set(removed);

  const add = (number: number, path: string): void => {
    if (/^(\/var)?\/tmp\//.test(path)) temporary[number]?.add(path);
    else if (volatileBy(path) !== undefined) noisy[number] = true;
    else if (differs.has(path) || removedSet.has(path) || (isGone(path) && !image.has(path))) {
      touched[number]?.add(path);
    }
  };

  for (const sweep of sweeps) {
    for (const { path, ctime, mtime, isDirectory } of sweep.entries) {
      if (isDirectory && hasChild(sweep, path, ctime, mtime)) continue;
      for (const number of at(ctime)) add(number, path);
    }
    for (const { path, ctime } of sweep.entries) {
      // A directory in which something was made that was gone before anybody looked.
      for (const number of at(ctime)) {
        if (path === "/tmp" || path === "/var/tmp") noisy[number] = true;
      }
    }
  }

  const last = new Map<string, Toucher>();
  for (const entry of changed) {
    let toucher = whoTouched(entry, { at, commands, edited });
    if (entry.type === "d" && toucher.by === "outside") {
      // What was edited in it gave it another time, and no more: it is as a command made it.
      const maker = touched.findLastIndex((paths) => paths.has(entry.path));
      if (maker >= 0) toucher = { by: "command", number: maker };
    }
    last.set(entry.path, toucher);
    if (toucher.by === "command") add(toucher.number, entry.path);
  }
  const removes = commands.map(() => new Set<string>());
  const clears = commands.map(() => new Set<string>());
  const seen = lastSeen(sweeps, { container, edited: followedPaths(steps) });
  for (const path of removed) seen.set(path, 0);
  const changes = directoryChanges(sweeps, container);
  for (const [path, time] of seen) {
    if (container.has(path)) continue;
    if (isTemporary(path)) {
      const number = whoRemoved(path, { time, at, commands, container, changes });
      if (number !== undefined) clears[number]?.add(path);
      continue;
    }
    if (volatileBy(path) !== undefined) continue;
    const byEdit = deleted.get(path);
    const number = byEdit === undefined
      ? whoRemoved(path, { time, at, commands, container, changes })
      : undefined;
    if (number !== undefined) {
      removes[number]?.add(path);
      touched[number]?.add(path);
    }
    if (!removedSet.has(path)) continue;
    if (byEdit !== undefined) last.set(path, { by: "edit", time: byEdit });
    else if (number !== undefined) last.set(path, { by: "command", number });
    else last.set(path, { by: "outside", time: container.get(parentOf(path))?.mtime ?? 0 });
  }

  const made = temporary.map((paths) => paths.size > 0);
  const verdicts = commands.map((command, number): Verdict => {
    if ((touched[number]?.size ?? 0) > 0) return "changed";
    if (!isSeen(command, { commands, sweeps, touched, surveyed })) return "unknown";
    return made[number] === true || noisy[number] === true ? "volatile" : "nothing";
  });
  return {
    commands,
    verdicts,
    touched,
    removes,
    temporary,
    clears,
    last,
    edited,
    deleted,
    brought,
    swept: sweeps.length > 0,
  };
}

/**
 * Whether a sweep would have seen what a command did: it began after the command's end, and no command that
 * changed anything, and so may have written over it, began before the sweep's end. The survey is one more sweep, of
 * all times.
 */
function isSeen(
  command: Command,
  { commands, sweeps, touched, surveyed }: {
    readonly commands: readonly Command[];
    readonly sweeps: readonly Sweep[];
    readonly touched: readonly ReadonlySet<string>[];
    readonly surveyed: boolean;
  },
): boolean {
  const sweep = sweeps.find(({ begin, since }) =>
    begin >= command.end - TICK && since <= command.begin
  );
  const end = sweep?.end ?? (surveyed ? Infinity : undefined);
  if (end === undefined) return false;
  return !commands.some((other) =>
    other.number !== command.number && other.end > command.begin &&
    other.begin < end &&
    (touched[other.number]?.size ?? 0) > 0
  );
}

// A directory is copied up with its first change below, which gives it another ctime and no other mtime.
function hasChild(sweep: Sweep, path: string, ctime: number, mtime: number): boolean {
  if (Math.abs(mtime - ctime) < 0.05) return false;
  const prefix = path === "/" ? "/" : `${path}/`;
  return sweep.entries.some((other) =>
    other.path !== path && other.path.startsWith(prefix) && Math.abs(other.ctime - ctime) < 5
  );
}

/** The commands during which a moment lies; where clocks are not sure enough, those that are nearest. */
function finder(commands: readonly Command[], slack: number): (moment: number) => number[] {
  const sorted = [...commands].sort((a, b) => a.begin - b.begin);
  return (moment) => {
    const during = sorted.filter(({ begin, end }) => begin - TICK <= moment && moment <= end);
    if (during.length > 0) return during.map(({ number }) => number);
    return sorted.filter(({ begin, end }) => begin - slack <= moment && moment <= end + slack)
      .map((command) => ({
        number: command.number,
        away: Math.min(Math.abs(command.begin - moment), Math.abs(command.end - moment)),
      }))
      .sort((a, b) => a.away - b.away).slice(0, 1).map(({ number }) => number);
  };
}

/** Seconds for which the journal writes one note of a file that is being written. */
const NOTED = 1.3;

function whoTouched(
  { path, ctime }: Entry,
  { at, commands, edited }: {
    readonly at: (moment: number) => number[];
    readonly commands: readonly Command[];
    readonly edited: Evidence["edited"];
  },
): Toucher {
  const numbers = at(ctime);
  const edit = edited.get(path);
  const isEdit = edit !== undefined && edit.last >= ctime - NOTED && edit.last <= ctime + 0.3;
  const number = numbers.at(-1);
  const begin = number === undefined ? Infinity : commands[number]?.begin ?? Infinity;
  if (isEdit && (number === undefined || edit.last >= begin)) {
    return { by: "edit", time: edit.last };
  }
  if (number !== undefined) return { by: "command", number };
  if (edit !== undefined && edit.last >= ctime - NOTED) return { by: "edit", time: edit.last };
  return { by: "outside", time: ctime };
}

/** When each path that is gone by now was there for the last time that is known. */
function lastSeen(
  sweeps: readonly Sweep[],
  { container, edited }: { readonly container: Tree; readonly edited: ReadonlyMap<string, number> },
): Map<string, number> {
  const seen = new Map([...edited].filter(([path]) => !container.has(path)));
  for (const { entries, begin } of sweeps) {
    for (const { path, ctime } of entries) {
      if (!container.has(path)) seen.set(path, Math.max(ctime, Math.min(begin, ctime + 1)));
    }
  }
  return seen;
}

function followedPaths(
  steps: readonly (Omit<JournalStep, "time"> & { readonly time: number })[],
): Map<string, number> {
  const paths = new Map<string, number>();
  for (const { kind, path, time } of steps) {
    if (kind !== "mounted" && kind !== "lost" && kind !== "deleted") paths.set(path, time);
  }
  return paths;
}

/** By directory: the moments at which names in it are known to have changed. */
function directoryChanges(sweeps: readonly Sweep[], container: Tree): Map<string, Set<number>> {
  const changes = new Map<string, Set<number>>();
  const add = (path: string, moment: number): void => {
    const known = changes.get(path);
    if (known === undefined) changes.set(path, new Set([moment]));
    else known.add(moment);
  };
  for (const { entries } of sweeps) {
    for (const { path, mtime, isDirectory } of entries) if (isDirectory) add(path, mtime);
  }
  for (const { path, type, mtime } of container.values()) if (type === "d") add(path, mtime);
  return changes;
}

/** The first command after a path was seen that changed the names in the directory that held it, or its tree. */
function whoRemoved(
  path: string,
  { time, at, commands, container, changes }: {
    readonly time: number;
    readonly at: (moment: number) => number[];
    readonly commands: readonly Command[];
    readonly container: Tree;
    readonly changes: ReadonlyMap<string, ReadonlySet<number>>;
  },
): number | undefined {
  let top = path;
  // What holds it now may be another thing of the same name.
  while (top !== "/" && container.get(parentOf(top))?.type !== "d") top = parentOf(top);
  const moments = [...changes.get(parentOf(top)) ?? []].filter((moment) => moment >= time - TICK);
  const numbers = [...new Set(moments.sort((a, b) => a - b).flatMap(at))];
  const name = top.slice(top.lastIndexOf("/") + 1);
  const named = numbers.find((number) =>
    commands[number]?.command.some((word) => word.includes(name)) === true
  );
  return named ?? (time === 0 ? numbers.at(-1) : numbers[0]);
}

/** Follows files through the renames of the journal: what was edited, by the name that it has now. */
function followEdits(
  steps: readonly (Omit<JournalStep, "time"> & { readonly time: number })[],
): Pick<Evidence, "edited" | "deleted" | "brought"> {
  const edited = new Map<string, { first: number; last: number }>();
  const brought = new Map<string, number>();
  const deleted = new Map<string, number>();
  const move = (from: string, to: string, time: number): void => {
    const before = edited.get(from);
    if (before !== undefined) brought.set(from, before.first);
    edited.delete(from);
    edited.set(to, { first: before?.first ?? time, last: time });
    deleted.delete(to);
    deleted.set(from, time);
  };
  for (const { kind, path, from, directory, time } of steps) {
    switch (kind) {
      case "mounted":
      case "lost":
        break;
      case "deleted": {
        const before = edited.get(path);
        if (before !== undefined) brought.set(path, before.first);
        edited.delete(path);
        deleted.set(path, time);
        break;
      }
      case "renamed": {
        // A file that is saved by way of another one is the file that it was.
        const old = edited.get(path);
        if (from === undefined) break;
        move(from, path, time);
        const now = edited.get(path);
        if (old !== undefined && now !== undefined) now.first = Math.min(now.first, old.first);
        if (directory !== true) break;
        for (const below of [...edited.keys()].filter((name) => name.startsWith(`${from}/`))) {
          move(below, path + below.slice(from.length), time);
        }
        break;
      }
      default: {
        const known = edited.get(path);
        edited.set(path, { first: known?.first ?? time, last: time });
        deleted.delete(path);
      }
    }
  }
  return { edited, deleted, brought };
}
