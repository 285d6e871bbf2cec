/** What makes a built image equal where the commands do not: copies, modes, owners, removals, accounts. */
import { asRun, copyInstructions, shellPath } from "./arrange.ts";
import { type Difference, recordsOf, type Sides } from "./compare.ts";
import { BIG_FILE, type Copy, isAccountFile, ownerOf } from "./copies.ts";
import type { Instruction } from "./instructions.ts";
import { type ShellLine, written } from "./shell_line.ts";
import { parentOf } from "./tree.ts";

/** Instructions for the end of the Dockerfile, and the files that they copy. */
export function closureOf(
  differences: readonly Difference[],
  { sides, texts, isOmitted }: {
    readonly sides: Sides;
    readonly texts: { readonly [Side in keyof Sides]: ReadonlyMap<string, string> };
    /** What must not be copied: a secret, a big file. */
    readonly isOmitted: (path: string) => boolean;
  },
): { readonly instructions: Instruction[]; readonly files: Map<string, string> } {
  const { container, built } = sides;
  const files = new Map<string, string>();
  const copies: Copy[] = [];
  const extra: string[] = [];
  const lines: ShellLine[] = [];
  for (const { path, what } of differences) {
    if (isAccountFile(path)) continue;
    const entry = container.tree.get(path);
    if (what === "extra") extra.push(path);
    if (entry === undefined || isOmitted(path) || entry.size > BIG_FILE && entry.type === "f") {
      continue;
    }
    if (what === "capability") continue;
    const whole = !(what === "mode" || what === "owner");
    if (what === "type") extra.push(path);
    copies.push({ entry, whole, time: 0, owner: ownerOf(entry, container) });
  }
  const gone = new Set(extra);
  const top = extra.filter((path) => {
    for (let at = parentOf(path); at !== "/"; at = parentOf(at)) if (gone.has(at)) return false;
    return true;
  });
  lines.push(...accountLines(texts));
  if (top.length > 0) {
    lines.push({ text: `rm -rf ${top.sort().map(shellPath).join(" ")}`, isSimple: true });
  }
  const missing = missingPackages(texts);
  const instructions: Instruction[] = [
    ...missing.length === 0 ? [] : [{
      kind: "run" as const,
      user: "",
      cwd: undefined,
      lines: [],
      apt: [{
        action: "install" as const,
        packages: missing,
        options: ["--no-install-recommends"],
      }],
      commands: [],
      notes: [],
    }],
    ...asRun(lines),
    ...copyInstructions(copies, { container: container.tree, image: built.tree, files }),
  ];
  const capabilities = differences.filter(({ what, path }) =>
    what === "capability" || container.capabilities.has(path)
  ).map(({ path }): ShellLine => {
    const words = container.capabilities.get(path);
    const text = words === undefined
      ? `setcap -r ${shellPath(path)}`
      : `setcap ${words} ${shellPath(path)}`;
    return { text, isSimple: true };
  });
  return { instructions: [...instructions, ...asRun(capabilities)], files };
}

/** Packages that the container has, the built image has not, and that are not there for the session's sake. */
function missingPackages(
  texts: { readonly [Side in keyof Sides]: ReadonlyMap<string, string> },
): string[] {
  const path = "/var/lib/dpkg/status";
  const records = (side: keyof Sides): Map<string, string> =>
    recordsOf(path, texts[side].get(path) ?? "");
  const [container, built, overlay] = [records("container"), records("built"), records("overlay")];
  return [...container].flatMap(([key, record]) =>
    /install ok installed/.test(record) && !/install ok installed/.test(built.get(key) ?? "") &&
      record !== overlay.get(key)
      ? [key.slice(0, key.lastIndexOf(":"))]
      : []
  ).toSorted();
}

/** Users and groups that somebody added by hand, as the commands that add them. */
function accountLines(
  texts: { readonly [Side in keyof Sides]: ReadonlyMap<string, string> },
): ShellLine[] {
  const lines: string[] = [];
  const rows = (side: keyof Sides, file: string): Map<string, string[]> =>
    new Map(
      (texts[side].get(file) ?? "").split("\n").filter(Boolean).map((line) => {
        const fields = line.split(":");
        return [fields[0] ?? "", fields];
      }),
    );
  const groups = rows("container", "/etc/group");
  const builtGroups = rows("built", "/etc/group");
  const overlayGroups = rows("overlay", "/etc/group");
  const baseGroups = rows("base", "/etc/group");
  for (const [name, [, , gid = "", members = ""]] of groups) {
    const isOverlays = overlayGroups.has(name) && !baseGroups.has(name);
    if (isOverlays) continue;
    if (!builtGroups.has(name)) lines.push(`groupadd -g ${gid} ${written(name)}`);
    const there = new Set((builtGroups.get(name)?.[3] ?? "").split(","));
    for (
      const member of members.split(",").filter((member) => member !== "" && !there.has(member))
    ) {
      lines.push(`usermod -aG ${written(name)} ${written(member)}`);
    }
  }
  const users = rows("container", "/etc/passwd");
  const builtUsers = rows("built", "/etc/passwd");
  const overlayUsers = rows("overlay", "/etc/passwd");
  const baseUsers = rows("base", "/etc/passwd");
  const added: string[] = [];
  for (const [name, [, , uid = "", gid = "", comment = "", home = "", shell = ""]] of users) {
    if (overlayUsers.has(name) && !baseUsers.has(name)) continue;
    const known = builtUsers.get(name);
    if (known === undefined) {
      added.push(
        `useradd -M -u ${uid} -g ${gid} -c ${written(comment)} -d ${written(home)} -s ${
          written(shell)
        } ${written(name)}`,
      );
    } else {
      const options = ([["-c", 4, comment], ["-d", 5, home], ["-s", 6, shell]] as const)
        .filter(([, at, value]) => known[at] !== value)
        .map(([option, , value]) => `${option} ${written(value)} `);
      if (options.length > 0) added.push(`usermod ${options.join("")}${written(name)}`);
    }
  }
  const order = (line: string): number =>
    line.startsWith("groupadd")
      ? 0
      : line.startsWith("user") && !line.startsWith("usermod -aG")
      ? 1
      : 2;
  return [...lines, ...added].sort((a, b) => order(a) - order(b)).map((text) => ({
    text,
    isSimple: true,
  }));
}
