import {
  afterSpace,
  byteString,
  closingQuote,
  type DecodedString,
  decodeString,
  eachElement,
  eachMember,
  type Edit,
  encodeString,
  endOfValue,
  NotJson,
} from "./json_scan.ts";
import type { Kind } from "./paths.ts";
import type { Node } from "./places.ts";

/**
 * What a string is where it was found: of a kind by the schema, part of something that the schema leaves
 * open (`any`), or nothing that the schema knows (`value`).
 */
export type Found = Kind | "any" | "value";

/** What becomes of a string: edits in its bytes, in order; what they put in is not encoded as JSON yet. */
export type Rewrite = (source: DecodedString, found: Found) => readonly Edit[];

// The other side's own, which comes back to it as it is. `adapterData` is DAP's.
const OPAQUE = new Set(["data", "adapterData", "__restart", "restart"]);

// Text of a document, also within what the schema leaves open: a command's arguments may be edits.
const DOCUMENT_TEXT = new Set(["text", "newText", "insertText", "snippet", "contentChanges"]);

// Text that people or programs read, wherever the schema has no path in a member of this name.
const TEXT = new Set(
  "name newName query label detail documentation title tooltip message value contents content filterText sortText placeholder languageId expression output result condition hitCondition logMessage evaluateName stackTrace"
    .split(" "),
);

/** Values below this depth are left: what people send each other is flat, and recursion has an end. */
const DEEPEST = 300;

/** The longest string that may be a path, or a list of them. */
const LONGEST = 65_536;

/** Finds the strings of a message and collects what becomes of them. */
export class Rewriter {
  readonly edits: Edit[] = [];

  constructor(
    private readonly bytes: Uint8Array,
    private readonly rewrite: Rewrite,
  ) {}

  /**
   * Goes through the value at `at`, which is `node` by the schema. Returns where it ends. The edits are in
   * the order of the message if the calls are.
   */
  value(at: number, node: Node | undefined): number {
    return this.#value(at, { node, open: node?.any === true, text: false, depth: 0 });
  }

  #value(
    at: number,
    place: {
      readonly node: Node | undefined;
      /** Within something that the schema leaves open. */
      readonly open: boolean;
      /** A string here is text. */
      readonly text: boolean;
      readonly depth: number;
    },
  ): number {
    const { bytes } = this;
    const { node, text } = place;
    const depth = place.depth + 1;
    const open = place.open || node?.any === true;
    const first = bytes[at];
    if (first === 0x22) {
      const close = closingQuote(bytes, at);
      const found = node?.kind ?? (open ? "any" : "value");
      if (!text || node?.kind !== undefined) this.#string(at, close, found);
      return close + 1;
    }
    if ((first !== 0x7b && first !== 0x5b) || depth > DEEPEST) return endOfValue(bytes, at);
    if (first === 0x5b) {
      const element = { node: node?.element, open, text, depth };
      return eachElement(bytes, at, (value) => this.#value(value, element));
    }
    const sibling = (wanted: string): string | undefined => stringMember(bytes, at, wanted);
    return eachMember(bytes, at, (nameAt, value) => {
      const close = closingQuote(bytes, nameAt);
      const name = this.#name(nameAt, close);
      const member = node?.member(name, sibling);
      if (member === undefined && (OPAQUE.has(name) || DOCUMENT_TEXT.has(name))) {
        return endOfValue(bytes, value);
      }
      if (node?.key !== undefined || open || node === undefined) {
        this.#string(nameAt, close, node?.key ?? (open ? "any" : "value"));
      }
      return this.#value(value, { node: member, open, text: !open && TEXT.has(name), depth });
    });
  }

  #name(open: number, close: number): string {
    const bytes = this.bytes.subarray(open + 1, close);
    return bytes.includes(0x5c) ? decodeString(this.bytes, open, close).text : byteString(bytes);
  }

  #string(open: number, close: number, found: Found): void {
    if (close - open > LONGEST || close - open < 2) return;
    if (found !== "any" && !mayBePath(this.bytes[open + 1])) return;
    for (const edit of this.rewrite(decodeString(this.bytes, open, close), found)) {
      this.edits.push({ ...edit, bytes: encodeString(edit.bytes) });
    }
  }
}

// A slash, a scheme that has paths (file, vscode-notebook-cell), or an escape that may be one of these.
function mayBePath(byte: number | undefined): boolean {
  return byte === 0x2f || byte === 0x66 || byte === 0x46 || byte === 0x76 || byte === 0x56 ||
    byte === 0x5c;
}

/** Where the values of a message's members are, by name; the last counts where a name is there twice. */
export function members(
  bytes: Uint8Array,
  at: number,
): Map<string, { readonly from: number; readonly to: number }> {
  const found = new Map<string, { from: number; to: number }>();
  eachMember(bytes, at, (name, from) => {
    const to = endOfValue(bytes, from);
    found.set(decodeString(bytes, name, closingQuote(bytes, name)).text, { from, to });
    return to;
  });
  return found;
}

/** Where the members of a whole message are; undefined where it is no object (a batch is an array). */
export function messageMembers(bytes: Uint8Array): ReturnType<typeof members> | undefined {
  const start = afterSpace(bytes, 0);
  const end = endOfValue(bytes, start);
  if (afterSpace(bytes, end) !== bytes.length) {
    throw new NotJson(`more than a value: it ends at byte ${end} of ${bytes.length}`);
  }
  return bytes[start] === 0x7b ? members(bytes, start) : undefined;
}

function stringMember(bytes: Uint8Array, at: number, wanted: string): string | undefined {
  const value = members(bytes, at).get(wanted);
  if (value === undefined || bytes[value.from] !== 0x22) return undefined;
  return decodeString(bytes, value.from, value.to - 1).text;
}
