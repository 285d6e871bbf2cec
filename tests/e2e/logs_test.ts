import assert from "node:assert/strict";
import { BASE_IMAGE, poll, reykjavik } from "../lab/lab.ts";
import { newUser, storedSession } from "./user.ts";

Deno.test("logs gives both streams of the main process, follows it, and says how it ended", async () => {
  await using user = await newUser();
  // A login shell that writes before each command must not get into the log.
  await user.runs(`logged --remote reykjavik-noisy --image ${BASE_IMAGE}`);
  const say = (line: string): Promise<string> => user.does(`dodo -c '${line}'`);
  await say('printf "one\\ntwo\\n" >/proc/1/fd/1; echo worse >/proc/1/fd/2');
  const all = await user.types("dockerdo logs");
  assert.deepEqual([all.code, all.stdout], [0, "one\ntwo\n"]);
  assert.match(all.stderr, /^worse$/m);
  // Which lines are the last two is for the engine to say: it reads two streams.
  assert.equal((await user.types("dockerdo logs --tail 2 2>&1 | wc -l")).stdout.trim(), "2");
  assert.equal((await user.types("dockerdo logs --since 2099-01-01T00:00:00")).stdout, "");
  assert.equal((await user.types("dockerdo logs --tail x")).code, 2);
  assert.equal(await user.does("dockerdo logs | head -1"), "one\n");

  const following = user.types("timeout -s INT 20 dockerdo logs -f >followed 2>ended");
  const followed = (): Promise<string> => Deno.readTextFile(`${user.workDir}/followed`);
  await poll(async () => (await followed().catch(() => "")).includes("two"), { what: "the log" });
  await say("echo three >/proc/1/fd/1");
  await poll(async () => (await followed()) === "one\ntwo\nthree\n", { what: "the new line" });
  const { containerId } = await storedSession(user) as { containerId: string };
  await reykjavik(["docker", "kill", containerId]);
  assert.equal((await following).code, 0);
  assert.match(
    await Deno.readTextFile(`${user.workDir}/ended`),
    /^\[container\] dockerdo-logged-\w+ ended with exit code 137 at 20\d\d-[^ ]+Z, \S+ ago$/m,
  );

  await user.does("dockerdo start");
  const watching = (): Promise<boolean> =>
    reykjavik(["pgrep", "-f", "docker logs --follow"]).then(({ code }) => code === 0);
  for (const signal of ["INT", "KILL"]) {
    const cut = user.types(`exec dockerdo logs -f --tail 0`);
    await poll(watching, { what: "docker logs there" });
    await user.does(`pkill -${signal} -f 'main[.]ts logs -f|/dockerdo logs -f'`);
    assert.equal((await cut).code, signal === "INT" ? 130 : 137);
    await poll(async () => !(await watching()), { what: `the end of docker logs after ${signal}` });
  }
});
