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
import { isPlain, Open, type Reader, sameVersion, Status, Type, type Writer } from "./wire.ts";

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
/** Milliseconds for which a small file is held open without a handle of the server. */
const UNPINNED = 500;
const MOST_PINNED = 200;
/** Milliseconds after which a request that nobody works on is failed. */
const LONGEST = 9500;
/** The same while the server works, but has answered all that was asked when the request came. */
const LONGEST_SERVED = 60_000;
/** Milliseconds without a byte after which nobody waits on who has waited for a connection before. */
const SILENT = 2500;

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
      onRecover: () => this.drop(),
    });
    this.tree = new Tree({
      capacity: capacity / 8,
      lifetime,
      oldest: () => this.link.oldest(),
      onUse: (path) => this.scan.used(path),
      onSharedChange: () => {
        this.contents.forgetShared();
        for (const handle of this.handles.all.values()) handle.stream?.clear();
      },
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
    request.keep().waited = true;
    this.link.whenUp(request.arrivedAt, (up) => {
      if (up) this.serve(request);
      else this.front.status(request.id, LOST);
    });
  }

  /** What is to be done twice a second. */
  round(): void {
    this.pin();
    this.giveUp();
    if (this.contents.expire()) this.scan.stop();
  }

  /** A small file that stays open gets a handle of the server's, so that it stays the same file. */
  private pin(): void {
    if (!this.link.up) return;
    const now = performance.now();
    let pinned = 0;
    for (const handle of this.handles.all.values()) {
      if (handle.remote !== undefined) pinned++;
      else if (handle.content !== undefined && now - handle.openedAt > UNPINNED) {
        if (pinned++ < MOST_PINNED) this.reach(handle, () => {});
      }
    }
  }

  /** No request waits for ever, whatever has become of it. */
  giveUp(now = performance.now()): void {
    const { link, front } = this;
    for (const request of front.waiting.values()) {
      const age = now - Math.max(request.arrivedAt, link.wokeAt);
      if (age < LONGEST) return;
      const served = link.oldestPending() > request.sequence + 1;
      // Who has waited for a connection and got one that is silent has waited long enough.
      const silent = request.waited && link.silence > SILENT;
      if (link.up && link.due && !silent && !(served && age > LONGEST_SERVED)) continue;
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

  /** Asks for the attributes of an open file, to know it again after a lost connection. */
  look(handle: Handle, remote: Uint8Array): void {
    const sequence = this.link.send(Type.FSTAT, (to) => to.blob(remote), (type, answer) => {
      const attrs = type === Type.ATTRS ? answer?.rest() : undefined;
      if (attrs === undefined || !isPlain(attrs)) return;
      handle.known = { attrs: attrs.slice(), sequence, at: performance.now() };
    });
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
    return handle.kept && known !== undefined &&
      known.sequence > this.tree.changedAt(handle.path) &&
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

  /**
   * Opens a handle on the server by its path, where that is sure to be the same file. What is answered from memory
   * and is not there any more, or is another file now, goes on in memory, as an open file does that was deleted.
   */
  reach(handle: Handle, done: () => void): void {
    if (handle.waiting !== undefined) {
      handle.waiting.push(done);
      return;
    }
    if (handle.dead || handle.detached || handle.flags === 0) return done();
    handle.waiting = [done];
    const { link } = this;
    const finish = (remote?: Uint8Array) => {
      if (remote !== undefined) {
        if (this.handles.all.has(handle.key)) {
          handle.remote = remote;
          handle.content = undefined;
        } else link.closeHandle(remote);
      }
      const waiting = handle.waiting ?? [];
      handle.waiting = undefined;
      for (const call of waiting) call();
    };
    const another = (remote?: Uint8Array) => {
      if (remote !== undefined) link.closeHandle(remote);
      if (handle.content !== undefined) handle.detached = true;
      else handle.dead = true;
      finish();
    };
    const flags = handle.flags & ~(Open.CREATE | Open.TRUNCATE | Open.EXCLUSIVE);
    link.send(Type.OPEN, (to) => to.text(handle.path).u32(flags).u32(0), (type, answer) => {
      if (answer === undefined) return finish();
      if (type !== Type.HANDLE) return another();
      const remote = answer.blob().slice();
      const sequence = link.send(Type.FSTAT, (to) => to.blob(remote), (type, answer) => {
        if (answer === undefined) {
          link.closeHandle(remote);
          return finish();
        }
        if (handle.detached) return another(remote);
        if (type === Type.ATTRS && isUndecided(handle, answer)) {
          handle.known = { attrs: answer.rest().slice(), sequence, at: performance.now() };
          link.closeHandle(remote);
          return finish();
        }
        if (type === Type.ATTRS && sameFile(handle, answer.rest())) return finish(remote);
        another(remote);
      });
    });
  }

  private reconnected(): void {
    this.drop();
    this.areas.learn(this.link, () => {
      for (const handle of this.handles.all.values()) handle.unsyncedLost = false;
    });
    for (const handle of this.handles.all.values()) {
      if (handle.remote === undefined) continue;
      handle.remote = undefined;
      handle.unsyncedLost ||= handle.unsynced > 0;
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
 * What looks like the file in memory may still be another one, where that was written just before it was read: then
 * the reader who has begun goes on in memory for as long as it looks so.
 */
function isUndecided(handle: Handle, answer: Reader): boolean {
  if (handle.content === undefined || handle.vouched || !handle.contentRead) return false;
  const attrs = answer.rest();
  return isPlain(attrs) && handle.known !== undefined && sameVersion(attrs, handle.known.attrs);
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
  if (handle.content !== undefined) {
    if (sameVersion(attrs, known)) return true;
    // Nobody has seen a byte of it yet; or it has grown, as a log does.
    return !handle.contentRead || (now.getBigUint64(4) > before.getBigUint64(4) &&
      now.getUint32(28) >= before.getUint32(28));
  }
  if (handle.flags === Open.READ) {
    return now.getBigUint64(4) === before.getBigUint64(4) &&
      now.getUint32(28) === before.getUint32(28);
  }
  return now.getBigUint64(4) >= BigInt(handle.end) && now.getUint32(28) >= before.getUint32(28);
}
