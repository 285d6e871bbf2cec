/** Long lists of changed paths, in as few lines as are wanted. */
import type { InsideChange } from "./inside_changes.ts";

type Kind = InsideChange["kind"];

/** One line: a path, or a directory with what changed below it. */
export interface Folded {
  /** A name that stands for nothing else; undefined: a directory with changes of several kinds, or only below it. */
  readonly kind: Kind | undefined;
  readonly path: string;
  /** The changes that it stands for, itself among them. */
  readonly counts: Readonly<Partial<Record<Kind, number>>>;
}

interface Node {
  readonly path: string;
  kind: Kind | undefined;
  readonly children: Map<string, Node>;
  readonly counts: Partial<Record<Kind, number>>;
}

/**
 * Folds directories until there are `most` lines or fewer, where that can be. A directory that was added or deleted
 * stands for all below it. In the order of the paths.
 */
export function fold(
  changes: readonly Pick<InsideChange, "kind" | "path">[],
  most: number,
): Folded[] {
  const root: Node = { path: "", kind: undefined, children: new Map(), counts: {} };
  for (const { kind, path } of changes) insert(root, { kind, path });
  const lines = [...root.children.values()];
  for (;;) {
    const room = most - lines.length;
    const next = lines
      .filter((node) => isFoldable(node) && cost(node) <= room)
      .sort((a, b) => cost(a) - cost(b))[0];
    if (next === undefined) break;
    const own = next.kind === undefined ? [] : [leafOf(next)];
    lines.splice(lines.indexOf(next), 1, ...own, ...next.children.values());
  }
  return lines.map(({ kind, path, counts, children }) => ({
    kind: children.size === 0 || isWhole(kind) ? kind : undefined,
    path,
    counts,
  })).sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
}

function insert(root: Node, { kind, path }: Pick<InsideChange, "kind" | "path">): void {
  let node = root;
  let at = "";
  for (const name of path.split("/").slice(1)) {
    at += `/${name}`;
    let child = node.children.get(name);
    if (child === undefined) {
      child = { path: at, kind: undefined, children: new Map(), counts: {} };
      node.children.set(name, child);
    }
    child.counts[kind] = (child.counts[kind] ?? 0) + 1;
    node = child;
  }
  node.kind = kind;
}

function isWhole(kind: Kind | undefined): boolean {
  return kind === "added" || kind === "deleted";
}

function isFoldable({ kind, children }: Node): boolean {
  return children.size > 0 && !isWhole(kind);
}

/** Lines that a directory's opening adds. */
function cost({ kind, children }: Node): number {
  return children.size - 1 + (kind === undefined ? 0 : 1);
}

function leafOf({ path, kind }: Node): Node {
  const counts = kind === undefined ? {} : { [kind]: 1 };
  return { path, kind, children: new Map(), counts };
}
