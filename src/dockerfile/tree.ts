/** What a file system is made of, as `survey.sh` prints it. */

/** One entry. Paths and targets are binary strings: each letter is a byte. */
export interface Entry {
  readonly path: string;
  /** find's letter: f, d, l, p, c, b or s. */
  readonly type: string;
  /** Twelve bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly inode: string;
  /** Seconds since 1970, with a fraction where the system tells it. */
  readonly ctime: number;
  readonly mtime: number;
  /** Of a symbolic link; else empty. */
  readonly target: string;
}

export type Tree = ReadonlyMap<string, Entry>;

/** A file system, and what is needed to read its numbers. */
export interface Survey {
  readonly tree: Tree;
  /** Its clock when the survey began, in seconds since 1970. */
  readonly clock: number;
  readonly host: string;
  /** Names by number, and numbers by name. */
  readonly users: Names;
  readonly groups: Names;
  /** Where something is mounted, with what it is. */
  readonly mounts: readonly Mount[];
  /** /var/log/apt/history.log. */
  readonly apt: string;
  /** Capabilities by path, in getcap's words. */
  readonly capabilities: ReadonlyMap<string, string>;
}

export interface Names {
  readonly byNumber: ReadonlyMap<number, string>;
  readonly byName: ReadonlyMap<string, number>;
}

export interface Mount {
  readonly path: string;
  /** The path in the file system that is mounted. */
  readonly root: string;
  readonly type: string;
  readonly source: string;
}

const SECTION = "\x1e";
const TYPES: Readonly<Record<number, string>> = {
  0o10: "f",
  0o4: "d",
  0o12: "l",
  0o1: "p",
  0o2: "c",
  0o6: "b",
  0o14: "s",
};

/** Reads the output of `survey.sh`, unzipped, each letter a byte. */
export function parseSurvey(text: string): Survey {
  const sections = new Map<string, string>();
  let at = text.indexOf(SECTION);
  while (at >= 0) {
    const line = text.indexOf("\n", at);
    const name = text.slice(at + 1, line);
    // File names may have any byte in them.
    const end = name === "tree" ? -1 : text.indexOf(SECTION, line);
    sections.set(name, text.slice(line + 1, end < 0 ? undefined : end));
    at = end;
  }
  const section = (name: string): string => sections.get(name) ?? "";
  return {
    tree: parseTree(section("tree")),
    clock: Number(section("clock").trim().replace(/\.\D*$/, "")),
    host: section("host").trim(),
    users: parseNames(section("passwd")),
    groups: parseNames(section("group")),
    mounts: parseMounts(section("mounts")),
    apt: section("apt"),
    capabilities: parseCapabilities(section("capabilities")),
  };
}

/** The entries in the last section of a survey. */
export function parseTree(text: string): Tree {
  const tree = new Map<string, Entry>();
  const fields = text.split("\0");
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const found =
      /^(?:([a-zA-Z]) ([0-7]+)|x([0-9a-f]+)) (\d+) (\d+) (\d+) (\d+) ([\d.]+) ([\d.]+) (\/[^]*)$/
        .exec(fields[at] ?? "");
    if (found === null) continue;
    const [, letter, mode, bits, uid, gid, size, inode = "", ctime, mtime, path = ""] = found;
    const raw = bits === undefined ? 0 : Number.parseInt(bits, 16);
    tree.set(path, {
      path,
      type: letter ?? TYPES[raw >> 12] ?? "?",
      mode: bits === undefined ? Number.parseInt(mode ?? "0", 8) : raw & 0o7777,
      uid: Number(uid),
      gid: Number(gid),
      size: Number(size),
      inode,
      ctime: Number(ctime),
      mtime: Number(mtime),
      target: fields[at + 1] ?? "",
    });
  }
  return tree;
}

/** /etc/passwd or /etc/group: the first line of a number or a name counts. */
export function parseNames(text: string): Names {
  const byNumber = new Map<number, string>();
  const byName = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [name = "", , number = ""] = line.split(":");
    if (name === "" || !/^\d+$/.test(number)) continue;
    if (!byNumber.has(Number(number))) byNumber.set(Number(number), name);
    if (!byName.has(name)) byName.set(name, Number(number));
  }
  return { byNumber, byName };
}

function parseMounts(text: string): Mount[] {
  const unescaped = (word: string): string =>
    word.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)));
  return text.split("\n").flatMap((line) => {
    const [, root = "", path = "", type = "", source = ""] =
      /^\S+ \S+ \S+ (\S+) (\S+) .* - (\S+) (\S+)/.exec(line) ?? [];
    if (path === "" || path === "/") return [];
    return [{ path: unescaped(path), root: unescaped(root), type, source: unescaped(source) }];
  });
}

// `/usr/bin/ping cap_net_raw=ep`, older ones `/usr/bin/ping = cap_net_raw+ep`.
function parseCapabilities(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, path, words] = /^(\/.*?) (?:= )?(cap_\S+)$/.exec(line) ?? [];
    if (path !== undefined && words !== undefined) found.set(path, words.replace("+", "="));
  }
  return found;
}

/** The directory that holds a path. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Whether two entries on one engine are the same file of a lower layer: then they have the same content. */
export function isSameFile(a: Entry, b: Entry): boolean {
  return a.inode === b.inode && a.ctime === b.ctime && a.size === b.size;
}

/** A name of a number: the system's, else the number itself. */
export function named(names: Names, number: number): string {
  return names.byNumber.get(number) ?? String(number);
}
