/** Requests that change names and attributes, and what the caches and the journal make of them. */
import { release } from "../containment.ts";
import type { Core } from "../core.ts";
import { LOST, type Request } from "../client.ts";
import type { Handle } from "../handles.ts";
import { pass } from "./lookup.ts";
import { forgetSeen } from "./open_files.ts";
import { parentOf } from "../tree.ts";
import { isDirectory, type Reader, Status, Type, u32, type Writer } from "../wire.ts";

const ATTR_SIZE = 1, ATTR_OWNER = 2, ATTR_MODE = 4, ATTR_TIMES = 8;

interface Plan {
  /** Names that the change touches. */
  paths: (string | undefined)[];
  /** Names to look at right behind it, because sshfs is going to ask. */
  look: (string | undefined)[];
  body?: (to: Writer) => void;
  done?: (sequence: number) => void;
  /** It was not done. */
  failed?: () => void;
}

function change(core: Core, request: Request, plan: Plan): void {
  if (!core.link.up) return core.wait(request);
  const body = plan.body ?? ((to: Writer) => to.raw(request.fields().rest()));
  const sequence = core.forward(request, body, {
    once: true,
    answered: (type, answer) => {
      if (type === Type.STATUS && u32(answer, 0) === Status.OK) plan.done?.(sequence);
      else plan.failed?.();
      return false;
    },
  });
  for (const path of plan.paths) {
    if (path === undefined) continue;
    core.tree.change(path, sequence);
    core.stale(path);
  }
  if (!core.link.far) return;
  for (const path of plan.look) if (path !== undefined) core.ask(path);
  const [first] = plan.paths;
  if (first !== undefined) core.ask(parentOf(first) || "/");
}

export function remove(core: Core, request: Request): void {
  const given = request.fields().text();
  const path = core.keyOf(given);
  const held = path === undefined || !core.link.up ? [] : core.handles.detach(path);
  change(core, request, {
    paths: [path],
    look: [],
    done: (sequence) => {
      core.journal?.deleted(given);
      if (path === undefined) return;
      core.tree.gone(path, sequence);
      core.lostName(path);
    },
    failed: () => attach(core, held),
  });
}

function attach(core: Core, handles: readonly Handle[]): void {
  for (const handle of handles) handle.detached = false;
  if (handles.length > 0) core.pinSoon();
}

export function rmdir(core: Core, request: Request): void {
  const given = request.fields().text();
  const path = core.keyOf(given);
  change(core, request, {
    paths: [path],
    look: [],
    done: (sequence) => {
      core.journal?.deleted(given);
      if (path === undefined) return;
      core.tree.forgetEmpty(path);
      core.tree.gone(path, sequence);
    },
  });
}

export function mkdir(core: Core, request: Request): void {
  const given = request.fields().text();
  const path = core.keyOf(given);
  change(core, request, {
    paths: [path],
    look: [path],
    done: (sequence) => {
      core.journal?.created(given);
      if (path === undefined) return;
      core.tree.made(path, sequence);
    },
  });
}

/** RENAME of version 3 and posix-rename@openssh.com; `fields` stands before the old name. */
export function rename(core: Core, request: Request, fields: Reader): void {
  const oldName = fields.text();
  const newName = fields.text();
  const from = core.keyOf(oldName);
  const to = core.keyOf(newName);
  const moved = from === undefined ? undefined : core.tree.find(from);
  const replaced = to === undefined ? undefined : core.tree.find(to);
  const tree = moved?.kind !== "attrs" || isDirectory(moved.attrs);
  const going = from === undefined || !core.link.up ? [] : core.handles.detach(from);
  const covered = to === undefined || !core.link.up ? [] : core.handles.detach(to);
  change(core, request, {
    paths: [from, to],
    // Two names of one file: then the rename did nothing, and the old name is still there.
    look: [to, from],
    done: () => {
      core.journal?.renamed(oldName, newName, {
        replaces: replaced?.kind === "attrs",
        directory: tree,
      });
      if (from === undefined || to === undefined) return;
      if (tree) {
        core.tree.forget(from);
        core.tree.forget(to);
        core.drop();
      }
      attach(core, going);
      core.lostName(to);
      core.tree.renameWriting(from, to);
      core.handles.renamed(from, to);
    },
    failed: () => attach(core, [...going, ...covered]),
  });
}

/** OpenSSH takes the target first, the other way round than the draft. */
export function symlink(core: Core, request: Request): void {
  const fields = request.fields();
  const target = release(fields.text(), core.mapping);
  const name = fields.text();
  const path = core.keyOf(name);
  change(core, request, {
    paths: [path],
    look: [path],
    body: (to) => to.text(target).text(name),
    done: () => core.journal?.linked(name),
  });
}

