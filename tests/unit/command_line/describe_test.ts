import assert from "node:assert/strict";
import { describeAll, main } from "../../../src/cli.ts";
import { helpText, proseOf, valueOf } from "../../../src/command_line/describe.ts";
import { testContext } from "../fixture.ts";

const commands = await describeAll();

function fits(text: string, lines: number): void {
  const shown = text.trimEnd().split("\n");
  assert.deepEqual(shown.filter((line) => line.length > 80), []);
  assert.ok(shown.length <= lines, `${shown.length} lines:\n${text}`);
}

Deno.test("the overview fits a screen of 80 columns and 24 lines", async () => {
  const context = testContext();
  assert.equal(await main(["--help"], context), 0);
  fits(context.written.stdout, 24);
});

for (const command of commands) {
  Deno.test(`the help of ${command.name} fits a screen, and has an example`, () => {
    fits(helpText(command), 28);
    assert.match(command.examples.join("\n"), /\b(dockerdo|dodo)\b/);
    assert.notEqual(command.group, "");
  });
}

Deno.test("dockerdo help COMMAND is the command's help", async () => {
  const [asked, told] = [testContext(), testContext()];
  assert.equal(await main(["help", "rm"], asked), 0);
  assert.equal(await main(["rm", "--help"], told), 0);
  assert.deepEqual(asked.written, told.written);
});

Deno.test("help lists words and options, ours last, and wraps what is too long", () => {
  const text = helpText({
    name: "x",
    usage: "[OPTIONS] [NAME]",
    paragraphs: ["It does."],
    examples: ["dockerdo x a"],
    options: [
      { names: ["-t", "--tag"], value: valueOf("tag"), brief: "A tag" },
      { names: ["--way"], value: valueOf("a|b"), brief: `Long ${"and longer ".repeat(8).trim()}` },
      { names: ["-h", "--help"], brief: "Print help and exit" },
    ],
    words: [{ ...valueOf("name"), brief: "Its name", optional: true, repeated: false }],
  });
  assert.equal(
    text,
    `usage: dockerdo x [OPTIONS] [NAME]

It does.

  NAME           Its name
  -t, --tag TAG  A tag
      --way a|b  Long and longer and longer and longer and longer and longer and
                 longer and longer and longer
  -h, --help     Print help and exit

  dockerdo x a
`,
  );
});

Deno.test("the indented lines of a description are its examples", () => {
  assert.deepEqual(proseOf("One\ntwo:\n\n  a b\n  c\n\nThree."), {
    paragraphs: ["One two.", "Three."],
    examples: ["a b", "c"],
  });
});

for (
  const [words, said] of [
    [["rm", "--forc"], "rm has no option --forc; did you mean --force?\n  dockerdo rm --help"],
    [["rm", "-x"], "rm has no option -x\n  dockerdo rm --help"],
    [
      ["init", "--remot=h"],
      "init has no option --remot; did you mean --remote?\n  dockerdo init --help",
    ],
    [["stauts"], 'there is no command "stauts"\n  Did you mean: dockerdo status'],
    [["-x"], 'there is no option "-x"\n  dockerdo --help lists the commands.'],
    [["--hlep"], 'there is no option "--hlep"\n  Did you mean: dockerdo --help'],
    [
      ["exec", "--workdri", "/"],
      "exec has no option --workdri; did you mean --workdir?\n  dockerdo exec --help lists them; " +
      "put -- before a command whose name begins with a dash.",
    ],
    [
      ["completions", "zhs"],
      'there are no completions for "zhs"; did you mean zsh?\n  dockerdo completions --help',
    ],
  ] as const
) {
  Deno.test(`${words.join(" ")} is a usage error that names the nearest`, async () => {
    const context = testContext({ env: { HOME: "/nonexistent" } });
    assert.equal(await main(words, context), 2);
    assert.deepEqual(context.written, { stdout: "", stderr: `dockerdo: ${said}\n` });
  });
}
