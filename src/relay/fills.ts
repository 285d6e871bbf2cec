/**
 * Fetches small files before they are asked for: those of a directory, or of everything below it, in the order of
 * their names, or against it where the reader goes backward.
 */
import type { Contents } from "./contents.ts";
import type { Lister } from "./lister.ts";
import { isBelow, join, nameOf, parentOf, type Tree } from "./tree.ts";

/** Directories that are listed at once before their files are fetched ahead. */
const PLACES = 32;
/** Milliseconds between two new beginnings of reading ahead in one tree. */
const AGAIN_MS = 250;
/** Milliseconds after which what was fetched ahead gives way to a reader who is elsewhere. */
const PASSED_BY_MS = 1000;
const REMEMBERED = 1024;

/** A directory whose small files are fetched. */
interface Place {
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
interface Fill {
  readonly stack: Place[];
  readonly deep: boolean;
  busy: boolean;
}

/** Which way the names go that a reader opens; ripgrep's threads take them from a stack, the last one first. */
interface Course {
  readonly last: string;
  readonly backward: boolean;
}

export interface FillOptions {
  tree: Tree;
  lister: Lister;
  contents: Contents;
  /** Paths where nothing is ever fetched ahead. */
  isSpecial: (path: string) => boolean;
}

export class Fills {
  readonly #fills = new Map<string, Fill>();
  readonly #filledAt = new Map<string, number>();
  readonly #courses = { files: new Map<string, Course>(), directories: new Map<string, Course>() };

  constructor(private readonly options: FillOptions) {
    options.contents.onRoom = () => this.#resume();
  }

  /** A file of a directory, or one in a directory below it, was opened and was not there yet. */
  passes(directory: string, kind: "files" | "directories", name: string): void {
    const courses = this.#courses[kind];
    const before = courses.get(directory);
    if (before?.last === name) return;
    if (courses.size > REMEMBERED) courses.clear();
    courses.set(directory, { last: name, backward: before !== undefined && name < before.last });
  }

  /** Whether it is time to begin anew in a tree. */
  isDue(root: string): boolean {
    return performance.now() - (this.#filledAt.get(root) ?? -Infinity) >= AGAIN_MS;
  }

  /** Fetches the small files of `root` or of everything below it, from that of `path`, which was just opened. */
  begin(root: string, path: string): void {
    const { contents } = this.options;
    if (this.#filledAt.size > REMEMBERED) this.#filledAt.clear();
    this.#filledAt.set(root, performance.now());
    const directory = parentOf(path);
    const stack = [this.#placeFrom(path, "files")];
    for (let child = directory; child !== root; child = parentOf(child)) {
      stack.unshift(this.#placeFrom(child, "directories"));
    }
    if (!contents.room) contents.expire(PASSED_BY_MS);
    for (const key of this.#fills.keys()) if (isBelow(key, root)) this.#fills.delete(key);
    const fill = { stack, deep: root !== directory, busy: false };
    this.#fills.set(root, fill);
    this.#fill(root, fill);
  }

  /** Nobody reads what was fetched ahead. */
  stop(): void {
    this.#fills.clear();
  }

  /** What was known holds no more. */
  drop(): void {
    this.#fills.clear();
    this.#filledAt.clear();
  }

  #placeFrom(path: string, kind: "files" | "directories"): Place {
    const directory = parentOf(path);
    const backward = this.#courses[kind].get(directory)?.backward === true;
    return {
      ...placeOf(directory, backward),
      after: nameOf(path),
      files: kind === "files",
    };
  }

  #resume(): void {
    for (const [key, fill] of this.#fills) this.#fill(key, fill);
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
      this.#listPlaces(fill);
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
      place.names ??= inCourse(place, [...directory?.names.keys() ?? []]);
      if (place.files && !this.#fetchFiles(place)) return;
      fill.stack.pop();
      if (!fill.deep) continue;
      const names = tree.subdirectories(path).map(nameOf);
      const children = inCourse(place.files ? { ...place, after: "" } : place, names).reverse();
      const hidden = children.filter((name) => name.startsWith("."));
      const others = children.filter((name) => !name.startsWith("."));
      const below = [...hidden, ...others].map((name) => join(path, name));
      fill.stack.push(...below.map((child) => placeOf(child, place.backward)));
    }
  }

  /** Lists what the fill comes to next, so that it waits for one of them and not for each. */
  #listPlaces({ stack }: Fill): void {
    const { tree, lister } = this.options;
    const now = performance.now();
    for (const place of stack.slice(-PLACES)) {
      const { path, names } = place;
      if (names !== undefined || now - place.listedAt < AGAIN_MS) continue;
      if (tree.listing(path) !== undefined || this.options.isSpecial(path)) continue;
      place.listedAt = now;
      lister.listAhead(path, () => {});
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
}

function placeOf(path: string, backward: boolean): Place {
  return { path, after: "", backward, files: true, names: undefined, next: 0, listedAt: -Infinity };
}

/** The names that a reader comes to after the one of a place, in that order. */
function inCourse({ after, backward }: Place, names: readonly string[]): string[] {
  const left = names.filter((name) => after === "" || (backward ? name < after : name > after));
  return backward ? left.sort().reverse() : left.sort();
}
