import { visible } from "./visible.ts";
import type { Context } from "./process/context.ts";

/** The three systems, as a line of progress names them. */
export type Place = "local" | "remote" | "container";

/** One line on stderr that says what goes on, and where. */
export function progress(context: Context, place: Place, text: string): void {
  context.stderr(`${paint(context, `[${place}]`)} ${text}\n`);
}

/** Text of lesser weight, where stderr is a terminal that shows it. */
export function paint(context: Context, text: string): string {
  return Deno.stderr.isTerminal() && !context.env["NO_COLOR"] ? `\x1b[2m${text}\x1b[22m` : text;
}

/** Rows of words as a table without lines, its columns as wide as their longest word. */
export function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map((cell) => visible(cell).replaceAll(/[\n\t]/g, " ")));
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((word, at) => widths[at] = Math.max(widths[at] ?? 0, word.length));
  }
  return rows.map((row) =>
    `${row.map((word, at) => word.padEnd(widths[at] ?? 0)).join("  ").trimEnd()}\n`
  ).join("");
}
