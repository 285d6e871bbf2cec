/** Puts copies between commands, and says each in as few instructions as it takes. */
import type { Copy } from "./copies.ts";
import type { CopyFiles, Instruction, Run } from "./instructions.ts";
import { type ShellLine, written } from "./shell_line.ts";
import { type Entry, nameOf, parentOf, type Tree } from "./tree.ts";

/** The instructions that bring copies in, in the order in which they work. */
export function copyInstructions(
  copies: readonly Copy[],
  { container, image, files, elsewhere = [] }: {
    readonly container: Tree;
    readonly image: Tree;
    /** What other instructions copy. */
    readonly elsewhere?: readonly string[];
    /** Gets the context path of every file. */
    readonly files: Map<string, string>;
  },
): Instruction[] {
  const byPath = new Map(copies.map((copy) => [copy.entry.path, copy]));
  const whole = copies.filter(({ whole }) => whole);
  const trees = findTrees(whole, { container, image, byPath, elsewhere });
  const inTree = (path: string): boolean => {
    for (let at = path; at !== "/"; at = parentOf(at)) if (trees.has(at)) return true;
    return false;
  };
  const before: ShellLine[] = [];
  const after: ShellLine[] = [];
  const instructions: CopyFiles[] = [];

  for (const path of [...trees].sort()) {
    const owner = byPath.get(path)?.owner;
    const paths = [...byPath.keys()].filter((below) =>
      below === path || below.startsWith(`${path}/`)
    );
    for (const below of paths) files.set(below, below.slice(1));
    instructions.push({
      kind: "copy",
      sources: [`${contextPath(path)}/`],
      destination: `${path}/`,
      owner,
      paths,
    });
  }

  // Nothing of another kind may be in the way.
  const replaced = whole.filter(({ entry: { path, type } }) => {
    const old = image.get(path);
    return old !== undefined && old.type !== type && (old.type === "d" || type !== "l");
  });
  if (replaced.length > 0) {
    const paths = replaced.map(({ entry }) => shellPath(entry.path));
    before.push({ text: `rm -rf ${paths.join(" ")}`, isSimple: true });
  }
  const single = whole.filter(({ entry }) => !inTree(entry.path));
  const groups = new Map<string, Copy[]>();
  for (const copy of single) {
    const { entry, owner } = copy;
    if (entry.type === "f") {
      const key = `${parentOf(entry.path)}\0${owner ?? ""}`;
      groups.set(key, [...groups.get(key) ?? [], copy]);
    } else if (entry.type === "d") {
      const hasFile = single.some(({ entry: { path, type } }) =>
        type === "f" && path.startsWith(`${entry.path}/`)
      );
      const hasTree = [...trees].some((path) => path.startsWith(`${entry.path}/`));
      if (owner === undefined && entry.mode === 0o755 && (hasFile || hasTree)) continue;
      const isImplied = owner === undefined && entry.mode === 0o755 &&
        single.some(({ entry: { path, type } }) =>
          type === "d" && path.startsWith(`${entry.path}/`)
        );
      if (!isImplied) before.push({ text: makeDirectory(copy), isSimple: true });
    } else after.push(...shapeOf(copy));
  }
  for (const group of [...groups.values()].sort((a, b) => pathOf(a) < pathOf(b) ? -1 : 1)) {
    const paths = group.map(({ entry }) => entry.path).sort();
    for (const path of paths) files.set(path, contextPath(path));
    const plain = paths.filter((path) => contextPath(path) === path.slice(1));
    const odd = paths.filter((path) => !plain.includes(path));
    if (plain.length > 0) {
      instructions.push({
        kind: "copy",
        sources: plain.map((path) => contextPath(path)),
        destination: `${parentOf(plain[0] ?? "/").replace(/\/$/, "")}/`,
        owner: group[0]?.owner,
        paths: plain,
      });
    }
    for (const path of odd) {
      // No COPY can name it: it is brought in by another name.
      if (toText(path).includes("\uFFFD")) {
        const passing = `/${contextPath(path).replace("/", "-")}`;
        after.push({ text: `mv ${shellPath(passing)} ${shellPath(path)}`, isSimple: true });
        instructions.push({
          kind: "copy",
          sources: [contextPath(path)],
          destination: passing,
          owner: group[0]?.owner,
          paths: [path],
        });
        continue;
      }
      instructions.push({
        kind: "copy",
        sources: [contextPath(path)],
        destination: path,
        owner: group[0]?.owner,
        paths: [path],
      });
    }
  }

  after.push(...modeLines(
    copies.filter(({ entry: { path, type }, whole }) =>
      whole && (type === "f" || type === "d" && inTree(path))
    ),
  ));
  after.push(...metadataLines(copies.filter(({ whole }) => !whole)));
  return [...asRun(joinMkdirs(dedupe(before))), ...instructions, ...asRun(after)];
}

