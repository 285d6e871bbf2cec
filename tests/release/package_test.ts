import assert from "node:assert/strict";
import { system } from "../unit/fixture.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

Deno.test("the package can be published, and has what it needs and nothing else", async () => {
  const { code, stderr } = await system(
    [Deno.execPath(), "publish", "--dry-run", "--allow-dirty"],
    // The caches of whoever runs the tests: into empty ones Deno loads a package's types too late to check.
    { cwd: ROOT, env: { ...Deno.env.toObject(), NO_COLOR: "1" } },
  );
  assert.equal(code, 0, stderr);
  // dodo.ts hides the names of six modules of its own from Deno, which a registry need not rewrite.
  assert.deepEqual(
    [...stderr.matchAll(/^(?:warning|error).*\n +--> (\S+?):/gim)].map(([, path]) => path),
    Array(6).fill(`${ROOT}dodo.ts`),
  );
  const files = [...stderr.matchAll(/^ +file:\/\/(\S+) \(/gm)]
    .map(([, path = ""]) => path.slice(ROOT.length));
  const expected: string[] = [];
  for await (
    const path of tracked(["CHANGELOG.md", "LICENSE", "README.md", "dodo.ts", "main.ts", "src"])
  ) {
    expected.push(path);
  }
  assert.deepEqual(files.sort(), [...expected, "deno.json"].sort());
});

async function* tracked(paths: readonly string[]): AsyncGenerator<string> {
  const { stdout } = await system(["find", ...paths, "-type", "f"], { cwd: ROOT });
  yield* stdout.split("\n").filter(Boolean);
}
