/** What is known about the names of one directory, packed small: a tree has many of them. */
import { isPlain, PLAIN_LENGTH } from "./wire.ts";

/** Bytes that one known name costs in memory beside its letters: attributes, time, and its place in the map. */
export const NAME_COST = 96;
/** Index of a name whose attributes were never seen: it exists or not. */
const ASK = -1;
/** Time of attributes that are no longer good for an answer, only for a guess. */
export const NEVER = -Infinity;

/** What a whole listing says, packed: a directory may have a hundred thousand entries. */
export class Listing {
  readonly names: string[] = [];
  #records = new Uint8Array(16 * PLAIN_LENGTH);
  #kinds = new Uint8Array(16);

  get length(): number {
    return this.names.length;
  }

  /**
   * One entry more. `attrs` undefined: must be asked for. `shared`: the file has other names (hard
   * links), under which it can change.
   */
  add(name: string, attrs: Uint8Array | undefined, shared: boolean): void {
    const index = this.names.push(name) - 1;
    if (index === this.#kinds.length) {
      this.#records = copyOf(this.#records, this.#records.length * 2);
      this.#kinds = copyOf(this.#kinds, this.#kinds.length * 2);
    }
    if (attrs !== undefined) this.#records.set(attrs, index * PLAIN_LENGTH);
    this.#kinds[index] = (attrs === undefined ? 0 : KNOWN) | (shared ? SHARED : 0);
  }

  /**
   * The same in the order of the names: so a directory is read in the order in which most programs sort it, and what
   * is read ahead is what comes next.
   */
  sorted(): Listing {
    const order = [...this.names.keys()].sort((a, b) =>
      (this.names[a] ?? "") < (this.names[b] ?? "") ? -1 : 1
    );
    const sorted = new Listing();
    for (const i of order) sorted.add(this.names[i] ?? "", this.attrs(i), this.isShared(i));
    return sorted;
  }

  /** A view. */
  attrs(index: number): Uint8Array | undefined {
    if (!((this.#kinds[index] ?? 0) & KNOWN)) return undefined;
    return this.#records.subarray(index * PLAIN_LENGTH, (index + 1) * PLAIN_LENGTH);
  }

  isShared(index: number): boolean {
    return ((this.#kinds[index] ?? 0) & SHARED) !== 0;
  }
}

const KNOWN = 1, SHARED = 2;

function copyOf(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(length);
  copy.set(bytes);
  return copy;
}

/** One directory. Attributes stand packed in one buffer: 32 bytes each, and when they were learned. */
export class Directory {
  readonly names = new Map<string, number>();
  readonly links = new Map<string, { target: string; at: number }>();
  /** Names that we changed ourselves, with the sequence number of the change. */
  readonly changes = new Map<string, number>();
  /** Names that may have come or gone by a change of ours that has not been answered yet. */
  readonly doubted = new Set<string>();
  /** Names of files that have other names too. */
  readonly shared = new Set<string>();
  /** A name that is not in `names` does not exist, as of `listedAt`. */
  complete = false;
  listedAt = NEVER;
  /** Whether anything here was asked for since it was listed. */
  used = false;
  /** Sequence number of our last change of any name in it. */
  lastChange = 0;
  #records = new Uint8Array(0);
  #times = new Float64Array(0);
  #count = 0;
  /** Places below `count` that no name has any more. */
  readonly #free: number[] = [];
  /** Characters of all names and links. */
  #letters = 0;

  constructor(readonly path: string) {}

  /** Bytes of memory, about. */
  get cost(): number {
    return 500 + this.#times.length * 40 + this.changes.size * 40 + this.#letters +
      (this.names.size + this.links.size) * (NAME_COST - 40);
  }

  set(name: string, attrs: Uint8Array | undefined, at: number): void {
    this.doubted.delete(name);
    if (attrs === undefined || !isPlain(attrs)) {
      const index = this.names.get(name);
      if (index === undefined) this.#letters += name.length;
      else if (index !== ASK) this.#free.push(index);
      this.names.set(name, ASK);
      return;
    }
    let index = this.names.get(name);
    if (index === undefined) this.#letters += name.length;
    if (index === undefined || index === ASK) {
      index = this.#free.pop() ?? this.#count++;
      if (index >= this.#times.length) this.#grow();
      this.names.set(name, index);
    }
    this.#records.set(attrs, index * PLAIN_LENGTH);
    this.#times[index] = at;
  }

  /** Attributes of a name however old and doubtful: a view that the next `set` may change. */
  attrs(name: string): Uint8Array | undefined {
    const index = this.names.get(name);
    if (index === undefined || index === ASK) return undefined;
    return this.#records.subarray(index * PLAIN_LENGTH, (index + 1) * PLAIN_LENGTH);
  }

  /** All entries as they are now; no later change shows in it. */
  entries(): Listing {
    const listing = new Listing();
    for (const name of [".", ".."]) listing.add(name, undefined, false);
    for (const name of this.names.keys()) {
      listing.add(name, this.attrs(name), this.shared.has(name));
    }
    return listing;
  }

  learnedAt(name: string): number {
    const index = this.names.get(name);
    return index === undefined || index === ASK ? NEVER : this.#times[index] ?? NEVER;
  }

  /** A change of this name is on its way: whether and how it exists must be asked. */
  doubt(name: string, sequence: number): void {
    const index = this.names.get(name);
    if (index === undefined) {
      this.names.set(name, ASK);
      this.#letters += name.length;
    } else if (index !== ASK) this.#times[index] = NEVER;
    this.#forgetLink(name);
    this.doubted.add(name);
    this.changes.delete(name);
    this.changes.set(name, sequence);
    this.lastChange = sequence;
  }

  /** Forgets all answers but keeps the names, so that a renewal knows where to look. */
  age(): void {
    this.complete = false;
    this.listedAt = NEVER;
    this.#times.fill(NEVER);
    for (const name of [...this.links.keys()]) this.#forgetLink(name);
    this.used = false;
  }

  setLink(name: string, target: string, at: number): void {
    this.#forgetLink(name);
    this.links.set(name, { target, at });
    this.#letters += target.length;
  }

  remove(name: string): void {
    const index = this.names.get(name);
    if (index === undefined) return;
    this.names.delete(name);
    this.#letters -= name.length;
    if (index !== ASK) this.#free.push(index);
    this.#forgetLink(name);
    this.doubted.delete(name);
    this.shared.delete(name);
  }

  empty(): void {
    this.names.clear();
    this.doubted.clear();
    this.shared.clear();
    this.links.clear();
    this.#count = 0;
    this.#free.length = 0;
    this.#letters = 0;
  }

  reserve(count: number): void {
    if (count <= this.#times.length) return;
    this.#records = copyOf(this.#records, count * PLAIN_LENGTH);
    const times = new Float64Array(count);
    times.set(this.#times);
    this.#times = times;
  }

  #forgetLink(name: string): void {
    const link = this.links.get(name);
    if (link === undefined) return;
    this.#letters -= link.target.length;
    this.links.delete(name);
  }

  #grow(): void {
    this.reserve(Math.max(8, this.#times.length * 2));
  }
}
