/**
 * What is known about names: attributes, complete listings, link targets.
 *
 * Exactness rests on one fact: the server works in the order of our sequence numbers. So an answer
 * is believed unless its request was sent before the last change of that name that we sent
 * ourselves (`dirty`), or before the last `drop`. Everything else ends after its lifetime.
 */
import { Directory, Listing } from "./directory.ts";

export interface TreeOptions {
  /** Bytes of memory, about. */
  capacity: number;
  /** Milliseconds for which an answer is used; after half of it, it is renewed behind the scenes. */
  lifetime: number;
  /** The smallest sequence number that is still in flight. */
  oldest: () => number;
  /** A directory is used for the first time since it was listed. */
  onUse: (path: string) => void;
  /** A file may have changed under another of its names. */
  onDoubt: (path: string) => void;
}

export type Found =
  | { kind: "attrs"; attrs: Uint8Array; renew: boolean }
  | { kind: "absent" }
  | { kind: "unknown" };

const ABSENT: Found = { kind: "absent" };
const UNKNOWN: Found = { kind: "unknown" };

export class Tree {
  /** Least lately listed first. */
  readonly directories = new Map<string, Directory>();
  /** Answers to requests before this sequence number are not kept. */
  private floor = 0;
  private cost = 0;
  private readonly writing = new Map<string, { handles: number; shared: boolean }>();
  private writingShared = 0;

  constructor(private readonly options: TreeOptions) {}

  /** What is known about a path right now. Attributes are a view, good only during the call. */
  find(path: string): Found {
    const at = path.lastIndexOf("/");
    const directory = this.directories.get(parentOf(path, at));
    if (directory === undefined) return UNKNOWN;
    const name = path.substring(at + 1);
    const attrs = directory.attrs(name);
    const now = performance.now();
    const lifetime = this.options.lifetime;
    if (attrs === undefined) {
      const listed = directory.complete && now - directory.listedAt < lifetime;
      if (!listed || directory.names.has(name)) return UNKNOWN;
      this.use(directory);
      return ABSENT;
    }
    const age = now - directory.learnedAt(name);
    if (age >= lifetime || (this.writing.size > 0 && this.unsteady(directory, name, path))) {
      return UNKNOWN;
    }
    this.use(directory);
    return { kind: "attrs", attrs, renew: age > lifetime / 2 };
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
    return age < this.options.lifetime && directory.unsure.size === 0 ? directory : undefined;
  }

  /** The target of a link, if it was read lately. */
  link(path: string): string | undefined {
    const known = this.directories.get(parentOf(path))?.links.get(nameOf(path));
    return known && performance.now() - known.at < this.options.lifetime ? known.target : undefined;
  }

  /** An answer about this path is current only if its request was sent after this one. */
  changedAt(path: string): number {
    const change = this.directories.get(parentOf(path))?.dirty.get(nameOf(path)) ?? 0;
    return Math.max(change, this.floor);
  }

  /** The same for a listing of this directory. */
  changedInside(path: string): number {
    return Math.max(this.directories.get(path)?.changed ?? 0, this.floor);
  }

  /** Whether an answer to the request `sequence` about this path may be kept. */
  believes(path: string, sequence: number): boolean {
    return sequence > this.changedAt(path) && !this.writing.has(path);
  }

  learn(path: string, attrs: Uint8Array, sequence: number): void {
    if (!this.believes(path, sequence)) return;
    this.edit(parentOf(path), (directory) => directory.set(nameOf(path), attrs, performance.now()));
  }

  learnLink(path: string, target: string, sequence: number): void {
    if (!this.believes(path, sequence)) return;
    const known = { target, at: performance.now() };
    this.edit(parentOf(path), (directory) => directory.links.set(nameOf(path), known));
  }

  learnAbsent(path: string, sequence: number): void {
    if (this.believes(path, sequence)) this.directories.get(parentOf(path))?.remove(nameOf(path));
  }

