/** The bytes of a message are not JSON. */
export class NotJson extends Error {}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Where the first byte that is no white space is, from `at` on. */
export function afterSpace(bytes: Uint8Array, at: number): number {
  for (;; at++) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
  }
}

/** Where the string whose opening quote is at `at` has its closing one. */
export function closingQuote(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== QUOTE) throw new NotJson(`no string at byte ${at}`);
  // Short strings, such as names of members, are cheaper to walk than to search.
  const near = Math.min(at + 40, bytes.length);
  for (let i = at + 1; i < near; i++) {
    if (bytes[i] === QUOTE) return i;
    if (bytes[i] === BACKSLASH) i++;
  }
  // From the start again: the walk may have stopped within an escape.
  for (
    let quote = bytes.indexOf(QUOTE, at + 1);
    quote >= 0;
    quote = bytes.indexOf(QUOTE, quote + 1)
  ) {
    let before = quote - 1;
    while (bytes[before] === BACKSLASH) before--;
    if ((quote - before) % 2 === 1) return quote;
  }
  throw new NotJson(`the string at byte ${at} has no end`);
}

const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;
const LITERAL = /^(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)$/;

/** Where the value that starts at `at` ends; however deep it is, without recursion. */
export function endOfValue(bytes: Uint8Array, at: number): number {
  const open: boolean[] = [];
  for (;;) {
    at = afterSpace(bytes, at);
    const byte = bytes[at];
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      const isObject = byte === OPEN_OBJECT;
      const inner = afterSpace(bytes, at + 1);
      if (bytes[inner] !== (isObject ? CLOSE_OBJECT : CLOSE_ARRAY)) {
        open.push(isObject);
        at = isObject ? afterName(bytes, inner) : inner;
        continue;
      }
      at = inner + 1;
    } else if (byte === QUOTE) at = closingQuote(bytes, at) + 1;
    else at = endOfLiteral(bytes, at);
    for (;;) {
      const isObject = open.at(-1);
      if (isObject === undefined) return at;
      at = afterSpace(bytes, at);
      if (bytes[at] === COMMA) {
        at = isObject ? afterName(bytes, afterSpace(bytes, at + 1)) : at + 1;
        break;
      }
      if (bytes[at] !== (isObject ? CLOSE_OBJECT : CLOSE_ARRAY)) {
        throw new NotJson(`neither a comma nor an end at byte ${at}`);
      }
      open.pop();
      at++;
    }
  }
}

function endOfLiteral(bytes: Uint8Array, at: number): number {
  let end = at;
  let whole = true;
  for (;; end++) {
    const byte = bytes[end] ?? 0;
    if (byte >= 0x30 && byte <= 0x39) continue;
    if (
      !(byte >= 0x61 && byte <= 0x7a) && byte !== 0x2d && byte !== 0x2e && byte !== 0x2b &&
      byte !== 0x45
    ) break;
    whole = false;
  }
  // A small whole number is what most literals are: an array of semantic tokens has 100,000.
  if (whole && end > at && (bytes[at] !== 0x30 || end === at + 1)) return end;
  if (!LITERAL.test(byteString(bytes.subarray(at, end)))) {
    throw new NotJson(`no value at byte ${at}`);
  }
  return end;
}

/** Behind the colon of the member whose name starts at `at`. */
function afterName(bytes: Uint8Array, at: number): number {
  const colon = afterSpace(bytes, closingQuote(bytes, at) + 1);
  if (bytes[colon] !== COLON) throw new NotJson(`no colon at byte ${colon}`);
  return colon + 1;
}

/**
 * Visits the members of the object at `at`: `visit` gets where the name's opening quote and the value are,
 * and returns where the value ends. Returns where the object ends.
 */
export function eachMember(
  bytes: Uint8Array,
  at: number,
  visit: (name: number, value: number) => number,
): number {
  let name = afterSpace(bytes, at + 1);
  if (bytes[name] === CLOSE_OBJECT) return name + 1;
  for (;;) {
    const end = afterSpace(bytes, visit(name, afterSpace(bytes, afterName(bytes, name))));
    if (bytes[end] === CLOSE_OBJECT) return end + 1;
    if (bytes[end] !== COMMA) throw new NotJson(`neither a comma nor an end at byte ${end}`);
    name = afterSpace(bytes, end + 1);
  }
}

