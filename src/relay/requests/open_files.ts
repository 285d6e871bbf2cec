/** Requests on open files: open, read, write, close. */
import type { Core } from "../core.ts";
import { LOST, type Request } from "../client.ts";
import type { Handle } from "../handles.ts";
import { parentOf } from "../tree.ts";
import { Stream } from "../stream.ts";
import {
  isPlain,
  isRegular,
  Open,
  type Reader,
  sameVersion,
  sizeOf,
  Status,
  Type,
} from "../wire.ts";
import { SMALL_BYTES } from "../contents.ts";

const CHANGES = Open.WRITE | Open.APPEND | Open.CREATE | Open.TRUNCATE;

/** Looks at a file in memory for one request. */
const LOOKS = 5;

export function open(core: Core, request: Request): void {
  const fields = request.fields();
  const given = fields.text();
  const flags = fields.u32();
  const path = core.keyOf(given);
  if (path !== undefined && flags === Open.READ && openKept(core, request, path)) return;
  if (!core.link.up) return core.wait(request);
  const { tree, journal } = core;
  const before = path === undefined ? undefined : tree.find(path);
  const handle = core.handles.create(path ?? given, flags, path !== undefined);
  const changes = (flags & CHANGES) !== 0;
  if (changes && handle.kept) core.beginWriting(handle);
  const forget = () => {
    core.handles.all.delete(handle.key);
    core.endWriting(handle);
  };
  const sequence = core.forward(request, (to) => to.raw(request.fields().rest()), {
    once: changes,
    lost: forget,
    answered: (type, answer) => {
      if (type !== Type.HANDLE) {
        forget();
        return false;
      }
      handle.remote = answer.slice(4);
      const creates = flags & Open.CREATE &&
        (flags & Open.EXCLUSIVE || before?.kind !== "attrs");
      if (creates) journal?.created(handle.path);
      else if (flags & Open.TRUNCATE) journal?.changed(handle.path);
      core.handOut(request, handle);
      return true;
    },
  });
  if (path === undefined) return;
  if (flags & (Open.CREATE | Open.TRUNCATE)) {
    tree.change(path, sequence);
    core.changeFile(path);
  }
  // The directory has changed too, and the kernel is going to ask about it.
  if (flags & Open.CREATE && core.link.far) core.ask(parentOf(path) || "/");
  const asked = core.ask(path, (type, answer) => {
    if (type !== Type.ATTRS || answer === undefined) return;
    const attrs = answer.rest();
    if (!isPlain(attrs)) return;
    handle.known = { attrs: attrs.slice(), sequence: asked, at: performance.now() };
  });
}

/** Answers OPEN from memory, fetching the whole file first if it is small. */
function openKept(core: Core, request: Request, path: string): boolean {
  const found = core.tree.find(path);
  if (found.kind !== "attrs" || !core.contents.suits(found.attrs)) return false;
  const content = core.contents.find(path, found.attrs);
  if (content !== undefined) {
    const handle = core.handles.create(path, Open.READ);
    handle.content = content.bytes;
    handle.vouched = !content.young;
    // Whoever found it in the tree knows it from an answer that is newer than any change.
    handle.known = { attrs: found.attrs.slice(), sequence: core.link.sequence, at: found.at };
    core.handOut(request, handle);
    core.pinSoon();
    return true;
  }
  if (request.tried || !core.link.up) return false;
  request.keep().tried = true;
  const surprise = !core.contents.has(path, found.attrs);
  const done = () => core.serve(request);
  core.contents.fetch(path, found.attrs, { done, shared: found.shared });
  if (surprise) core.scan.opened(path);
  return true;
}

/** Whether a file held in memory is still the one on the server, as far as we know. */
function holds(core: Core, handle: Handle): boolean {
  if (handle.detached || core.justSeen(handle)) return true;
  const found = core.tree.find(handle.path);
  const known = handle.known;
  return found.kind === "attrs" && known !== undefined && sameVersion(found.attrs, known.attrs);
}

