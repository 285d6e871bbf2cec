/** Requests that look at names: attributes, link targets, directories. */
import { contain, isTarget, needsServer } from "../containment.ts";
import type { Core } from "../core.ts";
import { LOST, type Request } from "../client.ts";
import type { Handle } from "../handles.ts";
import { Listing } from "../directory.ts";
import { join, parentOf } from "../tree.ts";
import { isLink, Status, Type } from "../wire.ts";

/** Bytes of one READDIR answer: sshfs takes no packet above 128 KiB. */
const NAMES_BATCH = 60_000;
/** Link targets that are read ahead in one directory. */
const LINKS_AHEAD = 512;
const NO_ATTRIBUTES = new Uint8Array(4);

export function lstat(core: Core, request: Request): void {
  const path = core.keyOf(request.fields().text());
  if (path === undefined) return pass(core, request);
  const found = core.tree.find(path);
  if (found.kind === "attrs") {
    core.front.attrs(request.id, found.attrs);
    if (found.renew) core.scan.renew(parentOf(path));
    return;
  }
  if (found.kind === "absent") return core.front.status(request.id, Status.NO_SUCH_FILE);
  if (!core.link.up) return core.wait(request);
  const parent = parentOf(path);
  const listable = parent !== "" && !core.areas.isSpecial(parent) && !core.tree.isWriting(path) &&
    core.lister.pays(parent);
  if (!request.tried && listable && core.lister.coming(parent)) {
    request.keep().tried = true;
    return core.lister.list(parent, () => core.serve(request));
  }
  request.keep();
  core.ask(path, (type, answer) => {
    if (answer === undefined) return core.wait(request);
    core.front.pass(request.id, type, answer.rest());
  });
  if (!listable) return;
  core.scan.visit(parent, false);
  if (core.tree.listing(parent) === undefined) core.lister.listAhead(parent, () => {});
}

/** STAT is LSTAT where the name is no link. */
export function stat(core: Core, request: Request): void {
  const path = core.keyOf(request.fields().text());
  const found = path === undefined ? undefined : core.tree.find(path);
  if (found?.kind === "attrs" && !isLink(found.attrs)) {
    return core.front.attrs(request.id, found.attrs);
  }
  pass(core, request);
}

export function readlink(core: Core, request: Request): void {
  const given = request.fields().text();
  const path = core.keyOf(given);
  const known = path === undefined ? undefined : core.tree.link(path);
  if (known !== undefined) return answerLink(core, request, known);
  if (!core.link.up) return core.wait(request);
  request.keep();
  fetchLink(core, given, path, (target, code) => {
    if (target !== undefined) answerLink(core, request, target);
    else if (code !== undefined) core.front.status(request.id, code);
    else core.wait(request);
  });
  if (path !== undefined) linksAhead(core, parentOf(path));
}

function answerLink(core: Core, request: Request, target: string): void {
  core.front.names(request.id, 1, (to) => to.text(target).text("").raw(NO_ATTRIBUTES));
}

/**
 * Reads a link and contains its target: no target reaches sshfs by any other way. Without one there
 * is the server's error, or neither when the connection was lost.
 */
function fetchLink(
  core: Core,
  given: string,
  path: string | undefined,
  done: (target: string | undefined, code?: number) => void,
): void {
  const { link, mapping, tree } = core;
  const finish = (target: string, sequence: number) => {
    const contained = contain(given, target, mapping);
    if (contained === undefined) return done(undefined, LOST);
    if (path !== undefined) tree.learnLink(path, contained, sequence);
    done(contained);
  };
  const sequence = link.send(Type.READLINK, (to) => to.text(given), (type, answer) => {
    if (answer === undefined) return done(undefined);
    const count = answer.u32();
    if (type !== Type.NAME) return done(undefined, type === Type.STATUS ? count : LOST);
    if (count !== 1) return done(undefined, LOST);
    const target = answer.text();
    if (!isTarget(target) || !needsServer(target)) return finish(target, sequence);
    const whole = target.startsWith("/") ? target : join(parentOf(given), target);
    link.hold(sequence);
    link.send(Type.REALPATH, (to) => to.text(whole), (type, answer) => {
      link.letGo(sequence);
      if (type !== Type.NAME || answer === undefined || answer.u32() !== 1) {
        return finish(target, sequence);
      }
      const resolved = answer.text();
      if (!resolved.startsWith("/")) return done(undefined, LOST);
      finish(resolved, sequence);
    });
  });
}

