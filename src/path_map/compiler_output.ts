import type { Bytes } from "../bytes.ts";
import { byteString } from "./json_scan.ts";
import { locatePath, type PathMap, percentEncode } from "./paths.ts";
import { pathsIn } from "./path_shapes.ts";

/** A line that is longer passes as it is: no compiler prints a path that far to the right. */
const LONGEST_LINE = 16_384;

/** A NUL within so many bytes from the start: no text. */
const LOOKED_AT = 8192;

// ECMA-48: OSC, DCS and their like up to BEL or ST; CSI; two bytes. A sequence without end takes the rest.
const ESCAPES =
  // deno-lint-ignore no-control-regex
  /\x1b(?:[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\|$)|\[[0-?]*[ -/]*(?:[@-~]|$)|[ -/]*(?:[0-Z\\^-~]|$))/g;

// deno-lint-ignore no-control-regex
const UNFINISHED = /\x1b(?:[\]PX^_][^\x07\x1b\n]*\x1b?|\[[0-?]*[ -/]*|[ -/]*)$/;

// OSC 8 is a link, OSC 7 the working directory. A terminal follows no link to another host.
// deno-lint-ignore no-control-regex
const OSC_URI = /^\x1b\](?:8;[^;]*|7);(file:(?:\/\/([^/]*))?(\/[^\x07\x1b?#]*))/i;

// The alternate screen, or the cursor somewhere else than at the top: columns count there.
// deno-lint-ignore no-control-regex
const FULL_SCREEN = /\x1b\[(?:\?(?:1049|1047|47)h|(?!1?(?:;1?)?[Hf])[0-9;]+[Hf])/;

// What no text has: a line with one is data.
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x06\x0e-\x1a\x1c-\x1f]/;

// Where the end of a line may begin what is changed, once more of it has come.
// deno-lint-ignore no-control-regex
const MAY_BEGIN = /[/\x1b]|file:|f(?:i(?:le?)?)?$/i;

/** A piece of a line that is replaced. */
interface Change {
  readonly from: number;
  readonly to: number;
  readonly bytes: string;
}

/**
 * Makes the container's paths in what a compiler prints local ones, in any chunks: a line is held until it ends, or
 * until {@link flush}, from the first byte on that may belong to a path. All other bytes are as they were.
 */
export class OutputMapper {
  /** What may be changed still: the end of a line, one character a byte. */
  #held = "";
  /** What has been given out of the same line, without escape sequences. */
  #before = "";
  #seen = 0;
  #passing = false;
  /** The line is too long, and passes up to its end. */
  #skipping = false;
  /** Starts of lines in which there may be something to do. */
  readonly #worthwhile: RegExp;

  constructor(
    private readonly map: PathMap,
    /** Names of the directories in the container's root. */
    private readonly roots: ReadonlySet<string>,
  ) {
    const names = [...roots].map((name) => name.replace(/[^A-Za-z0-9_]/g, "\\$&")).join("|");
    this.#worthwhile = new RegExp(
      `/(?:${names || "(?!)"})(?![A-Za-z0-9_])|directory ['\`"\\xe2]/|file:/`,
      "i",
    );
  }

  /** Whether something waits for the end of its line. */
  get holds(): boolean {
    return this.#held !== "";
  }

  /** What a chunk makes certain; it may be the chunk itself. */
  push(chunk: Bytes): Bytes {
    if (!this.#passing && this.#seen < LOOKED_AT) {
      this.#passing = chunk.subarray(0, LOOKED_AT - this.#seen).includes(0);
    }
    this.#seen += chunk.length;
    if (this.#passing && !this.holds) return chunk;
    if (!this.holds && chunk.at(-1) === 0x0a && !chunk.includes(0x2f) && !chunk.includes(0x1b)) {
      this.#before = "";
      this.#skipping = false;
      return chunk;
    }
    const text = byteString(chunk);
    if (this.#passing) return this.#out(this.#take() + text);
    return this.#out(this.#push(text));
  }

  /** What is held, as if its line ended here: for a line that does not go on at once, and for the end. */
  flush(): Bytes {
    const held = this.#take();
    const cut = UNFINISHED.exec(held)?.index ?? held.length;
    const mapped = this.#line(held.slice(0, cut));
    this.#before = (this.#before + visible(held)).slice(-LONGEST_LINE);
    return this.#out(mapped + held.slice(cut));
  }

  #take(): string {
    const held = this.#held;
    this.#held = "";
    return held;
  }

  #push(added: string): string {
    const text = this.#take() + added;
    const last = Math.max(text.lastIndexOf("\n"), text.lastIndexOf("\r")) + 1;
    let out = last === 0 ? "" : this.#lines(text.slice(0, last));
    if (this.#passing) return out + text.slice(last);
    const rest = text.slice(last);
    if (rest === "") return out;
    if (this.#skipping) return out + rest;
    if (rest.length > LONGEST_LINE) {
      this.#skipping = true;
      return out + rest;
    }
    const start = rest.search(MAY_BEGIN);
    const safe = start < 0 ? rest.length : start;
    out += rest.slice(0, safe);
    this.#before = (this.#before + rest.slice(0, safe)).slice(-LONGEST_LINE);
    this.#held = rest.slice(safe);
    return out;
  }

  /** Whole lines, the first of which may have begun before. */
  #lines(text: string): string {
    let out = "";
    if (!this.#worthwhile.test(text) && !text.includes("\x1b[")) {
      this.#before = "";
      this.#skipping = false;
      return text;
    }
    for (const [line] of text.matchAll(/[^\r\n]*[\r\n]/g)) {
      if (this.#passing || this.#skipping) out += line;
      else out += this.#line(line.slice(0, -1)) + line.slice(-1);
      this.#before = "";
      this.#skipping = false;
    }
    return out;
  }

  #line(line: string): string {
    if (line.includes("\x1b[") && FULL_SCREEN.test(line)) {
      this.#passing = true;
      return line;
    }
    if (line.length > LONGEST_LINE || !this.#worthwhile.test(line) || CONTROL.test(line)) {
      return line;
    }
    const changes: Change[] = [];
    let text = "";
    // For each character of `text` where it is in the line; the same where there are no sequences.
    let offsets: number[] | undefined;
    if (line.includes("\x1b")) {
      offsets = [];
      let read = 0;
      const take = (to: number, next: number): void => {
        text += line.slice(read, to);
        for (let at = read; at < to; at++) offsets?.push(at);
        read = next;
      };
      for (const { 0: escape, index } of line.matchAll(ESCAPES)) {
        take(index, index + escape.length);
        const change = this.#uri(escape, index);
        if (change !== undefined) changes.push(change);
      }
      take(line.length, line.length);
    } else text = line;
    for (const at of pathsIn(text, { before: this.#before, roots: this.roots })) {
      const from = offsets === undefined ? at : offsets[at] ?? line.length;
      const change = this.#path(text.slice(at), from);
      if (change !== undefined) changes.push(change);
    }
    if (changes.length === 0) return line;
    changes.sort((a, b) => a.from - b.from);
    let out = "";
    let read = 0;
    for (const { from, to, bytes } of changes) {
      out += line.slice(read, from) + bytes;
      read = to;
    }
    return out + line.slice(read);
  }

  /** A path, or the path of a `file:` URI, that starts here. */
  #path(text: string, at: number): Change | undefined {
    const encoded = /^file:(?:\/\/)?/i.exec(text)?.[0];
    const path = text.slice(encoded?.length ?? 0);
    if (this.#isLocal(encoded === undefined ? path : text)) return undefined;
    const [local = ""] = this.map.locals();
    const from = at + (encoded?.length ?? 0);
    return { from, to: from, bytes: encoded === undefined ? local : percentEncode(local) };
  }

  #uri(escape: string, index: number): Change | undefined {
    const [whole = "", uri = "", host = "", path = ""] = OSC_URI.exec(escape) ?? [];
    if (uri === "" || this.#isLocal(`file://${path}`)) return undefined;
    const to = index + whole.length - path.length;
    const from = to - host.length;
    const [local = ""] = this.map.locals();
    return { from, to, bytes: percentEncode(local) };
  }

  /** Whether the path is below the mount already, or goes above the container's root. */
  #isLocal(text: string): boolean {
    const path = locatePath(text)?.path.split(/[\s:("'`,)]/)[0] ?? "";
    return this.map.containerPath(path) !== undefined || /^\/+\.\.(?:\/|$)/.test(path);
  }

  #out(text: string): Bytes {
    const bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
    return bytes;
  }
}

function visible(text: string): string {
  return text.replace(ESCAPES, "");
}
