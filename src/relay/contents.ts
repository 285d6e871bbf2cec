/** Whole small files: kept, fetched in one go, and thrown out when memory is short. */
import type { Link } from "./link.ts";
import type { Tree } from "./tree.ts";
import { isRegular, mtimeOf, Open, sameVersion, sizeOf, Type } from "./wire.ts";

/** A file up to this size is fetched whole. */
export const SMALL_BYTES = 128 * 1024;
/** Longest READ that every server answers in full. */
export const PIECE_BYTES = 32 * 1024;
/** Memory that one kept file costs beside its bytes, about. */
const COST_BYTES = 400;
/** Files, and bytes, that may be on their way ahead of need. */
const FLIGHT = 384;
const FLIGHT_BYTES = 2 << 20;
/** Seconds after a write in which another one may leave size and time as they are. */
const YOUNG_SECONDS = 5;
/** Milliseconds for which attributes vouch for a content at most. */
const VOUCHED_MS = 60_000;
/** Milliseconds for which what was fetched ahead waits for a reader. */
const UNREAD_MS = 10_000;

export interface Content {
  bytes: Uint8Array;
  attrs: Uint8Array;
  learnedAt: number;
  /** Written so shortly before it was read that its attributes cannot vouch for it. */
  young: boolean;
  unread: boolean;
  /** The file has other names. */
  shared: boolean;
}

interface Fetch {
  sequence: number;
  done: (() => void)[];
}

export interface Wanted {
  /** Nobody has asked for it yet. */
  readonly ahead?: boolean;
  readonly shared?: boolean;
}

export interface ContentsOptions {
  link: Pick<Link, "send" | "hold" | "letGo" | "closeHandle">;
  tree: Pick<Tree, "changedAt" | "believes">;
  /** Bytes of memory. */
  capacity: number;
  lifetime: number;
  /** Seconds since 1970 on the server's clock; undefined when unknown. */
  serverTime: () => number | undefined;
}

export class Contents {
  /** Bytes that were fetched ahead and then really read. */
  consumed = 0;
  /** Called when there is room for more to be fetched ahead. */
  onRoom: () => void = () => {};
  readonly #kept = new Map<string, Content>();
  readonly #fetches = new Map<string, Fetch>();
  #bytes = 0;
  #unread = 0;
  #coming = 0;
  readonly #shared = new Set<string>();

  constructor(private readonly options: ContentsOptions) {}

  /** The bytes of a file whose attributes are fresh and vouch for what is kept. */
  find(path: string, attrs: Uint8Array): Content | undefined {
    const content = this.#kept.get(path);
    if (content === undefined) return undefined;
    if (this.#hasExpired(content) || !sameVersion(content.attrs, attrs)) {
      this.forget(path);
      return undefined;
    }
    this.#kept.delete(path);
    this.#kept.set(path, content);
    if (content.unread) {
      content.unread = false;
      this.#unread -= content.bytes.length;
      this.consumed += content.bytes.length;
      this.onRoom();
    }
    return content;
  }

  /** Whether a file with these attributes can be kept whole. */
  suits(attrs: Uint8Array): boolean {
    return isRegular(attrs) && sizeOf(attrs) <= SMALL_BYTES;
  }

  /** Whether a fetch ahead of need may start. */
  get room(): boolean {
    const budget = Math.min(this.options.capacity / 2, (2 << 20) + 4 * this.consumed);
    return this.#fetches.size < FLIGHT && this.#coming < FLIGHT_BYTES &&
      this.#unread + this.#coming < budget;
  }