function linksAhead(core: Core, path: string): void {
  const directory = core.tree.listing(path);
  if (directory === undefined) return;
  let count = 0;
  for (const name of directory.names.keys()) {
    const attrs = directory.attrs(name);
    if (attrs === undefined || !isLink(attrs) || directory.links.has(name)) continue;
    if (++count > LINKS_AHEAD) return;
    const link = join(path, name);
    fetchLink(core, link, link, () => {});
  }
}

/** What a directory lists whose names are listed to nobody: see {@link Areas.isProcOrSys}. */
const NOTHING = new Listing();

export function opendir(core: Core, request: Request): void {
  const given = request.fields().text();
  if (core.areas.isProcOrSys(given)) {
    const handle = core.handles.create(given, 0);
    handle.entries = NOTHING;
    return core.handOut(request, handle);
  }
  const path = core.keyOf(given);
  if (path === undefined || core.lister.isHuge(path)) return openRemote(core, request, given);
  core.scan.visit(path, true);
  const answer = (entries: Listing) => {
    const handle = core.handles.create(path, 0);
    handle.entries = entries;
    core.handOut(request, handle);
  };
  const known = knownEntries(core, path);
  if (known !== undefined) return answer(known);
  if (!core.link.up) return core.wait(request);
  request.keep();
  core.lister.list(path, (entries) => {
    if (entries === undefined) openRemote(core, request, given);
    else answer(entries);
  });
}

function knownEntries(core: Core, path: string): Listing | undefined {
  const known = core.tree.listing(path);
  if (known === undefined) return undefined;
  core.tree.use(known);
  if (performance.now() - known.listedAt > 1000) core.scan.renew(path);
  return known.entries();
}

function openRemote(core: Core, request: Request, path: string): void {
  core.forward(request, (to) => to.raw(request.fields().rest()), {
    answered: (type, answer) => {
      if (type !== Type.HANDLE) return false;
      const handle = core.handles.create(path, 0, false);
      handle.remote = answer.slice(4);
      core.handOut(request, handle);
      return true;
    },
  });
}

/** sshfs reads one piece after the other (`sync_readdir`), and after the end only what was rewound. */
export function readdir(core: Core, request: Request, handle: Handle): void {
  if (handle.ended) return rewind(core, request, handle);
  const { entries } = handle;
  if (entries === undefined) {
    return core.withRemote(request, handle, (remote) => {
      core.forward(request, (to) => to.blob(remote), {
        once: true,
        answered: (type) => {
          handle.ended = type === Type.STATUS;
          return false;
        },
      });
    });
  }
  if (handle.given >= entries.length) {
    handle.ended = true;
    return core.front.status(request.id, Status.EOF);
  }
  const first = handle.given;
  let bytes = 0;
  while (handle.given < entries.length && bytes < NAMES_BATCH) {
    bytes += 40 + (entries.names[handle.given++]?.length ?? 0);
  }
  core.front.names(request.id, handle.given - first, (to) => {
    for (let i = first; i < handle.given; i++) {
      to.text(entries.names[i] ?? "").text("").raw(entries.attrs(i) ?? NO_ATTRIBUTES);
    }
  });
}

/** The directory as it is now, from its beginning. */
function rewind(core: Core, request: Request, handle: Handle): void {
  if (handle.entries === NOTHING) return core.front.status(request.id, Status.EOF);
  if (!core.link.up) return core.wait(request);
  request.keep();
  const again = (entries: Listing | undefined) => {
    if (entries === undefined) {
      return core.link.up ? core.front.status(request.id, LOST) : core.wait(request);
    }
    handle.entries = entries;
    handle.given = 0;
    handle.ended = false;
    readdir(core, request, handle);
  };
  if (handle.entries !== undefined) {
    const known = knownEntries(core, handle.path);
    return known === undefined ? core.lister.list(handle.path, again) : again(known);
  }
  core.link.send(Type.OPENDIR, (to) => to.text(handle.path), (type, answer) => {
    if (type !== Type.HANDLE || answer === undefined) return again(undefined);
    const old = handle.remote;
    if (old !== undefined) core.link.closeHandle(old);
    handle.remote = answer.blob().slice();
    handle.ended = false;
    readdir(core, request, handle);
  });
}

/** Passes a request without handles on as it is. */
export function pass(core: Core, request: Request, once = false): void {
  core.forward(request, (to) => to.raw(request.fields().rest()), { once });
}
