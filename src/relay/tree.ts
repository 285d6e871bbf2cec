/**
 * What is known about names: attributes, complete listings, link targets.
 *
 * Exactness rests on one fact: the server works in the order of our sequence numbers. So an answer
 * is believed unless its request was sent before the last change of that name that we sent
 * ourselves (`changes`), or before the last `drop`. Everything else ends after its lifetime.
 */
import { Directory, Listing, NEVER } from "./directory.ts";
import { isDirectory } from "./wire.ts";

export interface TreeOptions {
  /** Bytes of memory, about. */
  capacity: number;
  /** Milliseconds for which an answer is used; after half of it, it is renewed behind the scenes. */
  lifetime: number;
  /** The smallest sequence number that is still in flight. */
  oldest: () => number;
  /** A directory is used for the first time since it was listed. */
  onUse: (path: string) => void;
  /** Any file with several names may have changed. */
  onSharedChange: () => void;
}

export type Found =
  | { kind: "attrs"; attrs: Uint8Array; renew: boolean; shared: boolean; at: number }
  | { kind: "absent" }
  | { kind: "unknown" };

const ABSENT: Found = { kind: "absent" };
const UNKNOWN: Found = { kind: "unknown" };

export class Tree {
  /** Least lately listed first. */
  readonly directories = new Map<string, Directory>();
  /** Answers to requests before this sequence number are not kept. */
  #dropped = 0;
  /** Bytes of memory of all directories, about. */
  cost = 0;
  readonly #writing = new Map<string, { handles: number; shared: boolean }>();
  #writingShared = 0;
  /** Our last change of any file that has several names: its sequence number, and when it was sent. */
  #sharedChange = 0;
  #sharedChangedAt = -Infinity;

  constructor(private readonly options: TreeOptions) {}

