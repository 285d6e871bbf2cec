/** What all requests share: the parts of the relay, and the few ways to ask the server. */
import { Contents } from "./contents.ts";
import { Front, LOST, type Request } from "./client.ts";
import { type Handle, Handles } from "./handles.ts";
import type { Journal } from "./journal.ts";
import { Link, type OnAnswer, type Server } from "./link.ts";
import { Lister } from "./lister.ts";
import type { Mapping } from "./containment.ts";
import { Scan } from "./scan.ts";
import { Areas } from "./server_info.ts";
import { Budget } from "./stream.ts";
import { Tree } from "./tree.ts";
import { isPlain, Open, Status, Type, type Writer } from "./wire.ts";

export interface CoreOptions {
  /** Starts a connection to the server. */
  start: () => Server;
  /** Takes the answers for sshfs; fd 0 or fd 1 if not given. */
  write?: (bytes: Uint8Array) => void;
  /**
   * Bytes of memory: three sixteenths for files, two each for names and read-ahead; the rest is what
   * the garbage collector leaves lying.
   */
  capacity: number;
  /** Milliseconds for which an answer is believed when nobody says that something has changed. */
  lifetime: number;
  mapping: Mapping;
  journal: Journal | undefined;
  log: (text: string) => void;
}

/** Milliseconds for which the attributes seen when a file was opened stand in for another look. */
const JUST_SEEN = 1000;
/** Milliseconds after which a request that nobody works on is failed. */
const LONGEST = 9500;
/** The same while the server works, but has answered all that was asked when the request came. */
const LONGEST_SERVED = 60_000;

export class Core {
  readonly front: Front;
  readonly log: (text: string) => void;
  readonly link: Link;
  readonly tree: Tree;
  readonly contents: Contents;
  readonly lister: Lister;
  readonly scan: Scan;
  readonly handles = new Handles();
  readonly areas: Areas;
  readonly budget: Budget;
  readonly mapping: Mapping;
  readonly journal: Journal | undefined;
  /** Serves a request from the beginning; set by the relay. */
  serve: (request: Request) => void = () => {};
  private readonly asking = new Map<string, { sequence: number; done: OnAnswer[] }>();

  constructor(options: CoreOptions) {
    const { capacity, lifetime } = options;
    this.log = options.log;
    this.front = new Front(options);
    this.mapping = options.mapping;
    this.areas = new Areas(options.mapping.base);
    this.journal = options.journal;
    this.link = new Link({
      start: options.start,
      log: options.log,
      onReconnect: () => this.reconnected(),
    });
    this.tree = new Tree({
      capacity: capacity / 8,
      lifetime,
      oldest: () => this.link.oldest(),
      onUse: (path) => this.scan.used(path),
      onDoubt: (path) => this.stale(path),
    });
    this.contents = new Contents({
      link: this.link,
      tree: this.tree,
      capacity: capacity * 3 / 16,
      lifetime,
      serverTime: () => this.areas.serverTime(),
    });
    this.budget = new Budget(capacity / 8);
    this.lister = new Lister(this.link, this.tree);
    this.scan = new Scan({
      tree: this.tree,
      lister: this.lister,
      contents: this.contents,
      isSpecial: (path) => this.areas.isSpecial(path),
    });
  }

  /** A path as the caches know it; undefined where nothing may be kept: pass the request on. */
  keyOf(path: string): string | undefined {
    if (!path.startsWith("/")) return undefined;
    if (/\/\/|\/\.\.?(?:\/|$)|.\/$/.test(path)) {
      const words = path.split("/").filter((word) => word !== "" && word !== ".");
      if (words.includes("..")) return undefined;
      path = "/" + words.join("/");
    }
    return this.areas.isSpecial(path) ? undefined : path;
  }

  /**
   * Passes a request on and its answer back. `answered` may look at the answer first, and returns
   * true if it has answered itself. After a lost connection the request is served again, unless
   * it is `once`: then nobody can know whether it was done. `lost` hears of either.
   */
  forward(
    request: Request,
    body: (to: Writer) => void,
    options: {
      answered?: (type: number, answer: Uint8Array) => boolean;
      once?: boolean;
      lost?: () => void;
    } = {},
  ): number {
    request.keep();
    if (!this.link.up) {
      this.wait(request);
      return this.link.sequence;
    }
    return this.link.send(request.type, body, (type, answer) => {
      if (answer === undefined) {
        options.lost?.();
        if (options.once) this.front.status(request.id, LOST);
        else this.wait(request);
        return;
      }
      if (!options.answered?.(type, answer.rest())) {
        this.front.pass(request.id, type, answer.rest());
      }
      request.release();
    });
  }

  /** Serves the request again when the connection is back, or fails it in time. */
  wait(request: Request): void {
    request.keep();
    this.link.whenUp(request.arrivedAt, (up) => {
      if (up) this.serve(request);
      else this.front.status(request.id, LOST);
    });
  }

  /** No request waits for ever, whatever has become of it. */
  giveUp(now = performance.now()): void {
    const { link, front } = this;
    for (const request of front.waiting.values()) {
      const age = now - Math.max(request.arrivedAt, link.wokeAt);
      if (age < LONGEST) return;
      const served = link.oldest() > request.sequence + 1;
      if (link.up && link.due && !(served && age > LONGEST_SERVED)) continue;
      if (link.up) this.log(`a request of type ${request.type} was forgotten`);
      front.status(request.id, LOST);
    }
  }

