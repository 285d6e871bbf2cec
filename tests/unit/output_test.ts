import assert from "node:assert/strict";
import { progress, table } from "../../src/output.ts";
import { testContext } from "./fixture.ts";

Deno.test("progress() is a line on stderr that names the place", () => {
  const context = testContext({ env: { NO_COLOR: "1" } });
  progress(context, "remote", "Building");
  assert.deepEqual(context.written, { stdout: "", stderr: "[remote] Building\n" });
});

Deno.test("table() makes columns as wide as their longest word, without blanks at the end", () => {
  assert.equal(
    table([["A", "LONG", "C"], ["aaa", "b", ""], ["", "b"]]),
    "A    LONG  C\naaa  b\n     b\n",
  );
});
