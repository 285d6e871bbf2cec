import { type ContainerChange, diffContainer } from "../docker.ts";
import { usageFailure } from "../error.ts";
import { linesOf } from "./executions.ts";
import { progress } from "../output.ts";
import type { Context } from "../process/child.ts";
import { parseStep, type Step } from "../relay/journal.ts";
import { journalPath, type MountKind, type Session } from "../session/session.ts";

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
  readonly kinds: Set<Step["kind"]>;
  /** The file of which it was made a hard link. */
  readonly source?: Trail;
  at: number;
}

// Names that editors keep beside a file while it is open, and sshfs's for a file that was deleted while open.
const PASSING = /^(\..*\.sw[a-px]|\.#.*|#.*#|\.~lock\..*#|.*\.kate-swp|\.goutputstream-.*)$/;
const HIDDEN = /^\.fuse_hidden[0-9a-f]+$/;

/**
 * Turns steps into edits. Programs save by way of temporary files, backups, locks and renames: so each file is
 * followed from the name it had to the name it ends with, and only the sum is told.
 */
export class Story {
  private readonly trails = new Set<Trail>();
  private readonly current = new Map<string, Trail>();

  get isEmpty(): boolean {
    return this.trails.size === 0;
  }

  add({ kind, path, time, ...step }: Step): void {
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

  /** All edits up to now, the oldest first; then the story begins anew. */
  tell(): Edit[] {
    const edits = sum([...this.trails]);
    this.trails.clear();
    this.current.clear();
    return edits;
  }

  private rename(
    from: string,
    to: string,
    step: Pick<Step, "time" | "replaces" | "directory">,
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
      // git writes a file, links it to its name and deletes the first name: nobody made a link.
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

function asText(path: string): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(asBytes(path));
}

function asBytes(path: string): Uint8Array {
  return Uint8Array.from(path, (char) => char.charCodeAt(0));
}

/**
 * Whether a session is to record edits: what was asked for, else `otherwise`. sshfs alone tells nobody what is
 * done through it.
 */
export function decideRecording(
  context: Context,
  { asked, otherwise, mount }: {
    readonly asked: boolean | undefined;
    readonly otherwise: boolean;
    readonly mount: MountKind;
  },
): boolean {
  const record = asked ?? otherwise;
  if (!record || mount === "relay") return record;
  if (asked === true) {
    throw usageFailure(
      "edits cannot be recorded through a plain mount",
      "Leave out --record, or mount with the relay: --mount relay",
    );
  }
  progress(context, "local", "Edits are not recorded: a plain mount cannot tell of them");
  return false;
}

/** What the journal of a session tells. */
export interface Edits {
  readonly edits: readonly Edit[];
  /** Steps that the relay could not write down. */
  readonly lost: number;
  /** Whether a change of the present container is explained by what was done through the mount. */
  readonly explains: (change: ContainerChange) => boolean;
}

/** Reads the journal: every edit up to now. Without one there is none. A damaged line is skipped with a note. */
export async function readEdits(context: Context, session: Session): Promise<Edits> {
  const edits: Edit[] = [];
  const story = new Story();
  const paths = new Set<string>();
  const parents = new Set<string>();
  let trees: string[] = [];
  let container: string | undefined;
  let lost = 0;
  let number = 0;
  for await (const line of linesOf(journalPath(session))) {
    number++;
    if (line === "") continue;
    const step = parseStep(line);
    if (step === undefined) {
      context.stderr(`dockerdo: ${journalPath(session)}:${number} is damaged and left out\n`);
      continue;
    }
    if (step.kind === "lost") lost += step.count ?? 1;
    if (step.kind === "mounted") {
      if (step.container === container) continue;
      container = step.container;
      edits.push(...story.tell());
      paths.clear();
      parents.clear();
      trees = [];
      continue;
    }
    story.add(step);
    // As docker has them, which knows no bytes.
    for (const path of [step.path, step.from].flatMap((name) => name ?? []).map(asText)) {
      paths.add(path);
      parents.add(path.slice(0, path.lastIndexOf("/")));
      if (step.directory === true) trees.push(`${path}/`);
    }
  }
  edits.push(...story.tell());
  // A journal that somebody began anew does not say.
  const present = container === undefined || container === session.containerId;
  const explains = ({ letter, path }: ContainerChange): boolean =>
    present && (paths.has(path) || (letter === "C" && parents.has(path)) ||
      trees.some((tree) => path.startsWith(tree)));
  return { edits, lost, explains };
}

/** A path that differs from the image's, and that no local program touched. */
export interface InsideChange {
  readonly kind: "added" | "changed" | "deleted";
  readonly path: string;
}

// Directories in which programs leave what nobody edits, and what dockerdo itself puts in.
const NOISE = [
  "/tmp",
  "/run",
  "/var/run",
  "/var/tmp",
  "/var/lib/apt/lists",
  "/var/cache",
  "/var/log",
  "/etc/dockerdo",
  // What `docker run --init` mounts, on this path or, after a merge of the two, on that.
  "/sbin/docker-init",
  "/usr/sbin/docker-init",
  "/dev",
  "/proc",
  "/sys",
];
const NOISY_FILE =
  /^(\/root|\/home\/[^/]+)(\/\.(bash|ash|zsh|python|sqlite)_history|\/\.viminfo|\/\.lesshst|\/\.ssh(\/authorized_keys)?)$/;

/**
 * What was changed in the container by anything but local programs, as `docker diff` tells, without times.
 * A directory that was added or deleted stands for all that is below it; one that only holds a change is left
 * out.
 */
export async function readInsideChanges(
  context: Context,
  session: Session,
  { explains }: Pick<Edits, "explains">,
): Promise<InsideChange[]> {
  if (session.containerId === null) return [];
  return insideChanges(await diffContainer(context, session, session.containerId), { explains });
}

/** {@link readInsideChanges} of what docker said. */
export function insideChanges(
  diff: readonly ContainerChange[],
  { explains }: Pick<Edits, "explains">,
): InsideChange[] {
  const KIND = { A: "added", C: "changed", D: "deleted" } as const;
  const sorted = [...diff].sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
  const parents = new Set(sorted.map(({ path }) => path.slice(0, path.lastIndexOf("/"))));
  const told: InsideChange[] = [];
  const whole = new Set<string>();
  for (const change of sorted) {
    const { letter, path } = change;
    if (NOISE.some((dir) => path === dir || path.startsWith(`${dir}/`))) continue;
    if (NOISY_FILE.test(path)) continue;
    if (letter === "C" && parents.has(path)) continue;
    if (isBelow(path, whole) || explains(change)) continue;
    if (letter !== "C") whole.add(path);
    told.push({ kind: KIND[letter], path });
  }
  return told;
}

function isBelow(path: string, directories: ReadonlySet<string>): boolean {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    if (directories.has(path.slice(0, at))) return true;
  }
  return false;
}

/** An edit for people, on one line whatever the name. */
export function renderEdit({ time, kind, path, from, pathBytes, fromBytes }: Edit): string {
  const old = from === undefined || kind !== "renamed" ? "" : `${printable(from, fromBytes)} -> `;
  return `${time.replace(/\.\d+/, "")}  ${kind.padEnd(8)}  ${old}${printable(path, pathBytes)}`;
}

/** A change inside the container for people, on one line. */
export function renderInsideChange({ kind, path }: InsideChange): string {
  return `${kind.padEnd(7)}  ${printable(path)}`;
}

// A name that a terminal or a line would not show as it is, as the shell's $'…'.
function printable(name: string, base64?: string): string {
  if (base64 === undefined && !/[\p{Cc}\p{Cf}\u2028\u2029]|^ | $/u.test(name)) return name;
  const bytes = base64 === undefined
    ? new TextEncoder().encode(name)
    : Uint8Array.fromBase64(base64);
  const words = Array.from(bytes, (byte) => {
    const char = String.fromCharCode(byte);
    if (/[\\']/.test(char)) return `\\${char}`;
    return byte >= 0x20 && byte < 0x7f ? char : `\\x${byte.toString(16).padStart(2, "0")}`;
  });
  return `$'${words.join("")}'`;
}
