import type { Bytes } from "../bytes.ts";
import { Failure } from "../error.ts";

/** A file, directory or link in a tar archive, as its headers have it (POSIX pax, GNU and ustar). */
export interface TarEntry {
  /** Each character is a byte; without `./` in front, never absolute, never with `..`. */
  readonly name: string;
  /** The letter or digit of the header: 0 a file, 1 a hard link, 2 a symbolic link, 5 a directory. */
  readonly type: string;
  /** Bytes of content. */
  readonly size: number;
  /** Its header as it is in the archive, with what extends it. */
  readonly header: Uint8Array<ArrayBuffer>;
}

const BLOCK = 512;
const LONGEST_EXTENSION = 2 ** 20;
const MOST_ENTRIES = 100_000;
/** What eleven octal digits hold. */
const LARGEST_OCTAL = 8 ** 11 - 1;
/** Types that have a header only, whatever their size says (as Go's archive/tar has it). */
const WITHOUT_CONTENT = "123456";

/**
 * The entries of a tar archive, one after the other, as it streams by. The content of an entry is there for
 * the reading until the next one is asked for. An archive that ends early, or that no honest writer makes,
 * is a failure. So is one of more than `mostEntries`, for who reads it may have to remember them.
 */
export class TarReader {
  #source: AsyncIterator<Bytes>;
  #chunk: Bytes = new Uint8Array();
  #left = 0;
  #padding = 0;
  #entries = 0;
  readonly #mostEntries: number;

  constructor(
    source: AsyncIterable<Bytes>,
    { mostEntries = MOST_ENTRIES }: { readonly mostEntries?: number } = {},
  ) {
    this.#source = source[Symbol.asyncIterator]();
    this.#mostEntries = mostEntries;
  }

  /** The next entry; undefined at the archive's end. */
  async next(): Promise<TarEntry | undefined> {
    while (this.#left > 0) this.#left -= (await this.#some(this.#left)).length;
    const headers: Bytes[] = [];
    const extended = new Map<string, string>();
    for (;;) {
      const block = this.#now(BLOCK) ?? await this.#exactly(BLOCK);
      if (block.every((byte) => byte === 0)) {
        if (headers.length > 0) throw damaged("a header is missing");
        await this.#drain();
        return undefined;
      }
      if (++this.#entries > this.#mostEntries) throw damaged("it has too many entries");
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
      this.#padding = this.#left - length;
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

  /** The rest of the entry's content, in pieces. */
  async *data(): AsyncGenerator<Bytes> {
    while (this.#left > this.#padding) {
      const piece = await this.#some(this.#left - this.#padding);
      this.#left -= piece.length;
      yield piece;
    }
  }

  /** The rest of the entry's content at once: for a small one. */
  async all(): Promise<Bytes> {
    const length = this.#left - this.#padding;
    this.#left = this.#padding;
    return this.#now(length) ?? await this.#exactly(length);
  }

  async #fill(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const { value, done } = await this.#source.next();
      if (done === true) return false;
      this.#chunk = value;
    }
    return true;
  }

  // Most entries are small, and waiting for what is there already costs more than they do.
  #now(length: number): Bytes | undefined {
    if (length > this.#chunk.length) return undefined;
    const piece = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    return piece;
  }

  async #some(most: number): Promise<Bytes> {
    if (this.#chunk.length === 0 && !await this.#fill()) throw damaged("it ends early");
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

/** The header of a file; its size in bytes as an octal number or, where it is too big, as GNU has it. */
export function tarHeader(name: string, size: number): Bytes {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, letters: string): void => block.set(bytesOf(letters), at);
  if (name.length > 99) throw new RangeError(`a name of ${name.length} bytes`);
  put(0, name);
  put(100, "0000644\x000000000\x000000000\0");
  if (size <= LARGEST_OCTAL) put(124, size.toString(8).padStart(11, "0"));
  else {for (let at = 135, rest = size; at > 124; at--, rest = Math.floor(rest / 256)) {
      block[at] = rest % 256;
    }}
  if (size > LARGEST_OCTAL) block[124] = 0x80;
  put(136, "00000000000\0");
  put(156, "0");
  put(257, "ustar\x0000");
  put(148, `${sumOf(block).toString(8).padStart(6, "0")}\0 `);
  return block;
}

/** A whole file: its header, its content and what fills up the last block. */
export function tarFile(name: string, content: Bytes): Bytes[] {
  return [tarHeader(name, content.length), content, tarPadding(content.length)];
}

/** The zeros that fill up the last block of so many bytes. */
export function tarPadding(size: number): Bytes {
  return new Uint8Array(padded(size) - size);
}

/** The two blocks of zeros at the end of an archive. */
export function tarEnd(): Bytes {
  return new Uint8Array(2 * BLOCK);
}

function parseHeader(block: Bytes): { name: string; type: string; size: number } {
  if (parseNumber(block.subarray(148, 156)) !== sumOf(block)) {
    throw damaged("a header's checksum is wrong");
  }
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

/** The checksum of a header, its own field taken for blanks. */
function sumOf(block: Bytes): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK; at++) if (at < 148 || at >= 156) sum += block[at] ?? 0;
  return sum;
}

/** Octal digits, or with the first bit set the bytes of a big number (GNU). */
function parseNumber(field: Bytes): number {
  const first = field[0] ?? 0;
  if ((first & 0x80) === 0) {
    const digits = untilNul(field).trim();
    if (!/^[0-7]*$/.test(digits)) throw damaged("an invalid number in a header");
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
    const length = space < 0 ? 0 : Number(lettersOf(content.subarray(at, space)));
    if (!Number.isInteger(length) || length < 5 || at + length > content.length) {
      throw damaged("an extended header is cut off");
    }
    const record = lettersOf(content.subarray(space + 1, at + length - 1));
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
  return lettersOf(end < 0 ? field : field.subarray(0, end));
}

/** A string with a character for each byte: names need not be UTF-8. */
export function lettersOf(bytes: Bytes): string {
  let letters = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    letters += Reflect.apply(String.fromCharCode, undefined, bytes.subarray(at, at + 4096));
  }
  return letters;
}

function bytesOf(letters: string): Bytes {
  return Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
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
  return new Failure(`the archive of docker is damaged: ${how}`);
}