/** The same for the elements of an array. */
export function eachElement(
  bytes: Uint8Array,
  at: number,
  visit: (value: number) => number,
): number {
  let value = afterSpace(bytes, at + 1);
  if (bytes[value] === CLOSE_ARRAY) return value + 1;
  for (;;) {
    const end = afterSpace(bytes, visit(value));
    if (bytes[end] === CLOSE_ARRAY) return end + 1;
    if (bytes[end] !== COMMA) throw new NotJson(`neither a comma nor an end at byte ${end}`);
    value = afterSpace(bytes, end + 1);
  }
}

/**
 * A string in which each character is a byte. Paths are bytes, not text, and so they are compared and cut
 * as bytes.
 */
export type ByteString = string;

/** Bytes as a string of as many characters. */
export function byteString(bytes: Uint8Array): ByteString {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    // Spread would go through an iterator, which is ten times slower.
    text += Reflect.apply(String.fromCharCode, undefined, bytes.subarray(at, at + 4096));
  }
  return text;
}

/** The UTF-8 bytes of a text. */
export function utf8(text: string): ByteString {
  return byteString(new TextEncoder().encode(text));
}

/** A JSON string, decoded, and where each of its bytes comes from. */
export interface DecodedString {
  readonly text: ByteString;
  /** Where in the message the byte of `text` with this number starts; its length gives the closing quote. */
  readonly offset: (index: number) => number;
}

/** Decodes the JSON string whose opening quote is at `open` and whose closing one is at `close`. */
export function decodeString(bytes: Uint8Array, open: number, close: number): DecodedString {
  const raw = byteString(bytes.subarray(open + 1, close));
  if (!raw.includes("\\")) return { text: raw, offset: (index) => open + 1 + index };
  let text = "";
  const offsets: number[] = [];
  const take = (decoded: ByteString, from: number): void => {
    for (let i = 0; i < decoded.length; i++) offsets.push(from);
    text += decoded;
  };
  for (let at = 0; at < raw.length;) {
    const from = open + 1 + at;
    if (raw[at] !== "\\") {
      take(raw.charAt(at), from);
      at++;
      continue;
    }
    const hex = /^\\u([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?/.exec(
      raw.slice(at, at + 12),
    );
    if (hex === null) {
      take(ESCAPES[raw.charAt(at + 1)] ?? raw.charAt(at + 1), from);
      at += 2;
      continue;
    }
    const unit = parseInt(hex[1] ?? "", 16);
    const isPair = hex[2] !== undefined && unit >= 0xd800 && unit < 0xdc00;
    const point = isPair
      ? 0x10000 + ((unit - 0xd800) << 10) + parseInt(hex[2] ?? "", 16) - 0xdc00
      : unit;
    take(encodePoint(point), from);
    at += isPair ? 12 : 6;
  }
  offsets.push(close);
  return { text, offset: (index) => offsets[index] ?? close };
}

const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

// Half a surrogate pair has no UTF-8; like this it is at least kept apart from everything else.
function encodePoint(point: number): ByteString {
  const tail = (shift: number): number => 0x80 | (point >> shift & 0x3f);
  if (point < 0x80) return String.fromCharCode(point);
  if (point < 0x800) return String.fromCharCode(0xc0 | point >> 6, tail(0));
  if (point < 0x10000) return String.fromCharCode(0xe0 | point >> 12, tail(6), tail(0));
  return String.fromCharCode(0xf0 | point >> 18, tail(12), tail(6), tail(0));
}

/** Bytes as they stand within a JSON string. */
export function encodeString(text: ByteString): ByteString {
  return text.replace(
    // deno-lint-ignore no-control-regex
    /["\\\x00-\x1f]/g,
    (character) =>
      character === '"' || character === "\\"
        ? `\\${character}`
        : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A part of a message and what takes its place. */
export interface Edit {
  readonly from: number;
  readonly to: number;
  readonly bytes: ByteString;
}

/** The bytes with these edits, which are in order and do not overlap; the same array where there is none. */
export function applyEdits(
  bytes: Uint8Array<ArrayBuffer>,
  edits: readonly Edit[],
): Uint8Array<ArrayBuffer> {
  if (edits.length === 0) return bytes;
  const added = edits.reduce((sum, { from, to, bytes }) => sum + bytes.length - (to - from), 0);
  const result = new Uint8Array(bytes.length + added);
  let read = 0;
  let write = 0;
  for (const edit of edits) {
    result.set(bytes.subarray(read, edit.from), write);
    write += edit.from - read;
    for (let i = 0; i < edit.bytes.length; i++) result[write++] = edit.bytes.charCodeAt(i);
    read = edit.to;
  }
  result.set(bytes.subarray(read), write);
  return result;
}
