// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { formatStep, Journal, type JournalStep, parseStep } from "../../../src/relay/journal.ts";
import { system, temporaryDir } from "../fixture.ts";

/** What is written down of some steps, without the times. */
function written(steps: (journal: Journal) => void): Partial<JournalStep>[] {
  let lines = "";
  steps(new Journal((text) => lines += text));
  return lines.split("\n").filter(Boolean).map(withoutTime);
}

function withoutTime(line: string): Partial<JournalStep> {
  const step = parseStep(line);
  assert.ok(step, line);
  assert.ok(Math.abs(step.time - Date.now()) < 60_000);
  const { time: _, ...rest } = step;
  return rest;
}

Deno.test("each step is one line, there when the call returns", () => {
  assert.deepEqual(
    written((j) => {
      j.mounted("c0ffee");
      j.created("/a");
      j.changed("/b");
      j.deleted("/a");
      j.chmodded("/b");
      j.touched("/b");
      j.linked("/soft");
      j.linked("/hard", "/b");
      j.renamed("/b", "/c", { replaces: true, directory: false });
      j.renamed("/d", "/e", { replaces: false, directory: true });
    }),
    [
      { kind: "mounted", path: "/", container: "c0ffee" },
      { kind: "created", path: "/a" },
      { kind: "changed", path: "/b" },
      { kind: "deleted", path: "/a" },
      { kind: "chmodded", path: "/b" },
      { kind: "touched", path: "/b" },
      { kind: "linked", path: "/soft" },
      { kind: "linked", path: "/hard", from: "/b" },
      { kind: "renamed", path: "/c", from: "/b", replaces: true },
      { kind: "renamed", path: "/e", from: "/d", directory: true },
    ],
  );
});

Deno.test("a file that is written again and again is noted once a second", () => {
  assert.deepEqual(
    written((j) => {
      for (let i = 0; i < 1000; i++) j.changed("/log");
      j.created("/new");
      j.changed("/new");
      j.deleted("/new");
      j.created("/new");
    }),
    [
      { kind: "changed", path: "/log" },
      { kind: "created", path: "/new" },
      { kind: "deleted", path: "/new" },
      { kind: "created", path: "/new" },
    ],
  );
});

Deno.test("a file is noted again under a name that came to it by a rename", () => {
  assert.deepEqual(
    written((j) => {
      j.changed("/a");
      j.renamed("/b", "/a", { replaces: true, directory: false });
      j.changed("/a");
    }).map(({ kind }) => kind),
    ["changed", "renamed", "changed"],
  );
});

Deno.test("steps that could not be written are counted, and the next line stands on its own", () => {
  let text = "";
  let isFull = false;
  const journal = new Journal((lines) => {
    if (!isFull) return void (text += lines);
    text += lines.slice(0, 9);
    throw new Error("no space left");
  });
  journal.created("/a");
  isFull = true;
  journal.created("/b");
  journal.created("/c");
  isFull = false;
  journal.created("/d");
  const steps = text.split("\n").flatMap((line) => parseStep(line) ?? []);
  assert.deepEqual(steps.map(({ kind, path, count }) => [kind, path, count]), [
    ["created", "/a", undefined],
    ["lost", "/", 2],
    ["created", "/d", undefined],
  ]);
});

for (
  const [what, path, json] of [
    ["plain", "/a b", '"path":"/a b"'],
    ["UTF-8", "/\xc3\xbc", '"path":"/ü"'],
    ["a newline, a quote and a NUL's neighbour", '/\n"\x01', '"path":"/\\n\\"\\u0001"'],
    ["a byte order mark", "/\xef\xbb\xbfx", '"path":"/\uFEFFx"'],
    ["no UTF-8", "/\xff~\x80", '"path":"/\uFFFD~\uFFFD","pathBytes":"L/9+gA=="'],
    ["U+FFFD itself", "/\xef\xbf\xbd", '"path":"/\uFFFD","pathBytes":"L++/vQ=="'],
  ] as const
) {
  Deno.test(`a name with ${what} comes back byte for byte`, () => {
    const step: JournalStep = { time: 0, kind: "renamed", path, from: `${path}~` };
    const line = formatStep(step);
    assert.ok(line.startsWith(`{"time":"1970-01-01T00:00:00.000Z","kind":"renamed",${json}`), line);
    assert.deepEqual(parseStep(line), step);
  });
}

for (
  const line of [
    "",
    "null",
    "[]",
    "{",
    '{"time":"x","kind":"created","path":"/a"}',
    '{"time":"1970-01-01T00:00:00.000Z","kind":"eaten","path":"/a"}',
    '{"time":"1970-01-01T00:00:00.000Z","kind":"created"}',
    '{"time":"1970-01-01T00:00:00.000Z","kind":"created","path":"/a","pathBytes":"%"}',
    '{"time":"1970-01-01T00:00:00.000Z","kind":"renamed","path":"/a"}',
  ]
) {
  Deno.test(`parseStep() finds no step in ${JSON.stringify(line)}`, () => {
    assert.equal(parseStep(line), undefined);
  });
}

Deno.test("lines of several relays on one journal never mix", async () => {
  using dir = temporaryDir();
  const path = `${dir.path}/changes.jsonl`;
  const source = new URL("../../../src/relay/journal.ts", import.meta.url).href;
  const write = (relay: number): Promise<{ code: number }> => {
    const code = `import { appender, Journal } from ${JSON.stringify(source)};
      const journal = new Journal(appender(${JSON.stringify(path)}));
      for (let i = 0; i < 500; i++) journal.created("/${relay}-" + i + "x".repeat(i * 37 % 5000));`;
    return system([Deno.execPath(), "eval", "--quiet", code]);
  };
  const ended = await Promise.all([1, 2, 3].map(write));
  assert.deepEqual(ended.map(({ code }) => code), [0, 0, 0]);
  const found = Deno.readTextFileSync(path).split("\n").filter(Boolean).map(withoutTime);
  const order = (relay: number): string[] =>
    found.flatMap(({ path = "" }) =>
      path.startsWith(`/${relay}-`) ? [/\d+(?=x|$)/.exec(path)?.[0] ?? ""] : []
    );
  const all = Array.from({ length: 500 }, (_, i) => `${i}`);
  assert.deepEqual([1, 2, 3].map(order), [all, all, all]);
  assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
});
