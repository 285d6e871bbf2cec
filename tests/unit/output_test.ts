import assert from "node:assert/strict";
import { quoteAll } from "../../src/quote.ts";
import { coloured, progress, table } from "../../src/output.ts";
import { system, testContext, testWith } from "./fixture.ts";

Deno.test("progress() is a line on stderr that names the place", () => {
  const context = testContext();
  progress(context, "remote", "Building");
  assert.deepEqual(context.written, { stdout: "", stderr: "[remote] Building\n" });
});

Deno.test("table() makes columns as wide as their longest word, without blanks at the end", () => {
  assert.equal(
    table([["A", "LONG", "C"], ["aaa", "b", ""], ["", "b"]]),
    "A    LONG  C\naaa  b\n     b\n",
  );
});

Deno.test("where the stream has colours, progress() dims its place and coloured() colours; else neither", () => {
  const plain = testContext();
  const terminal = { ...testContext(), hasColours: (stream: string) => stream === "stdout" };
  const ways = { colour: "red", stream: "stdout" } as const;
  assert.deepEqual(
    [
      coloured(plain, "x", ways),
      coloured(terminal, "x", ways),
      coloured(terminal, "x", { ...ways, stream: "stderr" }),
      coloured(terminal, "x", { ...ways, colour: undefined }),
    ],
    ["x", "\x1b[31mx\x1b[39m", "x", "x"],
  );
});

const ROOT = new URL("../../", import.meta.url).pathname;

testWith(
  "script",
  "a process colours its own name on a terminal, without NO_COLOR and not in TERM=dumb",
  async () => {
    const words = ["run", "--quiet", "--no-prompt", "--config", `${ROOT}deno.json`, "-P"];
    const line = quoteAll([Deno.execPath(), ...words, `${ROOT}main.ts`, "frobnicate-it"]);
    const seen = async (env: Readonly<Record<string, string>>): Promise<string> => {
      const { NO_COLOR: _, ...own } = Deno.env.toObject();
      const all = { ...own, TERM: "xterm", ...env };
      return (await system(["script", "-qec", line, "/dev/null"], { env: all })).stdout;
    };
    const rest =
      ' there is no command "frobnicate-it"\r\n  dockerdo --help lists the commands.\r\n';
    assert.deepEqual(
      [await seen({}), await seen({ NO_COLOR: "1" }), await seen({ TERM: "dumb" })],
      [`\x1b[31mdockerdo:\x1b[39m${rest}`, `dockerdo:${rest}`, `dockerdo:${rest}`],
    );
  },
);
