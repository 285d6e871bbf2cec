import { quoteUnseen } from "../visible.ts";
import type { Folded } from "./fold.ts";
import type { InsideChange } from "./inside_changes.ts";
import type { Edit } from "./story.ts";

/** An edit for people, on one line whatever the name. */
export function renderEdit({ time, kind, path, from, pathBytes, fromBytes }: Edit): string {
  const old = from === undefined || kind !== "renamed" ? "" : `${printable(from, fromBytes)} -> `;
  return `${time.replace(/\.\d+/, "")}  ${kind.padEnd(8)}  ${old}${printable(path, pathBytes)}`;
}

/** A change inside the container for people, on one line. */
export function renderInsideChange({ kind, path }: Pick<InsideChange, "kind" | "path">): string {
  return `${kind.padEnd(7)}  ${printable(path)}`;
}

/** A line of a folded list: of a directory, how much it stands for. */
export function renderFolded({ kind, path, counts }: Folded): string {
  const all = Object.entries(counts);
  const sum = all.reduce((total, [, count]) => total + count, 0);
  if (kind !== undefined) {
    return renderInsideChange({ kind, path }) + (sum > 1 ? `/  (${formatCount(sum)} paths)` : "");
  }
  const told = all.map(([name, count]) => `${formatCount(count)} ${name}`).join(", ");
  return `${printable(path)}/  ${told}`;
}

/** A number as people read it: 4,312. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

// A name that a terminal or a line would not show as it is, as the shell's $'…'.
function printable(name: string, base64?: string): string {
  const bytes = base64 === undefined ? undefined : Uint8Array.fromBase64(base64);
  const spaced = /^ | $/.test(name) ? new TextEncoder().encode(name) : undefined;
  return quoteUnseen(name, bytes ?? spaced) ?? name;
}
