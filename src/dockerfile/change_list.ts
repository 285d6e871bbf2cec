/** The evidence as a list: who changed which paths last. */
import { parentOf } from "./tree.ts";
import type { Command } from "./evidence.ts";
import { volatileBy } from "./rules.ts";
import type { SessionEvidence } from "./session_evidence.ts";

/** One path that differs from the image's. */
export interface Change {
  readonly kind: "added" | "changed" | "deleted";
  /** A binary string: each letter is a byte. */
  readonly path: string;
}

/** Changes with one cause. */
export interface ChangeGroup {
  readonly by:
    /** A local program, through the mount. */
    | "edit"
    | "command"
    /** No command ran; but processes did, which commands had left. */
    | "process"
    /** No command ran, and nothing was left running: docker exec by hand, or docker itself. */
    | "outside"
    | "unknown";
  readonly command?: Command;
  /** The names of the processes, of `process`. */
  readonly processes?: readonly string[];
  readonly changes: readonly Change[];
}

export interface ChangeList {
  readonly groups: readonly ChangeGroup[];
  /** What differs in every run, by the rule that says so. */
  readonly volatile: Readonly<Record<string, number>>;
}

/** Groups what has changed: edits, then commands in their order, then the rest. */
export function listChanges(found: SessionEvidence): ChangeList {
  const { evidence } = found;
  const left = processesLeft(found);
  const volatile: Record<string, number> = {};
  const groups = new Map<string, ChangeGroup & { readonly changes: Change[] }>();
  for (const change of changesOf(found)) {
    const rule = volatileBy(change.path);
    if (rule !== undefined) {
      volatile[rule] = (volatile[rule] ?? 0) + 1;
      continue;
    }
    const { key, ...group } = causeOf(change.path, { evidence, left });
    const known = groups.get(key) ?? { ...group, changes: [] };
    groups.set(key, known);
    known.changes.push(change);
  }
  const rank = ({ by, command }: ChangeGroup): number => {
    const order = ["edit", "command", "process", "outside", "unknown"].indexOf(by);
    return order * 1e9 + (command?.number ?? 0);
  };
  return { groups: [...groups.values()].sort((a, b) => rank(a) - rank(b)), volatile };
}

function causeOf(
  path: string,
  { evidence, left }: {
    readonly evidence: SessionEvidence["evidence"];
    readonly left: readonly { readonly name: string; readonly began: number }[];
  },
): Omit<ChangeGroup, "changes"> & { readonly key: string } {
  const toucher = evidence.last.get(path);
  if (toucher === undefined) {
    return evidence.edited.has(path)
      ? { key: "edit", by: "edit" }
      : { key: "unknown", by: "unknown" };
  }
  if (toucher.by === "edit") return { key: "edit", by: "edit" };
  if (toucher.by === "command") {
    const command = evidence.commands[toucher.number];
    return { key: `command ${toucher.number}`, by: "command", ...command && { command } };
  }
  const names = [
    ...new Set(left.filter(({ began }) => began <= toucher.time).map(({ name }) => name)),
  ];
  return names.length === 0
    ? { key: "outside", by: "outside" }
    : { key: `process ${names.join("\0")}`, by: "process", processes: names };
}

/** What differs from the image: of a directory that only holds changes, nothing. */
function changesOf({ diff, evidence, tree }: SessionEvidence): Change[] {
  if (diff === undefined) {
    return [
      ...[...evidence.last.keys()].map((path): Change => ({ kind: "changed", path })),
      ...[...evidence.deleted.keys()].filter((path) => !tree.has(path))
        .map((path): Change => ({ kind: "deleted", path })),
    ].sort((a, b) => a.path < b.path ? -1 : 1);
  }
  const KINDS = { A: "added", C: "changed", D: "deleted" } as const;
  const parents = new Set(diff.map(({ path }) => parentOf(path)));
  return diff.filter(({ letter, path }) => letter !== "C" || !parents.has(path))
    .map(({ letter, path }) => ({ kind: KINDS[letter], path }))
    .sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
}

/** What serves sessions, and would be there without any command. */
const OURS = /^(sshd.*|sftp-server|docker-init|tini|dumb-init)$/;
/** A process's beginning is known to a second. */
const COARSE = 1.1;

/** Processes that began during a command and outlived it. */
function processesLeft({ processes, evidence }: SessionEvidence): SessionEvidence["processes"] {
  return processes.filter(({ name, began }) =>
    !OURS.test(name) &&
    evidence.commands.some(({ begin, end }) => begin - COARSE <= began && began <= end + COARSE)
  );
}