  /** LSTAT for ourselves: joins one that is on its way if that will be current, and learns. */
  ask(path: string, done?: OnAnswer): number {
    const running = this.asking.get(path);
    if (running !== undefined && running.sequence > this.tree.changedAt(path)) {
      if (done) running.done.push(done);
      return running.sequence;
    }
    const asked = { sequence: 0, done: done ? [done] : [] };
    this.asking.set(path, asked);
    asked.sequence = this.link.send(Type.LSTAT, (to) => to.text(path), (type, answer) => {
      if (this.asking.get(path) === asked) this.asking.delete(path);
      const start = answer?.at ?? 0;
      if (answer !== undefined && type === Type.ATTRS) {
        const attrs = answer.rest();
        if (isPlain(attrs)) this.tree.learn(path, attrs, asked.sequence);
      } else if (answer !== undefined && type === Type.STATUS) {
        if (answer.u32() === Status.NO_SUCH_FILE) this.tree.learnAbsent(path, asked.sequence);
        answer.at = start;
      }
      for (const call of asked.done) call(type, answer);
    });
    return asked.sequence;
  }

  /** What is remembered about the content of a path is no longer true. */
  stale(path: string): void {
    this.contents.forget(path);
    if (this.budget.used === 0) return;
    for (const handle of this.handles.all.values()) {
      if (handle.path === path) handle.stream?.clear();
    }
  }

  /** Nothing that was learned up to now holds any more. */
  drop(): void {
    this.tree.drop(this.link.sequence);
    this.contents.clear();
    this.scan.drop();
    for (const handle of this.handles.all.values()) handle.stream?.clear();
  }

  /** Whether the attributes remembered with a handle are still good. */
  justSeen(handle: Handle): boolean {
    const known = handle.known;
    return known !== undefined && known.sequence > this.tree.changedAt(handle.path) &&
      performance.now() - known.at < JUST_SEEN;
  }

  /** Goes on with the server's handle, which is opened first where there is none yet. */
  withRemote(request: Request, handle: Handle, then: (remote: Uint8Array) => void): void {
    if (handle.remote !== undefined) return then(handle.remote);
    request.keep();
    this.reach(handle, () => {
      if (handle.remote !== undefined) then(handle.remote);
      else if (this.link.up) this.front.status(request.id, LOST);
      else this.wait(request);
    });
  }

  /** Opens a handle on the server by its path, where that is sure to be the same file. */
  reach(handle: Handle, done: () => void): void {
    if (handle.waiting !== undefined) {
      handle.waiting.push(done);
      return;
    }
    if (handle.dead || handle.detached || handle.flags === 0) return done();
    handle.waiting = [done];
    const finish = (remote: Uint8Array | undefined) => {
      if (remote !== undefined && this.handles.all.has(handle.key)) {
        handle.remote = remote;
        handle.content = undefined;
      }
      const waiting = handle.waiting ?? [];
      handle.waiting = undefined;
      for (const call of waiting) call();
    };
    const flags = handle.flags & ~(Open.CREATE | Open.TRUNCATE | Open.EXCLUSIVE);
    this.link.send(Type.OPEN, (to) => to.text(handle.path).u32(flags).u32(0), (type, answer) => {
      if (answer === undefined) return finish(undefined);
      if (type !== Type.HANDLE) {
        handle.dead = true;
        return finish(undefined);
      }
      const remote = answer.blob().slice();
      if (handle.content !== undefined) return finish(remote);
      this.link.send(Type.FSTAT, (to) => to.blob(remote), (type, answer) => {
        if (answer === undefined) return finish(undefined);
        if (type === Type.ATTRS && sameFile(handle, answer.rest())) return finish(remote);
        handle.dead = true;
        this.link.send(Type.CLOSE, (to) => to.blob(remote), () => {});
        finish(undefined);
      });
    });
  }

  private reconnected(): void {
    this.drop();
    for (const handle of this.handles.all.values()) {
      if (handle.remote === undefined) continue;
      handle.remote = undefined;
      if (handle.flags === 0 || handle.detached || handle.known === undefined) handle.dead = true;
    }
    queueMicrotask(() => {
      for (const handle of this.handles.all.values()) {
        if (handle.remote === undefined && handle.content === undefined) {
          this.reach(handle, () => {});
        }
      }
    });
  }
}

/**
 * Version 3 has no inode numbers. A file that was only read must look as it did; one that was
 * written may have grown and be newer, but has its owner and mode and all that was acknowledged.
 */
function sameFile(handle: Handle, attrs: Uint8Array): boolean {
  const known = handle.known?.attrs;
  if (known === undefined || !isPlain(attrs) || !isPlain(known)) return false;
  const before = new DataView(known.buffer, known.byteOffset);
  const now = new DataView(attrs.buffer, attrs.byteOffset);
  if (now.getUint32(20) !== before.getUint32(20)) return false;
  if (now.getUint32(12) !== before.getUint32(12)) return false;
  if (handle.flags === Open.READ) {
    return now.getBigUint64(4) === before.getBigUint64(4) &&
      now.getUint32(28) === before.getUint32(28);
  }
  return now.getBigUint64(4) >= BigInt(handle.end) && now.getUint32(28) >= before.getUint32(28);
}
