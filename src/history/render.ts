import { quoteUnseen } from "../visible.ts";
import type { Edit } from "./story.ts";
import type { InsideChange } from "./inside_changes.ts";

/** An edit for people, on one line whatever the name. */
export function renderEdit({ time, kind, path, from, pathBytes, fromBytes }: Edit): string {
  const old = from === undefined || kind !== "renamed" ? "" : `${printable(from, fromBytes)} -> `;
  return `${time.replace(/\.\d+/, "")}  ${kind.padEnd(8)}  ${old}${printable(path, pathBytes)}`;
}

/** A change inside the container for people, on one line. */
export function renderInsideChange({ kind, path }: InsideChange): string {
  return `${kind.padEnd(7)}  ${printable(path)}`;
}

// A name that a terminal or a line would not show as it is, as the shell's $'…'.
function printable(name: string, base64?: string): string {
  const bytes = base64 === undefined ? undefined : Uint8Array.fromBase64(base64);
  const spaced = /^ | $/.test(name) ? new TextEncoder().encode(name) : undefined;
  return quoteUnseen(name, bytes ?? spaced) ?? name;
}
