/**
 * SFTP version 3 on the wire: draft-ietf-secsh-filexfer-02 and OpenSSH's PROTOCOL.
 *
 * Names are bytes, not text. Inside the relay they are "binary strings": one character per byte,
 * so that any name survives and can still be a key of a Map.
 */

export const Type = {
  INIT: 1,
  VERSION: 2,
  OPEN: 3,
  CLOSE: 4,
  READ: 5,
  WRITE: 6,
  LSTAT: 7,
  FSTAT: 8,
  SETSTAT: 9,
  FSETSTAT: 10,
  OPENDIR: 11,
  READDIR: 12,
  REMOVE: 13,
  MKDIR: 14,
  RMDIR: 15,
  REALPATH: 16,
  STAT: 17,
  RENAME: 18,
  READLINK: 19,
  SYMLINK: 20,
  STATUS: 101,
  HANDLE: 102,
  DATA: 103,
  NAME: 104,
  ATTRS: 105,
  EXTENDED: 200,
} as const;

export const Status = {
  OK: 0,
  EOF: 1,
  NO_SUCH_FILE: 2,
  FAILURE: 4,
  BAD_MESSAGE: 5,
  /** Not of version 3: sshfs turns every number it does not know into EIO. */
  IO_ERROR: 9,
} as const;

export const Open = {
  READ: 1,
  WRITE: 2,
  APPEND: 4,
  CREATE: 8,
  TRUNCATE: 16,
  EXCLUSIVE: 32,
} as const;

/** Flags and length of the attributes that OpenSSH always sends: size, owner, mode, times. */
const PLAIN_FLAGS = 0x0f;
export const PLAIN_LENGTH = 32;
const SIZE = 1, OWNER = 2, MODE = 4, TIMES = 8, EXTENDED_ATTRIBUTES = 0x80000000;

/** No packet of a sane peer is longer: OpenSSH's limit is 256 KiB. */
export const MAX_PACKET = 512 * 1024;

/** A packet that ends too early, or claims more than it holds. */
export class Malformed extends Error {
  override name = "Malformed";
}

/** Reads the fields of one packet; throws `Malformed` rather than read past its end. */
export class Reader {
  constructor(readonly bytes: Uint8Array, public at = 0) {}

  get left(): number {
    return this.bytes.length - this.at;
  }

  u8(): number {
    return this.bytes[this.#take(1)] ?? 0;
  }

  u32(): number {
    return u32(this.bytes, this.#take(4));
  }

  u64(): number {
    const at = this.#take(8);
    return u32(this.bytes, at) * 0x1_0000_0000 + u32(this.bytes, at + 4);
  }

  /** A view, not a copy: it is good for as long as the packet is. */
  blob(): Uint8Array {
    const length = this.u32();
    const at = this.#take(length);
    return this.bytes.subarray(at, at + length);
  }

  text(): string {
    const blob = this.blob();
    return binary(blob);
  }

  /** One ATTRS structure as it stands on the wire, a view. */
  attrs(): Uint8Array {
    const start = this.at;
    const flags = this.u32();
    if (flags & SIZE) this.#take(8);
    if (flags & OWNER) this.#take(8);
    if (flags & MODE) this.#take(4);
    if (flags & TIMES) this.#take(8);
    if (flags & EXTENDED_ATTRIBUTES) {
      for (let pairs = this.u32(); pairs > 0; pairs--) {
        this.blob();
        this.blob();
      }
    }
    return this.bytes.subarray(start, this.at);
  }

  rest(): Uint8Array {
    return this.bytes.subarray(this.at);
  }

  #take(length: number): number {
    const at = this.at;
    if (length > this.bytes.length - at) throw new Malformed("packet too short");
    this.at = at + length;
    return at;
  }
}

/** Writes packets one behind the other into one buffer that grows. */
export class Writer {
  #bytes: Uint8Array;
  #start = 0;
  length = 0;

  constructor(size = 4096) {
    this.#bytes = new Uint8Array(size);
  }

  /** Begins a packet: its length is filled in by `end`. */
  begin(type: number, id?: number): this {
    this.#start = this.length;
    this.u32(0).u8(type);
    return id === undefined ? this : this.u32(id);
  }

