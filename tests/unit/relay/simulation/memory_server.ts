/**
 * An SFTP server over a file system in memory. It works strictly in order, as OpenSSH's does, over a link with a
 * delay that can stand still and break.
 */
import type { Server } from "../../../../src/relay/link.ts";
import { Framer, Open, Reader, Status, Type, Writer } from "../../../../src/relay/wire.ts";
import type { Clock } from "./clock.ts";
import { type FileSystem, type Inode, Refused } from "./file_system.ts";

interface OpenFile {
  readonly inode: Inode;
  readonly flags: number;
  listed: boolean;
  readonly at: number;
}

/** What a connection has in common with those before and after it. */
export class Host {
  /** Milliseconds that a byte takes one way, and how much more it may take. */
  delay = 1;
  jitter = 0;
  /** Until when nothing passes, in either direction. */
  frozenUntil = 0;
  /** How often each kind of request was done. */
  readonly counts = new Map<number, number>();
  /** Called before a request is done; what it returns is answered instead. */
  intercept: (type: number, fields: Reader) => number | undefined = () => undefined;
  /** Milliseconds that a request takes. */
  work: (type: number) => number = () => 0;
  connection: Connection | undefined;

  constructor(
    readonly clock: Clock,
    readonly files: FileSystem,
    readonly random: () => number = () => 0,
  ) {}

  start(): Server {
    this.connection = new Connection(this);
    return this.connection as unknown as Server;
  }

  /** Ends the connection. What was on its way to the server is done or not, as chance has it. */
  cut(): void {
    this.connection?.cut();
  }

  freeze(ms: number): void {
    this.frozenUntil = Math.max(this.frozenUntil, this.clock.now + ms);
  }

  count(type: number): number {
    return this.counts.get(type) ?? 0;
  }
}

export class Connection {
  readonly handles = new Map<number, OpenFile>();
  readonly status: Promise<Deno.CommandStatus>;
  readonly stdin: { getWriter: () => { write: (bytes: Uint8Array) => Promise<void> } };
  readonly stdout: { getReader: () => Connection };
  readonly #ended = Promise.withResolvers<Deno.CommandStatus>();
  readonly #ready: Uint8Array[] = [];
  #wanted: ((chunk: Uint8Array | undefined) => void) | undefined;
  #closed = false;
  #next = 1;
  #busyUntil = 0;
  #answeredAt = 0;