export function read(core: Core, request: Request, handle: Handle, fields: Reader): void {
  const offset = fields.u64();
  const length = fields.u32();
  const content = handle.content;
  if (content !== undefined && holds(core, handle)) {
    handle.contentRead = true;
    if (offset >= content.length) return core.front.status(request.id, Status.EOF);
    return core.front.data(request.id, content.subarray(offset, offset + length));
  }
  if (content !== undefined) return reachOr(core, request, handle, () => core.serve(request));
  core.withRemote(request, handle, (remote) => {
    const direct = () => {
      const body = request.fields();
      body.blob();
      core.forward(request, (to) => to.blob(remote).raw(body.rest()));
    };
    const stream = streamOf(core, handle);
    if (stream === undefined || length === 0 || !stream.follows(offset, length)) return direct();
    request.keep();
    stream.read(remote, offset, length, (data) => {
      if (data === undefined) {
        if (handle.remote === remote) direct();
        else core.wait(request);
      } else core.front.data(request.id, data);
    });
  });
}

/** Looks where a file in memory has got to, and then goes on: with the server's handle or with what is in memory. */
function reachOr(core: Core, request: Request, handle: Handle, then: () => void): void {
  if (!core.link.up) return core.wait(request);
  request.keep();
  core.reach(handle, () => {
    // A drop may have come in between.
    const again = core.link.up && request.looks++ < LOOKS;
    if (handle.remote !== undefined || handle.detached || again) then();
    else if (core.link.up) core.front.status(request.id, LOST);
    else core.wait(request);
  });
}

function streamOf(core: Core, handle: Handle): Stream | undefined {
  if (!handle.kept || handle.flags !== Open.READ || core.tree.isWriting(handle.path)) {
    return undefined;
  }
  if (handle.stream === undefined) {
    const attrs = handle.known?.attrs;
    if (attrs === undefined || !isRegular(attrs) || sizeOf(attrs) <= SMALL_BYTES) return undefined;
    handle.stream = new Stream({ link: core.link, budget: core.budget, size: sizeOf(attrs) });
  }
  return handle.stream;
}

export function fstat(core: Core, request: Request, handle: Handle): void {
  const known = handle.known;
  if (known !== undefined && (handle.content ? holds(core, handle) : core.justSeen(handle))) {
    return core.front.attrs(request.id, known.attrs);
  }
  if (handle.content) return reachOr(core, request, handle, () => core.serve(request));
  core.withRemote(request, handle, (remote) => {
    const sequence = core.forward(request, (to) => to.blob(remote), {
      answered: (type, answer) => {
        if (type === Type.ATTRS && isPlain(answer)) {
          handle.known = { attrs: answer.slice(), sequence, at: performance.now() };
        }
        return false;
      },
    });
  });
}

export function write(core: Core, request: Request, handle: Handle, fields: Reader): void {
  const offset = fields.u64();
  const length = fields.u32();
  core.withRemote(request, handle, (remote) => {
    const body = request.fields();
    body.blob();
    const sequence = core.forward(request, (to) => to.blob(remote).raw(body.rest()), {
      once: (handle.flags & Open.APPEND) !== 0,
      answered: (type, answer) => {
        if (type === Type.STATUS && answer[3] === Status.OK) {
          handle.end = Math.max(handle.end, offset + length);
          handle.unsynced = sequence;
          note(core, handle);
        }
        return false;
      },
    });
    forgetSeen(handle);
    if (handle.detached || !handle.kept) return;
    core.tree.touch(handle.path, sequence);
    core.changeFile(handle.path);
  });
}

/** Its attributes have to be asked for again; they still tell which file it is. */
export function forgetSeen(handle: Handle): void {
  if (handle.known !== undefined) handle.known.at = -Infinity;
}

function note(core: Core, handle: Handle): void {
  if (handle.detached) return;
  handle.written = true;
  core.journal?.changed(handle.path);
}

export function close(core: Core, request: Request, handle: Handle): void {
  if (handle.waiting !== undefined) {
    request.keep();
    handle.waiting.push(() => close(core, request, handle));
    return;
  }
  core.handles.all.delete(handle.key);
  handle.stream?.clear();
  const changes = (handle.flags & CHANGES) !== 0 && handle.kept;
  core.endWriting(handle);
  if (handle.written && !handle.detached) core.journal?.changed(handle.path);
  const remote = handle.remote;
  if (remote !== undefined && !core.link.up) core.link.closeHandle(remote);
  if (remote === undefined || !core.link.up) return core.front.status(request.id, Status.OK);
  core.forward(request, (to) => to.blob(remote), { once: true });
  if (
    changes && core.link.far && !handle.detached && core.tree.find(handle.path).kind === "unknown"
  ) {
    core.ask(handle.path);
  }
}
