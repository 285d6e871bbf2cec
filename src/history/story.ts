import type { JournalStep } from "../relay/journal.ts";

/** What a person did to a file of the container, through the mount. */
export interface Edit {
  /** ISO 8601, UTC, of the last step. */
  readonly time: string;
  readonly kind: "created" | "changed" | "renamed" | "deleted" | "chmodded" | "linked" | "touched";
  /** Absolute in the container; bytes that are not UTF-8 show as U+FFFD. */
  readonly path: string;
  /** The old name of a renamed file. */
  readonly from?: string;
  /** The same in base64, where the name is not UTF-8. */
  readonly pathBytes?: string;
  readonly fromBytes?: string;
}

/** One file while it is followed. `first` is undefined when it was made in the meantime. */
interface Trail {
  readonly first: string | undefined;
  now: string | undefined;
  readonly kinds: Set<JournalStep["kind"]>;
  /** The file of which it was made a hard link. */
  readonly source?: Trail;
  at: number;
}

// Names that editors keep beside a file while it is open, and sshfs's for a file that was deleted while open.
const PASSING = /^(\..*\.sw[a-px]|\.#.*|#.*#|\.~lock\..*#|.*\.kate-swp|\.goutputstream-.*)$/;

const HIDDEN = /^\.fuse_hidden[0-9a-f]+$/;

/**
 * Turns steps into edits. Programs save by way of temporary files, backups, locks and renames: so each file is
 * followed from the name it had to the name it ends with, and only the sum is shown.
 */
export class Story {
  private readonly trails = new Set<Trail>();
  private readonly current = new Map<string, Trail>();

  get isEmpty(): boolean {
    return this.trails.size === 0;
  }

  add({ kind, path, time, ...step }: JournalStep): void {
    switch (kind) {
      case "created":
        this.begin(path).at = time;
        return;
      case "linked": {
        const source = step.from === undefined ? undefined : this.follow(step.from);
        const trail = this.begin(path, source);
        trail.kinds.add(kind);
        trail.at = time;
        return;
      }
      case "deleted": {
        const trail = this.follow(path);
        trail.at = time;
        this.end(trail);
        return;
      }
      case "renamed":
        return this.rename(step.from ?? path, path, { time, ...step });
      case "changed":
      case "chmodded":
      case "touched": {
        const trail = this.follow(path);
        trail.kinds.add(kind);
        trail.at = time;
      }
    }
  }

  /** All edits up to now, the oldest first; then the story starts again. */
  tell(): Edit[] {
    const edits = sum([...this.trails]);
    this.trails.clear();
    this.current.clear();
    return edits;
  }

  private rename(
    from: string,
    to: string,
    step: Pick<JournalStep, "time" | "replaces" | "directory">,
  ): void {
    const trail = this.follow(from);
    const over = step.replaces === true ? this.follow(to) : this.current.get(to);
    if (over !== undefined) this.end(over);
    this.move(trail, to);
    trail.at = step.time;
    if (step.directory !== true) return;
    const inside = [...this.current].filter(([path]) => path.startsWith(`${from}/`));
    for (const [path, moved] of inside) this.move(moved, to + path.slice(from.length));
  }

  private move(trail: Trail, to: string): void {
    if (trail.now !== undefined) this.current.delete(trail.now);
    trail.now = to;
    this.current.set(to, trail);
  }

  private end(trail: Trail): void {
    if (trail.now !== undefined) this.current.delete(trail.now);
    trail.now = undefined;
    if (trail.first === undefined) this.trails.delete(trail);
  }

  private follow(path: string): Trail {
    return this.current.get(path) ??
      this.keep({ first: path, now: path, kinds: new Set(), at: 0 });
  }

  private begin(path: string, source?: Trail): Trail {
    const before = this.current.get(path);
    if (before !== undefined) this.end(before);
    const kinds: Trail["kinds"] = new Set();
    return this.keep({ first: undefined, now: path, kinds, at: 0, ...source && { source } });
  }

  private keep(trail: Trail): Trail {
    this.trails.add(trail);
    if (trail.now !== undefined) this.current.set(trail.now, trail);
    return trail;
  }
}

function sum(trails: readonly Trail[]): Edit[] {
  const existed = new Set(trails.map(({ first }) => first));
  const exist = new Set(trails.map(({ now }) => now));
  const told: { at: number; edit: Edit }[] = [];
  for (const { first, now, kinds, source, at } of trails) {
    const tell = (kind: Edit["kind"], path: string, from?: string): void => {
      const isBackup = path.endsWith("~") && exist.has(original(path));
      if (isPassing(path) || isBackup) return;
      told.push({ at, edit: editOf(at, kind, { path, from }) });
    };
    const isGone = first !== undefined && !exist.has(first);
    if (now === undefined || HIDDEN.test(nameOf(now))) {
      if (isGone) tell("deleted", first);
    } else if (first === now) {
      const kind = (["changed", "chmodded", "touched"] as const).find((kind) => kinds.has(kind));
      if (kind !== undefined) tell(kind, now);
    } else if (existed.has(now)) {
      tell("changed", now);
      if (isGone) tell("deleted", first);
    } else if (isGone && !isPassing(first)) {
      tell("renamed", now, first);
    } else {
      // git writes a file, links it to its name and deletes the first name: no user made a link.
      const isLink = kinds.has("linked") &&
        !(source !== undefined && source.first === undefined && source.now === undefined);
      tell(isLink ? "linked" : "created", now);
    }
  }
  return told.sort((a, b) => a.at - b.at).map(({ edit }) => edit);
}

// `file~` is a backup of `file`, and so is `file.~3~`.
function original(path: string): string {
  return path.replace(/(\.~\d+)?~$/, "");
}

function isPassing(path: string): boolean {
  return PASSING.test(nameOf(path)) || HIDDEN.test(nameOf(path));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function editOf(
  at: number,
  kind: Edit["kind"],
  { path, from }: { readonly path: string; readonly from: string | undefined },
): Edit {
  const names = { ...shown("path", path), ...from !== undefined && shown("from", from) };
  return { time: new Date(at).toISOString(), kind, ...names } as Edit;
}

function shown(key: string, path: string): Readonly<Record<string, string>> {
  const text = asText(path);
  const isText = !text.includes("\uFFFD");
  return { [key]: text, ...!isText && { [`${key}Bytes`]: asBytes(path).toBase64() } };
}

export function asText(path: string): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(asBytes(path));
}

function asBytes(path: string): Uint8Array {
  return Uint8Array.from(path, (char) => char.charCodeAt(0));
}
