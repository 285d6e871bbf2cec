/**
 * The SFTP relay between sshfs and ssh: the only cache of a mount, exact where dockerdo knows that
 * something changed, and never more than a moment late where it cannot know. docs/how-the-mount-works.md
 * has a read in ten steps.
 *
 *   wire.ts         the codec: packets, fields, names as bytes
 *   client.ts       sshfs's side: fd 0 and fd 1
 *   link.ts         the server's side: ssh, requests by number, stalls and reconnects; outbox.ts
 *   tree.ts         what is known about names, and until when; directory.ts holds it
 *   contents.ts     whole small files          stream.ts   read-ahead in big files
 *   lister.ts       whole listings             scan.ts     looking ahead of a walk
 *   prefetch.ts     small files fetched before they are asked for
 *   server_info.ts  where nothing is kept      handles.ts  what sshfs holds open; reopen.ts
 *   requests/       the requests, one function each: lookup, open_files, changes
 *   containment.ts  links that cannot leave    journal.ts  what was edited
 *   drop.ts, doorbell.ts                       how `dodo` says that the container worked
 *
 * Four words:
 *   change  a request of ours that alters a name or a file; by its number answers are judged
 *   stale   kept content or read-ahead that a change has made wrong: thrown away at once
 *   drop    all that was known is forgotten: after a `dodo`, a reconnect, a silence, a sleep
 *   doubt   of a name after a change: whether and how it exists must be asked for
 */
import { converse } from "../process/converse.ts";
import { Core } from "./core.ts";
import { isOutside, mappingOf } from "./containment.ts";
import { Doorbell } from "./doorbell.ts";
import * as files from "./requests/open_files.ts";
import { Request } from "./client.ts";
import type { Handle } from "./handles.ts";
import { appender, Journal } from "./journal.ts";
import * as names from "./requests/lookup.ts";
import * as changes from "./requests/changes.ts";
import { Malformed, type Reader, Status, Type, u32 } from "./wire.ts";
import { pause } from "../process/pause.ts";

export interface RelayOptions {
  /** The command line to run, as sshfs gave it: `ssh … -s sftp`. */
  command: string[];
  /** A directory of this mount alone, 0700: the doorbell, `relay.pid` and `relay.log`. */
  state: string;
  /** Where sshfs mounts, absolute, and the directory of the server that it mounts there. */
  mountPoint: string;
  base: string;
  /** The journal to append to, and the container that it is about; nothing is recorded without. */
  record?: { readonly journal: string; readonly container: string } | undefined;
  /** Called whenever `dodo` says that the container worked. Must not throw, nor block. */
  rang?: () => void;
  /** Called once when sshfs has hung up, while nobody else can begin in `state`. */
  ended?: () => Promise<void>;
  /** Bytes of memory for all that is kept. */
  capacity?: number;
  /** Milliseconds for which something that changes by itself in the container may be shown as it was. */
  lifetime?: number;
  /** sshfs's attr_timeout and entry_timeout, in milliseconds. */
  kernelTimeout: number;
}

const CAPACITY_BYTES = 64 << 20;
const LIFETIME_MS = 2000;
/** Bytes for ssh above which sshfs has to wait. */
const FULL_BYTES = 1 << 20;
/** Milliseconds that an answer may be on its way to the kernel, which believes it from its arrival on. */
const DELIVERY_MS = 50;
/** Milliseconds until the next look whether everything is answered. */
const LINGER_MS = 20;
/** Milliseconds that answers from before a message are waited for. */
const SETTLE_MS = 1000;
/** Of relay.log: what is older is thrown away then. */
const MAX_LOG_BYTES = 1 << 20;
/** Between two looks at what has waited, or stayed open, for too long. */
const ROUND_MS = 500;

/** Serves sshfs on fd 0 and fd 1 until it hangs up. Returns the exit code. */
export async function runRelay(options: RelayOptions): Promise<number> {
  const log = logger(options.state);
  const journal = options.record && new Journal(appender(options.record.journal));
  journal?.mounted(options.record?.container ?? "");
  const encode = (text: string) => String.fromCharCode(...new TextEncoder().encode(text));
  const core = new Core({
    start: () => converse(options.command),
    capacity: options.capacity ?? CAPACITY_BYTES,
    lifetime: options.lifetime ?? LIFETIME_MS,
    mapping: mappingOf(encode(options.base), encode(options.mountPoint)),
    journal,
    log,
  });
  const take = accept(core);
  await Deno.writeTextFile(`${options.state}/relay.pid`, `${Deno.pid}\n`, { mode: 0o600 });
  for (const signal of ["SIGINT", "SIGHUP"] as const) Deno.addSignalListener(signal, () => {});
  const terminated = Promise.withResolvers<void>();
  Deno.addSignalListener("SIGTERM", () => terminated.resolve());

  const opened = core.link.open();
  const believed = (): number =>
    core.front.attributesAt + options.kernelTimeout + DELIVERY_MS - performance.now();
  const doorbell = new Doorbell(options.state, {
    drop: () => {
      core.drop();
      options.rang?.();
    },
    settle: () => settle(core, believed),
    unsettled: () => core.front.waiting.size > 0 ? LINGER_MS : believed(),
  });
  const rounds = setInterval(() => core.round(), ROUND_MS);
  const failed = opened.then((result) => {
    if (result.ok) core.areas.learn(core.link);
    return result.ok ? new Promise<never>(() => {}) : result.code;
  });
  const hungUp = core.front.run(
    (packet) => {
      doorbell.stir();
      if (packet[0] !== Type.INIT) return take(packet);
      void opened.then(() => core.front.version(core.link.version));
    },
    () => core.link.up && core.link.queued > FULL_BYTES ? core.link.drained() : undefined,
  ).catch((error) => log(`sshfs's stream broke: ${error}`));
  const code = await Promise.race([failed, hungUp, terminated.promise]);
  clearInterval(rounds);
  if (code === undefined) await options.ended?.();
  doorbell.close();
  core.link.close();
  journal?.close();
  return code ?? 0;
}