/** hardlink@openssh.com; `fields` stands before the old name. */
export function hardlink(core: Core, request: Request, fields: Reader): void {
  const oldName = fields.text();
  const newName = fields.text();
  const from = core.keyOf(oldName);
  const to = core.keyOf(newName);
  change(core, request, {
    paths: [to, from],
    look: [to],
    done: () => {
      core.journal?.linked(newName, oldName);
      if (from !== undefined) core.tree.share(from);
      if (to !== undefined) core.tree.share(to);
    },
  });
}

/** SETSTAT, and lsetstat@openssh.com; `fields` stands before the path. */
export function setstat(core: Core, request: Request, fields: Reader): void {
  const given = fields.text();
  const path = core.keyOf(given);
  const flags = fields.u32();
  if (!core.link.up) return core.wait(request);
  const sequence = core.forward(request, (to) => to.raw(request.fields().rest()), {
    once: true,
    answered: (type, answer) => attributesSet(core, given, flags, { type, answer }),
  });
  if (path === undefined) return;
  core.tree.touch(path, sequence);
  core.changeFile(path);
  core.ask(path);
}

export function fsetstat(core: Core, request: Request, handle: Handle, fields: Reader): void {
  const flags = fields.u32();
  core.withRemote(request, handle, (remote) => {
    const body = request.fields();
    body.blob();
    const path = handle.detached ? undefined : core.keyOf(handle.path);
    const sequence = core.forward(request, (to) => to.blob(remote).raw(body.rest()), {
      answered: (type, answer) => {
        if (type === Type.STATUS && u32(answer, 0) === Status.OK) core.look(handle, remote);
        return !handle.detached && attributesSet(core, handle.path, flags, { type, answer });
      },
    });
    forgetSeen(handle);
    if (flags & ATTR_SIZE) handle.end = 0;
    if (path === undefined) return;
    core.tree.touch(path, sequence);
    core.changeFile(path);
  });
}

function attributesSet(
  core: Core,
  path: string,
  flags: number,
  { type, answer }: { type: number; answer: Uint8Array },
): boolean {
  if (type !== Type.STATUS || u32(answer, 0) !== Status.OK) return false;
  if (flags & ATTR_SIZE) core.journal?.changed(path);
  else if (flags & (ATTR_OWNER | ATTR_MODE)) core.journal?.chmodded(path);
  else if (flags & ATTR_TIMES) core.journal?.touched(path);
  return false;
}

const FSYNC = "fsync@openssh.com";

/** Extensions that change nothing: they need no care beyond their handles. */
const HARMLESS = new Set([
  "statvfs@openssh.com",
  "fstatvfs@openssh.com",
  FSYNC,
  "limits@openssh.com",
  "home-directory",
  "expand-path@openssh.com",
  "users-groups-by-id@openssh.com",
]);

export function extended(core: Core, request: Request): void {
  const fields = request.fields();
  const name = fields.text();
  if (name === "posix-rename@openssh.com") return rename(core, request, fields);
  if (name === "hardlink@openssh.com") return hardlink(core, request, fields);
  if (name === "lsetstat@openssh.com") return setstat(core, request, fields);
  unknown(core, request, name);
}

/** What nobody here can read is passed on as it is, but for the handles that it may hold. */
export function unknown(core: Core, request: Request, name = ""): void {
  const harmless = HARMLESS.has(name);
  const inside = core.handles.scan(request.fields().rest());
  if (name === FSYNC) {
    const lost = inside.find(({ handle }) => handle.unsyncedLost)?.handle;
    if (lost !== undefined) {
      // What the server had taken may have been lost with its machine: nobody can vouch for it.
      lost.unsyncedLost = false;
      lost.unsynced = 0;
      return core.front.status(request.id, LOST);
    }
  }
  const [lacking] = inside.filter(({ handle }) => handle.remote === undefined);
  if (lacking !== undefined) {
    return core.withRemote(request, lacking.handle, () => unknown(core, request, name));
  }
  if (inside.length === 0 && harmless) return pass(core, request);
  if (!core.link.up) return core.wait(request);
  const sequence = core.forward(request, (to) => {
    const body = request.fields().rest();
    let from = 0;
    for (const { at, handle } of inside) {
      to.raw(body.subarray(from, at)).blob(handle.remote ?? new Uint8Array(0));
      from = at + 16;
    }
    to.raw(body.subarray(from));
  }, {
    once: !harmless,
    answered: (type, answer) => {
      if (!harmless) core.drop();
      const synced = name === FSYNC && type === Type.STATUS && u32(answer, 0) === Status.OK;
      for (const { handle } of inside) {
        if (synced && handle.unsynced < sequence) handle.unsynced = 0;
      }
      return false;
    },
  });
  if (!harmless) core.drop();
}
