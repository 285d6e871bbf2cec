import { byteString, type DecodedString, type Edit } from "./json_scan.ts";
import { locatePath, PathMap } from "./paths.ts";

/** What may be in front of a path within a word: nothing, a separator, or an option's letters. */
const BEFORE = /(?:^|[=:,;"'])$|^(?:--?[A-Za-z][A-Za-z-]*|@)$/;
/** What a path within a word ends before. */
const AFTER = /^[:,;"']/;
const FILE_URI = /(?<=^|[=:,;"'])file:\/[^\s"']*/gi;

/**
 * What makes the local paths within a word of a command line paths of the container; in order. The rule: a
 * path below the mount is mapped where it starts the word, comes after one of `= : , ; " '`, or after an
 * option's letters that start the word (`-I/x`, `-isystem/x`, `@/x`), and where the mount's path is followed
 * by a slash, one of `: , ; " '` or nothing. `file:` URIs may start in the same places.
 */
export function mapWord(map: PathMap, { text, offset }: DecodedString): readonly Edit[] {
  const edits: Edit[] = [];
  for (const local of map.locals()) {
    for (let at = text.indexOf(local); at >= 0; at = text.indexOf(local, at + 1)) {
      const tail = text.slice(at + local.length);
      if (tail !== "" && !tail.startsWith("/") && !AFTER.test(tail)) continue;
      if (!BEFORE.test(text.slice(0, at))) continue;
      const end = at + local.length + tail.search(/[:,;"']|$/);
      take(text.slice(at, end), at);
    }
  }
  for (const { 0: uri, index } of text.matchAll(FILE_URI)) take(uri, index);
  return edits.sort((a, b) => a.from - b.from);

  function take(part: string, at: number): void {
    const located = locatePath(part);
    if (located === undefined) return;
    const edit = map.toContainer({ text: part, offset: (index) => offset(at + index) }, located);
    if (edit !== undefined && edits.every(({ from, to }) => edit.from >= to || edit.to <= from)) {
      edits.push(edit);
    }
  }
}

/**
 * Words of a command line as the container has them; `prefixes` as {@link PathMap} takes them, the mount first.
 * `outside` is the local directory, where it is not below the mount: the command runs in another one, so a word that is
 * a relative path into the mount, with a slash, is mapped too.
 */
export function mapWords(
  words: readonly string[],
  [mount, ...aliases]: readonly (readonly [local: string, there: string])[],
  { outside }: { readonly outside?: string | undefined } = {},
): readonly string[] {
  const root = mount?.[0] ?? "/";
  const map = new PathMap(root, aliases);
  return words.map((word) => {
    const path = outside === undefined ? word : absolute(word, outside);
    if (path !== word && path.startsWith(`${root}/`)) return path.slice(root.length);
    const text = byteString(new TextEncoder().encode(word));
    const edits = mapWord(map, { text, offset: (index) => index });
    let mapped = "";
    let at = 0;
    for (const { from, to, bytes } of edits) {
      mapped += text.slice(at, from) + bytes;
      at = to;
    }
    return edits.length === 0 ? word : decode(mapped + text.slice(at));
  });
}

function absolute(word: string, directory: string): string {
  if (!/^[^/-][^/]*\//.test(word)) return word;
  const names = directory.split("/").slice(1);
  for (const [at, name] of word.split("/").entries()) {
    if (name === "..") names.pop();
    else if (name !== "." && (name !== "" || at === word.split("/").length - 1)) names.push(name);
  }
  return `/${names.join("/")}`;
}

function decode(bytes: string): string {
  return new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
}
