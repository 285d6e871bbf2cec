/**
 * Looks ahead of whoever walks a tree: lists directories and fetches small files before they are
 * asked for, as far ahead as the walker's pace has earned.
 */
import type { Contents } from "./contents.ts";
import type { Lister } from "./lister.ts";
import { join, nameOf, parentOf, type Tree } from "./tree.ts";
import { isDirectory } from "./wire.ts";

/** Directories that may be listed ahead of use, plus so many for each one that was used. */
const AHEAD = 256;
const EARNED = 4;
/** Milliseconds after which visits no longer count as one walk. */
const MEMORY_MS = 5000;
/** Different subdirectories visited until the rest is expected to follow. */
const WALK = 3;
/** The same for files opened: in one directory, and in neighbouring ones. */
const FILES = 2;
const REMEMBERED = 512;

interface Visits {
  children: Set<string>;
  listedAt: number;
  opens: number;
  openChildren: Set<string>;
  at: number;
}

interface Walk {
  queue: string[];
  ahead: number;
}

/** A directory whose small files are fetched, in the order of their names. */
interface Place {
  readonly path: string;
  /** Only what comes after this name, where the reader has come from. */
  readonly after: string;
  /** False where the reader is in a directory below: then only those after it are left. */
  readonly files: boolean;
  names: readonly string[] | undefined;
  next: number;
}

/** Directories whose small files are to be fetched; the last one is at work. No file is tried twice. */
interface Fill {
  readonly stack: Place[];
  readonly deep: boolean;
  busy: boolean;
}

/** Milliseconds between two new beginnings of reading ahead in one tree. */
const AGAIN_MS = 250;
/** Milliseconds after which what was fetched ahead gives way to a reader who is elsewhere. */
const PASSED_BY_MS = 1000;

export interface ScanOptions {
  tree: Tree;
  lister: Lister;
  contents: Contents;
  /** Paths where nothing is ever fetched ahead. */
  isSpecial: (path: string) => boolean;
}

export class Scan {
  readonly #visits = new Map<string, Visits>();
  readonly #walks = new Map<string, Walk>();
  readonly #fills = new Map<string, Fill>();
  readonly #renewedAt = new Map<string, number>();
  readonly #filledAt = new Map<string, number>();

  constructor(private readonly options: ScanOptions) {
    options.contents.onRoom = () => this.#resume();
  }

  /** A name in this directory was asked for and not known, or the directory was opened. */
  visit(path: string, opened: boolean): void {
    const parent = parentOf(path);
    if (parent === "" || this.options.isSpecial(path)) return;
    const visits = this.#remember(parent);
    visits.children.add(path);
    const now = performance.now();
    if (opened) this.#remember(path).listedAt = now;
    if (visits.children.size >= WALK || (opened && now - visits.listedAt < MEMORY_MS)) {
      this.#walk(parent);
    }
  }

  /** A listing was used for the first time: the walk has earned more. */
  used(path: string): void {
    for (const [root, walk] of this.#walks) {
      if (!below(path, root)) continue;
      walk.ahead -= 1 + EARNED;
      this.#list(root, walk);
    }
  }

  /** A small file was opened that was not there yet. */
  opened(path: string): void {
    const directory = parentOf(path);
    let root = ++this.#remember(directory).opens >= FILES ? directory : undefined;
    for (let child = directory; child !== "/"; child = parentOf(child)) {
      if (this.options.isSpecial(parentOf(child))) break;
      const above = this.#remember(parentOf(child));
      above.openChildren.add(child);
      if (above.openChildren.size < FILES) break;
      root = parentOf(child);
    }
    if (root !== undefined) this.#fillFrom(root, path);
  }