/** Lets a core serve requests; what is returned takes them, packet by packet. */
export function accept(core: Core): (packet: Uint8Array) => void {
  core.serve = (request) => serve(core, request);
  return (packet) => {
    const request = new Request(packet);
    request.sequence = core.link.sequence;
    core.front.waiting.set(request.id, request);
    serve(core, request);
  };
}

/** How many paths a request begins with; of an extension, with its name, at most. */
const PATHS: Readonly<Record<number, number>> = {
  [Type.OPEN]: 1,
  [Type.LSTAT]: 1,
  [Type.SETSTAT]: 1,
  [Type.OPENDIR]: 1,
  [Type.REMOVE]: 1,
  [Type.MKDIR]: 1,
  [Type.RMDIR]: 1,
  [Type.REALPATH]: 1,
  [Type.STAT]: 1,
  [Type.RENAME]: 2,
  [Type.READLINK]: 1,
  [Type.SYMLINK]: 2,
  [Type.EXTENDED]: 3,
};

/** Whether a request names what the mount does not have, though the server may. */
function leadsOutside(core: Core, request: Request): boolean {
  if (core.mapping.base === "") return false;
  const fields = request.fields();
  for (let left = PATHS[request.type] ?? 0; left > 0; left--) {
    if (fields.left < 4 || u32(fields.bytes, fields.at) > fields.left - 4) return false;
    if (isOutside(fields.text(), core.mapping)) return true;
  }
  return false;
}

function serve(core: Core, request: Request): void {
  // It may have been given up while it waited: what was reported as failed is not done later.
  if (!core.front.awaits(request)) return;
  try {
    if (leadsOutside(core, request)) {
      return core.front.status(request.id, Status.NO_SUCH_FILE);
    }
    dispatch(core, request);
  } catch (error) {
    if (!(error instanceof Malformed)) core.log(`a request went wrong: ${error}`);
    core.front.status(request.id, Status.BAD_MESSAGE);
  }
}

type Serve = (core: Core, request: Request) => void;
type ServeOpen = (core: Core, request: Request, handle: Handle, fields: Reader) => void;

const BY_PATH: Readonly<Record<number, Serve>> = {
  [Type.LSTAT]: names.lstat,
  [Type.STAT]: names.stat,
  [Type.READLINK]: names.readlink,
  [Type.OPENDIR]: names.opendir,
  [Type.REALPATH]: (core, request) => names.pass(core, request),
  [Type.OPEN]: files.open,
  [Type.SETSTAT]: (core, request) => changes.setstat(core, request, request.fields()),
  [Type.REMOVE]: changes.remove,
  [Type.RMDIR]: changes.rmdir,
  [Type.MKDIR]: changes.mkdir,
  [Type.RENAME]: (core, request) => changes.rename(core, request, request.fields()),
  [Type.SYMLINK]: changes.symlink,
  [Type.EXTENDED]: changes.extended,
};

const BY_HANDLE: Readonly<Record<number, ServeOpen>> = {
  [Type.READDIR]: names.readdir,
  [Type.READ]: files.read,
  [Type.WRITE]: files.write,
  [Type.FSTAT]: files.fstat,
  [Type.CLOSE]: files.close,
  [Type.FSETSTAT]: changes.fsetstat,
};

function dispatch(core: Core, request: Request): void {
  const open = BY_HANDLE[request.type];
  if (open !== undefined) return withHandle(core, request, open);
  (BY_PATH[request.type] ?? changes.unknown)(core, request);
}

function withHandle(core: Core, request: Request, action: ServeOpen): void {
  const fields = request.fields();
  const handle = core.handles.get(fields.blob());
  if (handle === undefined) return core.front.status(request.id, Status.FAILURE);
  action(core, request, handle, fields);
}

/**
 * After a drop: waits for the answers that were on their way, and then until the kernel does not believe any
 * of them any more, which `believed` tells in milliseconds.
 */
async function settle(core: Core, believed: () => number): Promise<void> {
  const sent = core.link.sequence;
  const start = performance.now();
  while (core.link.oldestPending() <= sent && performance.now() - start < SETTLE_MS) await pause(1);
  const left = believed();
  if (left > 0) await pause(left);
}

function logger(state: string): (text: string) => void {
  const append = appender(`${state}/relay.log`);
  let bytes = 0;
  return (text) => {
    try {
      const path = `${state}/relay.log`;
      if (bytes > MAX_LOG_BYTES) Deno.truncateSync(path, bytes = 0);
      const line = `${new Date().toISOString()} ${text}\n`;
      bytes += line.length;
      append(line);
    } catch {
      // A full disk here must not end the mount.
    }
  };
}
