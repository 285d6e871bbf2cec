/** The side of sshfs, for tests: operations on files, as requests to a core, with their answers. */
import { Core, type CoreOptions } from "../../../../src/relay/core.ts";
import { accept } from "../../../../src/relay/relay.ts";
import { Framer, Open, Reader, Status, Type, Writer } from "../../../../src/relay/wire.ts";
import { Clock } from "./clock.ts";
import { FileSystem } from "./file_system.ts";
import { Host } from "./memory_server.ts";

export interface Answer {
  readonly type: number;
  readonly body: Reader;
}

export interface Seen {
  readonly size: number;
  readonly mode: number;
  readonly mtime: number;
}

/** An operation that was answered with an error: SFTP's number. */
export class Failed extends Error {
  constructor(readonly code: number) {
    super(`status ${code}`);
  }
}

/** A core between a client and a server, in one process and in a time of its own. */
export class Bench implements Disposable {
  readonly clock = new Clock();
  readonly files = new FileSystem(this.clock);
  readonly host: Host;
  readonly core: Core;
  readonly log: string[] = [];
  readonly #take: (packet: Uint8Array) => void;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #rounds: ReturnType<typeof setInterval>;
  #next = 1;

  constructor(options: Partial<CoreOptions> & { readonly random?: () => number } = {}) {
    this.host = new Host(this.clock, this.files, options.random);
    const framer = new Framer((packet) => {
      const body = new Reader(packet.slice(), 1);
      const id = body.u32();
      const call = this.#waiting.get(id);
      if (call === undefined) throw new Error(`${id} was answered twice`);
      this.#waiting.delete(id);
      call({ type: packet[0] ?? 0, body });
    });
    this.core = new Core({
      start: () => this.host.start(),
      write: (bytes) => framer.push(bytes),
      capacity: 64 << 20,
      lifetime: 2000,
      mapping: { base: "", mountPoint: "/mnt" },
      journal: undefined,
      log: (text) => this.log.push(`${this.clock.now.toFixed(0)} ${text}`),
      ...options,
    });
    this.#take = accept(this.core);
    this.#rounds = setInterval(() => this.core.round(), 500);
  }

  /** Connects; to be called first. */
  async open(): Promise<this> {
    await this.finish(this.core.link.open());
    this.core.areas.learn(this.core.link);
    await this.clock.pass(200);
    return this;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#rounds);
    this.core.link.close();
    this.clock[Symbol.dispose]();
  }

  /** What `dodo` does after a command. */
  drop(): void {
    this.core.drop();
  }

  /** Lets time pass until a promise is settled. */
  async finish<T>(promise: Promise<T>, limit?: number): Promise<T> {
    let done = false;
    const mark = () => void (done = true);
    promise.then(mark, mark);
    await this.clock.until(() => done, limit);
    return await promise;
  }

