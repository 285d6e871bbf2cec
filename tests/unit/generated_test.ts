import assert from "node:assert/strict";
import { generated } from "../../completions/generate.ts";
import { describeAll } from "../../src/cli.ts";
import { loadConfig } from "../../src/config/config.ts";
import { configTemplate } from "../../src/config/template.ts";
import { system, temporaryDir, testContext, testWith } from "./fixture.ts";

const ROOT = new URL("../../", import.meta.url);

for (const [path, text] of Object.entries(await generated())) {
  Deno.test(`${path} is what \`deno task generate\` writes now`, async () => {
    assert.equal(await Deno.readTextFile(new URL(path, ROOT)), text);
  });
}

const MANUAL_PAGE = new URL("docs/dockerdo.1", ROOT).pathname;

Deno.test("the manual page names every command", async () => {
  const text = await Deno.readTextFile(MANUAL_PAGE);
  for (const { name } of await describeAll()) {
    assert.match(text, new RegExp(`^\\.SS dockerdo ${name}`, "m"));
  }
});

testWith("man", "the manual page renders without a warning", async () => {
  const { code, stdout, stderr } = await system(["man", "--warnings", "-l", MANUAL_PAGE], {
    env: { MANWIDTH: "80", LC_ALL: "C.UTF-8" },
  });
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(stdout, /dodo -c 'ps ax \| grep python'/);
});

Deno.test("the configuration file names every key but the obsolete ones, sets none, and shows the defaults", async () => {
  using dir = temporaryDir();
  const context = testContext({ env: { HOME: dir.path } });
  const defaults = await loadConfig(context);
  await Deno.mkdir(`${dir.path}/.config/dockerdo`, { recursive: true });
  const template = configTemplate();
  for (const text of [template, template.replaceAll(/^# (\w+:)/gm, "$1")]) {
    await Deno.writeTextFile(`${dir.path}/.config/dockerdo/dockerdo.yaml`, text);
    assert.deepEqual(await loadConfig(context), defaults);
    assert.deepEqual(context.written, { stdout: "", stderr: "" });
  }
  assert.deepEqual(
    [...template.matchAll(/^# (\w+):/gm)].map(([, key]) => key).sort(),
    Object.keys(defaults).filter((key) =>
      !["always_interactive", "default_remote_delay"].includes(key)
    ).sort(),
  );
});
