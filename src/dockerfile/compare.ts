/** Compares the container with what the Dockerfile builds, file by file. */
import { isAccountFile } from "./copies.ts";
import { isServerData, isTemporary, volatileBy } from "./rules.ts";
import { type Entry, isSameFile, named, type Survey } from "./tree.ts";

/** One path that the two have in another way. */
export interface Difference {
  readonly path: string;
  readonly what:
    | "missing"
    | "extra"
    | "type"
    | "content"
    | "target"
    | "mode"
    | "owner"
    | "capability";
  /** The container's, and the built image's, for people. */
  readonly wanted: string;
  readonly found: string;
}

export interface Comparison {
  readonly differences: readonly Difference[];
  /** Paths in which the container or the image differ from the base, rules applied. */
  readonly changed: number;
  /** How many paths each rule left out. */
  readonly leftOut: Readonly<Record<string, number>>;
}

/** The four file systems: the session's container, the image that was built, its base, and the session's image. */
export interface Sides {
  readonly container: Survey;
  readonly built: Survey;
  readonly base: Survey;
  readonly overlay: Survey;
}

/** Files whose content must be known, for {@link compare}. */
export function filesToHash({ container, built }: Sides): string[] {
  return [...container.tree].flatMap(([path, entry]) => {
    const other = built.tree.get(path);
    const asks = other?.type === "f" && entry.type === "f" && !isSameFile(entry, other) &&
      entry.size === other.size;
    return asks && ruleOf(path) === undefined ? [path] : [];
  });
}

/** What differs. `hashes`: the digests of {@link filesToHash} in the container and in the image. */
export function compare(
  sides: Sides,
  { hashes, texts, withheld = () => false, ignored = () => false }: {
    readonly hashes: {
      readonly container: ReadonlyMap<string, string>;
      readonly built: ReadonlyMap<string, string>;
    };
    /** Of the files that are compared by their lines: their text on each side. */
    readonly texts: { readonly [Side in keyof Sides]: ReadonlyMap<string, string> };
    /** Secrets that were not copied. */
    readonly withheld?: (path: string) => boolean;
    /** What the user's own rules leave out. */
    readonly ignored?: (path: string) => boolean;
  },
): Comparison {
  const { container, built, base, overlay } = sides;
  const differences: Difference[] = [];
  const leftOut: Record<string, number> = {};
  let changed = 0;
  const paths = new Set([...container.tree.keys(), ...built.tree.keys()]);
  for (const path of paths) {
    const wanted = container.tree.get(path);
    const found = built.tree.get(path);
    const before = base.tree.get(path);
    const isNew = !isSameEntry(wanted, before) || !isSameEntry(found, before);
    const rule = ruleOf(path) ??
      (withheld(path) ? "secrets" : ignored(path) ? ".verifyignore" : undefined);
    if (rule !== undefined) {
      if (isNew) leftOut[rule] = (leftOut[rule] ?? 0) + 1;
      continue;
    }
    const isOverlays = isSameEntry(wanted, overlay.tree.get(path)) &&
      !isSameEntry(wanted, before);
    if (isOverlays && (found === undefined ? before === undefined : isSameEntry(found, before))) {
      leftOut["sshd's own packages"] = (leftOut["sshd's own packages"] ?? 0) + 1;
      continue;
    }
    if (!isNew) continue;
    changed++;
    const difference = isAccountFile(path) || isOverlayText(path)
      ? compareLines(path, texts)
      : differenceOf(path, { wanted, found, sides, hashes });
    if (difference === undefined) continue;
    if (difference === "secrets") {
      leftOut["secrets"] = (leftOut["secrets"] ?? 0) + 1;
      continue;
    }
    // What sshd's packages changed in the session's image may be either way.
    if (isOverlays && wanted?.type === "d") continue;
    differences.push(difference);
  }
  return { differences, changed, leftOut };
}

/** The rule that leaves a path out. */
export function ruleOf(path: string): string | undefined {
  if (isServerData(path)) return "data of a server";
  return volatileBy(path) ?? (isTemporary(path) ? "temporary files" : undefined);
}

/** Files that are compared by what is in them, since the session's image has changed them too. */
export function textFiles({ container, built }: Sides): string[] {
  return [...new Set([...container.tree.keys(), ...built.tree.keys()])]
    .filter((path) => isAccountFile(path) || isOverlayText(path) || isHostText(path));
}

function isOverlayText(path: string): boolean {
  return path === "/etc/shells" ||
    /^\/var\/lib\/dpkg\/(diversions|statoverride|triggers\/File)$/.test(path);
}

function isHostText(path: string): boolean {
  return /^\/etc\/(mailname|exim4\/update-exim4\.conf\.conf|postfix\/main\.cf)$/.test(path);
}

function isSameEntry(a: Entry | undefined, b: Entry | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.type !== b.type || a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
  if (a.type === "f") return isSameFile(a, b);
  return a.target === b.target;
}

