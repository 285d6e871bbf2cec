import assert from "node:assert/strict";
import { directoryCalled } from "../../../src/process/context.ts";
import { temporaryDir } from "../fixture.ts";

Deno.test("a current directory that was removed has no path, whatever the shell calls it", () => {
  using dir = temporaryDir();
  assert.equal(directoryCalled(`${dir.path}/gone`), "");
  assert.equal(directoryCalled(undefined), "");
  assert.equal(directoryCalled("?"), "");
  assert.equal(directoryCalled(dir.path), "");
});
