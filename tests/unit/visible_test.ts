import assert from "node:assert/strict";
import { quoteUnseen, visible } from "../../src/visible.ts";
import { system } from "./fixture.ts";

for (
  const [text, expected] of [
    ["plain, with ünïcode\n\tand a tab", "plain, with ünïcode\n\tand a tab"],
    ["\x1b]0;title\x07", "\\x1b]0;title\\x07"],
    ["over\rwritten", "over\\x0dwritten"],
    ["\x1b[2J\x1b[8mhidden", "\\x1b[2J\\x1b[8mhidden"],
    [
      "C1 \x9b2J, bidi \u202e, separator \u2028, NUL \0",
      "C1 \\x9b2J, bidi \\u{202e}, separator \\u{2028}, NUL \\x00",
    ],
    ["\r\x1b[K\x1b[2m[local]\x1b[22m ours", "\r\x1b[K\x1b[2m[local]\x1b[22m ours"],
    ["x\r\x1b[Ktheirs", "x\\x0d\\x1b[Ktheirs"],
    ["tag \u{e0041}", "tag \\u{e0041}"],
  ] as const
) {
  Deno.test(`visible() of ${JSON.stringify(text)}`, () => assert.equal(visible(text), expected));
}

Deno.test("quoteUnseen() writes words that bash reads back, and leaves the others", async () => {
  assert.equal(quoteUnseen("it's plain"), undefined);
  for (const word of ["\x1b]0;x\x07", "a\nb\\'\"$(id)`", "\u202eé", "\r"]) {
    const quoted = quoteUnseen(word) ?? "";
    assert.match(quoted, /^\$'[\x20-\x7e]*'$/);
    const { stdout } = await system(["bash", "-c", `printf %s ${quoted}`]);
    assert.equal(stdout, word);
  }
});
