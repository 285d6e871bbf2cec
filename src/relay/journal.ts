/**
 * What local programs did to files through the mount, as a person would tell it.
 *
 * Editors save by way of temporary files and renames. So what happens is first gathered for a
 * moment: each file is followed from the name it had to the name it ends with, and only the sum is
 * written, one JSON object per line.
 */

export type Kind = "created" | "changed" | "renamed" | "deleted" | "chmodded" | "linked";

/** One line of the journal. */
export interface Change {
  /** ISO 8601, the moment of the last step. */
  time: string;
  kind: Kind;
  /** Absolute path in the container. Bytes that are not UTF-8 are shown as U+FFFD. */
  path: string;
  /** The old name of a renamed file. */
  from?: string;
  /** The path's bytes in base64, only where `path` could not show them. */
  bytes?: string;
}

/** Milliseconds of quiet after which a story is told, and the longest that one is held back. */
const QUIET = 700;
const LONGEST = 3000;

/** Names that editors use for themselves: swap, lock and autosave files, and sshfs's own. */
const PASSING =
  /^(\..*\.sw[a-z]|4913|\.#.*|#.*#|\.~lock\..*#|.*\.kate-swp|\.goutputstream-.*|\.fuse_hidden[0-9a-f]+)$/;

/** One file while it is followed. `first` is undefined when it was made in the meantime. */
interface Trail {
  first: string | undefined;
  now: string | undefined;
  kinds: Set<"changed" | "chmodded" | "linked">;
  at: number;
}

export class Journal {
  private trails: Trail[] = [];
  private current = new Map<string, Trail>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private since = 0;

  /** `write` gets whole lines; paths are binary strings everywhere else. */
  constructor(private readonly write: (lines: string) => void) {}

  created(path: string): void {
    this.stamp(this.begin(path));
  }

  changed(path: string): void {
    const trail = this.follow(path);
    trail.kinds.add("changed");
    this.stamp(trail);
  }

  chmodded(path: string): void {
    const trail = this.follow(path);
    trail.kinds.add("chmodded");
    this.stamp(trail);
  }

  linked(path: string): void {
    const trail = this.begin(path);
    trail.kinds.add("linked");
    this.stamp(trail);
  }

  deleted(path: string): void {
    const trail = this.follow(path);
    trail.now = undefined;
    this.current.delete(path);
    this.stamp(trail);
  }

  /** `replaces`: a file of the new name existed before. */
  renamed(from: string, to: string, replaces: boolean): void {
    if (from === to) return;
    const trail = this.follow(from);
    const over = replaces ? this.follow(to) : this.current.get(to);
    if (over !== undefined) over.now = undefined;
    this.current.delete(from);
    trail.now = to;
    this.current.set(to, trail);
    this.stamp(trail);
  }

  /** Tells everything that was gathered. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const trails = this.trails;
    this.trails = [];
    this.current.clear();
    const lines = sum(trails).map((change) => JSON.stringify(change) + "\n");
    if (lines.length > 0) this.write(lines.join(""));
  }

  private follow(path: string): Trail {
    return this.current.get(path) ?? this.add({ first: path, now: path, kinds: new Set(), at: 0 });
  }

  private begin(path: string): Trail {
    const before = this.current.get(path);
    if (before !== undefined) before.now = undefined;
    return this.add({ first: undefined, now: path, kinds: new Set(), at: 0 });
  }

  private add(trail: Trail): Trail {
    this.trails.push(trail);
    if (trail.now !== undefined) this.current.set(trail.now, trail);
    return trail;
  }

  /** Sees to it that the story gets told. */
  private stamp(trail: Trail): void {
    const now = Date.now();
    trail.at = now;
    if (this.timer === undefined) this.since = now;
    clearTimeout(this.timer);
    const wait = Math.max(0, Math.min(QUIET, this.since + LONGEST - now));
    this.timer = setTimeout(() => this.flush(), wait);
  }
}

/** The sum of what happened to a set of files, told by the names they have in the end. */
function sum(trails: Trail[]): Change[] {
  const changes: Change[] = [];
  const existed = new Set(trails.map((trail) => trail.first));
  const exist = new Set(trails.map((trail) => trail.now));
  for (const { first, now, kinds, at } of trails) {
    const tell = (kind: Kind, path: string, from?: string) => {
      if (!PASSING.test(path.slice(path.lastIndexOf("/") + 1))) {
        changes.push(line(at, kind, path, from));
      }
    };
    if (now === undefined) {
      if (first !== undefined && !exist.has(first)) tell("deleted", first);
    } else if (first === now) {
      if (kinds.has("changed")) tell("changed", now);
      else if (kinds.has("chmodded")) tell("chmodded", now);
    } else if (existed.has(now)) {
      tell("changed", now);
      if (first !== undefined && !exist.has(first)) tell("deleted", first);
    } else if (first === undefined || exist.has(first) || passing(first)) {
      tell(kinds.has("linked") ? "linked" : "created", now);
    } else {
      tell("renamed", now, first);
    }
  }
  return changes.sort((a, b) => a.time < b.time ? -1 : a.time > b.time ? 1 : 0);
}

function passing(path: string): boolean {
  return PASSING.test(path.slice(path.lastIndexOf("/") + 1));
}

function line(at: number, kind: Kind, path: string, from?: string): Change {
  const bytes = Uint8Array.from(path, (char) => char.charCodeAt(0));
  const change: Change = { time: new Date(at).toISOString(), kind, path: text(path) };
  if (from !== undefined) change.from = text(from);
  if (change.path.includes("\uFFFD")) change.bytes = bytes.toBase64();
  return change;
}

function text(path: string): string {
  return new TextDecoder().decode(Uint8Array.from(path, (char) => char.charCodeAt(0)));
}
