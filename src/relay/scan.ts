/**
 * Looks ahead of whoever walks a tree: lists directories and fetches small files before they are
 * asked for, as far ahead as the walker's pace has earned.
 */
import { Prefetch, type PrefetchOptions } from "./prefetch.ts";
import { isBelow, nameOf, parentOf } from "./tree.ts";

/** Directories that may be listed ahead of use: at first, and at least and at most. */
const AHEAD = 64, LEAST_AHEAD = 8, MOST_AHEAD = 4096;
/** Milliseconds after which the walker's pace is looked at again: a listing must not expire before it is used. */
const PACE_MS = 250;
/** What is listed ahead is used within so many milliseconds: it is renewed when it is older. */
const AHEAD_MS = 700;
/** Milliseconds for which a walk goes on from where it was told to begin. */
const COURSE_MS = 100;
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
  /** Directories to list, in the order of a walk depth first, from where the walker is. */
  queue: string[];
  /** Subdirectories that a directory has, on average, by its depth: those come before the next one. */
  readonly children: number[];
  /** What is expected below the directories whose listing is under way. */
  expected: number;
  /** Listed and not used yet, and how many that may be. */
  unused: number;
  limit: number;
  /** Listings used since then. */
  uses: number;
  since: number;
  begunAt: number;
}

export class Scan {
  readonly #visits = new Map<string, Visits>();
  readonly #walks = new Map<string, Walk>();
  readonly #prefetch: Prefetch;
  readonly #renewedAt = new Map<string, number>();

  constructor(private readonly options: PrefetchOptions) {
    this.#prefetch = new Prefetch(options);
  }

  /** A name in this directory was asked for and not known, or the directory was opened. */
  visit(path: string, opened: boolean): void {
    if (path === "" || this.options.isSpecial(path)) return;
    const parent = parentOf(path);
    const now = performance.now();
    if (opened) this.#remember(path).listedAt = now;
    if (parent === "") return;
    const visits = this.#remember(parent);
    visits.children.add(path);
    if (visits.children.size >= WALK || (opened && now - visits.listedAt < MEMORY_MS)) {
      this.#walk(parent, path);
    }
  }

  /** A listing was used for the first time: the walk has earned more. */
  used(path: string): void {
    const now = performance.now();
    for (const [root, walk] of this.#walks) {
      if (!isBelow(path, root)) continue;
      walk.uses++;
      walk.unused = Math.max(0, walk.unused - 1);
      const time = now - walk.since;
      if (time > PACE_MS) {
        walk.limit = Math.min(MOST_AHEAD, Math.max(LEAST_AHEAD, walk.uses * AHEAD_MS / time));
        walk.uses = 0;
        walk.since = now;
      }
      this.#list(root, walk);
    }
  }

  /** A small file was opened that was not there yet. */
  opened(path: string): void {
    const directory = parentOf(path);
    this.#prefetch.observe(directory, "files", nameOf(path));
    let root = ++this.#remember(directory).opens >= FILES ? directory : undefined;
    for (let child = directory; child !== "/"; child = parentOf(child)) {
      if (this.options.isSpecial(parentOf(child))) break;
      const above = this.#remember(parentOf(child));
      above.openChildren.add(child);
      this.#prefetch.observe(parentOf(child), "directories", nameOf(child));
      if (above.openChildren.size < FILES) break;
      root = parentOf(child);
    }
    if (root === undefined || !this.#prefetch.isDue(root)) return;
    if (root !== directory) this.#walk(root, directory);
    this.#prefetch.begin(root, path);
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
      if (root !== path && isBelow(path, root)) this.#renewBelow(root, path);
    }
  }

  /** Nothing that was known holds any more; what was being walked is walked again when used. */
  drop(): void {
    this.#prefetch.drop();
    for (const visits of this.#visits.values()) {
      visits.opens = 0;
      visits.openChildren.clear();
    }
  }

  /** Nobody reads what was fetched ahead. */
  stop(): void {
    this.#prefetch.stop();
  }

  #renewBelow(root: string, path: string): void {
    const now = performance.now();
    const walk = this.#walks.get(root);
    if (walk === undefined || now - (this.#renewedAt.get(root) ?? -Infinity) < PACE_MS) return;
    this.#renewedAt.set(root, now);
    this.#begin(root, walk, path);
  }

  /** Somebody walks below `root` and has come to `path`. */
  #walk(root: string, path: string): void {
    if (this.options.isSpecial(root)) return;
    const { tree, lister } = this.options;
    for (const [other, walk] of this.#walks) {
      if (other === root || isBelow(root, other)) {
        const known = tree.listing(path) !== undefined || lister.coming(path);
        if (!known && performance.now() - walk.begunAt > COURSE_MS) this.#begin(other, walk, path);
        return;
      }
      if (isBelow(other, root)) this.#walks.delete(other);
    }
    const now = performance.now();
    const walk: Walk = {
      queue: [],
      children: [],
      expected: 0,
      unused: 0,
      limit: AHEAD,
      uses: 0,
      since: now,
      begunAt: now,
    };
    this.#walks.set(root, walk);
    if (this.#walks.size > 16) this.#walks.delete(this.#walks.keys().next().value ?? root);
    this.visit(root, false);
    this.#begin(root, walk, path);
  }

  /** Goes on with what comes after `path`. */
  #begin(root: string, walk: Walk, path: string): void {
    walk.begunAt = performance.now();
    walk.unused = 0;
    walk.queue = [path];
    for (let child = path; child !== root && child !== "/"; child = parentOf(child)) {
      const siblings = this.options.tree.subdirectories(parentOf(child));
      // Of a directory that is not known yet, all.
      if (siblings.length === 0) walk.queue.unshift(parentOf(child));
      else walk.queue.push(...siblings.filter((sibling) => nameOf(sibling) > nameOf(child)));
    }
    this.#list(root, walk);
  }

  #list(root: string, walk: Walk): void {
    const { tree, lister } = this.options;
    while (walk.queue.length > 0 && walk.unused + walk.expected < walk.limit) {
      const path = walk.queue.shift();
      if (path === undefined || this.options.isSpecial(path)) continue;
      const known = tree.listing(path);
      if (known !== undefined && performance.now() - known.listedAt < 1000) {
        if (!known.used) walk.unused++;
        this.#expand(walk, path);
        continue;
      }
      const expected = walk.children[depthOf(path)] ?? 0;
      walk.unused++;
      walk.expected += expected;
      lister.listAhead(path, (entries) => {
        walk.expected -= expected;
        if (entries !== undefined && this.#walks.get(root) === walk) this.#expand(walk, path);
        this.#list(root, walk);
      });
    }
  }

  /** What is below a directory comes before what comes after it. */
  #expand(walk: Walk, path: string): void {
    const children = this.options.tree.subdirectories(path);
    const depth = depthOf(path);
    const average = walk.children[depth] ?? children.length;
    walk.children[depth] = average + (children.length - average) / 8;
    if (children.length === 0 || walk.queue.length > 50_000) return;
    let low = 0, high = walk.queue.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (orderOf(walk.queue[middle] ?? "") < orderOf(path)) low = middle + 1;
      else high = middle;
    }
    walk.queue.splice(low, 0, ...children);
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

function depthOf(path: string): number {
  return path === "/" ? 0 : path.split("/").length - 1;
}

/** Compares as a walk depth first goes. */
function orderOf(path: string): string {
  return path.replaceAll("/", "\0");
}
