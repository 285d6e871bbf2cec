import assert from "node:assert/strict";
import { formatTransfer } from "../../../src/push/transfer.ts";

Deno.test("formatTransfer() tells what passed, how fast, and how long it still takes", () => {
  assert.deepEqual([
    formatTransfer({ done: 50e6, sent: 20e6 }, { total: 150e6, ms: 4000 }),
    formatTransfer({ done: 0, sent: 0 }, { total: 150e6, ms: 0 }),
    formatTransfer({ done: 50e6, sent: 1e6 }, { total: 150e6, ms: 999 }),
    formatTransfer({ done: 160e6, sent: 64e6 }, { total: 150e6, ms: 4000 }),
    formatTransfer({ done: 50e6, sent: 20e6 }, { total: 150e6, exact: true, ms: 4000 }),
    formatTransfer({ done: 150e6, sent: 64e6 }, { total: 150e6, exact: true, ms: 4000 }),
  ], [
    "50 MB of about 150 MB, 5 MB/s, 8s left",
    "0 B of about 150 MB",
    "50 MB of about 150 MB",
    "160 MB, 16 MB/s",
    "50 MB of 150 MB, 5 MB/s, 8s left",
    "150 MB, 16 MB/s, docker load is running",
  ]);
});
