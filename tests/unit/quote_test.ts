import assert from "node:assert/strict";
import { quote, quoteAll, quoteForLogin, splitWords } from "../../src/quote.ts";
import { system, testWith } from "./fixture.ts";

const HOSTILE = [
  "",
  " ",
  "plain",
  "a b",
  "a  b",
  " lead and trail ",
  "it's",
  "''",
  "'\\''",
  '"double"',
  "`id`",
  "$(id)",
  "$HOME",
  "${HOME}",
  "\\",
  "\\\\",
  "a\\b",
  "a\\",
  "\\n",
  "line\nbreak",
  "\n",
  "end\n",
  "a\\\nb",
  "\ttab",
  "\r",
  "*",
  "?",
  "[a-z]*",
  "{a,b}",
  "~",
  "~root",
  "!",
  "!!",
  "!$",
  "a!b",
  "#comment",
  "a#b",
  ";",
  "; touch pwn",
  "a&&b",
  "|",
  ">file",
  "<(x)",
  "(x)",
  "=ls",
  "a=b",
  "-n",
  "--",
  "-",
  "%self",
  "%1",
  "100%",
  "^",
  "^a^b",
  "@",
  "a,b",
  "+x",
  "é ü 漢字 🐳",
  "\u00a0",
  "\u0001\u007f\u001b[31m",
  "\u2018smart\u2019",
];

for (const shell of ["sh", "dash", "bash", "zsh", "fish"]) {
  testWith(shell, `quoteAll() survives ${shell}`, async () => {
    const line = `${quoteAll(["printf", "%s\\0", ...HOSTILE])}`;
    const { stdout, stderr } = await system([shell, "-c", line], { env: { HOME: "/nonexistent" } });
    assert.deepEqual({ words: stdout.split("\0").slice(0, -1), stderr }, {
      words: HOSTILE,
      stderr: "",
    });
  });
  testWith(shell, `quoteAll() survives ${shell} twice, as behind ssh -> sh -c`, async () => {
    const inner = quoteAll(["printf", "%s\\0", ...HOSTILE]);
    const { stdout } = await system([shell, "-c", quoteAll(["sh", "-c", inner])], {
      env: { HOME: "/nonexistent" },
    });
    assert.deepEqual(stdout.split("\0").slice(0, -1), HOSTILE);
  });
}

Deno.test("quote() leaves plain words as they are", () => {
  const plain = ["a", "/usr/bin/x", "A_b-c.d", "user@host:22", "--opt=value", "50%", "a,b", "-"];
  assert.deepEqual(plain.map(quote), plain);
});

Deno.test("splitWords() is the inverse of quoteAll()", () => {
  assert.deepEqual(splitWords(quoteAll(HOSTILE)), HOSTILE);
});

for (
  const [line, words] of [
    ["", []],
    ["   ", []],
    ["--gpus all -v /a:/b", ["--gpus", "all", "-v", "/a:/b"]],
    [`-e 'A=x y' -e "B=it's"`, ["-e", "A=x y", "-e", "B=it's"]],
    [`a"b c"'d e'f`, ["ab cd ef"]],
    ['"\\$HOME \\" \\\\ \\x"', ['$HOME " \\ \\x']],
    ["'\\'", ["\\"]],
    ["a\\ b", ["a b"]],
    ["''", [""]],
    ["a\nb\tc", ["a", "b", "c"]],
    ["'open", undefined],
    ['a "open', undefined],
  ] as const
) {
  Deno.test(`splitWords() of ${JSON.stringify(line)}`, () => {
    assert.deepEqual(splitWords(line), words);
  });
}

for (const shell of ["sh", "bash", "zsh", "fish", "tcsh"]) {
  testWith(shell, `quoteForLogin() survives ${shell}`, async () => {
    const line = quoteForLogin(["printf", "%s\\0", ...HOSTILE]);
    const env = { HOME: "/nonexistent", LC_ALL: "C" };
    const { stdout, stderr } = await system([shell, "-c", line], { env });
    const words = stdout.split("\0").slice(0, -1);
    assert.deepEqual({ words, stderr }, { words: HOSTILE, stderr: "" });
  });
}
