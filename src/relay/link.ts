/**
 * The connection to the SFTP server: one ssh child, requests by number, and what happens when
 * the connection is silent or gone. It reconnects by itself and calls nobody twice: each request
 * gets exactly one answer, or `undefined` when the connection failed it.
 */
import { Outbox } from "./outbox.ts";
import { Beginning, Framer, Malformed, Reader, Type, Writer } from "./wire.ts";

/**
 * `answer` stands behind the request id. It is a view that is good only during the call. Who throws
 * `Malformed` while reading it is called again with undefined.
 */
export type OnAnswer = (type: number, answer: Reader | undefined) => void;

/** Something that speaks SFTP on its stdin and stdout. */
export type Server = Pick<Deno.ChildProcess, "stdin" | "stdout" | "status" | "kill">;

export interface LinkOptions {
  /** Starts a connection. */
  start: () => Server;
  /** Called after each successful connection but the first, before any waiting request goes on. */
  onReconnect: () => void;
  /**
   * Called when the same connection answers again after a silence, or after the machine slept: what was failed in
   * the meantime may have been done all the same, and what was known may be long out of date.
   */
  onRecover?: () => void;
  log: (text: string) => void;
  /** All times by this factor; for tests. */
  pace?: number;
}

/** Milliseconds without a byte, while answers are due, after which the connection is stalled. */
const SILENCE_MS = 7000;
/** Milliseconds after which an operation that cannot be done is given up: EIO within 10 s. */
export const PATIENCE_MS = 8500;
/** A connection that stays stalled is replaced; before that it may come back by itself. */
const HOPELESS_MS = 30_000;
const HANDSHAKE_MS = 8000;
const TICK_MS = 250;
/** Milliseconds between two ticks from which on we were not running: the machine slept. */
const ASLEEP_MS = 2000;
/** Milliseconds by which the two clocks part when it slept: only that of the day goes on. */
const CLOCKS_PART_MS = 1500;
/** Milliseconds until the first and the last new attempt to connect. */
const RETRY_MS = 100, RETRY_LATEST_MS = 5000;
/** Milliseconds of a connection's life below which the next one waits: a server may hang up each time. */
const SHORT_LIFE_MS = 5000;
/** Milliseconds between attempts while somebody waits. */
const RETRY_HURRIED_MS = 500;
/** Milliseconds of round trip above which a link is far. */
const FAR_MS = 3;

interface Pending {
  type: number;
  sequence: number;
  done: OnAnswer;
  sentAt: number;
}

export class Link {
  /** Grows with each request. The server works in this order. */
  sequence = 0;
  /** Round trip in milliseconds: the shortest answer seen lately. */
  roundTrip = 0;
  /** The server's VERSION packet behind its type. */
  version = new Uint8Array(0);
  #state: "up" | "stalled" | "down" | "closed" = "down";
  #badSince = 0;
  #heardAt = 0;
  #pending = new Map<number, Pending>();
  /** Requests that were failed while stalled; a handle in a late answer is closed again. */
  #abandoned = new Set<number>();
  /** Handles of this connection that are to be closed when it answers again. */
  #unclosed: Uint8Array[] = [];
  /** Sequence numbers of answers that come in several parts: as old as the first of them. */
  readonly #held = new Set<number>();
  /** Ends the connection at hand. */
  #end: () => void = () => {};
  #out: Outbox | undefined;
  #waiters = new Set<{ until: number; done: (up: boolean) => void }>();
  #retry: { at: number; done: () => void } | undefined;
  #pause = RETRY_MS;
  #upAt = -Infinity;
  readonly #ticker: ReturnType<typeof setInterval>;
  readonly #pace: number;
  #tickedAt = performance.now();
  #clocks = Date.now() - performance.now();
  /** When we last went on after a time in which we did not run. */
  wokeAt = -Infinity;

  constructor(private readonly options: LinkOptions) {
    this.#pace = options.pace ?? 1;
    this.#ticker = setInterval(() => this.#tick(), TICK_MS * this.#pace);
  }

  get up(): boolean {
    return this.#state === "up";
  }

  /** Connects for the first time. Returns false, with ssh's exit code, when ssh ended first. */
  async open(): Promise<{ ok: true } | { ok: false; code: number }> {
    const failure = await this.#connect(() => {});
    return failure === undefined ? { ok: true } : { ok: false, code: failure };
  }

  /** Bytes that ssh has not taken yet. */
  get queued(): number {
    return this.#out?.length ?? 0;
  }

