/**
 * Fetches small files before they are asked for: those of a directory, or of everything below it, in the order of
 * their names, or against it where the reader goes backward.
 */
import type { Contents } from "./contents.ts";
import type { Lister } from "./lister.ts";
import { isBelow, join, nameOf, parentOf, type Tree } from "./tree.ts";

/** Directories that are listed at once before their files are fetched ahead. */
const LISTED_AT_ONCE = 32;
/** Milliseconds between two new beginnings of reading ahead in one tree. */
const AGAIN_MS = 250;
/** Milliseconds after which what was fetched ahead gives way to a reader who is elsewhere. */
const PASSED_BY_MS = 1000;
const REMEMBERED = 1024;

/** A directory whose small files are fetched. */
interface DirectoryAhead {
  readonly path: string;
  /** Only what comes after this name, or backward before it, where the reader has come from; "": all. */
  readonly after: string;
  readonly backward: boolean;
  /** False where the reader is in a directory below: then only those after it are left. */
  readonly files: boolean;
  names: readonly string[] | undefined;
  next: number;
  /** When it was asked for ahead of its turn. */
  listedAt: number;
}

/** Directories whose small files are to be fetched; the last one is at work. No file is tried twice. */
interface Job {
  readonly stack: DirectoryAhead[];
  readonly deep: boolean;
  busy: boolean;
}

/** Which way the names go that a reader opens; ripgrep's threads take them from a stack, the last one first. */
interface Direction {
  readonly last: string;
  readonly backward: boolean;
}

export interface PrefetchOptions {
  tree: Tree;
  lister: Lister;
  contents: Contents;
  /** Paths where nothing is ever fetched ahead. */
  isSpecial: (path: string) => boolean;
}

export class Prefetch {
  readonly #jobs = new Map<string, Job>();
  readonly #begunAt = new Map<string, number>();
  readonly #directions = {
    files: new Map<string, Direction>(),
    directories: new Map<string, Direction>(),
  };

  constructor(private readonly options: PrefetchOptions) {
    options.contents.onRoom = () => this.#resume();
  }

  /** A file of a directory, or one in a directory below it, was opened and was not there yet. */
  observe(directory: string, kind: "files" | "directories", name: string): void {
    const directions = this.#directions[kind];
    const before = directions.get(directory);
    if (before?.last === name) return;
    if (directions.size > REMEMBERED) directions.clear();
    directions.set(directory, { last: name, backward: before !== undefined && name < before.last });
  }

  /** Whether enough time has passed to begin again in a tree. */
  isDue(root: string): boolean {
    return performance.now() - (this.#begunAt.get(root) ?? -Infinity) >= AGAIN_MS;
  }

  /** Fetches the small files of `root` or of everything below it, from that of `path`, which was just opened. */
  begin(root: string, path: string): void {
    const { contents } = this.options;
    if (this.#begunAt.size > REMEMBERED) this.#begunAt.clear();
    this.#begunAt.set(root, performance.now());
    const directory = parentOf(path);
    const stack = [this.#placeFrom(path, "files")];
    for (let child = directory; child !== root; child = parentOf(child)) {
      stack.unshift(this.#placeFrom(child, "directories"));
    }
    if (!contents.room) contents.expire(PASSED_BY_MS);
    for (const key of this.#jobs.keys()) if (isBelow(key, root)) this.#jobs.delete(key);
    const job = { stack, deep: root !== directory, busy: false };
    this.#jobs.set(root, job);
    this.#work(root, job);
  }

  /** Nobody reads what was fetched ahead. */
  stop(): void {
    this.#jobs.clear();
  }

  /** What was known holds no more. */
  drop(): void {
    this.#jobs.clear();
    this.#begunAt.clear();
  }

  #placeFrom(path: string, kind: "files" | "directories"): DirectoryAhead {
    const directory = parentOf(path);
    const backward = this.#directions[kind].get(directory)?.backward === true;
    return {
      ...placeOf(directory, backward),
      after: nameOf(path),
      files: kind === "files",
    };
  }

  #resume(): void {
    for (const [key, job] of this.#jobs) this.#work(key, job);
  }

  /** Depth first, as people and programs read; directories with a dot come last. */
  #work(key: string, job: Job): void {
    const { tree, lister, contents } = this.options;
    if (job.busy) return;
    while (contents.room) {
      const place = job.stack.at(-1);
      if (place === undefined) {
        this.#jobs.delete(key);
        return;
      }
      const { path } = place;
      this.#listPlaces(job);
      const directory = tree.listing(path);
      if (directory === undefined && place.names === undefined && !this.options.isSpecial(path)) {
        job.busy = true;
        lister.list(path, () => {
          job.busy = false;
          if (tree.listing(path) === undefined) job.stack.pop();
          if (this.#jobs.get(key) === job) this.#work(key, job);
        });
        return;
      }
      place.names ??= namesAhead(place, [...directory?.names.keys() ?? []]);
      if (place.files && !this.#fetchFiles(place)) return;
      job.stack.pop();
      if (!job.deep) continue;
      const names = tree.subdirectories(path).map(nameOf);
      const children = namesAhead(place.files ? { ...place, after: "" } : place, names).reverse();
      const hidden = children.filter((name) => name.startsWith("."));
      const others = children.filter((name) => !name.startsWith("."));
      const below = [...hidden, ...others].map((name) => join(path, name));
      job.stack.push(...below.map((child) => placeOf(child, place.backward)));
    }
  }

  /** Lists the directories that come next, so that it waits for one of them and not for each. */
  #listPlaces({ stack }: Job): void {
    const { tree, lister } = this.options;
    const now = performance.now();
    for (const place of stack.slice(-LISTED_AT_ONCE)) {
      const { path, names } = place;
      if (names !== undefined || now - place.listedAt < AGAIN_MS) continue;
      if (tree.listing(path) !== undefined || this.options.isSpecial(path)) continue;
      place.listedAt = now;
      lister.listAhead(path, () => {});
    }
  }

  /** Fetches the small files of one directory; false when it ran out of room. */
  #fetchFiles(place: DirectoryAhead): boolean {
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
}

function placeOf(path: string, backward: boolean): DirectoryAhead {
  return { path, after: "", backward, files: true, names: undefined, next: 0, listedAt: -Infinity };
}

/** The names that a reader comes to after the one of a place, in that order. */
function namesAhead({ after, backward }: DirectoryAhead, names: readonly string[]): string[] {
  const left = names.filter((name) => after === "" || (backward ? name < after : name > after));
  return backward ? left.sort().reverse() : left.sort();
}