  constructor(readonly host: Host) {
    this.status = this.#ended.promise;
    const framer = new Framer((packet) => this.#arrive(packet.slice()));
    const write = (bytes: Uint8Array) => {
      framer.push(bytes);
      return Promise.resolve();
    };
    this.stdin = { getWriter: () => ({ write }) };
    this.stdout = { getReader: () => this };
  }

  async read(view: Uint8Array): Promise<{ value: Uint8Array | undefined; done: boolean }> {
    const chunk = this.#ready.shift() ??
      (this.#closed
        ? undefined
        : await new Promise<Uint8Array | undefined>((resolve) => this.#wanted = resolve));
    if (chunk === undefined) return { value: undefined, done: true };
    const piece = new Uint8Array(view.buffer, 0, Math.min(view.length, chunk.length));
    piece.set(chunk.subarray(0, piece.length));
    if (piece.length < chunk.length) this.#ready.unshift(chunk.subarray(piece.length));
    return { value: piece, done: false };
  }

  cancel(): Promise<void> {
    this.#close();
    return Promise.resolve();
  }

  kill(): void {
    this.cut();
  }

  cut(): void {
    this.#close();
    this.#ended.resolve({ success: false, code: 255, signal: null });
  }

  #close(): void {
    this.#closed = true;
    this.#wanted?.(undefined);
    this.#wanted = undefined;
  }

  #delay(): number {
    const { clock, delay, jitter, frozenUntil, random } = this.host;
    return Math.max(0, frozenUntil - clock.now) + delay + random() * jitter;
  }

  #arrive(packet: Uint8Array): void {
    if (this.#closed) return;
    const { clock } = this.host;
    const at = Math.max(clock.now + this.#delay(), this.#busyUntil);
    this.#busyUntil = at + this.host.work(packet[0] ?? 0);
    setTimeout(() => {
      // A session that lost its client does what had arrived, or it has ended before.
      if (this.#closed && this.host.random() < 0.5) return;
      const answer = this.#answer(packet);
      if (this.#closed) return;
      const due = Math.max(clock.now + this.#delay(), this.#answeredAt);
      this.#answeredAt = due;
      setTimeout(() => this.#say(answer), due - clock.now);
    }, this.#busyUntil - clock.now);
  }

  #say(bytes: Uint8Array): void {
    if (this.#closed) return;
    const wanted = this.#wanted;
    this.#wanted = undefined;
    if (wanted) wanted(bytes);
    else this.#ready.push(bytes);
  }

  #answer(packet: Uint8Array): Uint8Array {
    const out = new Writer();
    const type = packet[0] ?? 0;
    if (type === Type.INIT) return out.begin(Type.VERSION).u32(3).end().view();
    const fields = new Reader(packet, 1);
    const id = fields.u32();
    const { counts } = this.host;
    counts.set(type, (counts.get(type) ?? 0) + 1);
    const code = this.host.intercept(type, new Reader(packet, 5));
    try {
      if (code !== undefined) throw new Refused(code);
      const done = this.#do(type, fields, (kind) => out.begin(kind, id));
      if (!done) out.begin(Type.STATUS, id).u32(Status.OK).text("").text("");
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      out.clear();
      out.begin(Type.STATUS, id).u32(error.code).text("").text("");
    }
    return out.end().view();
  }

  /** Returns true where it has written the answer, which is "done" otherwise. */
  #do(type: number, fields: Reader, begin: (type: number) => Writer): boolean {
    const { files } = this.host;
    switch (type) {
      case Type.LSTAT:
      case Type.STAT:
        attributes(begin(Type.ATTRS), files.get(fields.text()));
        return true;
      case Type.FSTAT:
        attributes(begin(Type.ATTRS), this.#handle(fields).inode);
        return true;
      case Type.READLINK: {
        const { kind, target } = files.get(fields.text());
        if (kind !== "link") throw new Refused(Status.FAILURE);
        begin(Type.NAME).u32(1).text(target).text("").u32(0);
        return true;
      }
      case Type.REALPATH:
        begin(Type.NAME).u32(1).text(fields.text()).text("").u32(0);
        return true;
      case Type.OPENDIR: {
        const inode = files.get(fields.text());
        if (inode.kind !== "dir") throw new Refused(Status.FAILURE);
        begin(Type.HANDLE).blob(this.#open(inode, 0));
        return true;
      }
      case Type.READDIR: {
        const handle = this.#handle(fields);
        if (handle.listed) throw new Refused(Status.EOF);
        handle.listed = true;
        list(begin(Type.NAME), handle.inode);
        return true;
      }
      case Type.OPEN:
        begin(Type.HANDLE).blob(this.#openFile(fields.text(), fields.u32()));
        return true;
      case Type.READ: {
        const { inode } = this.#handle(fields);
        const offset = fields.u64();
        const length = fields.u32();
        if (offset >= inode.data.length) throw new Refused(Status.EOF);
        begin(Type.DATA).blob(inode.data.subarray(offset, offset + length));
        return true;
      }
      case Type.WRITE: {
        const { inode, flags } = this.#handle(fields);
        const offset = fields.u64();
        files.write(inode, flags & Open.APPEND ? inode.data.length : offset, fields.blob().slice());
        return false;
      }
      case Type.CLOSE:
        if (!this.handles.delete(numberIn(fields))) throw new Refused(Status.FAILURE);
        return false;
      case Type.SETSTAT:
        set(files, files.get(fields.text()), fields);
        return false;
      case Type.FSETSTAT:
        set(files, this.#handle(fields).inode, fields);
        return false;
      case Type.MKDIR:
        files.mkdir(fields.text());
        return false;
      case Type.RMDIR:
        files.rmdir(fields.text());
        return false;
      case Type.REMOVE:
        files.remove(fields.text());
        return false;
      case Type.SYMLINK: {
        const target = fields.text();
        files.symlink(fields.text(), target);
        return false;
      }
      case Type.EXTENDED: {
        const name = fields.text();
        if (name === "posix-rename@openssh.com") files.rename(fields.text(), fields.text());
        else if (name === "hardlink@openssh.com") files.link(fields.text(), fields.text());
        else if (name === "fsync@openssh.com") this.#handle(fields);
        else throw new Refused(Status.FAILURE);
        return false;
      }
      default:
        throw new Refused(Status.FAILURE);
    }
  }

  #open(inode: Inode, flags: number): Uint8Array {
    const number = this.#next++;
    this.handles.set(number, { inode, flags, listed: false, at: this.host.clock.now });
    const name = new Uint8Array(4);
    new DataView(name.buffer).setUint32(0, number);
    return name;
  }

  #openFile(path: string, flags: number): Uint8Array {
    const { files } = this.host;
    const inode = flags & Open.CREATE
      ? files.create(path, { exclusive: (flags & Open.EXCLUSIVE) !== 0 })
      : files.get(path);
    if (inode.kind !== "file") throw new Refused(Status.FAILURE);
    if (flags & Open.TRUNCATE && inode.data.length > 0) files.truncate(inode, 0);
    return this.#open(inode, flags);
  }

  #handle(fields: Reader): OpenFile {
    const handle = this.handles.get(numberIn(fields));
    if (handle === undefined) throw new Refused(Status.FAILURE);
    return handle;
  }
}

function numberIn(fields: Reader): number {
  const name = fields.blob();
  return name.length === 4 ? new DataView(name.buffer, name.byteOffset).getUint32(0) : 0;
}

export function attributes(to: Writer, { mode, mtime, data }: Inode): void {
  to.u32(15).u64(data.length).u32(0).u32(0).u32(mode).u32(mtime).u32(mtime);
}

function list(to: Writer, directory: Inode): void {
  to.u32(directory.names.size + 2);
  for (const name of [".", ".."]) {
    to.text(name).text("drwxr-xr-x    1 0 0 0 x");
    attributes(to, directory);
  }
  for (const [name, inode] of directory.names) {
    const letter = { file: "-", dir: "d", link: "l" }[inode.kind];
    to.text(name).text(`${letter}rwxr-xr-x    ${inode.links} 0 0 0 x`);
    attributes(to, inode);
  }
}

function set(files: FileSystem, inode: Inode, fields: Reader): void {
  const flags = fields.u32();
  if (flags & 1) files.truncate(inode, fields.u64());
  if (flags & 2) fields.u64();
  if (flags & 4) files.chmod(inode, fields.u32());
}
