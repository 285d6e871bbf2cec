import { paint, type Place } from "../output.ts";
import type { Context } from "../process/context.ts";
import { formatBytes, formatDuration } from "../units.ts";

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
 * How fast a transfer is and how long it may still take: `45 MB of about 94.2 MB, 12.5 MB/s, 3.9s left`.
 * Once an `exact` total is reached everything is sent, and `docker load` is running.
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
  if (exact && done >= total) words.push("docker load is running");
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
      // The time before the first byte is not part of the transfer's time.
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
