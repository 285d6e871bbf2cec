/** The side of sshfs: SFTP on fd 0 and fd 1. */
import { fstatSync } from "node:fs";
import type { Socket } from "node:net";
import { Pool } from "./buffer_pool.ts";
import { Framer, Reader, Status, Type, Writer } from "./wire.ts";

/** Answers are collected and leave together, at the latest when they reach this many bytes. */
const BATCH_BYTES = 1 << 17;
const SPARES = 4;

/** For requests with more than a few bytes, which are writes. */
const BIG_BYTES = 4096;
const pool = new Pool(72 * 1024, 64);

/** One request of sshfs. Its bytes are a view into a reused buffer until `keep` is called. */
export class Request {
  readonly id: number;
  readonly arrivedAt = performance.now();
  /** Sequence number that the link had come to when it arrived. */
  sequence = 0;
  /** A fetch made for it has failed to help: pass it on as it is. */
  tried = false;
  /** How often it was looked where its file has got to. */
  looks = 0;
  /** It has waited for a connection. */
  waited = false;
  #kept = false;
  #pooled: Uint8Array | undefined;

  constructor(private bytes: Uint8Array) {
    this.id = new Reader(bytes, 1).u32();
  }

  get type(): number {
    return this.bytes[0] ?? 0;
  }

  /** A reader that stands behind the id. */
  fields(): Reader {
    return new Reader(this.bytes, 5);
  }

  /** Makes the request outlive the call that brought it. */
  keep(): this {
    if (this.#kept) return this;
    this.#kept = true;
    const { length } = this.bytes;
    if (length <= BIG_BYTES || length > pool.size) {
      this.bytes = this.bytes.slice();
    } else {
      this.#pooled = pool.take();
      this.#pooled.set(this.bytes);
      this.bytes = this.#pooled.subarray(0, length);
    }
    return this;
  }

  /** The request has been answered: its bytes are not needed any more. */
  release(): void {
    if (this.#pooled) pool.give(this.#pooled);
    this.#pooled = undefined;
  }
}

/** Milliseconds after which an answer is late enough for a line in the log. */
const LATE_MS = 3000;

/** Each request gets one answer: whoever comes second is not heard. */
export class Front {
  /** When attributes were last handed out: for a while from then, the kernel does not ask again. */
  attributesAt = -Infinity;
  /** What sshfs waits for, in the order in which it came. */
  readonly waiting = new Map<number, Request>();
  #out = new Writer(BATCH_BYTES);
  readonly #spare: Writer[] = [];
  #scheduled = false;
  #socket: Socket | undefined;
  #notedAt = -Infinity;

  /** `write` gets views that are good only during the call. */
  constructor(
    private readonly options: {
      log: (text: string) => void;
      write?: (bytes: Uint8Array) => void;
    },
  ) {}

  /** Hands every packet to `take` until sshfs hangs up. Waits while `busy` gives a promise. */
  async run(
    take: (packet: Uint8Array) => void,
    busy: () => Promise<void> | undefined,
  ): Promise<void> {
    const framer = new Framer(take);
    const buffer = new Uint8Array(1 << 17);
    const push = (length: number) => {
      framer.push(buffer.subarray(0, length));
      this.flush();
      return busy();
    };
    const ended = Promise.withResolvers<void>();
    this.#socket = await openSocket(buffer, push);
    if (this.#socket !== undefined) {
      this.#socket.on("error", ended.reject);
      this.#socket.on("close", () => ended.resolve());
      this.#socket.resume();
      return await ended.promise;
    }
    while (true) {
      const length = await Deno.stdin.read(buffer);
      if (length === null) return;
      await push(length);
    }
  }

  /** Whether sshfs still waits for the answer to this request. */
  awaits(request: Request): boolean {
    return this.waiting.get(request.id) === request;
  }

  version(body: Uint8Array): void {
    this.#out.begin(Type.VERSION).raw(body).end();
    this.#soon();
  }

  status(id: number, code: number): void {
    if (!this.#answers(id)) return;
    this.#out.begin(Type.STATUS, id).u32(code).text("").text("").end();
    this.#soon();
  }

  attrs(id: number, attrs: Uint8Array): void {
    if (!this.#answers(id)) return;
    this.attributesAt = performance.now();
    this.#out.begin(Type.ATTRS, id).raw(attrs).end();
    this.#soon();
  }

  /** False when sshfs does not wait for it any more: then it will never close it. */
  handle(id: number, handle: Uint8Array): boolean {
    if (!this.#answers(id)) return false;
    this.#out.begin(Type.HANDLE, id).blob(handle).end();
    this.#soon();
    return true;
  }

  data(id: number, data: Uint8Array): void {
    if (!this.#answers(id)) return;
    this.#out.begin(Type.DATA, id).blob(data).end();
    this.#soon();
  }

  names(id: number, count: number, write: (to: Writer) => void): void {
    if (!this.#answers(id)) return;
    this.#out.begin(Type.NAME, id).u32(count);
    write(this.#out);
    this.#out.end();
    this.#soon();
  }

  /** An answer of the server, as it is. */
  pass(id: number, type: number, body: Uint8Array): void {
    if (!this.#answers(id)) return;
    if (type === Type.ATTRS) this.attributesAt = performance.now();
    this.#out.begin(type, id).raw(body).end();
    this.#soon();
  }

  flush(): void {
    if (this.#out.length === 0) return;
    const full = this.#out;
    this.#out = this.#spare.pop() ?? new Writer(BATCH_BYTES);
    const recycle = () => {
      full.clear();
      if (this.#spare.length < SPARES) this.#spare.push(full);
    };
    if (this.#socket) {
      this.#socket.write(full.view(), recycle);
      return;
    }
    let bytes = full.view();
    if (this.options.write) {
      this.options.write(bytes);
      return recycle();
    }
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
    recycle();
  }

  #answers(id: number): boolean {
    const request = this.waiting.get(id);
    if (request === undefined) return false;
    this.waiting.delete(id);
    const now = performance.now();
    if (now - request.arrivedAt > LATE_MS && now - this.#notedAt > LATE_MS) {
      this.#notedAt = now;
      const seconds = ((now - request.arrivedAt) / 1000).toFixed(1);
      this.options.log(
        `a request of type ${request.type} took ${seconds} s, ${this.waiting.size} wait`,
      );
    }
    return true;
  }

  #soon(): void {
    if (this.#out.length >= BATCH_BYTES) return this.flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.flush();
    });
  }
}

/**
 * Fd 0 and fd 1 are one socket when sshfs starts us. The event loop serves it in half the time of
 * `Deno.stdin` and its threads. Undefined on a runtime that cannot, or when fd 0 is no socket.
 */
async function openSocket(
  buffer: Uint8Array,
  push: (length: number) => Promise<void> | undefined,
): Promise<Socket | undefined> {
  if (!fstatSync(0).isSocket()) return undefined;
  const { Socket } = await import("node:net");
  const callback = (length: number): boolean => {
    const pause = push(length);
    void pause?.then(() => socket.resume());
    return pause === undefined;
  };
  let socket: Socket;
  try {
    socket = new Socket({ fd: 0, onread: { buffer, callback } });
  } catch {
    return undefined;
  }
  return socket;
}

/** The status that an operation gets when the connection fails it. */
export const LOST = Status.IO_ERROR;
