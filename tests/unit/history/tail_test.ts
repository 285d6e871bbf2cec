// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { followLines } from "../../../src/history/tail.ts";
import { temporaryDir } from "../fixture.ts";

const never = new Promise<never>(() => {});

/** The next lines, at least one, as `name:line`. */
async function next(
  lines: AsyncGenerator<readonly { name: string; line: string }[]>,
  count = 1,
): Promise<string[]> {
  const found: string[] = [];
  const limit = performance.now() + 5000;
  while (found.length < count) {
    const { value, done } = await lines.next();
    assert.ok(!done, "ended early");
    for (const { name, line } of value) found.push(`${name}:${line}`);
    assert.ok(performance.now() < limit, `waited in vain, with ${found}`);
  }
  return found;
}

Deno.test("followLines() gives what is there, what comes, and files that come later", async () => {
  using dir = temporaryDir();
  const append = (name: string, text: string): void =>
    Deno.writeTextFileSync(`${dir.path}/${name}`, text, { append: true });
  append("a", "one\ntwo\nhal");
  append("other", "not asked for\n");
  const lines = followLines(dir.path, ["a", "b"], { until: never });
  assert.deepEqual(await next(lines), ["a:one", "a:two"]);
  append("a", "f\n\xe9");
  assert.deepEqual(await next(lines), ["a:half"]);
  append("b", "first\n");
  assert.deepEqual(await next(lines), ["b:first"]);
  append("a", "t\xe9\n");
  append("b", "second\n");
  assert.deepEqual((await next(lines, 2)).sort(), ["a:été", "b:second"]);
  await lines.return(undefined);
});

Deno.test("followLines() goes on where a file is renamed away, made anew, or cut off", async () => {
  using dir = temporaryDir();
  const path = `${dir.path}/a`;
  Deno.writeTextFileSync(path, "one\n");
  const lines = followLines(dir.path, ["a"], { until: never });
  assert.deepEqual(await next(lines), ["a:one"]);
  Deno.writeTextFileSync(path, "last of the old\n", { append: true });
  Deno.renameSync(path, `${path}.1`);
  Deno.writeTextFileSync(path, "first of the new\n");
  assert.deepEqual(await next(lines, 2), ["a:last of the old", "a:first of the new"]);
  Deno.writeTextFileSync(path, "cut\n");
  assert.deepEqual(await next(lines), ["a:cut"]);
  Deno.removeSync(path);
  Deno.writeTextFileSync(path, "made again, and longer than before\n");
  assert.deepEqual(await next(lines), ["a:made again, and longer than before"]);
  await lines.return(undefined);
});

Deno.test("followLines() ends with its directory, and fails with `until`", async () => {
  const dir = temporaryDir();
  const lines = followLines(dir.path, ["a"], { until: never });
  await lines.next();
  dir[Symbol.dispose]();
  while (!(await lines.next()).done);
  using other = temporaryDir();
  const failing = followLines(other.path, ["a"], {
    until: Promise.reject(new Error("Ctrl-C")),
  });
  await assert.rejects(Array.fromAsync(failing), { message: "Ctrl-C" });
});
