import assert from "node:assert/strict";
import { joinable, lineOf, shellLines, splitAnd } from "../../../src/dockerfile/shell_line.ts";

Deno.test("lineOf() quotes what the shell would read otherwise, and a keyword as a command's name", () => {
  assert.equal(lineOf(["sed", "-i", "s/a b/c/", "/etc/x"]), "sed -i 's/a b/c/' /etc/x");
  assert.equal(lineOf(["sed", "s/^#a.*/a = '*'/"]), `sed "s/^#a.*/a = '*'/"`);
  assert.equal(lineOf(["echo", "it's $HOME"]), `echo 'it'\\''s $HOME'`);
  assert.equal(lineOf(["if", "x"]), "'if' x");
  assert.equal(lineOf(["A=b", ""]), "'A=b' ''");
});

const LINES: readonly [line: string, parts: readonly string[] | undefined][] = [
  ["a && b c", ["a", "b c"]],
  ["a 'x && y' && b", ["a 'x && y'", "b"]],
  ["a > f 2>&1 && b", ["a > f 2>&1", "b"]],
  ["a | b && c", ["a | b", "c"]],
  ["a ${X} && b", ["a ${X}", "b"]],
  ["a; b", undefined],
  ["a || b", undefined],
  ["a &", undefined],
  ["a # no", undefined],
  ["if a; then b; fi", undefined],
  ["a\nb", undefined],
  ["a && ", undefined],
  ["a 'b", undefined],
];

for (const [line, parts] of LINES) {
  Deno.test(`splitAnd(${JSON.stringify(line)})`, () => assert.deepEqual(splitAnd(line), parts));
}

Deno.test("shellLines() takes apart what dodo -c was given, and leaves alone what changes the shell", () => {
  const texts = (...command: readonly string[]): string[] =>
    shellLines({ command }).map(({ text }) => text);
  assert.deepEqual(texts("/bin/sh", "-c", "apt-get update && apt-get install -y x", "dodo"), [
    "apt-get update",
    "apt-get install -y x",
  ]);
  assert.deepEqual(texts("sh", "-c", "cd /x && make"), ["cd /x && make"]);
  assert.deepEqual(texts("bash", "-c", "a && b"), ["bash -c 'a && b'"]);
  assert.deepEqual(texts("/bin/sh", "-c", "echo $1", "dodo", "x"), [
    "/bin/sh -c 'echo $1' dodo x",
  ]);
  assert.deepEqual(shellLines({ command: ["make"], env: { A: "b c", SECRET: null } }), [
    { text: "A='b c' make", isSimple: true },
  ]);
});

Deno.test("joinable() keeps a line's own operators and directory to itself", () => {
  const joined = (text: string): string => joinable({ text, isSimple: false });
  assert.equal(joined("a; b"), "{ a; b; }");
  assert.equal(joined("cd /x && make"), "( cd /x && make )");
  assert.equal(joinable({ text: "a | b", isSimple: true }), "a | b");
});
