import assert from "node:assert/strict";
import { takeSessionName } from "../../../src/commands/start.ts";

for (
  const [words, name, rest] of [
    [[], undefined, []],
    [["demo"], "demo", []],
    [["--attach", "demo"], "demo", ["--attach"]],
    [["--detach-keys", "ctrl-a"], undefined, ["--detach-keys", "ctrl-a"]],
    [["demo", "--checkpoint", "c1", "-i"], "demo", ["--checkpoint", "c1", "-i"]],
  ] as const
) {
  Deno.test(`start ${words.join(" ")} is for ${name ?? "the session here"}`, () => {
    assert.deepEqual(takeSessionName(words), { name, rest });
  });
}