  /** Sends one request. `body` writes the fields behind the id. Returns its sequence number. */
  send(type: number, body: (to: Writer) => void, done: OnAnswer): number {
    const sequence = ++this.sequence;
    if (this.#state !== "up") {
      queueMicrotask(() => done(0, undefined));
      return sequence;
    }
    const id = sequence >>> 0;
    this.#out?.put(type, id, body);
    const now = performance.now();
    if (this.#pending.size === 0) this.#heardAt = now;
    this.#pending.set(id, { type, sequence, done, sentAt: now });
    return sequence;
  }

  /** Whether the server owes us anything: an answer, or taking what we send. */
  get due(): boolean {
    return this.#pending.size > 0 || this.queued > 0;
  }

  /** The smallest sequence number that still waits for its answer. */
  oldestPending(): number {
    for (const request of this.#pending.values()) return request.sequence;
    return this.sequence + 1;
  }

  /** The smallest sequence number by which an answer may still be judged. */
  oldest(): number {
    let oldest = this.oldestPending();
    for (const sequence of this.#held) oldest = Math.min(oldest, sequence);
    return oldest;
  }

  /** What belongs to the request `sequence` goes on after its answer, until `letGo`. */
  hold(sequence: number): void {
    this.#held.add(sequence);
  }

  letGo(sequence: number): void {
    this.#held.delete(sequence);
  }

  /** Closes a handle of the server's; one of a silent connection as soon as that answers again. */
  closeHandle(handle: Uint8Array): void {
    if (this.#state === "up") this.send(Type.CLOSE, (to) => to.blob(handle), () => {});
    else if (this.#state === "stalled") this.#unclosed.push(handle.slice());
  }

  /** Milliseconds since the server was last heard. */
  get silence(): number {
    return performance.now() - this.#heardAt;
  }

  /**
   * Calls back with true when the connection is up, or with false when it has been bad for so
   * long that whoever asked since `since` must not wait any more.
   */
  whenUp(since: number, done: (up: boolean) => void): void {
    if (this.#state === "up") return done(true);
    const until = Math.max(Math.min(since, this.#badSince), this.wokeAt) +
      PATIENCE_MS * this.#pace;
    if (this.#state === "closed" || performance.now() >= until) return done(false);
    this.#waiters.add({ until, done });
    if (this.#retry) {
      this.#retry.at = Math.min(this.#retry.at, performance.now() + RETRY_HURRIED_MS * this.#pace);
    }
  }

  /** Whether an answer takes so long that asking early is worth a message. */
  get far(): boolean {
    return this.roundTrip > FAR_MS;
  }

  /** Resolves when ssh has taken most of what is queued, or the connection is gone. */
  drained(): Promise<void> {
    return this.#out?.drained() ?? Promise.resolve();
  }

  close(): void {
    this.#state = "closed";
    clearInterval(this.#ticker);
    this.#retry?.done();
    this.#end();
    this.#release(false);
  }

  /** Returns nothing when it is up, else ssh's exit code. */
  async #connect(onConnect: () => void): Promise<number | undefined> {
    const child = this.options.start();
    const input = child.stdin.getWriter();
    const output = child.stdout.getReader({ mode: "byob" });
    this.#out = new Outbox(input);
    this.#end = () => {
      kill(child);
      // Whoever else holds the other end, a control master for one, may keep it open for ever.
      output.cancel().catch(() => {});
    };
    const end = this.#end;
    const greeting = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => greeting.resolve(false), HANDSHAKE_MS * this.#pace);
    input.write(new Writer().begin(Type.INIT).u32(3).end().view()).catch(() => {});
    const reading = this.#readAll(output, () => greeting.resolve(true));
    void reading.then(() => greeting.resolve(false));
    const greeted = await greeting.promise;
    clearTimeout(timer);
    if (!greeted || this.#state === "closed") {
      end();
      return (await child.status).code || 1;
    }
    this.#state = "up";
    this.#heardAt = this.#upAt = performance.now();
    // From here on, and not before: had it ended already, nobody else would ever tell.
    void reading.then(() => this.#end === end && this.#state !== "closed" && this.#lost());
    onConnect();
    this.#release(true);
    return undefined;
  }

  /** Hands on all that the server says, until it ends. */
  async #readAll(
    output: ReadableStreamBYOBReader,
    greet: () => void,
  ): Promise<void> {
    const framer = new Framer((packet) => {
      if (packet[0] === Type.VERSION) {
        this.version = packet.slice(1);
        greet();
      } else {
        this.#receive(packet);
      }
    });
    const beginning = new Beginning();
    let buffer = new ArrayBuffer(128 * 1024);
    try {
      while (true) {
        const { value, done } = await output.read(new Uint8Array(buffer));
        if (done || value === undefined) return;
        this.#heardAt = performance.now();
        if (this.#state === "stalled") this.#recover();
        const bytes = beginning.take(value);
        if (bytes !== undefined) framer.push(bytes);
        buffer = value.buffer;
      }
    } catch (error) {
      this.options.log(`the server's stream broke: ${error}`);
    }
    output.cancel().catch(() => {});
  }

  #receive(packet: Uint8Array): void {
    const answer = new Reader(packet, 1);
    const type = packet[0] ?? 0;
    const id = answer.u32();
    const request = this.#pending.get(id);
    if (request !== undefined) {
      this.#pending.delete(id);
      this.#measure(performance.now() - request.sentAt);
      try {
        request.done(type, answer);
      } catch (error) {
        const what = error instanceof Malformed ? error.message : error;
        this.options.log(`an answer cannot be read: ${what}`);
        this.#guard(() => request.done(0, undefined));
      }
    } else if (this.#abandoned.delete(id) && type === Type.HANDLE) {
      this.closeHandle(answer.blob().slice());
    }
  }

  #measure(taken: number): void {
    if (this.roundTrip === 0 || taken < this.roundTrip) this.roundTrip = taken;
    else this.roundTrip += (taken - this.roundTrip) * 0.001;
  }

  #tick(): void {
    const now = performance.now();
    const slept = now - this.#tickedAt - TICK_MS * this.#pace;
    this.#tickedAt = now;
    const clocks = Date.now() - now;
    if (Math.abs(clocks - this.#clocks) > CLOCKS_PART_MS) {
      this.options.log("the machine slept, or its clock was set");
      this.options.onRecover?.();
    }
    this.#clocks = clocks;
    if (slept > ASLEEP_MS * this.#pace) {
      this.wokeAt = now;
      this.#heardAt += slept;
      this.#badSince += slept;
      for (const waiter of this.#waiters) waiter.until += slept;
      return;
    }
    for (const waiter of this.#waiters) {
      if (now < waiter.until) continue;
      this.#waiters.delete(waiter);
      this.#guard(() => waiter.done(false));
    }
    if (this.#retry && now >= this.#retry.at) this.#retry.done();
    const silence = now - this.#heardAt;
    if (this.#state === "up" && this.due && silence > SILENCE_MS * this.#pace) {
      const types = [...this.#pending.values()].slice(0, 5).map(({ type }) => type);
      this.options.log(
        `no answer for 7 s: stalled. ${this.#pending.size} answers due, the first of types ` +
          `${types}; ${this.queued} bytes to send`,
      );
      this.#state = "stalled";
      this.#badSince = this.#heardAt;
      for (const id of this.#pending.keys()) this.#abandoned.add(id);
      this.#failPending();
    } else if (this.#state === "stalled" && silence > HOPELESS_MS * this.#pace) {
      this.#lost();
    }
  }

  #recover(): void {
    this.options.log("answers again");
    this.#state = "up";
    for (const handle of this.#unclosed.splice(0)) this.closeHandle(handle);
    this.options.onRecover?.();
    this.#release(true);
  }

  #lost(): void {
    this.options.log("connection lost");
    if (this.#state === "up") this.#badSince = performance.now();
    this.#state = "down";
    this.#end();
    this.#end = () => {};
    this.#abandoned.clear();
    this.#unclosed = [];
    this.#failPending();
    void this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    if (performance.now() - this.#upAt < SHORT_LIFE_MS * this.#pace) await this.#waitToRetry();
    else this.#pause = RETRY_MS;
    while (this.#state === "down") {
      try {
        if (await this.#connect(this.options.onReconnect) === undefined) {
          this.options.log("connected again");
          return;
        }
      } catch (error) {
        this.options.log(`ssh cannot be started: ${error}`);
      }
      await this.#waitToRetry();
    }
  }

  async #waitToRetry(): Promise<void> {
    const wait = this.#waiters.size > 0 ? Math.min(this.#pause, RETRY_HURRIED_MS) : this.#pause;
    this.#pause = Math.min(this.#pause * 2, RETRY_LATEST_MS);
    await new Promise<void>((done) =>
      this.#retry = { at: performance.now() + wait * this.#pace, done }
    );
    this.#retry = undefined;
  }

  #failPending(): void {
    this.#out?.release();
    const failed = [...this.#pending.values()];
    this.#pending.clear();
    for (const request of failed) this.#guard(() => request.done(0, undefined));
  }

  #release(up: boolean): void {
    const waiting = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiting) this.#guard(() => waiter.done(up));
  }

  /** One request that goes wrong takes no other with it. */
  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.options.log(`a request went wrong: ${error}`);
    }
  }
}

function kill(child: Server): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended already.
  }
}