function pathOf(group: readonly Copy[]): string {
  return group[0]?.entry.path ?? "";
}

/** Lines of shell as an instruction of root's; none for none. */
export function asRun(lines: readonly ShellLine[]): Run[] {
  if (lines.length === 0) return [];
  return [{
    kind: "run",
    user: "",
    cwd: undefined,
    lines,
    apt: [],
    commands: [],
    notes: [],
  }];
}

/**
 * Directories that may be copied with all that is copied below them: the topmost ones. They are new, or empty in the
 * image and as COPY makes them; all that is copied has the same owner, and none of it belongs elsewhere in the file.
 */
function findTrees(
  copies: readonly Copy[],
  { container, image, byPath, elsewhere }: {
    readonly container: Tree;
    readonly image: Tree;
    readonly byPath: ReadonlyMap<string, Copy>;
    readonly elsewhere: readonly string[];
  },
): Set<string> {
  const full = new Set(Array.from(image.keys(), parentOf));
  const owners = new Map<string, string | undefined>();
  for (const { entry, owner } of copies) {
    if (entry.type === "d" && !image.has(entry.path)) owners.set(entry.path, owner);
    const parent = parentOf(entry.path);
    const isEmpty = image.has(parent) && !full.has(parent) && !byPath.has(parent);
    if (isEmpty && isAsCopyMakesIt(container.get(parent))) owners.set(parent, undefined);
  }
  const unfit = new Set<string>();
  for (const path of elsewhere) {
    for (let at = parentOf(path); at !== "/"; at = parentOf(at)) unfit.add(at);
  }
  const counts = new Map<string, number>();
  for (const { entry: { path, type }, owner, whole } of copies) {
    // Whether each directory in between is copied too, or as COPY would make it.
    let isClear = whole && /^[fdl]$/.test(type) && !toText(path).includes("\uFFFD");
    for (let at = parentOf(path); at !== "/"; at = parentOf(at)) {
      if (!isClear || owners.has(at) && owners.get(at) !== owner) unfit.add(at);
      if (type !== "d") counts.set(at, (counts.get(at) ?? 0) + 1);
      const isCopied = byPath.get(at)?.whole === true && !image.has(at);
      isClear &&= isCopied || isAsCopyMakesIt(container.get(at));
    }
  }
  const fit = [...owners.keys()].filter((path) =>
    !unfit.has(path) && !isOdd(path) &&
    (counts.get(path) ?? 0) > (image.has(path) ? 1 : 0)
  );
  const all = new Set(fit);
  return new Set(fit.filter((path) => {
    for (let at = parentOf(path); at !== "/"; at = parentOf(at)) if (all.has(at)) return false;
    return true;
  }));
}

function isAsCopyMakesIt(entry: Entry | undefined): boolean {
  return entry?.type === "d" && entry.mode === 0o755 && entry.uid === 0 && entry.gid === 0;
}

// deno-lint-ignore no-control-regex
const ODD = /[\x00-\x1f\x7f*?[\]\\]/;

/** Whether COPY would take a name for a pattern, or cannot have it at all. */
function isOdd(path: string): boolean {
  return ODD.test(path) || toText(path).includes("\uFFFD") || path.startsWith("/.odd/");
}