  /** What is known about a path right now. Attributes are a view, good only during the call. */
  find(path: string): Found {
    const slash = path.lastIndexOf("/");
    const directory = this.directories.get(parentOf(path, slash));
    if (directory === undefined) return UNKNOWN;
    const name = path.substring(slash + 1);
    const attrs = directory.attrs(name);
    const now = performance.now();
    const lifetime = this.options.lifetime;
    if (attrs === undefined) {
      const listed = directory.complete && now - directory.listedAt < lifetime;
      if (!listed || directory.names.has(name)) return UNKNOWN;
      this.use(directory);
      return ABSENT;
    }
    const at = directory.learnedAt(name);
    const age = now - at;
    const shared = directory.shared.size > 0 && directory.shared.has(name);
    if (shared && at <= this.#sharedChangedAt) return UNKNOWN;
    if (age >= lifetime || (this.#writing.size > 0 && this.#unsteady(directory, name, path))) {
      return UNKNOWN;
    }
    this.use(directory);
    return { kind: "attrs", attrs, renew: age > lifetime / 2, shared, at };
  }

  use(directory: Directory): void {
    if (directory.used) return;
    directory.used = true;
    this.options.onUse(directory.path);
  }

  /** A complete and fresh listing in which nothing is in doubt. */
  listing(path: string): Directory | undefined {
    const directory = this.directories.get(path);
    if (directory === undefined || !directory.complete) return undefined;
    const age = performance.now() - directory.listedAt;
    return age < this.options.lifetime && directory.doubted.size === 0 ? directory : undefined;
  }

  /** The directories that are known in one, in the order of their names. */
  subdirectories(path: string): string[] {
    const directory = this.directories.get(path);
    if (directory === undefined) return [];
    const found = [];
    for (const name of directory.names.keys()) {
      const attrs = directory.attrs(name);
      if (attrs !== undefined && isDirectory(attrs)) found.push(join(path, name));
    }
    return found.sort();
  }

  /** The target of a link, if it was read lately. */
  link(path: string): string | undefined {
    const known = this.directories.get(parentOf(path))?.links.get(nameOf(path));
    return known && performance.now() - known.at < this.options.lifetime ? known.target : undefined;
  }

  /** An answer about this path is current only if its request was sent after this one. */
  changedAt(path: string): number {
    const directory = this.directories.get(parentOf(path));
    if (directory === undefined) return this.#dropped;
    const name = nameOf(path);
    const shared = directory.shared.size > 0 && directory.shared.has(name) ? this.#sharedChange : 0;
    return Math.max(directory.changes.get(name) ?? 0, shared, this.#dropped);
  }

  /** The same for a listing of this directory. */
  changedInside(path: string): number {
    return Math.max(this.directories.get(path)?.lastChange ?? 0, this.#dropped);
  }

  /** Whether an answer to the request `sequence` about this path may be kept. */
  believes(path: string, sequence: number): boolean {
    return sequence > this.changedAt(path) && !this.#writing.has(path);
  }

  learn(path: string, attrs: Uint8Array, sequence: number): void {
    if (!this.believes(path, sequence)) return;
    if (!isDirectory(attrs) && this.directories.has(path)) this.forget(path);
    this.#edit(
      parentOf(path),
      (directory) => directory.set(nameOf(path), attrs, performance.now()),
    );
  }

  learnLink(path: string, target: string, sequence: number): void {
    if (!this.believes(path, sequence)) return;
    const at = performance.now();
    this.#edit(parentOf(path), (directory) => directory.setLink(nameOf(path), target, at));
  }

  learnAbsent(path: string, sequence: number): void {
    if (this.believes(path, sequence)) this.#remove(path);
  }

  /** A whole listing; `sequence` is that of its OPENDIR. */
  learnListing(path: string, entries: Listing, sequence: number): void {
    if (sequence <= this.#dropped) return;
    const now = performance.now();
    this.#edit(path, (directory) => {
      const changed = [...directory.changes].filter(([, sent]) => sent >= sequence).map((
        [name],
      ) => ({
        name,
        exists: directory.names.has(name),
        doubted: directory.doubted.has(name),
        shared: directory.shared.has(name),
        attrs: directory.attrs(name)?.slice(),
        at: directory.learnedAt(name),
      }));
      const links = new Map(directory.links);
      directory.empty();
      directory.reserve(entries.length);
      for (const [index, name] of entries.names.entries()) {
        if (name === "." || name === "..") continue;
        const shared = entries.isShared(index);
        const stale = shared && sequence <= this.#sharedChange;
        directory.set(name, entries.attrs(index), stale ? NEVER : now);
        if (shared) directory.shared.add(name);
        const link = links.get(name);
        if (link) directory.setLink(name, link.target, link.at);
      }
      for (const { name, exists, doubted, shared, attrs, at } of changed) {
        if (exists) directory.set(name, attrs, at);
        else directory.remove(name);
        if (doubted) directory.doubted.add(name);
        if (exists && shared) directory.shared.add(name);
      }
      directory.complete = true;
      directory.listedAt = now;
      directory.used = false;
    });
  }

  /** A change of this file itself is being sent with this sequence number. */
  touch(path: string, sequence: number): void {
    const name = nameOf(path);
    this.#edit(parentOf(path), (directory) => {
      if (directory.shared.has(name)) this.#changeShared(sequence);
      directory.doubt(name, sequence);
      this.#sweep(directory, 64);
    });
  }

  /** This file has other names, wherever they are. */
  share(path: string): void {
    this.#edit(parentOf(path), (directory) => directory.shared.add(nameOf(path)));
  }

  /** A change of this name is being sent: its directory's own times change too. */
  change(path: string, sequence: number): void {
    this.touch(path, sequence);
    const parent = parentOf(path);
    if (path !== "/") {
      this.#edit(parentOf(parent), (above) => above.doubt(nameOf(parent), sequence));
    }
  }

  /** The change `sequence` has succeeded: the name is gone, unless it was changed again since. */
  gone(path: string, sequence: number): void {
    const directory = this.directories.get(parentOf(path));
    if (directory?.changes.get(nameOf(path)) === sequence) this.#remove(path);
  }

