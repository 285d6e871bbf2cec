import assert from "node:assert/strict";
import { formatAge, formatBytes, formatDuration } from "../../src/units.ts";

Deno.test("formatBytes() writes bytes for people", () => {
  assert.deepEqual(
    [0, 999, 1000, 20_480, 123_456, 1_300_000_000, 5e15].map(formatBytes),
    ["0 B", "999 B", "1 kB", "20.5 kB", "123 kB", "1.3 GB", "5 PB"],
  );
});

Deno.test("formatDuration() writes milliseconds for people", () => {
  assert.deepEqual(
    [0, 400, 12_345, 60_000, 200_000, 119_700].map(formatDuration),
    ["0.0s", "0.4s", "12.3s", "1m", "3m 20s", "2m"],
  );
});

Deno.test("formatAge() says how long ago in one unit", () => {
  const s = 1000;
  const ages = [-5, 0, 59.9, 60, 3599, 3600, 86_399, 86_400, 864_000].map((n) => formatAge(n * s));
  assert.deepEqual(ages, ["0s", "0s", "59s", "1m", "59m", "1h", "23h", "1d", "10d"]);
});
