import { type ByteString, type DecodedString, type Edit, utf8 } from "./json_scan.ts";

/** What a string is: a URI, a plain path, or a glob that may be absolute. */
export type Kind = "uri" | "path" | "glob";

/** The path within a string: its bytes without percent-encoding, and where each came from in the string. */
export interface LocatedPath {
  readonly path: ByteString;
  /** Where in the decoded string the byte of the path with this number starts. */
  readonly index: (byte: number) => number;
  /** Percent-encode what takes a part's place. */
  readonly encoded: boolean;
  /** The URI's scheme, in lower case; empty for a plain path. */
  readonly scheme: string;
}

/** A local directory that is a directory of the container: the mount itself, or a link into it. */
interface Prefix {
  readonly local: ByteString;
  /** The container's directory, empty for its root. */
  readonly there: ByteString;
  /** {@link local} as the other side spells it in a URI. */
  readonly encoded: ByteString;
}

// The scheme of a notebook's cell holds the path of its document. Others name things of their own, or hold
// another URI (jar:file:///x!/y), and are left.
const URI = /^(file|vscode-notebook-cell):(?:\/\/(?:localhost)?(?=\/)|(?!\/\/))(\/[^?#]*)/i;

/** The path of a string, if it has one that may be mapped. */
export function locatePath(text: ByteString): LocatedPath | undefined {
  if (text.startsWith("/")) {
    return { path: text, index: (byte) => byte, encoded: false, scheme: "" };
  }
  const match = URI.exec(text);
  const raw = match?.[2];
  if (match === null || raw === undefined) return undefined;
  const start = match[0].length - raw.length;
  const scheme = (match[1] ?? "").toLowerCase();
  if (!raw.includes("%")) {
    return {
      path: raw,
      index: (byte) => start + byte,
      encoded: true,
      scheme,
    };
  }
  let path = "";
  const from: number[] = [];
  for (let at = 0; at < raw.length;) {
    const hex = raw[at] === "%" ? /^[0-9a-fA-F]{2}/.exec(raw.slice(at + 1, at + 3)) : null;
    path += hex === null ? raw.charAt(at) : String.fromCharCode(parseInt(hex[0], 16));
    from.push(start + at);
    at += hex === null ? 1 : 3;
  }
  return { path, index: (byte) => from[byte] ?? match[0].length, encoded: true, scheme };
}

/** Bytes of a path as a URI has them. */
export function percentEncode(path: ByteString): ByteString {
  return path.replace(
    /[^A-Za-z0-9/._~-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

/** A path of the container without `.`, `..` and doubled slashes; above the root is the root. */
function normal(path: ByteString): ByteString {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return `/${names.join("/")}`;
}

/** Whether `..` leads out of the directory that the path is relative to. */
function leadsOut(path: ByteString): boolean {
  if (!path.includes("..")) return false;
  let depth = 0;
  for (const name of path.split("/")) {
    if (name === "..") depth--;
    else if (name !== "" && name !== ".") depth++;
    if (depth < 0) return true;
  }
  return false;
}

/**
 * The container's paths and the local ones below the mount, as bytes. Only the prefix of a string is
 * replaced: its tail keeps its bytes and its spelling, so that there and back again gives the same string.
 */
export class PathMap {
  /** The first that fits counts. */
  readonly #prefixes: Prefix[] = [];
  /** The prefix for what comes out of the container, for each directory there; the longest counts. */
  readonly #answers = new Map<ByteString, Prefix>();

  /** `mount` and the local names of `aliases` are absolute, without a slash at the end. */
  constructor(
    mount: string,
    aliases: readonly (readonly [local: string, there: string])[] = [],
  ) {
    this.addAlias(mount, "");
    for (const [local, there] of aliases) this.addAlias(local, there);
  }

  /** A further local name of a directory of the container. */
  addAlias(local: string, there: string): void {
    const bytes = utf8(local);
    const prefix = {
      local: bytes,
      there: utf8(there === "/" ? "" : there),
      encoded: percentEncode(bytes),
    };
    this.#prefixes.push(prefix);
    if (this.#prefixes.length === 1) this.#answers.set("", prefix);
  }

  /** All names that the mount, or a directory below it, has on this host. */
  locals(): readonly ByteString[] {
    return this.#prefixes.map(({ local }) => local);
  }

  /** The container's path of a local one; undefined where it is not below the mount. */
  containerPath(path: ByteString): ByteString | undefined {
    const prefix = this.#prefixOf(path);
    return prefix === undefined ? undefined : prefix.there + path.slice(prefix.local.length) || "/";
  }

  #prefixOf(path: ByteString): Prefix | undefined {
    return this.#prefixes.find(({ local }) =>
      (path === local || path.startsWith(`${local}/`)) && !leadsOut(path.slice(local.length))
    );
  }

  /** From now on the container's files come out under the name that this local path has for the mount. */
  answerAs(text: ByteString): void {
    const located = locatePath(text);
    if (located === undefined || !located.encoded) return;
    const prefix = this.#prefixOf(located.path);
    if (prefix === undefined) return;
    const encoded = text.slice(located.index(0), located.index(prefix.local.length));
    this.#answers.set(prefix.there, { ...prefix, encoded });
  }

  /** What makes a local path or URI one of the container; undefined where it is not below the mount. */
  toContainer(source: DecodedString, located: LocatedPath): Edit | undefined {
    const { path, index, encoded } = located;
    const prefix = this.#prefixOf(path);
    if (prefix === undefined) return undefined;
    const root = prefix.there === "" && path.length === prefix.local.length ? "/" : prefix.there;
    return {
      from: source.offset(index(0)),
      to: source.offset(index(prefix.local.length)),
      bytes: encoded ? percentEncode(root) : root,
    };
  }

  /** What makes a path or URI of the container a local one. */
  toLocal(source: DecodedString, located: LocatedPath): Edit {
    const { path, index, encoded } = located;
    const there = leadsOut(path) ? normal(path) : path;
    let answer: Prefix | undefined;
    for (const candidate of this.#answers.values()) {
      if (!(there === candidate.there || there.startsWith(`${candidate.there}/`))) continue;
      if (answer === undefined || candidate.there.length > answer.there.length) answer = candidate;
    }
    const { local = "", encoded: uri = "", there: replaced = "" } = answer ?? {};
    const tail = there === path ? "" : there.slice(replaced.length);
    return {
      from: source.offset(index(0)),
      to: source.offset(index(there === path ? replaced.length : path.length)),
      bytes: encoded ? uri + percentEncode(tail) : local + tail,
    };
  }
}

/** The same path for the same file: what spellings are compared by. */
export function sameName(located: Pick<LocatedPath, "path" | "scheme">): string {
  const path = located.path.length > 1 ? located.path.replace(/\/+$/, "") || "/" : located.path;
  return `${located.scheme || "file"}:${path}`;
}
