import type { Bytes } from "../bytes.ts";
import { byteString } from "./json_scan.ts";

/** A part of a stream of the base protocol that LSP and DAP share. */
export interface Part {
  /** What comes before the body, as it arrived; for what is no message, all of it. */
  readonly head: Bytes;
  /** The body of a message; undefined where the bytes are none, such as what a program prints in between. */
  readonly body: Bytes | undefined;
}

const LENGTH = /content-length[ \t]*:[ \t]*([0-9]+)[ \t]*\r?$/i;
const FIELD = /^content-[a-z-]+[ \t]*:/i;
/** Any header field (RFC 9110, a token and a colon): after the length, it belongs to the same message. */
const FURTHER_FIELD = /^[!#$%&'*+.^_`|~0-9a-z-]+[ \t]*:/i;
const NEWLINE = 0x0a;
/** A line that is longer is no header, and is passed on before it ends. */
const LONGEST_LINE = 4096;
/** A length that no message has: what claims it is no header. */
const LARGEST_BODY = 2 ** 31;

/**
 * Cuts a stream into messages (`Content-Length` frames: LSP 3.17, "Base Protocol") and what is none,
 * whatever the chunks. Every byte that comes in comes out, in order. A body is held once.
 */
export class FrameReader {
  /** Header lines of a message that has not begun yet, or part of a line. */
  #head: Bytes = new Uint8Array(0);
  /** Where the line starts in {@link #head} that is not complete. */
  #lineStart = 0;
  #length: number | undefined;
  #body: Bytes | undefined;
  #filled = 0;

  /** What a chunk completes. The chunk may be used again afterwards. */
  *push(chunk: Uint8Array): Generator<Part> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body !== undefined) {
        const taken = chunk.subarray(at, at + this.#body.length - this.#filled);
        this.#body.set(taken, this.#filled);
        this.#filled += taken.length;
        at += taken.length;
        if (this.#filled === this.#body.length) yield this.#takeMessage();
        continue;
      }
      const newline = chunk.indexOf(NEWLINE, at);
      const end = newline < 0 ? chunk.length : newline + 1;
      this.#head = joined(this.#head, chunk.subarray(at, end));
      at = end;
      if (newline >= 0) yield* this.#line();
      else if (this.#head.length - this.#lineStart > LONGEST_LINE) yield* this.#junk();
    }
  }

  /** What is left at the end of the stream. */
  *end(): Generator<Part> {
    const body = this.#body?.subarray(0, this.#filled) ?? new Uint8Array(0);
    const head = joined(this.#head, body);
    this.#reset();
    if (head.length > 0) yield { head, body: undefined };
  }

  *#line(): Generator<Part> {
    const line = byteString(this.#head.subarray(this.#lineStart, -1));
    const length = LENGTH.exec(line);
    if (length !== null && Number(length[1]) <= LARGEST_BODY) {
      // A program may have printed in front of the header without ending its line.
      if (!FIELD.test(line)) {
        const start = this.#lineStart + length.index;
        const rest = this.#head.slice(start);
        this.#head = this.#head.slice(0, start);
        yield* this.#junk();
        this.#head = rest;
      }
      this.#length = Number(length[1]);
    } else if (this.#length !== undefined && (line === "" || line === "\r")) {
      if (this.#length === 0) yield this.#takeMessage();
      else {
        this.#body = new Uint8Array(this.#length);
        this.#filled = 0;
      }
      return;
    } else if (!(this.#length === undefined ? FIELD : FURTHER_FIELD).test(line)) {
      return yield* this.#junk();
    }
    this.#lineStart = this.#head.length;
  }

  *#junk(): Generator<Part> {
    const head = this.#head;
    this.#reset();
    if (head.length > 0) yield { head, body: undefined };
  }

  #takeMessage(): Part {
    const part = { head: this.#head, body: this.#body ?? new Uint8Array(0) };
    this.#reset();
    return part;
  }

  #reset(): void {
    this.#head = new Uint8Array(0);
    this.#lineStart = 0;
    this.#length = undefined;
    this.#body = undefined;
  }
}

/** The header for a body of another length: the number changes and nothing else. */
export function headFor(head: Bytes, length: number): Bytes {
  const text = byteString(head).replace(
    /(content-length[ \t]*:[ \t]*)[0-9]+(?=[ \t]*\r?\n)/gi,
    (_, name: string) => name + length,
  );
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** A message of our own. */
export function frame(body: string): Bytes {
  const bytes = new TextEncoder().encode(body);
  return joined(new TextEncoder().encode(`Content-Length: ${bytes.length}\r\n\r\n`), bytes);
}

function joined(first: Uint8Array, second: Uint8Array): Bytes {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
