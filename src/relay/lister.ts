/** Fetches whole directory listings, several READDIRs in flight, and never the same twice at once. */
import type { Link } from "./link.ts";
import { Listing } from "./directory.ts";
import type { Tree } from "./tree.ts";
import { isPlain, type Reader, Status, Type } from "./wire.ts";

/** A longer listing is handed out but not kept: names are asked for one by one. */
export const LARGE_ENTRIES = 20_000;
/** A directory with more names is listed for one name only when so many have been asked that it pays. */
const MANY_NAMES = 4000;
const NAMES_FOR_ONE = 100;
/** Entries of all listings on their way: what is above that fails, whatever a server sends. */
const MOST_ENTRIES = 400_000;
/** A listing beyond this is given up and passed through: nothing a server sends may fill our memory. */
const HUGE_ENTRIES = 300_000;
/** Milliseconds for which a directory is remembered as large. */
const LARGE_LASTS_MS = 300_000;
/** Listings that may be on their way ahead of need. */
const FLIGHT = 96;
const READDIRS = 32;
/** Names in one answer from which on more of them are expected: OpenSSH gives a hundred. */
const FULL_NAMES = 100;

/** What a listing brought: its entries, or undefined when it failed. */
export type Listed = (entries: Listing | undefined) => void;

interface Fetch {
  sequence: number;
  done: Listed[];
}

export class Lister {
  readonly #fetches = new Map<string, Fetch>();
  readonly #queue = new Map<string, Listed[]>();
  readonly #large = new Map<string, number>();
  readonly #huge = new Set<string>();
  readonly #missed = new Map<string, number>();
  #ahead = 0;
  /** Entries of listings that are not complete yet. */
  #entries = 0;

  constructor(private readonly link: Link, private readonly tree: Tree) {}

  /** A listing on its way whose result will be current. */
  coming(path: string): boolean {
    const fetch = this.#fetches.get(path);
    return fetch !== undefined && fetch.sequence > this.tree.changedInside(path);
  }

  isLarge(path: string): boolean {
    const until = this.#large.get(path);
    if (until === undefined) return false;
    if (performance.now() < until) return true;
    this.#large.delete(path);
    return false;
  }

  /** Whether to list a directory because one of its names is asked for. */
  pays(path: string): boolean {
    const names = this.tree.directories.get(path)?.names.size ?? 0;
    if (names < MANY_NAMES) return !this.isLarge(path);
    const missed = (this.#missed.get(path) ?? 0) + 1;
    if (this.#missed.size > 100) this.#missed.clear();
    this.#missed.set(path, missed * NAMES_FOR_ONE < names ? missed : 0);
    return missed * NAMES_FOR_ONE >= names && !this.isLarge(path);
  }

  /** Too many entries to list here at all. */
  isHuge(path: string): boolean {
    return this.#huge.has(path);
  }

  /** Lists now, or joins a listing that is on its way and will be current. */
  list(path: string, done: Listed): void {
    const running = this.#fetches.get(path);
    if (running !== undefined && this.coming(path)) {
      running.done.push(done);
      return;
    }
    const fetch: Fetch = { sequence: 0, done: [done] };
    this.#fetches.set(path, fetch);
    fetch.sequence = this.#fetch(path, (entries) => {
      if (this.#fetches.get(path) === fetch) this.#fetches.delete(path);
      // Keeping it may make room in the tree, which forgets the changes that no answer is older than.
      if (entries !== undefined) this.#keep(path, entries, fetch.sequence);
      this.link.letGo(fetch.sequence);
      for (const call of fetch.done) call(entries);
    });
    this.link.hold(fetch.sequence);
  }

  /** Lists when there is time, or joins a listing that is queued or on its way. */
  listAhead(path: string, done: Listed): void {
    if (this.coming(path)) return this.list(path, done);
    if (this.isLarge(path)) return done(undefined);
    const queued = this.#queue.get(path);
    if (queued !== undefined) return void queued.push(done);
    this.#queue.set(path, [done]);
    this.#pump();
  }

  #pump(): void {
    for (const [path, done] of this.#queue) {
      if (this.#ahead >= FLIGHT) return;
      this.#queue.delete(path);
      this.#ahead++;
      this.list(path, (entries) => {
        this.#ahead--;
        for (const call of done) call(entries);
        this.#pump();
      });
    }
  }

  #keep(path: string, entries: Listing, sequence: number): void {
    if (entries.length > LARGE_ENTRIES) {
      this.#large.set(path, performance.now() + LARGE_LASTS_MS);
      return;
    }
    const own = entries.attrs(entries.names.indexOf("."));
    if (own !== undefined) this.tree.learn(path, own, sequence);
    this.tree.learnListing(path, entries, sequence);
  }

  #fetch(path: string, done: Listed): number {
    const { link } = this;
    return link.send(Type.OPENDIR, (to) => to.text(path), (type, answer) => {
      if (type !== Type.HANDLE || answer === undefined) return done(undefined);
      const handle = answer.blob().slice();
      const entries = new Listing();
      let waiting = 0;
      let window = 2;
      let ended = false;
      let failed = false;
      let counted = 0;
      const count = (length: number) => {
        this.#entries += length - counted;
        counted = length;
      };
      const ask = () => {
        waiting++;
        link.send(Type.READDIR, (to) => to.blob(handle), (type, answer) => {
          // In order: behind the end come only ends.
          if (ended) return;
          waiting--;
          let wanted = 1;
          if (type === Type.NAME && answer !== undefined && readNames(answer, entries)) {
            if (entries.length - counted >= FULL_NAMES) {
              wanted = window = Math.min(window + 1, READDIRS);
            }
          } else {
            const code = type === Type.STATUS ? answer?.u32() : undefined;
            ended = true;
            failed ||= code !== Status.EOF;
          }
          count(entries.length);
          if (entries.length > HUGE_ENTRIES && !ended) {
            ended = failed = true;
            this.#huge.add(path);
            this.#large.set(path, performance.now() + LARGE_LASTS_MS);
          } else if (this.#entries > MOST_ENTRIES && !ended) ended = failed = true;
          while (!ended && waiting < wanted) ask();
          if (!ended) return;
          count(0);
          link.closeHandle(handle);
          done(failed ? undefined : entries.sorted());
        });
      };
      while (waiting < window) ask();
    });
  }
}

/** Reads the entries of a NAME answer; false when it cannot be read. */
export function readNames(answer: Reader, entries: Listing): boolean {
  try {
    for (let count = answer.u32(); count > 0; count--) {
      const name = answer.text();
      const long = answer.blob();
      const attrs = answer.attrs();
      if (name === "" || name.includes("/") || name.includes("\0")) continue;
      entries.add(name, isPlain(attrs) ? attrs : undefined, hasOtherNames(long));
    }
    return true;
  } catch {
    return false;
  }
}

/**
 * A regular file with several hard links can change under another name. Version 3 does not tell,
 * but OpenSSH's long name does: its second word is the number of links, as `ls -l` prints it.
 */
function hasOtherNames(long: Uint8Array): boolean {
  if (long[0] !== 0x2d) return false;
  let at = 10;
  while (at < long.length && long[at] !== 0x20) at++;
  while (long[at] === 0x20) at++;
  return !(long[at] === 0x31 && long[at + 1] === 0x20) && (long[at] ?? 0) >= 0x30 &&
    (long[at] ?? 0) <= 0x39;
}
