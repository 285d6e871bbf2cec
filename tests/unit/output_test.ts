import assert from "node:assert/strict";
import {
  formatAge,
  formatBytes,
  formatDuration,
  formatTransfer,
  progress,
  table,
} from "../../src/output.ts";
import { testContext } from "./fixture.ts";

Deno.test("formatBytes() writes bytes for people", () => {
  assert.deepEqual(
    [0, 999, 1000, 20_480, 123_456, 1_300_000_000, 5e15].map(formatBytes),
    ["0 B", "999 B", "1.0 kB", "20.5 kB", "123 kB", "1.3 GB", "5000 TB"],
  );
});

Deno.test("formatDuration() writes milliseconds for people", () => {
  assert.deepEqual(
    [0, 400, 12_345, 60_000, 200_000, 119_700].map(formatDuration),
    ["0.0 s", "0.4 s", "12.3 s", "1 min 0 s", "3 min 20 s", "2 min 0 s"],
  );
});

Deno.test("progress() is a line on stderr that names the place", () => {
  const context = testContext({ env: { NO_COLOR: "1" } });
  progress(context, "remote", "Building");
  assert.deepEqual(context.written, { stdout: "", stderr: "[remote] Building\n" });
});

Deno.test("formatTransfer() tells what passed, how fast, and how long it still takes", () => {
  assert.deepEqual([
    formatTransfer({ done: 50e6, sent: 20e6 }, { total: 150e6, ms: 4000 }),
    formatTransfer({ done: 0, sent: 0 }, { total: 150e6, ms: 0 }),
    formatTransfer({ done: 50e6, sent: 1e6 }, { total: 150e6, ms: 999 }),
    formatTransfer({ done: 160e6, sent: 64e6 }, { total: 150e6, ms: 4000 }),
    formatTransfer({ done: 50e6, sent: 20e6 }, { total: 150e6, exact: true, ms: 4000 }),
    formatTransfer({ done: 150e6, sent: 64e6 }, { total: 150e6, exact: true, ms: 4000 }),
  ], [
    "50.0 MB of about 150 MB, 5.0 MB/s, 8.0 s left",
    "0 B of about 150 MB",
    "50.0 MB of about 150 MB",
    "160 MB, 16.0 MB/s",
    "50.0 MB of 150 MB, 5.0 MB/s, 8.0 s left",
    "150 MB, 16.0 MB/s, docker load goes on",
  ]);
});

Deno.test("formatAge() says how long ago in one unit", () => {
  const s = 1000;
  const ages = [-5, 0, 59.9, 60, 3599, 3600, 86_399, 86_400, 864_000].map((n) => formatAge(n * s));
  assert.deepEqual(ages, ["0 s", "0 s", "59 s", "1 min", "59 min", "1 h", "23 h", "1 d", "10 d"]);
});

Deno.test("table() makes columns as wide as their longest word, without blanks at the end", () => {
  assert.equal(
    table([["A", "LONG", "C"], ["aaa", "b", ""], ["", "b"]]),
    "A    LONG  C\naaa  b\n     b\n",
  );
});
