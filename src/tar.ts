import { Failure } from "./error.ts";

/** A file, directory or link in a tar archive, as its headers have it (POSIX pax, GNU and ustar). */
export interface TarEntry {
  /** Without `./` in front; never absolute, never with `..`. */
  readonly name: string;
  /** The letter or digit of the header: 0 a file, 1 a hard link, 2 a symbolic link, 5 a directory. */
  readonly type: string;
  /** Bytes of content. */
  readonly size: number;
  /** Its header as it is in the archive, with what extends it. */
  readonly header: Uint8Array<ArrayBuffer>;
}

type Bytes = Uint8Array<ArrayBuffer>;

const BLOCK = 512;
const LONGEST_EXTENSION = 2 ** 20;
const MOST_ENTRIES = 100_000;
/** Types that have a header only, whatever their size says (as Go's archive/tar has it). */
const WITHOUT_CONTENT = "123456";
const text = new TextDecoder();

/**
 * The entries of a tar archive, one after the other, as it streams by. The content of an entry is there for
 * the reading until the next one is asked for. An archive that ends early, or that no honest writer makes,
 * is a failure.
 */
export class TarReader {
  #source: AsyncIterator<Bytes>;
  #chunk: Bytes = new Uint8Array();
  #left = 0;
  #entries = 0;

  constructor(source: AsyncIterable<Bytes>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next entry; undefined at the archive's end. */
  async next(): Promise<TarEntry | undefined> {
    while (this.#left > 0) this.#left -= (await this.#some(this.#left)).length;
    const headers: Bytes[] = [];
    const extended = new Map<string, string>();
    for (;;) {
      const block = await this.#exactly(BLOCK);
      if (block.every((byte) => byte === 0)) {
        if (headers.length > 0) throw damaged("a header is missing");
        await this.#drain();
        return undefined;
      }
      if (++this.#entries > MOST_ENTRIES) throw damaged("it has too many entries");
      const { name, type, size } = parseHeader(block);
      headers.push(block);
      if ("xgLK".includes(type)) {
        if (size > LONGEST_EXTENSION) throw damaged(`a header of ${size} bytes`);
        const content = await this.#exactly(padded(size));
        headers.push(content);
        if (type === "x") readRecords(content.subarray(0, size), extended);
        if (type === "L") extended.set("path", untilNul(content.subarray(0, size)));
        continue;
      }
      const length = WITHOUT_CONTENT.includes(type)
        ? 0
        : parseSize(extended.get("size") ?? String(size));
      this.#left = padded(length);
      return {
        name: checkedName(extended.get("path") ?? name),
        type: type === "\0" || type === "7" ? "0" : type,
        size: length,
        header: concatenated(headers),
      };
    }
  }

  /** The rest of the entry's content, in pieces, with the zeros that fill up its last block. */
  async *content(): AsyncGenerator<Bytes> {
    while (this.#left > 0) {
      const piece = await this.#some(this.#left);
      this.#left -= piece.length;
      yield piece;
    }
  }

  async #fill(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const { value, done } = await this.#source.next();
      if (done === true) return false;
      this.#chunk = value;
    }
    return true;
  }

  async #some(most: number): Promise<Bytes> {
    if (!await this.#fill()) throw damaged("it ends early");
    const piece = this.#chunk.subarray(0, most);
    this.#chunk = this.#chunk.subarray(piece.length);
    return piece;
  }

  async #exactly(length: number): Promise<Bytes> {
    const whole = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const piece = await this.#some(length - at);
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  // Whoever writes the archive is to see it read to the end.
  async #drain(): Promise<void> {
    while (await this.#fill()) this.#chunk = new Uint8Array();
  }
}

/** The two blocks of zeros at the end of an archive. */
export function tarEnd(): Bytes {
  return new Uint8Array(2 * BLOCK);
}

function parseHeader(block: Bytes): { name: string; type: string; size: number } {
  let sum = 0;
  for (const [i, byte] of block.entries()) sum += i >= 148 && i < 156 ? 0x20 : byte;
  if (parseNumber(block.subarray(148, 156)) !== sum) throw damaged("a header's checksum is wrong");
  const prefix = untilNul(block.subarray(257, 263)) === "ustar"
    ? untilNul(block.subarray(345, 500))
    : "";
  const name = untilNul(block.subarray(0, 100));
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    type: String.fromCharCode(block[156] ?? 0),
    size: parseNumber(block.subarray(124, 136)),
  };
}

/** Octal digits, or with the first bit set the bytes of a big number (GNU). */
function parseNumber(field: Bytes): number {
  const first = field[0] ?? 0;
  if ((first & 0x80) === 0) {
    const digits = untilNul(field).trim();
    if (!/^[0-7]*$/.test(digits)) throw damaged("a number in a header is none");
    return digits === "" ? 0 : Number.parseInt(digits, 8);
  }
  const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, first & 0x7f);
  if (!Number.isSafeInteger(value)) throw damaged("a size in a header is absurd");
  return value;
}

function parseSize(digits: string): number {
  const size = /^\d+$/.test(digits) ? Number(digits) : Number.NaN;
  if (!Number.isSafeInteger(size)) throw damaged("a size in a header is absurd");
  return size;
}

/** Records of pax: `LENGTH KEY=VALUE\n`, the length of the whole record. */
function readRecords(content: Bytes, into: Map<string, string>): void {
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(0x20, at);
    const length = space < 0 ? 0 : Number(text.decode(content.subarray(at, space)));
    if (!Number.isInteger(length) || length < 5 || at + length > content.length) {
      throw damaged("an extended header is cut off");
    }
    const record = text.decode(content.subarray(space + 1, at + length - 1));
    const equals = record.indexOf("=");
    into.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
}

function checkedName(name: string): string {
  const plain = name.replace(/^(\.\/)+/, "");
  if (plain.startsWith("/") || plain.split("/").includes("..")) {
    throw damaged(`it has an entry ${JSON.stringify(name)}`);
  }
  return plain;
}

function untilNul(field: Bytes): string {
  const end = field.indexOf(0);
  return text.decode(end < 0 ? field : field.subarray(0, end));
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function concatenated(parts: readonly Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function damaged(how: string): Failure {
  return new Failure(`the archive of docker save is damaged: ${how}`);
}
