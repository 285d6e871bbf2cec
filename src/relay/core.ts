/** What all requests share: the parts of the relay, and the few ways to ask the server. */
import { Contents } from "./contents.ts";
import { Front, LOST, type Request } from "./client.ts";
import { type Handle, Handles } from "./handles.ts";
import type { Journal } from "./journal.ts";
import { Link, type OnAnswer, PATIENCE_MS, type Server } from "./link.ts";
import { Lister } from "./lister.ts";
import type { Mapping } from "./containment.ts";
import { reopen } from "./reopen.ts";
import { Scan } from "./scan.ts";
import { Areas } from "./server_info.ts";
import { Budget } from "./stream.ts";
import { Tree } from "./tree.ts";
import { isPlain, Status, Type, type Writer } from "./wire.ts";

export interface CoreOptions {
  /** Starts a connection to the server. */
  start: () => Server;
  /** Takes the answers for sshfs; fd 0 or fd 1 if not given. */
  write?: (bytes: Uint8Array) => void;
  /**
   * Bytes of memory: six sixteenths for names, three for files, two for read-ahead; the rest is what the garbage
   * collector leaves lying.
   */
  capacity: number;
  /** Milliseconds for which an answer is believed when nobody says that something has changed. */
  lifetime: number;
  mapping: Mapping;
  journal: Journal | undefined;
  log: (text: string) => void;
}

/** Milliseconds for which the attributes seen when a file was opened stand in for another look. */
const JUST_SEEN_MS = 1000;
/** Milliseconds for which a small file is held open without a handle of the server. */
const UNPINNED_MS = 30;
const MOST_PINNED = 200;
/** Milliseconds after which a request that nobody works on is failed. */
const LONGEST_MS = 9500;
/** The same while the server works, but has answered all that was asked when the request came. */
const LONGEST_SERVED_MS = 60_000;
/**
 * Milliseconds without a byte after which nobody waits on who has waited for a connection before: for that at most
 * `PATIENCE_MS`, so that it is failed at `LONGEST_MS` if the connection says nothing more.
 */
const SILENT_MS = LONGEST_MS - PATIENCE_MS;

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
  #pinning: ReturnType<typeof setTimeout> | undefined;
  readonly #asking = new Map<string, { sequence: number; done: OnAnswer[] }>();

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
      onReconnect: () => this.#reconnected(),
      onRecover: () => this.drop(),
    });
    this.tree = new Tree({
      capacity: capacity * 3 / 8,
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
    this.giveUp();
    if (this.contents.expire()) this.scan.stop();
  }

  /**
   * A small file that stays open gets a handle of the server's, so that it stays the same file. Most are closed
   * before: they cost the server nothing.
   */
  pinSoon(): void {
    this.#pinning ??= setTimeout(() => {
      this.#pinning = undefined;
      if (!this.link.up) return;
      let pinned = 0;
      for (const handle of this.handles.all.values()) {
        if (handle.remote === undefined && handle.content === undefined) continue;
        if (++pinned > MOST_PINNED) return;
        if (handle.remote === undefined) this.reach(handle, () => {});
      }
    }, UNPINNED_MS);
  }

  /** No request waits for ever, whatever has become of it. */
  giveUp(now = performance.now()): void {
    const { link, front } = this;
    for (const request of front.waiting.values()) {
      const age = now - Math.max(request.arrivedAt, link.wokeAt);
      if (age < LONGEST_MS) return;
      const served = link.oldestPending() > request.sequence + 1;
      // Who has waited for a connection and got one that is silent has waited long enough.
      const silent = request.waited && link.silence > SILENT_MS;
      if (link.up && link.due && !silent && !(served && age > LONGEST_SERVED_MS)) continue;
      if (link.up) this.log(`a request of type ${request.type} was forgotten`);
      front.status(request.id, LOST);
    }
  }

  /** LSTAT for ourselves: joins one that is on its way if that will be current, and learns. */
  ask(path: string, done?: OnAnswer): number {
    const running = this.#asking.get(path);
    if (running !== undefined && running.sequence > this.tree.changedAt(path)) {
      if (done) running.done.push(done);
      return running.sequence;
    }
    const asked = { sequence: 0, done: done ? [done] : [] };
    this.#asking.set(path, asked);
    asked.sequence = this.link.send(Type.LSTAT, (to) => to.text(path), (type, answer) => {
      if (this.#asking.get(path) === asked) this.#asking.delete(path);
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

  /** We change the content or the attributes of this file itself, under this name. */
  changeFile(path: string): void {
    this.stale(path);
    for (const handle of this.handles.all.values()) {
      if (handle.path === path && handle.content !== undefined) handle.changed = true;
    }
  }

  beginWriting(handle: Handle): void {
    handle.writing = true;
    this.tree.beginWriting(handle.path);
  }

  endWriting(handle: Handle): void {
    if (!handle.writing) return;
    handle.writing = false;
    this.tree.endWriting(handle.path);
  }

  /** The file that had this name has it no more; who has it open goes on. */
  lostName(path: string): void {
    for (const handle of this.handles.all.values()) {
      if (handle.path === path && !handle.detached) this.endWriting(handle);
    }
    this.handles.removed(path);
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
      performance.now() - known.at < JUST_SEEN_MS;
  }

  /** Answers with a handle; one that nobody waits for any more is closed. */
  handOut(request: Request, handle: Handle): void {
    if (this.front.handle(request.id, this.handles.name(handle))) return;
    this.handles.all.delete(handle.key);
    this.endWriting(handle);
    if (handle.remote !== undefined) this.link.closeHandle(handle.remote);
  }

  /** Goes on with the server's handle, which is opened first where there is none yet. */
  withRemote(request: Request, handle: Handle, then: (remote: Uint8Array) => void): void {
    if (handle.remote !== undefined) return then(handle.remote);
    request.keep();
    this.reach(handle, () => {
      if (!this.front.awaits(request)) return;
      if (handle.remote !== undefined) then(handle.remote);
      else if (this.link.up) this.front.status(request.id, LOST);
      else this.wait(request);
    });
  }

  /** See `reopen.ts`. */
  reach(handle: Handle, done: () => void): void {
    reopen(this, handle, done);
  }

  #reconnected(): void {
    this.drop();
    this.areas.learn(this.link, () => {
      for (const handle of this.handles.all.values()) handle.unsyncedLost = false;
    });
    const lost = [...this.handles.all.values()].filter(({ remote }) => remote !== undefined);
    for (const handle of lost) {
      handle.remote = undefined;
      handle.unsyncedLost ||= handle.unsynced > 0;
      if (handle.flags === 0 || handle.detached || handle.known === undefined) handle.dead = true;
    }
    queueMicrotask(() => {
      for (const handle of lost) if (handle.remote === undefined) this.reach(handle, () => {});
    });
  }
}
