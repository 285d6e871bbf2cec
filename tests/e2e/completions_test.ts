import assert from "node:assert/strict";
import { BASE_IMAGE, london, poll } from "../lab/lab.ts";
import { newUser } from "./user.ts";

const SCRIPTS = new URL("../../completions", import.meta.url).pathname;

// What is asked of the shells is in the unit tests; here it is whether the answers come from the container.
const ASK = `source ${SCRIPTS}/dockerdo.bash
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_dockerdo
printf '%s\\n' "\${COMPREPLY[@]}"`;

Deno.test("dodo's arguments are completed from the container, and only over a master that is there", async () => {
  await using user = await newUser();
  await user.runs(`completed --remote reykjavik --image ${BASE_IMAGE}`);
  await user.does(`dodo sh -c 'mkdir "/srv/app/my dir"; echo > "/srv/app/my dir/it'\\''s"'`);
  const offered = async (words: string, cwd = user.workDir): Promise<string[]> => {
    const { stdout, stderr } = await london(["bash", "-c", `set -- ${words}; ${ASK}`], {
      env: { ...user.env(), DOCKERDO_COMPLETION_SECONDS: "20" },
      cwd,
    });
    assert.equal(stderr, "");
    return stdout.split("\n").filter(Boolean).sort();
  };
  const mount = `${user.workDir}/container`;

  assert.deepEqual(await offered("dodo ls my"), ["my\\ dir/"]);
  assert.deepEqual(await offered("dodo ls 'my dir/i'"), ["my\\ dir/it\\'s"]);
  assert.deepEqual(await offered("dodo ls /etc/debian_v"), ["/etc/debian_version"]);
  assert.deepEqual(await offered("dodo cat debian_v", `${mount}/etc`), ["debian_version"]);
  assert.deepEqual(await offered(`dodo cat ${mount}/etc/debian_v`), [
    `${mount}/etc/debian_version`,
  ]);
  assert.deepEqual(await offered("dodo -w /sr"), ["/srv/"]);
  assert.deepEqual(await offered("dodo dpkg-que"), ["dpkg-query"]);
  assert.deepEqual(await offered("dockerdo run --volumes-fr"), ["--volumes-from"]);

  await user.does(`ssh -F "$DOCKERDO_SESSION_DIR/ssh_config" -O exit container 2>&1`);
  await poll(async () => (await offered("dodo ls my")).length === 0, {
    what: "the end of the master",
    limitMs: 5000,
  });
  assert.deepEqual(await offered("dodo ls /etc/debian_v"), []);
  const check = await user.types(`ssh -F "$DOCKERDO_SESSION_DIR/ssh_config" -O check container`);
  assert.equal(check.code, 255);
});

Deno.test("completion gives up on a master that does not answer", async () => {
  await using user = await newUser();
  await user.runs(`frozen --remote reykjavik --image ${BASE_IMAGE}`);
  const { stdout: found } = await user.types(
    `ssh -F "$DOCKERDO_SESSION_DIR/ssh_config" -O check container 2>&1 | sed 's/[^0-9]//g'`,
  );
  const master = found.trim();
  assert.match(master, /^\d+$/);
  await london(["kill", "-STOP", master]);
  try {
    const began = Date.now();
    const { stdout } = await london(["bash", "-c", `set -- dodo ls /et; ${ASK}`], {
      env: user.env(),
      cwd: user.workDir,
    });
    assert.equal(stdout.trim(), "");
    assert.ok(Date.now() - began < 10_000);
  } finally {
    await london(["kill", "-CONT", master]);
  }
});
