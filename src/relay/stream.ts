/** Read-ahead in one big file: when it is read in order, more and more of it is asked for early. */
import type { Link } from "./link.ts";
import { Pool } from "./buffer_pool.ts";
import { Type } from "./wire.ts";

const CHUNK_BYTES = 64 * 1024;
const NARROWEST_CHUNKS = 4;
const WIDEST_CHUNKS = 64;
/** Milliseconds for which a chunk that was read ahead may wait. */
const LASTS_MS = 1000;
/** Milliseconds for an answer above which less is asked for early: what is queued on a slow link gets old there. */
const SLOW_MS = 400;
/** Kernel and sshfs ask for several pieces at once, and may swap neighbours. */
const NEIGHBOURS_BYTES = 4 * CHUNK_BYTES;
/**
 * In a long read they ask for twelve times 128 KiB at once (max_background and max_readahead of FUSE), by many
 * threads: a request may be overtaken by all the others. Seen were 480 KiB.
 */
const OVERTAKEN_BYTES = 24 * CHUNK_BYTES;
/** Reads in order after which it is a long one. */
const LONG_READS = 16;

/** Bytes of all read-ahead together. */
export class Budget {
  used = 0;
  constructor(readonly capacity: number) {}
}

const pool = new Pool(CHUNK_BYTES, WIDEST_CHUNKS);

interface Chunk {
  buffer: Uint8Array;
  data: Uint8Array | undefined;
  arrivedAt: number;
  waiting: (() => void)[];
}

export type Got = (data: Uint8Array | undefined) => void;

export class Stream {
  readonly #chunks = new Map<number, Chunk>();
  /** Where the next read begins if the file is read in order. */
  #next = 0;
  #width = 0;
  #reads = 0;
  /** Everything before it has been asked for, by a read or ahead of one. */
  #asked = 0;
  /** Milliseconds that the last answer took. */
  #took = 0;

  constructor(
    private readonly options: {
      readonly link: Pick<Link, "send">;
      readonly budget: Budget;
      readonly size: number;
      readonly now?: () => number;
    },
  ) {}

  /** Whether this read is part of reading in order: anything near the expected place counts. */
  follows(offset: number, length: number): boolean {
    const slack = this.#reads > LONG_READS ? OVERTAKEN_BYTES : NEIGHBOURS_BYTES;
    const near = Math.abs(offset - this.#next) <= slack || this.#chunks.has(floor(offset));
    if (near) {
      this.#reads++;
      this.#next = Math.max(this.#next, offset + length);
    } else {
      this.#reads = 0;
      this.#next = offset + length;
      this.#width = 0;
      this.clear();
    }
    return near && this.#reads > 1 && offset + length <= this.options.size;
  }

  /** Reads in order; `got` gets a view good only during the call, or undefined: ask the server. */
  read(remote: Uint8Array, offset: number, length: number, got: Got): void {
    const { budget, size } = this.options;
    if (this.#took < SLOW_MS / 2) this.#width = Math.min(this.#width * 2, WIDEST_CHUNKS);
    this.#width = Math.max(this.#width, NARROWEST_CHUNKS);
    const first = floor(offset);
    const last = floor(offset + length - 1);
    const end = Math.min(last + this.#width * CHUNK_BYTES, floor(size - 1));
    const now = this.#now();
    for (const [at, chunk] of this.#chunks) {
      const old = now - chunk.arrivedAt > LASTS_MS;
      if (old || at < first - OVERTAKEN_BYTES) this.#discard(at);
      if (old) this.#asked = Math.min(this.#asked, at);
    }
    for (let at = first; at <= last; at += CHUNK_BYTES) {
      if (!this.#chunks.has(at)) this.#ask(remote, at);
    }
    for (let at = Math.max(this.#asked, last + CHUNK_BYTES); at <= end; at += CHUNK_BYTES) {
      if (budget.used + CHUNK_BYTES > budget.capacity) break;
      if (!this.#chunks.has(at)) this.#ask(remote, at);
    }
    this.#gather(first, last, offset, length, got);
  }

  /** What was read ahead may be out of date. */
  clear(): void {
    for (const at of [...this.#chunks.keys()]) this.#discard(at);
    this.#asked = 0;
  }

  #now(): number {
    return this.options.now?.() ?? performance.now();
  }

  #ask(remote: Uint8Array, at: number): void {
    const { link, budget, size } = this.options;
    const buffer = pool.take();
    const chunk: Chunk = { buffer, data: undefined, arrivedAt: Infinity, waiting: [] };
    this.#chunks.set(at, chunk);
    this.#asked = Math.max(this.#asked, at + CHUNK_BYTES);
    budget.used += CHUNK_BYTES;
    let have = 0;
    const data = buffer.subarray(0, Math.min(CHUNK_BYTES, size - at));
    const askedAt = this.#now();
    const finish = (ok: boolean) => {
      if (this.#chunks.get(at) !== chunk) return pool.give(buffer);
      this.#took = this.#now() - askedAt;
      if (this.#took > SLOW_MS) this.#width >>= 1;
      if (ok) {
        chunk.data = data;
        chunk.arrivedAt = this.#now();
      } else this.#discard(at);
      for (const call of chunk.waiting.splice(0)) call();
    };
    const more = () => {
      const from = at + have;
      link.send(
        Type.READ,
        (to) => to.blob(remote).u64(from).u32(data.length - have),
        (type, answer) => {
          if (type !== Type.DATA || answer === undefined) return finish(false);
          const piece = answer.blob();
          if (piece.length === 0 || piece.length > data.length - have) return finish(false);
          data.set(piece, have);
          have += piece.length;
          if (have === data.length) finish(true);
          else more();
        },
      );
    };
    more();
  }

  #gather(first: number, last: number, offset: number, length: number, got: Got): void {
    for (let at = first; at <= last; at += CHUNK_BYTES) {
      const chunk = this.#chunks.get(at);
      if (chunk === undefined) return got(undefined);
      if (chunk.data !== undefined) continue;
      chunk.waiting.push(() => this.#gather(first, last, offset, length, got));
      return;
    }
    if (first === last) {
      const data = this.#chunks.get(first)?.data;
      return got(data?.subarray(offset - first, offset - first + length));
    }
    const data = new Uint8Array(length);
    for (let at = first; at <= last; at += CHUNK_BYTES) {
      const piece = this.#chunks.get(at)?.data;
      if (piece === undefined) return got(undefined);
      const from = Math.max(offset, at);
      const to = Math.min(offset + length, at + piece.length);
      data.set(piece.subarray(from - at, to - at), from - offset);
    }
    got(data);
  }

  #discard(at: number): void {
    const chunk = this.#chunks.get(at);
    if (chunk === undefined) return;
    this.#chunks.delete(at);
    this.options.budget.used -= CHUNK_BYTES;
    if (chunk.data !== undefined) pool.give(chunk.buffer);
    for (const call of chunk.waiting.splice(0)) call();
  }
}

function floor(offset: number): number {
  return offset - offset % CHUNK_BYTES;
}
