import assert from "node:assert/strict";
import { main } from "../../../src/cli.ts";
import { configuration, EDITORS, serverOf } from "../../../src/editors/configuration.ts";
import { testContext } from "../fixture.ts";

const CLANGD = { name: "clangd", command: ["clangd"], languages: ["c", "cpp"] };

Deno.test("a server is known by its program, with the words that it needs; or the user names the languages", () => {
  assert.deepEqual(serverOf(["clangd"], []), CLANGD);
  assert.deepEqual(serverOf(["/opt/x/typescript-language-server"], []), {
    name: "typescript-language-server",
    command: ["/opt/x/typescript-language-server", "--stdio"],
    languages: ["javascript", "typescript"],
  });
  assert.deepEqual(serverOf(["clangd", "--clang-tidy=0"], ["cuda"]), {
    name: "clangd",
    command: ["clangd", "--clang-tidy=0"],
    languages: ["cuda"],
  });
  assert.deepEqual(serverOf(["constructor"], []), {
    name: "constructor",
    command: ["constructor"],
  });
});

Deno.test("what zed, Sublime Text and VS Code get is JSON with the command", () => {
  assert.deepEqual(JSON.parse(configuration("zed", CLANGD)), {
    lsp: { clangd: { binary: { path: "dodo", arguments: ["--lsp", "clangd"] } } },
  });
  assert.deepEqual(JSON.parse(configuration("sublime", CLANGD)), {
    clients: {
      "dodo-clangd": {
        enabled: true,
        command: ["dodo", "--lsp", "clangd"],
        selector: "source.c | source.c++",
      },
    },
  });
  assert.deepEqual(JSON.parse(configuration("vscode", CLANGD)), {
    "clangd.path": "dodo",
    "clangd.arguments": ["--lsp", "clangd"],
  });
});

Deno.test("VS Code gets a script for the server of an extension that takes a path only", () => {
  assert.equal(
    configuration("vscode", { name: "gopls", command: ["gopls"], languages: ["go"] }),
    `#!/bin/sh
# ~/.local/bin/dodo-gopls, with chmod +x: give the extension this file as the path of its server.
exec dodo --lsp gopls "$@"
`,
  );
});

Deno.test("helix gets a server and its languages by helix's names", () => {
  const server = { name: "bash-language-server", command: ["b", "start"], languages: ["sh"] };
  assert.equal(
    configuration("helix", server),
    `# .helix/languages.toml in the project's directory on the mount
[language-server."bash-language-server"]
command = "dodo"
args = ["--lsp", "b", "start"]

[[language]]
name = "bash"
language-servers = ["bash-language-server"]
`,
  );
});

Deno.test("words of the command stay words, whatever is in them", () => {
  const odd = { name: "x", command: ["it's", 'a"b\\c'], languages: ["c"] };
  assert.ok(configuration("nvim", odd).includes(String.raw`"it's", "a\"b\\c"`));
  assert.ok(configuration("emacs", odd).includes(String.raw`"it's" "a\"b\\c"`));
  // The shell's quotes within vim's.
  assert.ok(
    configuration("vim", odd).includes(String.raw`'%e --lsp ''it''\''''s'' ''a"b''\\''c'''`),
  );
});

Deno.test("dockerdo editor prints for each editor, and says what it does not know", async () => {
  for (const editor of EDITORS) {
    const context = testContext();
    assert.equal(await main(["editor", editor, "--lsp", "pylsp"], context), 0);
    assert.match(context.written.stdout, /dodo/);
    assert.match(context.written.stdout, /pylsp/);
  }
  const cases: [words: string[], stderr: RegExp][] = [
    [["nvim", "--lsp", "foo"], /not known which languages foo serves[^]*--language/],
    [["nvim", "--lsp", " "], /--lsp needs the command/],
    [["emac", "--lsp", "clangd"], /did you mean emacs\?/],
    [["nvim", "--lsp", "foo", "--language", "a b"], /"a b" is not the name of a language/],
    [["nvim"], /--lsp/],
  ];
  for (const [words, stderr] of cases) {
    const context = testContext();
    assert.equal(await main(["editor", ...words], context), 2);
    assert.match(context.written.stderr, stderr);
    assert.equal(context.written.stdout, "");
  }
});
