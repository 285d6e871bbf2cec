import assert from "node:assert/strict";
import { commandOf, permissionOptions } from "../../../src/process/own_command.ts";

Deno.test("compiled, the program is its executable, without flags for V8", () => {
  assert.deepEqual(
    commandOf({
      executable: "/home/ada/my bin/dockerdo",
      compiled: true,
      main: new URL("file:///tmp/deno-compile-dockerdo/main.js"),
      v8Flags: ["--optimize-for-size"],
    }),
    ["/home/ada/my bin/dockerdo"],
  );
});

Deno.test("from a checkout it is deno with the permission set of its deno.json, whatever the path has in it", () => {
  assert.deepEqual(
    commandOf({
      executable: "/usr/bin/deno",
      compiled: false,
      main: new URL("file:///home/ada/it%27s%20100%25/main.ts"),
      v8Flags: ["--a", "--b"],
    }),
    [
      "/usr/bin/deno",
      "run",
      "--quiet",
      "--no-prompt",
      "--v8-flags=--a,--b",
      "--config",
      "/home/ada/it's 100%/deno.json",
      "-P",
      "/home/ada/it's 100%/main.ts",
    ],
  );
});

Deno.test("from a registry the permissions are said in words", () => {
  assert.deepEqual(
    commandOf({
      executable: "/usr/bin/deno",
      compiled: false,
      main: new URL("https://jsr.io/@dockerdo/cli/0.1.0/main.ts"),
      v8Flags: [],
    }),
    [
      "/usr/bin/deno",
      "run",
      "--quiet",
      "--no-prompt",
      ...permissionOptions(),
      "https://jsr.io/@dockerdo/cli/0.1.0/main.ts",
    ],
  );
});

Deno.test("the permissions in words are those of deno.json, and in docs/install.md what a user types", () => {
  const { permissions } = JSON.parse(
    Deno.readTextFileSync(new URL("../../../deno.json", import.meta.url)),
  );
  const { read, write, env, sys, run, ...others } = permissions.default;
  assert.deepEqual({ read, write, env, sys, others }, {
    read: true,
    write: true,
    env: true,
    sys: ["uid"],
    others: {},
  });
  assert.deepEqual(permissionOptions(), [
    "--allow-read",
    "--allow-write",
    "--allow-env",
    "--allow-sys=uid",
    `--allow-run=${run.join(",")}`,
  ]);
  const page = Deno.readTextFileSync(new URL("../../../docs/install.md", import.meta.url));
  const joined = page.replaceAll(/ \\\n +/g, " ");
  assert.ok(joined.includes(permissionOptions().join(" ")), "docs/install.md: deno install");
});