function differenceOf(
  path: string,
  { wanted, found, sides, hashes }: {
    readonly wanted: Entry | undefined;
    readonly found: Entry | undefined;
    readonly sides: Sides;
    readonly hashes: {
      readonly container: ReadonlyMap<string, string>;
      readonly built: ReadonlyMap<string, string>;
    };
  },
): Difference | undefined {
  const { container, built } = sides;
  const say = (what: Difference["what"], a: string, b: string): Difference => ({
    path,
    what,
    wanted: a,
    found: b,
  });
  if (wanted?.type === "s" && found === undefined) return undefined;
  if (wanted === undefined) return say("extra", "", found?.type ?? "");
  if (found === undefined) return say("missing", wanted.type, "");
  if (wanted.type !== found.type) return say("type", wanted.type, found.type);
  if (wanted.type === "l") {
    return wanted.target === found.target ? undefined : say("target", wanted.target, found.target);
  }
  if (wanted.type === "f" && !isSameFile(wanted, found)) {
    const here = hashes.container.get(path);
    const there = hashes.built.get(path);
    if (wanted.size !== found.size || here === undefined || here !== there) {
      return say("content", here ?? `${wanted.size} bytes`, there ?? `${found.size} bytes`);
    }
  }
  if (wanted.mode !== found.mode) {
    return say("mode", wanted.mode.toString(8), found.mode.toString(8));
  }
  const owner = (entry: Entry, { users, groups }: Survey): string =>
    `${named(users, entry.uid)}:${named(groups, entry.gid)}`;
  if (owner(wanted, container) !== owner(found, built)) {
    return say("owner", owner(wanted, container), owner(found, built));
  }
  const capability = (side: Survey): string => side.capabilities.get(path) ?? "";
  const known = container.capabilities.size > 0 && built.capabilities.size > 0;
  if (known && capability(container) !== capability(built)) {
    return say("capability", capability(container), capability(built));
  }
  return undefined;
}

/** Compares a file of records: what sshd's packages added to the session's image counts on neither side. */
function compareLines(
  path: string,
  texts: { readonly [Side in keyof Sides]: ReadonlyMap<string, string> },
): Difference | "secrets" | undefined {
  const records = (side: keyof Sides): Map<string, string> =>
    recordsOf(path, texts[side].get(path) ?? "");
  const [container, built, base, overlay] = [
    records("container"),
    records("built"),
    records("base"),
    records("overlay"),
  ];
  const wrong: string[] = [];
  for (const key of new Set([...container.keys(), ...built.keys()])) {
    const [wanted, found] = [container.get(key), built.get(key)];
    if (wanted === found) continue;
    // As the overlay left it: then the base's state is as good.
    if (
      wanted === overlay.get(key) &&
      (found === base.get(key) || found === undefined && !base.has(key))
    ) continue;
    // A package that only the overlay had, in the image by itself.
    if (
      wanted !== undefined && found !== undefined && wanted === overlay.get(key) &&
      path.startsWith("/var/lib/")
    ) continue;
    wrong.push(key);
  }
  if (wrong.length === 0) return undefined;
  // A password that was set is none of the image's.
  const isPassword = (key: string): boolean =>
    /:a password:/.test(container.get(key) ?? "") &&
    container.get(key)?.replace(/:a password:/, ":") ===
      built.get(key)?.replace(/:(a password|[!*]*):/, ":");
  if (path === "/etc/shadow" && wrong.every(isPassword)) return "secrets";
  const show = (side: Map<string, string>): string =>
    wrong.slice(0, 3).map((key) => side.get(key)?.slice(0, 80) ?? `no ${key}`).join(", ");
  return { path, what: "content", wanted: show(container), found: show(built) };
}

/** Records by their name, without what differs from run to run: numbers of users, the day of a password, hashes. */
export function recordsOf(path: string, text: string): Map<string, string> {
  const records = new Map<string, string>();
  if (/\/(status|extended_states)$/.test(path)) {
    for (const paragraph of text.split(/\n\n+/)) {
      const name = /^Package: (\S+)/m.exec(paragraph)?.[1];
      const architecture = /^Architecture: (\S+)/m.exec(paragraph)?.[1] ?? "";
      if (name === undefined) continue;
      const fields = ["Status", "Version", "Auto-Installed"].flatMap((field) =>
        new RegExp(`^${field}: (.*)$`, "m").exec(paragraph)?.[0] ?? []
      );
      records.set(`${name}:${architecture}`, `${name} ${fields.join(", ")}`);
    }
    return records;
  }
  for (const line of text.split("\n")) {
    const fields = line.split(":");
    const [name = ""] = fields;
    if (line === "") continue;
    if (path === "/etc/passwd") records.set(name, [name, ...fields.slice(4)].join(":"));
    else if (path === "/etc/group") {
      records.set(name, [name, (fields[3] ?? "").split(",").toSorted().join(",")].join(":"));
    } else if (path === "/etc/gshadow") {
      records.set(name, `${name}:${(fields[3] ?? "").split(",").toSorted().join(",")}`);
    } else if (path === "/etc/shadow") {
      const password = fields[1] ?? "";
      const kind = password.startsWith("$") ? "a password" : password.replace(/^!+\*?$/, "!");
      records.set(name, [name, kind, ...fields.slice(3)].join(":"));
    } else if (/^\/etc\/sub[ug]id$/.test(path)) records.set(name, name);
    else records.set(line, line);
  }
  return records;
}