  ask(type: number, body: (to: Writer) => void): Promise<Answer> {
    const id = this.#next++;
    const packet = new Writer().begin(type, id);
    body(packet);
    const bytes = packet.end().view().slice(4);
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#take(bytes);
      this.core.front.flush();
    });
  }

  async #status(type: number, body: (to: Writer) => void): Promise<void> {
    const answer = await this.ask(type, body);
    const code = answer.type === Type.STATUS ? answer.body.u32() : Status.FAILURE;
    if (code !== Status.OK) throw new Failed(code);
  }

  async #expect(wanted: number, answer: Promise<Answer>): Promise<Reader> {
    const { type, body } = await answer;
    if (type !== wanted) throw new Failed(type === Type.STATUS ? body.u32() : Status.FAILURE);
    return body;
  }

  async lstat(path: string): Promise<Seen> {
    return seenIn(await this.#expect(Type.ATTRS, this.ask(Type.LSTAT, (to) => to.text(path))));
  }

  async fstat(handle: Uint8Array): Promise<Seen> {
    return seenIn(await this.#expect(Type.ATTRS, this.ask(Type.FSTAT, (to) => to.blob(handle))));
  }

  async readlink(path: string): Promise<string> {
    const body = await this.#expect(Type.NAME, this.ask(Type.READLINK, (to) => to.text(path)));
    body.u32();
    return body.text();
  }

  async list(path: string): Promise<string[]> {
    const question = this.ask(Type.OPENDIR, (to) => to.text(path));
    const handle = (await this.#expect(Type.HANDLE, question)).blob();
    const names: string[] = [];
    try {
      while (true) {
        const { type, body } = await this.ask(Type.READDIR, (to) => to.blob(handle));
        if (type === Type.STATUS) {
          const code = body.u32();
          if (code === Status.EOF) return names.sort();
          throw new Failed(code);
        }
        for (let left = body.u32(); left > 0; left--) {
          names.push(body.text());
          body.blob();
          body.attrs();
        }
      }
    } finally {
      await this.close(handle);
    }
  }

  async openFile(path: string, flags: number = Open.READ): Promise<Uint8Array> {
    const question = this.ask(Type.OPEN, (to) => to.text(path).u32(flags).u32(0));
    return (await this.#expect(Type.HANDLE, question)).blob();
  }

  async read(handle: Uint8Array, offset = 0, length = 65536): Promise<Uint8Array> {
    const question = (to: Writer) => void to.blob(handle).u64(offset).u32(length);
    const { type, body } = await this.ask(Type.READ, question);
    if (type === Type.DATA) return body.blob();
    const code = type === Type.STATUS ? body.u32() : Status.FAILURE;
    if (code === Status.EOF) return new Uint8Array(0);
    throw new Failed(code);
  }

  async readAll(handle: Uint8Array, piece = 65536): Promise<Uint8Array> {
    const pieces: number[] = [];
    while (true) {
      const data = await this.read(handle, pieces.length, piece);
      if (data.length === 0) return Uint8Array.from(pieces);
      for (const byte of data) pieces.push(byte);
    }
  }

  async content(path: string): Promise<string> {
    const handle = await this.openFile(path);
    const data = await this.readAll(handle);
    await this.close(handle);
    return new TextDecoder().decode(data);
  }

  write(handle: Uint8Array, offset: number, text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    return this.#status(Type.WRITE, (to) => to.blob(handle).u64(offset).blob(bytes));
  }

  close(handle: Uint8Array): Promise<void> {
    return this.#status(Type.CLOSE, (to) => to.blob(handle));
  }

  fsync(handle: Uint8Array): Promise<void> {
    return this.#status(Type.EXTENDED, (to) => to.text("fsync@openssh.com").blob(handle));
  }

  remove(path: string): Promise<void> {
    return this.#status(Type.REMOVE, (to) => to.text(path));
  }

  mkdir(path: string): Promise<void> {
    return this.#status(Type.MKDIR, (to) => to.text(path).u32(0));
  }

  rmdir(path: string): Promise<void> {
    return this.#status(Type.RMDIR, (to) => to.text(path));
  }

  rename(from: string, to: string): Promise<void> {
    const body = (out: Writer) => void out.text("posix-rename@openssh.com").text(from).text(to);
    return this.#status(Type.EXTENDED, body);
  }

  link(from: string, to: string): Promise<void> {
    const body = (out: Writer) => void out.text("hardlink@openssh.com").text(from).text(to);
    return this.#status(Type.EXTENDED, body);
  }

  symlink(path: string, target: string): Promise<void> {
    return this.#status(Type.SYMLINK, (to) => to.text(target).text(path));
  }

  truncate(path: string, size: number): Promise<void> {
    return this.#status(Type.SETSTAT, (to) => to.text(path).u32(1).u64(size));
  }

  chmod(path: string, mode: number): Promise<void> {
    return this.#status(Type.SETSTAT, (to) => to.text(path).u32(4).u32(mode));
  }

  /** Writes a file as a shell's redirection does. */
  async save(path: string, text: string): Promise<void> {
    const handle = await this.openFile(path, Open.WRITE | Open.CREATE | Open.TRUNCATE);
    try {
      await this.write(handle, 0, text);
    } finally {
      await this.close(handle);
    }
  }

  /** Writes a file as a program on the server does. */
  put(path: string, text: string): void {
    const inode = this.files.create(path);
    this.files.truncate(inode, 0);
    this.files.write(inode, 0, new TextEncoder().encode(text));
  }
}

function seenIn(body: Reader): Seen {
  const attrs = body.attrs();
  const fields = new DataView(attrs.buffer, attrs.byteOffset);
  return {
    size: Number(fields.getBigUint64(4)),
    mode: fields.getUint32(20),
    mtime: fields.getUint32(28),
  };
}
