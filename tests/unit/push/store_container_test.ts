import assert from "node:assert/strict";
import { capture } from "../../../src/process/child.ts";
import { readerArgv, removeReaders } from "../../../src/push/store_container.ts";
import { fakes, temporaryDir, testContext } from "../fixture.ts";

/** A process that is gone for sure: no system has such a number. */
const GONE = 2 ** 30;

async function removed(
  command: (env: Readonly<Record<string, string>>) => Promise<unknown>,
): Promise<unknown> {
  using dir = temporaryDir();
  using fake = fakes(dir.path, {
    FAKE_docker_create: "mine\n",
    FAKE_docker_cp: "",
    FAKE_docker_rm: "",
    FAKE_docker_ps: `sibling ${Deno.pid}\nstranger ${Deno.ppid}\nleft ${GONE}\n`,
  });
  await command(fake.env);
  return fake.calls().filter(([, verb]) => verb === "rm").map((call) => call.at(-1));
}

Deno.test("a reader removes its container and those that nobody reads any more, not the one beside it", async () => {
  const argv = readerArgv("5e551011", "sha256:image", [{ source: "/a", target: "a" }]);
  assert.deepEqual(await removed((env) => capture(testContext({ env }), argv)), ["mine", "left"]);
});

Deno.test("after a failure all the containers of this process go", async () => {
  assert.deepEqual(
    await removed((env) => removeReaders(testContext({ env }), "5e551011")),
    ["sibling", "left"],
  );
});