  /** A whole listing; `sequence` is that of its OPENDIR. */
  learnListing(path: string, entries: Listing, sequence: number): void {
    if (sequence <= this.floor) return;
    const now = performance.now();
    this.edit(path, (directory) => {
      const changed = [...directory.dirty].filter(([, sent]) => sent >= sequence).map(([name]) => ({
        name,
        exists: directory.names.has(name),
        unsure: directory.unsure.has(name),
        shared: directory.shared.has(name),
        attrs: directory.attrs(name)?.slice(),
        at: directory.learnedAt(name),
      }));
      const links = new Map(directory.links);
      directory.empty();
      directory.reserve(entries.length);
      for (const [index, name] of entries.names.entries()) {
        if (name === "." || name === "..") continue;
        directory.set(name, entries.attrs(index), now);
        if (entries.isShared(index)) directory.shared.add(name);
        const link = links.get(name);
        if (link) directory.links.set(name, link);
      }
      for (const { name, exists, unsure, shared, attrs, at } of changed) {
        if (exists) directory.set(name, attrs, at);
        else directory.remove(name);
        if (unsure) directory.unsure.add(name);
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
    this.edit(parentOf(path), (directory) => {
      if (directory.shared.has(name)) this.touchShared(sequence);
      directory.doubt(name, sequence);
      this.sweep(directory, 64);
    });
  }

  /** This file has other names, wherever they are. */
  share(path: string): void {
    this.edit(parentOf(path), (directory) => directory.shared.add(nameOf(path)));
  }

  /** A change of this name is being sent: its directory's own times change too. */
  change(path: string, sequence: number): void {
    this.touch(path, sequence);
    const parent = parentOf(path);
    if (path !== "/") this.edit(parentOf(parent), (above) => above.doubt(nameOf(parent), sequence));
  }

  /** The change `sequence` has succeeded: the name is gone, unless it was changed again since. */
  gone(path: string, sequence: number): void {
    const directory = this.directories.get(parentOf(path));
    if (directory?.dirty.get(nameOf(path)) === sequence) directory.remove(nameOf(path));
  }

  /** A directory that we have just made: it is empty. */
  made(path: string, sequence: number): void {
    if (sequence > this.floor) this.learnListing(path, new Listing(), sequence);
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
    this.floor = sequence;
    for (const directory of this.directories.values()) directory.age();
  }

  /** While a file is open for writing, its attributes are always asked for. */
  beginWriting(path: string): void {
    const open = this.writing.get(path) ?? { handles: 0, shared: this.isShared(path) };
    if (open.handles++ === 0 && open.shared) this.writingShared++;
    this.writing.set(path, open);
  }

  endWriting(path: string): void {
    const open = this.writing.get(path);
    if (open === undefined || --open.handles > 0) return;
    if (open.shared) this.writingShared--;
    this.writing.delete(path);
  }

  renameWriting(from: string, to: string): void {
    const open = this.writing.get(from);
    if (open === undefined) return;
    this.writing.delete(from);
    this.writing.set(to, open);
  }

  isWriting(path: string): boolean {
    return this.writing.has(path);
  }

  private unsteady(directory: Directory, name: string, path: string): boolean {
    return this.writing.has(path) || (this.writingShared > 0 && directory.shared.has(name));
  }

  private isShared(path: string): boolean {
    return this.directories.get(parentOf(path))?.shared.has(nameOf(path)) ?? false;
  }

  private touchShared(sequence: number): void {
    for (const directory of this.directories.values()) {
      for (const name of directory.shared) {
        directory.doubt(name, sequence);
        this.options.onDoubt(join(directory.path, name));
      }
    }
  }

  private edit(path: string, action: (directory: Directory) => void): void {
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
    if (this.cost > this.options.capacity) this.evict();
  }

  private evict(): void {
    for (const [path, directory] of this.directories) {
      if (this.cost <= this.options.capacity * 0.9) return;
      if (directory.dirty.size > 0) this.sweep(directory, 0);
      if (directory.dirty.size > 0) continue;
      this.directories.delete(path);
      this.cost -= directory.cost;
    }
  }

  /** A change is history once no request sent before it can still be answered. */
  private sweep(directory: Directory, threshold: number): void {
    if (directory.dirty.size <= threshold) return;
    const oldest = this.options.oldest();
    for (const [name, sequence] of directory.dirty) {
      if (sequence >= oldest) return;
      directory.dirty.delete(name);
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
