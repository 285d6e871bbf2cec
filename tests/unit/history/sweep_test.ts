import assert from "node:assert/strict";
import { Sweeper } from "../../../src/history/sweep.ts";
import { parseSweep } from "../../../src/history/sweeps.ts";

const OUTPUT = "200.5\n200.100 150.0 f /srv/\xc3\xa4 b\n\0" + "200.200 200.2 d /srv\0" + "200.75\n";

/** A sweeper whose sweeps end when they are let, and what it did. */
function world(outputs: readonly string[]): {
  readonly sweeper: Sweeper;
  readonly asked: string[];
  readonly lines: string[];
  readonly done: () => Promise<void>;
} {
  const asked: string[] = [];
  const lines: string[] = [];
  let running = Promise.resolve();
  const sweeper = new Sweeper({
    container: "c1",
    now: () => 1000,
    append: (line) => void lines.push(line),
    run: (words) => {
      const stdout = outputs[asked.length] ?? "";
      asked.push(words.at(-1) ?? "");
      const finished = Promise.resolve({ code: stdout === "" ? 3 : 0, stdout, stderr: "" });
      running = finished.then(() => {});
      return finished;
    },
  });
  const done = async (): Promise<void> => {
    for (let round = 0; round < 20; round++) await running;
  };
  return { sweeper, asked, lines, done };
}

Deno.test("the first sweep asks for the clock, and the next for what has changed since", async () => {
  const { sweeper, asked, lines, done } = world(["100.5\n100.6\n", OUTPUT]);
  sweeper.ring();
  await done();
  sweeper.ring();
  await done();
  sweeper.close();
  assert.deepEqual(asked, ["99999999999.000000", "100.480000"]);
  assert.deepEqual(lines.map(parseSweep), [{
    container: "c1",
    since: 100.48,
    begin: 200.5,
    end: 200.75,
    local: 1,
    localEnd: 1,
    left: 0,
    entries: [
      { path: "/srv/\xc3\xa4 b\n", ctime: 200.1, mtime: 150, isDirectory: false },
      { path: "/srv", ctime: 200.2, mtime: 200.2, isDirectory: true },
    ],
  }]);
});

Deno.test("where find cannot tell there is one sweep, and no more", async () => {
  const { sweeper, asked, lines, done } = world([]);
  for (let round = 0; round < 3; round++) {
    sweeper.ring();
    await done();
  }
  assert.deepEqual([asked.length, lines], [1, []]);
});

Deno.test("parseSweep() takes no line that is none", () => {
  assert.deepEqual(["", "{}", "null", '{"container":"c","entries":[]}'].map(parseSweep), [
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