function toText(path: string): string {
  const bytes = Uint8Array.from(path, (letter) => letter.charCodeAt(0));
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** Where a file of the container is in the context, below `files/`: at its own path, unless COPY would misread that. */
export function contextPath(path: string): string {
  if (!isOdd(path)) return path.slice(1);
  const bytes = Uint8Array.from(path, (letter) => letter.charCodeAt(0));
  const plain = nameOf(path).replace(/[^A-Za-z0-9._-]+/g, "_").slice(-40);
  return `.odd/${
    bytes.reduce((sum, byte) => (sum * 31 + byte) % 0xffffffff, 7).toString(16)
  }-${plain}`;
}

function makeDirectory({ entry, owner }: Copy): string {
  if (owner === undefined && entry.mode === 0o755) return `mkdir -p ${shellPath(entry.path)}`;
  const [user = "", group = ""] = owner?.split(":") ?? [];
  const mode = entry.mode === 0o755 ? "" : ` -m ${entry.mode.toString(8).padStart(3, "0")}`;
  const owned = owner === undefined ? "" : ` -o ${user} -g ${group}`;
  return `install -d${owned}${mode} ${shellPath(entry.path)}`;
}

function shapeOf({ entry, owner }: Copy): ShellLine[] {
  const path = shellPath(entry.path);
  const lines = entry.type === "l"
    ? [`ln -sfn ${shellPath(entry.target)} ${path}`]
    : entry.type === "p"
    ? [`mkfifo -m ${entry.mode.toString(8)} ${path}`]
    : [];
  if (lines.length > 0 && owner !== undefined) lines.push(`chown -h ${owner} ${path}`);
  return lines.map((text) => ({ text, isSimple: true }));
}

/** Whether COPY leaves a mode as it is in the context, and git too. */
export function isPlainMode(mode: number): boolean {
  return mode === 0o644 || mode === 0o755;
}

function modeLines(copies: readonly Copy[]): ShellLine[] {
  const byMode = new Map<number, string[]>();
  for (const { entry: { path, mode, type } } of copies) {
    const isPlain = type === "d" ? mode === 0o755 : isPlainMode(mode);
    if (!isPlain) byMode.set(mode, [...byMode.get(mode) ?? [], path]);
  }
  return [...byMode].map(([mode, paths]) => chmodLine(mode, paths));
}

function metadataLines(copies: readonly Copy[]): ShellLine[] {
  const lines: ShellLine[] = [];
  const byOwner = new Map<string, string[]>();
  const byMode = new Map<number, string[]>();
  for (const { entry: { path, mode }, owner = "root:root" } of copies) {
    byOwner.set(owner, [...byOwner.get(owner) ?? [], path]);
    byMode.set(mode, [...byMode.get(mode) ?? [], path]);
  }
  for (const [owner, paths] of byOwner) {
    lines.push({ text: `chown ${owner} ${paths.map(shellPath).join(" ")}`, isSimple: true });
  }
  for (const [mode, paths] of byMode) lines.push(chmodLine(mode, paths));
  return lines;
}

function chmodLine(mode: number, paths: readonly string[]): ShellLine {
  const digits = mode.toString(8).padStart(3, "0");
  return { text: `chmod ${digits} ${paths.map(shellPath).join(" ")}`, isSimple: true };
}

/** A path as a word of the shell, in UTF-8 where it is that, else byte by byte. */
export function shellPath(path: string): string {
  const bytes = Uint8Array.from(path, (letter) => letter.charCodeAt(0));
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  // deno-lint-ignore no-control-regex
  if (!text.includes("\uFFFD") && !/[\x00-\x1f\x7f]/.test(text)) return written(text);
  const octal = Array.from(bytes, (byte) => {
    const char = String.fromCharCode(byte);
    return /[A-Za-z0-9_./-]/.test(char) ? char : `\\${byte.toString(8).padStart(3, "0")}`;
  }).join("");
  return `"$(printf '${octal}.')"`.replace(".')\"", "')\"");
}

function joinMkdirs(lines: readonly ShellLine[]): ShellLine[] {
  const MKDIR = "mkdir -p ";
  const paths = lines.flatMap(({ text }) =>
    text.startsWith(MKDIR) ? [text.slice(MKDIR.length)] : []
  );
  const others = lines.filter(({ text }) => !text.startsWith(MKDIR));
  const removals = others.filter(({ text }) => text.startsWith("rm "));
  const mkdir = paths.length === 0 ? [] : [{ text: `${MKDIR}${paths.join(" ")}`, isSimple: true }];
  return [...removals, ...mkdir, ...others.filter((line) => !removals.includes(line))];
}

function dedupe(lines: readonly ShellLine[]): ShellLine[] {
  return lines.filter(({ text }, at) => lines.findIndex((line) => line.text === text) === at);
}
