import { visible } from "./visible.ts";
import type { Context } from "./process/context.ts";

/** The three systems, as a line of progress names them. */
export type Place = "local" | "remote" | "container";

/** One line on stderr that says what is done, and where. */
export function progress(context: Context, place: Place, text: string): void {
  context.stderr(`${paint(context, `[${place}]`)} ${text}\n`);
}

const COLOURS = { red: 31, green: 32, yellow: 33 } as const;

/** Text of lesser weight, where stderr is a terminal that shows it. */
export function paint(context: Context, text: string): string {
  return context.hasColours?.("stderr") ? `\x1b[2m${text}\x1b[22m` : text;
}

/** Text in a colour, where the stream is a terminal that shows it. */
export function coloured(
  context: Context,
  text: string,
  { colour, stream }: {
    readonly colour: keyof typeof COLOURS | undefined;
    readonly stream: "stdout" | "stderr";
  },
): string {
  return colour !== undefined && context.hasColours?.(stream)
    ? `\x1b[${COLOURS[colour]}m${text}\x1b[39m`
    : text;
}

/**
 * Rows of words as a table without lines, its columns as wide as their longest word. `painted` gets each word with
 * the blanks up to the width of its column.
 */
export function table(
  cells: readonly (readonly string[])[],
  painted: (padded: string, at: { readonly row: number; readonly column: number }) => string = (
    word,
  ) => word,
): string {
  const rows = cells.map((row) => row.map((cell) => visible(cell).replaceAll(/[\n\t]/g, " ")));
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((word, at) => widths[at] = Math.max(widths[at] ?? 0, word.length));
  }
  return rows.map((words, row) =>
    `${
      words.map((word, column) => painted(word.padEnd(widths[column] ?? 0), { row, column }))
        .join("  ").trimEnd()
    }\n`
  ).join("");
}