  end(): this {
    put32(this.#bytes, this.#start, this.length - this.#start - 4);
    return this;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#bytes[at] = value;
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    put32(this.#bytes, at, value);
    return this;
  }

  u64(value: number): this {
    return this.u32(Math.floor(value / 0x1_0000_0000)).u32(value >>> 0);
  }

  text(value: string): this {
    this.u32(value.length);
    const at = this.#room(value.length);
    for (let i = 0; i < value.length; i++) this.#bytes[at + i] = value.charCodeAt(i);
    return this;
  }

  blob(value: Uint8Array): this {
    return this.u32(value.length).raw(value);
  }

  raw(value: Uint8Array): this {
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** What was written, as a view; the next write may overwrite it after `clear`. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
    if (this.#bytes.length > 4 * MAX_PACKET) this.#bytes = new Uint8Array(MAX_PACKET);
  }

  #room(length: number): number {
    const at = this.length;
    const needed = at + length;
    if (needed > this.#bytes.length) {
      const bigger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      bigger.set(this.#bytes.subarray(0, at));
      this.#bytes = bigger;
    }
    this.length = needed;
    return at;
  }
}

/**
 * Finds the server's first packet behind what its user's login shell may have printed, as sshfs does where it
 * talks with ssh itself.
 */
export class Beginning {
  #held: Uint8Array | undefined = new Uint8Array(0);

  /** The bytes from the VERSION packet on, and then all others; undefined until it has come. */
  take(bytes: Uint8Array): Uint8Array | undefined {
    if (this.#held === undefined) return bytes;
    const all = new Uint8Array(this.#held.length + bytes.length);
    all.set(this.#held);
    all.set(bytes, this.#held.length);
    for (let at = 0; at + 9 <= all.length; at++) {
      const length = u32(all, at);
      if (all[at + 4] !== Type.VERSION || length < 5 || length > MAX_PACKET) continue;
      if (u32(all, at + 5) !== 3) continue;
      this.#held = undefined;
      return all.subarray(at);
    }
    this.#held = all.slice(Math.max(0, all.length - 8));
    return undefined;
  }
}

/**
 * Cuts a stream of bytes into packets. `take` gets each one without its length field, as a view
 * that is good only during the call. Memory is bounded by `MAX_PACKET`; a longer packet, or an
 * empty one, throws `Malformed`, after which the stream cannot be trusted any more.
 */
export class Framer {
  readonly #head = new Uint8Array(4);
  #headLength = 0;
  #scratch = new Uint8Array(0);
  #body: Uint8Array | undefined;
  #bodyLength = 0;

  constructor(private readonly take: (packet: Uint8Array) => void) {}

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body !== undefined) {
        const piece = chunk.subarray(at, at + this.#body.length - this.#bodyLength);
        this.#body.set(piece, this.#bodyLength);
        this.#bodyLength += piece.length;
        at += piece.length;
        if (this.#bodyLength < this.#body.length) return;
        const packet = this.#body;
        this.#body = undefined;
        this.take(packet);
        continue;
      }
      if (this.#headLength === 0 && chunk.length - at >= 4) {
        const length = checked(u32(chunk, at));
        if (chunk.length - at - 4 >= length) {
          at += 4 + length;
          this.take(chunk.subarray(at - length, at));
          continue;
        }
      }
      this.#head[this.#headLength++] = chunk[at++] ?? 0;
      if (this.#headLength === 4) {
        this.#headLength = 0;
        const length = checked(u32(this.#head, 0));
        if (this.#scratch.length < length) this.#scratch = new Uint8Array(length);
        this.#body = this.#scratch.subarray(0, length);
        this.#bodyLength = 0;
      }
    }
  }
}

function checked(length: number): number {
  if (length < 1 || length > MAX_PACKET) throw new Malformed(`packet of ${length} bytes`);
  return length;
}

export function u32(bytes: Uint8Array, at: number): number {
  return (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)) >>> 0;
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Bytes as a binary string. */
export function binary(bytes: Uint8Array): string {
  if (bytes.length < 1024) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  let text = "";
  for (let at = 0; at < bytes.length; at += 1024) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + 1024) as unknown as number[]);
  }
  return text;
}

/** A binary string as bytes. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Attributes that the relay may keep: exactly the usual fields, nothing it does not understand. */
export function isPlain(attrs: Uint8Array): boolean {
  return attrs.length === PLAIN_LENGTH && u32(attrs, 0) === PLAIN_FLAGS;
}

/** The fields of plain attributes. */
export function sizeOf(attrs: Uint8Array): number {
  return u32(attrs, 4) * 0x1_0000_0000 + u32(attrs, 8);
}

export function mtimeOf(attrs: Uint8Array): number {
  return u32(attrs, 28);
}

export function isRegular(attrs: Uint8Array): boolean {
  return (u32(attrs, 20) & 0o170000) === 0o100000;
}

export function isDirectory(attrs: Uint8Array): boolean {
  return (u32(attrs, 20) & 0o170000) === 0o040000;
}

export function isLink(attrs: Uint8Array): boolean {
  return (u32(attrs, 20) & 0o170000) === 0o120000;
}

/** Same file content as far as attributes can tell: everything but the time of the last read. */
export function sameVersion(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < PLAIN_LENGTH; i++) {
    if ((i < 24 || i >= 28) && a[i] !== b[i]) return false;
  }
  return true;
}
