import { type ByteString, type DecodedString, type Edit } from "./json_scan.ts";
import { type LocatedPath, locatePath, PathMap, sameName } from "./paths.ts";

/** More documents than an editor ever has open. */
const MOST = 20_000;

/**
 * What the editor calls its documents. An editor compares URIs as strings, so a document that it opened is
 * given back in its own spelling, and one outside of the mount, which the container cannot have, as it is.
 */
export class Documents {
  /** The editor's URI, without query and fragment, or path, by the container's name. */
  readonly #spelled = new Map<string, ByteString>();
  /** Files of this host that the editor speaks of. */
  readonly #outside = new Set<string>();
  /** Those that it has closed: what was said of them may still have to be taken back. */
  readonly #closed = new Set<string>();

  constructor(
    private readonly map: PathMap,
    /** Hears of each file outside of the mount that is new. */
    private readonly onOutside: (uri: ByteString) => void,
  ) {}

  /** The editor has this document open, under this very name. */
  opened(source: DecodedString, located: LocatedPath): void {
    const path = this.map.containerPath(located.path);
    if (path === undefined) return;
    const { scheme, index, encoded } = located;
    keep(
      this.#spelled,
      spelling({ scheme, path, encoded }),
      source.text.slice(0, index(located.path.length)),
    );
  }

  /** The editor speaks of a path that is not below the mount. */
  outside(source: DecodedString, located: LocatedPath): void {
    const name = sameName(located);
    if (this.#outside.has(name)) return;
    this.onOutside(source.text);
    this.#closed.delete(name);
    if (this.#outside.size < MOST) this.#outside.add(name);
  }

  /** The editor has closed a document. */
  closed(located: LocatedPath): void {
    const name = sameName(located);
    if (this.#outside.delete(name) && this.#closed.size < MOST) this.#closed.add(name);
  }

  /** Whether a name that comes out of the container is that of a file outside of it. */
  isOutside(located: LocatedPath, { orClosed }: { readonly orClosed: boolean }): boolean {
    const name = sameName(located);
    return this.#outside.has(name) || (orClosed && this.#closed.has(name));
  }

  /** What makes a URI or path of the container the editor's own; undefined where it has not opened it. */
  asOpened(source: DecodedString, located: LocatedPath): Edit | undefined {
    const spelled = this.#spelled.get(spelling(located));
    if (spelled === undefined) return undefined;
    return {
      from: source.offset(0),
      to: source.offset(located.index(located.path.length)),
      bytes: spelled,
    };
  }
}

/** A path is given back for a path, and a URI for a URI. */
function spelling(located: Pick<LocatedPath, "path" | "scheme" | "encoded">): string {
  return `${located.encoded ? "" : "path "}${sameName(located)}`;
}

function keep(map: Map<string, ByteString>, name: string, value: ByteString): void {
  map.delete(name);
  map.set(name, value);
  if (map.size <= MOST) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    break;
  }
}

/**
 * Looks whether a local path that is not below the mount by its name is so through a link, and remembers
 * the link. `realPath` gives undefined where nothing is there.
 */
export function followLink(
  map: PathMap,
  text: ByteString,
  realPath: (path: string) => string | undefined,
): void {
  const located = locatePath(text);
  if (located === undefined || located.scheme === "vscode-notebook-cell") return;
  const path = textOf(located.path.replace(/\/+$/, ""));
  if (path === undefined || path === "" || map.containerPath(located.path) !== undefined) return;
  // A document that is new is not there yet; its directory is.
  for (const name of [path, path.slice(0, path.lastIndexOf("/"))]) {
    const real = name === "" ? undefined : realPath(name);
    if (real === undefined) continue;
    let local = name;
    let target = real;
    for (;;) {
      const [last, lastThere] = [local.lastIndexOf("/"), target.lastIndexOf("/")];
      const shorter = target.slice(0, lastThere);
      if (last <= 0 || local.slice(last) !== target.slice(lastThere)) break;
      if (containerText(map, shorter) === undefined) break;
      local = local.slice(0, last);
      target = shorter;
    }
    const there = containerText(map, target);
    if (there !== undefined) return map.addAlias(local, there);
  }
}

function containerText(map: PathMap, path: string): string | undefined {
  const bytes = Array.from(new TextEncoder().encode(path), (byte) => String.fromCharCode(byte))
    .join("");
  const there = map.containerPath(bytes);
  return there === undefined ? undefined : textOf(there);
}

/** Bytes as text; undefined where they are no UTF-8. */
export function textOf(bytes: ByteString): string | undefined {
  try {
    const array = Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(array);
  } catch {
    return undefined;
  }
}
