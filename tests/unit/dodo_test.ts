import assert from "node:assert/strict";

Deno.test("dodo.ts loads these modules and no other: each one costs every command of the user time", async () => {
  const root = new URL("../../", import.meta.url);
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", new URL("dodo.ts", root).href],
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: { specifier: string; dependencies?: { code?: { specifier: string } }[] }[];
  };
  // A module that is imported for its types alone is never read.
  const loaded = new Set([new URL("dodo.ts", root).href]);
  for (const specifier of loaded) {
    const { dependencies = [] } = modules.find((module) => module.specifier === specifier) ?? {};
    for (const { code } of dependencies) if (code !== undefined) loaded.add(code.specifier);
  }
  assert.deepEqual([...loaded].map((specifier) => specifier.slice(root.href.length)).sort(), [
    "dodo.ts",
    "src/commands/exec.ts",
    "src/error.ts",
    "src/exec/container_command.ts",
    "src/exec/execute.ts",
    "src/paths.ts",
    "src/process/child.ts",
    "src/process/context.ts",
    "src/process/foreground.ts",
    "src/quote.ts",
    "src/session/attachment.ts",
    "src/session/ownership.ts",
    "src/session/session.ts",
    "src/ssh/argv.ts",
    "src/visible.ts",
  ]);
});
