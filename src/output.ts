import type { Context } from "./process/context.ts";

/** The three systems, as a line of progress names them. */
export type Place = "local" | "remote" | "container";

/** One line on stderr that says what goes on, and where. */
export function progress(context: Context, place: Place, text: string): void {
  context.stderr(`${paint(context, `[${place}]`)} ${text}\n`);
}

function paint(context: Context, text: string): string {
  return Deno.stderr.isTerminal() && !context.env["NO_COLOR"] ? `\x1b[2m${text}\x1b[22m` : text;
}

/** Bytes for people: `20 kB`, `1.3 GB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Milliseconds for people: `0.4 s`, `3 min 20 s`. */
export function formatDuration(ms: number): string {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** How long ago something was, for people: `5 s`, `3 min`, `7 h`, `12 d`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** Rows of words as a table without lines, its columns as wide as their longest word. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((word, at) => widths[at] = Math.max(widths[at] ?? 0, word.length));
  }
  return rows.map((row) =>
    `${row.map((word, at) => word.padEnd(widths[at] ?? 0)).join("  ").trimEnd()}\n`
  ).join("");
}

/** Where a transfer stands. */
export interface Passed {
  /** Bytes that went by, of the total. */
  readonly done: number;
  /** Bytes that went over the link: fewer where they are compressed. */
  readonly sent: number;
}

/** Before, a rate says nothing. */
const TELLING_MS = 1000;

/**
 * How fast a transfer goes and how long it may still take: `45.0 MB of about 94.2 MB, 12.5 MB/s, 3.9 s left`.
 * Behind a total that is `exact` nothing more comes: then the other end is at work.
 */
export function formatTransfer(
  { done, sent }: Passed,
  { total, exact = false, ms }: {
    readonly total: number;
    readonly exact?: boolean;
    readonly ms: number;
  },
): string {
  const known = total > done ? ` of ${exact ? "" : "about "}${formatBytes(total)}` : "";
  const words = [`${formatBytes(done)}${known}`];
  if (ms >= TELLING_MS) words.push(`${formatBytes(sent / ms * 1000)}/s`);
  if (ms >= TELLING_MS && done > 0 && total > done) {
    words.push(`${formatDuration((total - done) * ms / done)} left`);
  }
  if (exact && done >= total) words.push("docker load goes on");
  return words.join(", ");
}

/** Shows bytes passing by on a terminal, in a line that is rewritten; elsewhere nothing. */
export function transfer(
  context: Context,
  place: Place,
  estimate: number,
): {
  readonly update: (passed: Passed) => void;
  /** Hears of the exact total when it is known. */
  readonly expect: (total: number) => void;
  /** Takes the line away: before another one is written, and at the end. */
  readonly clear: () => void;
} {
  const live = Deno.stderr.isTerminal();
  let whole = { total: estimate, exact: false };
  let began: number | undefined;
  let shownAt = 0;
  let wasAll = false;
  return {
    update: (passed) => {
      // What comes before the first byte is no part of the transfer's time.
      if (!live || passed.done === 0) return;
      const now = Date.now();
      began ??= now;
      const isAll = whole.exact && passed.done >= whole.total;
      if (now - shownAt < 200 && isAll === wasAll) return;
      [shownAt, wasAll] = [now, isAll];
      const text = formatTransfer(passed, { ...whole, ms: now - began });
      context.stderr(`\r\x1b[K${paint(context, `[${place}]`)} ${text}`);
    },
    expect: (total) => whole = { total, exact: true },
    clear: () => {
      if (live) context.stderr("\r\x1b[K");
    },
  };
}
