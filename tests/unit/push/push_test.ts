import assert from "node:assert/strict";
import { partEnds } from "../../../src/push/push.ts";

Deno.test("a big image is cut where what is before and what is after are both worth a part", () => {
  const cut = (megabytes: number[], present = 0): number[] =>
    partEnds(megabytes.map((size) => size * 1e6), present);
  assert.deepEqual(
    [
      cut([80, 80, 20]),
      cut([80, 80, 40]),
      cut([10, 10, 10, 10, 50, 1]),
      cut([80, 80, 80], 1),
      cut([80, 1]),
      cut([1, 80]),
      cut([80]),
      cut([80, 1], 2),
    ],
    [[1, 3], [1, 2, 3], [4, 6], [2, 3], [2], [2], [1], [2]],
  );
});