  has(path: string, attrs: Uint8Array): boolean {
    if (this.#fetches.has(path)) return true;
    const content = this.#kept.get(path);
    return content !== undefined && !this.#hasExpired(content) && sameVersion(content.attrs, attrs);
  }

  /** Fetches a small file; `done` is called in any case, and `find` then tells. */
  fetch(
    path: string,
    attrs: Uint8Array,
    { done, ahead = false, shared = false }: Wanted & { readonly done?: () => void },
  ): void {
    const { link, tree } = this.options;
    const running = this.#fetches.get(path);
    if (running !== undefined && running.sequence > tree.changedAt(path)) {
      if (done) running.done.push(done);
      return;
    }
    const size = sizeOf(attrs);
    const vouch = attrs.slice();
    const fetch: Fetch = { sequence: 0, done: done ? [done] : [] };
    // What is written after this moment has a time that shows it.
    const now = this.options.serverTime();
    const young = now === undefined || mtimeOf(attrs) > now - YOUNG_SECONDS;
    const finish = (bytes: Uint8Array | undefined) => {
      link.letGo(fetch.sequence);
      this.#coming -= size;
      if (this.#fetches.get(path) === fetch) this.#fetches.delete(path);
      if (bytes !== undefined && tree.believes(path, fetch.sequence)) {
        const unread = ahead && fetch.done.length === 0;
        const learnedAt = performance.now();
        this.#keep(path, { bytes, attrs: vouch, learnedAt, young, unread, shared });
      }
      for (const call of fetch.done) call();
      this.onRoom();
    };
    this.#coming += size;
    this.#fetches.set(path, fetch);
    fetch.sequence = link.send(
      Type.OPEN,
      (to) => to.text(path).u32(Open.READ).u32(0),
      (type, answer) => {
        if (type !== Type.HANDLE || answer === undefined) return finish(undefined);
        const handle = answer.blob().slice();
        this.#readWhole(handle, size, finish);
        link.closeHandle(handle);
      },
    );
    link.hold(fetch.sequence);
  }

  /** A file with several names may have changed under any of them. */
  forgetShared(): void {
    for (const path of this.#shared) this.forget(path);
  }

  /** Throws out what was fetched ahead so many milliseconds ago and nobody has come for; true when there was any. */
  expire(age = UNREAD_MS): boolean {
    const before = performance.now() - age;
    let found = false;
    for (const [path, content] of this.#kept) {
      if (!content.unread || content.learnedAt > before) continue;
      this.forget(path);
      found = true;
    }
    return found;
  }

  forget(path: string): void {
    const content = this.#kept.get(path);
    if (content === undefined) return;
    this.#kept.delete(path);
    this.#shared.delete(path);
    this.#bytes -= content.bytes.length + COST_BYTES;
    if (content.unread) this.#unread -= content.bytes.length;
  }

  clear(): void {
    this.#kept.clear();
    this.#shared.clear();
    this.#bytes = 0;
    this.#unread = 0;
  }

  #hasExpired({ young, learnedAt }: Content): boolean {
    return performance.now() - learnedAt >= (young ? this.options.lifetime : VOUCHED_MS);
  }

  /** One byte more than its size is asked for: a file that has grown is not taken for whole. */
  #readWhole(handle: Uint8Array, size: number, done: (bytes?: Uint8Array) => void): void {
    const bytes = new Uint8Array(size);
    let waiting = 0;
    let whole = true;
    for (let at = 0; at <= size; at += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, size + 1 - at);
      waiting++;
      this.options.link.send(
        Type.READ,
        (to) => to.blob(handle).u64(at).u32(length),
        (type, answer) => {
          const expected = Math.min(length, size - at);
          if (type === Type.DATA && answer !== undefined) {
            const data = answer.blob();
            if (data.length === expected) bytes.set(data, at);
            else whole = false;
          } else if (type !== Type.STATUS || expected !== 0) {
            whole = false;
          }
          if (--waiting === 0) done(whole ? bytes : undefined);
        },
      );
    }
  }

  #keep(path: string, content: Content): void {
    this.forget(path);
    this.#kept.set(path, content);
    if (content.shared) this.#shared.add(path);
    this.#bytes += content.bytes.length + COST_BYTES;
    if (content.unread) this.#unread += content.bytes.length;
    this.#evict(false);
    this.#evict(true);
  }

  #evict(unreadToo: boolean): void {
    for (const [path, content] of this.#kept) {
      if (this.#bytes <= this.options.capacity) return;
      if (unreadToo || !content.unread) this.forget(path);
    }
  }
}