  /** Something in this directory was used that is about to expire. */
  renew(path: string): void {
    // Above the mounted directory may lie this very mount: looking there could wait for itself.
    if (path === "" || this.options.isSpecial(path)) return;
    const now = performance.now();
    if (now - (this.#renewedAt.get(path) ?? -Infinity) < 500) return;
    if (this.#renewedAt.size > REMEMBERED) this.#renewedAt.clear();
    this.#renewedAt.set(path, now);
    this.options.lister.listAhead(path, () => {});
    for (const root of this.#walks.keys()) {
      if (root !== path && below(path, root)) this.#renewBelow(root);
    }
  }

  /** Nothing that was known holds any more; what was being walked is walked again when used. */
  drop(): void {
    this.#fills.clear();
    this.#filledAt.clear();
    for (const visits of this.#visits.values()) {
      visits.opens = 0;
      visits.openChildren.clear();
    }
  }

  #renewBelow(root: string): void {
    const now = performance.now();
    if (now - (this.#renewedAt.get(root) ?? -Infinity) < 1000) return;
    this.#renewedAt.set(root, now);
    this.#walk(root);
  }

  #walk(root: string): void {
    if (this.options.isSpecial(root)) return;
    for (const other of this.#walks.keys()) {
      if (other === root || below(root, other)) {
        const walk = this.#walks.get(other);
        if (walk === undefined) continue;
        walk.ahead = 0;
        if (walk.queue.length === 0) walk.queue.push(root);
        this.#list(other, walk);
        return;
      }
      if (below(other, root)) this.#walks.delete(other);
    }
    const walk: Walk = { queue: [root], ahead: 0 };
    this.#walks.set(root, walk);
    if (this.#walks.size > 16) this.#walks.delete(this.#walks.keys().next().value ?? root);
    this.visit(root, false);
    this.#list(root, walk);
  }

  #list(root: string, walk: Walk): void {
    const { tree, lister } = this.options;
    while (walk.queue.length > 0 && walk.ahead < AHEAD) {
      const path = walk.queue.shift();
      if (path === undefined || this.options.isSpecial(path)) continue;
      const known = tree.listing(path);
      if (known !== undefined && performance.now() - known.listedAt < 1000) {
        this.#expand(walk, path);
        continue;
      }
      walk.ahead++;
      lister.listAhead(path, (entries) => {
        if (entries !== undefined && this.#walks.get(root) === walk) this.#expand(walk, path);
        this.#list(root, walk);
      });
    }
  }

  #expand(walk: Walk, path: string): void {
    if (walk.queue.length < 50_000) walk.queue.push(...this.#subdirectories(path));
  }

  #subdirectories(path: string): string[] {
    const directory = this.options.tree.directories.get(path);
    if (directory === undefined) return [];
    const found = [];
    for (const name of directory.names.keys()) {
      const attrs = directory.attrs(name);
      if (attrs !== undefined && isDirectory(attrs)) found.push(join(path, name));
    }
    return found.sort();
  }

  /**
   * Fetches the small files of a directory, or of everything below it, that come after one that was asked for and
   * not there: who reads a tree reads it in order.
   */
  #fillFrom(root: string, path: string): void {
    const now = performance.now();
    if (now - (this.#filledAt.get(root) ?? -Infinity) < AGAIN_MS) return;
    if (this.#filledAt.size > REMEMBERED) this.#filledAt.clear();
    this.#filledAt.set(root, now);
    const directory = parentOf(path);
    const deep = root !== directory;
    const stack = [{ ...placeOf(directory), after: nameOf(path) }];
    for (let child = directory; child !== root; child = parentOf(child)) {
      stack.unshift({ ...placeOf(parentOf(child)), after: nameOf(child), files: false });
    }
    if (deep) this.#walk(root);
    if (!this.options.contents.room) this.options.contents.expire(PASSED_BY_MS);
    for (const key of this.#fills.keys()) if (below(key, root)) this.#fills.delete(key);
    const fill = { stack, deep, busy: false };
    this.#fills.set(root, fill);
    this.#fill(root, fill);
  }

  #resume(): void {
    for (const [key, fill] of this.#fills) this.#fill(key, fill);
  }

  /** Nobody reads what was fetched ahead. */
  stop(): void {
    this.#fills.clear();
  }

  /** Depth first, as people and programs read; directories with a dot come last. */
  #fill(key: string, fill: Fill): void {
    const { tree, lister, contents } = this.options;
    if (fill.busy) return;
    while (contents.room) {
      const place = fill.stack.at(-1);
      if (place === undefined) {
        this.#fills.delete(key);
        return;
      }
      const { path } = place;
      const directory = tree.listing(path);
      if (directory === undefined && place.names === undefined && !this.options.isSpecial(path)) {
        fill.busy = true;
        lister.list(path, () => {
          fill.busy = false;
          if (tree.listing(path) === undefined) fill.stack.pop();
          if (this.#fills.get(key) === fill) this.#fill(key, fill);
        });
        return;
      }
      place.names ??= [...directory?.names.keys() ?? []].filter((name) => name > place.after)
        .sort();
      if (place.files && !this.#fetchFiles(place)) return;
      fill.stack.pop();
      if (!fill.deep) continue;
      const children = this.#subdirectories(path).filter((child) =>
        place.files || nameOf(child) > place.after
      ).reverse();
      const hidden = children.filter((child) => child.includes("/.", path.length));
      const others = children.filter((child) => !hidden.includes(child));
      fill.stack.push(...[...hidden, ...others].map(placeOf));
    }
  }

  /** Fetches the small files of one directory; false when it ran out of room. */
  #fetchFiles(place: Place): boolean {
    const { tree, contents } = this.options;
    const directory = tree.directories.get(place.path);
    const names = place.names ?? [];
    for (; directory !== undefined && place.next < names.length; place.next++) {
      const name = names[place.next] ?? "";
      const attrs = directory.attrs(name);
      const file = join(place.path, name);
      if (attrs === undefined || !contents.suits(attrs) || directory.shared.has(name)) continue;
      if (tree.isWriting(file) || contents.has(file, attrs)) continue;
      if (!contents.room) return false;
      contents.fetch(file, attrs, { ahead: true });
    }
    return true;
  }

  #remember(path: string): Visits {
    const now = performance.now();
    let visits = this.#visits.get(path);
    if (visits === undefined || now - visits.at > MEMORY_MS) {
      const listedAt = visits?.listedAt ?? -Infinity;
      visits = { children: new Set(), listedAt, opens: 0, openChildren: new Set(), at: now };
    }
    visits.at = now;
    this.#visits.delete(path);
    this.#visits.set(path, visits);
    if (this.#visits.size > REMEMBERED) {
      this.#visits.delete(this.#visits.keys().next().value ?? path);
    }
    return visits;
  }
}

function placeOf(path: string): Place {
  return { path, after: "", files: true, names: undefined, next: 0 };
}

function below(path: string, root: string): boolean {
  return path === root || root === "/" || path.startsWith(root + "/");
}
