import assert from "node:assert/strict";
import { system, testWith } from "../unit/fixture.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

testWith("shellcheck", "shellcheck has nothing to say of any script", async () => {
  const { stdout } = await system(
    ["grep", "-rlE", "--exclude-dir=.git", "--exclude-dir=dist", "^#!.*/(env )?(ba|da)?sh", "."],
    { cwd: ROOT },
  );
  const scripts: string[] = [];
  for (const path of stdout.split("\n").filter(Boolean)) {
    if ((await Deno.readTextFile(ROOT + path)).startsWith("#!")) scripts.push(path);
  }
  assert.ok(scripts.includes("./install.sh") && scripts.includes("./bin/dodo"), stdout);
  const { stdout: texts } = await system(["find", "src", "-name", "*.sh"], { cwd: ROOT });
  const bare = texts.split("\n").filter((path) => path !== "" && !scripts.includes(`./${path}`));
  assert.deepEqual(await system(["shellcheck", "--exclude=SC1091", ...scripts], { cwd: ROOT }), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  // What is sent to another host has no first line that names its shell: sh reads it.
  assert.deepEqual(await system(["shellcheck", "--shell=sh", ...bare], { cwd: ROOT }), {
    code: 0,
    stdout: "",
    stderr: "",
  });
});
