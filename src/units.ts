import prettyBytes from "pretty-bytes";
import prettyMs from "pretty-ms";

/** Bytes for people: `20 kB`, `1.3 GB`. */
export function formatBytes(bytes: number): string {
  return prettyBytes(bytes);
}

/** Milliseconds for people: `0.4s`, `3m 20s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${(ms / 1000).toFixed(1)}s`;
  return prettyMs(ms < 60_000 ? ms : Math.round(ms / 1000) * 1000);
}

/** How long ago something was, in one unit: `5s`, `3m`, `7h`, `12d`. */
export function formatAge(ms: number): string {
  return prettyMs(Math.floor(Math.max(0, ms) / 1000) * 1000, { compact: true }).replace(
    "0ms",
    "0s",
  );
}