  /** A directory that we have just made: it is empty. */
  made(path: string, sequence: number): void {
    if (sequence > this.#dropped) this.learnListing(path, new Listing(), sequence);
  }

  /** This directory is gone; it was empty. */
  forgetEmpty(path: string): void {
    const directory = this.directories.get(path);
    if (directory === undefined) return;
    this.directories.delete(path);
    this.cost -= directory.cost;
  }

  /** Everything at and below this path is another tree now. */
  forget(path: string): void {
    for (const [key, directory] of this.directories) {
      if (key !== path && !key.startsWith(path + "/")) continue;
      this.directories.delete(key);
      this.cost -= directory.cost;
    }
  }

  /** Nothing learned by a request up to `sequence` holds any more. */
  drop(sequence: number): void {
    this.#dropped = sequence;
    for (const directory of this.directories.values()) {
      this.cost -= directory.cost;
      directory.age();
      this.cost += directory.cost;
    }
  }

  /** While a file is open for writing, its attributes are always asked for. */
  beginWriting(path: string): void {
    const open = this.#writing.get(path) ?? { handles: 0, shared: this.#isShared(path) };
    if (open.handles++ === 0 && open.shared) this.#writingShared++;
    this.#writing.set(path, open);
  }

  endWriting(path: string): void {
    const open = this.#writing.get(path);
    if (open === undefined || --open.handles > 0) return;
    if (open.shared) this.#writingShared--;
    this.#writing.delete(path);
  }

  renameWriting(from: string, to: string): void {
    for (const [path, open] of [...this.#writing]) {
      if (path !== from && !path.startsWith(from + "/")) continue;
      this.#writing.delete(path);
      this.#writing.set(to + path.slice(from.length), open);
    }
  }

  get isWritingAny(): boolean {
    return this.#writing.size > 0;
  }

  isWriting(path: string): boolean {
    return this.#writing.has(path);
  }

  #unsteady(directory: Directory, name: string, path: string): boolean {
    return this.#writing.has(path) || (this.#writingShared > 0 && directory.shared.has(name));
  }

  #isShared(path: string): boolean {
    return this.directories.get(parentOf(path))?.shared.has(nameOf(path)) ?? false;
  }

  #changeShared(sequence: number): void {
    this.#sharedChange = sequence;
    this.#sharedChangedAt = performance.now();
    this.options.onSharedChange();
  }

  #remove(path: string): void {
    if (!this.directories.has(parentOf(path))) return;
    this.#edit(parentOf(path), (directory) => directory.remove(nameOf(path)));
  }

  #edit(path: string, action: (directory: Directory) => void): void {
    let directory = this.directories.get(path);
    if (directory === undefined) {
      directory = new Directory(path);
      this.cost += directory.cost;
    } else {
      this.directories.delete(path);
    }
    this.directories.set(path, directory);
    this.cost -= directory.cost;
    action(directory);
    this.cost += directory.cost;
    if (this.cost > this.options.capacity) this.#evict();
  }

  #evict(): void {
    for (const [path, directory] of this.directories) {
      if (this.cost <= this.options.capacity * 0.9) return;
      if (directory.changes.size > 0) this.#sweep(directory, 0);
      if (directory.changes.size > 0) continue;
      this.directories.delete(path);
      this.cost -= directory.cost;
    }
  }

  /** A change is history once no request sent before it can still be answered. */
  #sweep(directory: Directory, threshold: number): void {
    if (directory.changes.size <= threshold) return;
    const oldest = this.options.oldest();
    for (const [name, sequence] of directory.changes) {
      if (sequence >= oldest) return;
      directory.changes.delete(name);
    }
  }
}

/** The parent of a normal absolute path; above the root stands "". */
export function parentOf(path: string, slash = path.lastIndexOf("/")): string {
  if (slash > 0) return path.substring(0, slash);
  return path === "/" ? "" : "/";
}

export function nameOf(path: string): string {
  return path.substring(path.lastIndexOf("/") + 1);
}

export function join(directory: string, name: string): string {
  return directory === "/" ? "/" + name : `${directory}/${name}`;
}

/** Whether a path is a directory or in it, at any depth. */
export function isBelow(path: string, root: string): boolean {
  return path === root || root === "/" || path.startsWith(root + "/");
}
