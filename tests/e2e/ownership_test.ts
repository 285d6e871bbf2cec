import assert from "node:assert/strict";
import { BASE_IMAGE, london } from "../lab/lab.ts";
import { isThere, newUser, storedSession, type User } from "./user.ts";

/** Runs a script as another local user. */
async function asNobody(script: string): Promise<void> {
  const { code, stderr } = await london([
    ...["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"],
    ...["bash", "-euc", script],
  ]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
}

/** A place where everybody may write, as /tmp is, with a session of nobody's that runs a program when it is read. */
async function plant(user: User): Promise<{ readonly dir: string; readonly hit: string }> {
  const shared = `${user.home}/tmp/shared`;
  await london(["chmod", "755", user.home]);
  await london(["chmod", "755", `${user.home}/tmp`]);
  await london(["install", "-d", "-m", "1777", shared]);
  const stored = {
    ...await storedSession(user),
    name: "planted",
    id: "ffffffffffff",
    socketDir: `${shared}/sockets`,
    remoteHost: { name: "reykjavik", user: null, port: null },
  };
  const hit = `${shared}/hit`;
  const config = `Match exec "touch ${hit}"\n  User x\n`;
  await asNobody(`mkdir -m 755 ${shared}/dockerdo_x ${shared}/sockets
cat >${shared}/dockerdo_x/session.json <<'END'
${JSON.stringify(stored, null, 2)}
END
for name in ssh_config ssh_config.remote; do printf '%s' '${config}' >${shared}/dockerdo_x/$name; done`);
  return { dir: `${shared}/dockerdo_x`, hit };
}

Deno.test("a session directory that another user has made is believed by no command", async () => {
  await using user = await newUser();
  await user.begins(`own --local --image ${BASE_IMAGE}`);
  const { dir, hit } = await plant(user);
  const entry = `${user.home}/state/dockerdo/sessions/ffffffffffff`;
  await Deno.writeTextFile(entry, dir);
  try {
    const sentence = `dockerdo: the session directory ${dir} is not this user's alone\n` +
      `  Its owner and mode: ls -ld ${dir}\n`;
    const listed = await user.does("dockerdo list --json");
    assert.deepEqual(
      (JSON.parse(listed) as { name: string | null }[]).map(({ name }) => name).sort(),
      [null, "own"],
    );
    for (const command of ["status", "history", "exec true", "rm --force", "run"]) {
      const { code, stderr } = await user.types(
        `DOCKERDO_SESSION_DIR=${dir} dockerdo ${command}`,
      );
      assert.deepEqual([code, stderr], [command === "exec true" ? 125 : 1, sentence], command);
    }
    // A work dir that somebody else's session claims is not one of its session's.
    assert.equal((await user.types("unset DOCKERDO_SESSION_DIR; dockerdo status --json")).code, 0);
    await user.does(`source ${dirname(import.meta.url)}/../../completions/dockerdo.bash
COMP_WORDS=(dodo --session planted ls /etc/) COMP_CWORD=4
_dockerdo`);
    await user.types("dockerdo prune </dev/null; dockerdo doctor");
    assert.equal(await isThere(hit), false);
  } finally {
    await Deno.remove(entry);
  }
});

Deno.test("dodo does not speak to a control socket in a directory of another user's", async () => {
  await using user = await newUser();
  await user.runs(`own --local --image ${BASE_IMAGE}`);
  const { socketDir } = await storedSession(user) as { socketDir: string };
  await user.does(`ssh -F "$DOCKERDO_SESSION_DIR/ssh_config" -O exit container 2>&1`);
  await plant(user);
  const sockets = `${user.home}/tmp/shared/sockets`;
  await london(["rm", "-rf", socketDir]);
  await Deno.symlink(sockets, socketDir);
  // Everybody may connect: whoever does is written down.
  const listener = new Deno.Command("setpriv", {
    args: [
      ...["--reuid=nobody", "--regid=nogroup", "--clear-groups", "python3", "-c"],
      `import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind("${sockets}/container")
os.chmod("${sockets}/container", 0o777)
s.listen()
print("listening", flush=True)
s.accept()
open("${sockets}/reached", "w")`,
    ],
    stdout: "piped",
  }).spawn();
  try {
    const reader = listener.stdout.getReader();
    await reader.read();
    reader.releaseLock();
    assert.equal(await user.does("dodo echo through"), "through\n");
    assert.equal(await isThere(`${sockets}/reached`), false);
    assert.notEqual((await storedSession(user))["socketDir"], socketDir);
  } finally {
    await london(["kill", "-KILL", String(listener.pid)]);
    await listener.status;
    await listener.stdout.cancel();
    await Deno.remove(socketDir).catch(() => {});
  }
});

Deno.test("a runtime directory that is another user's, or that others may write, is not used", async () => {
  await using user = await newUser();
  const shared = `${user.home}/tmp/shared`;
  await london(["chmod", "755", user.home, `${user.home}/tmp`]);
  await london(["install", "-d", "-m", "1777", shared]);
  await asNobody(`mkdir -m 700 ${shared}/nobody; mkdir -p -m 755 ${shared}/half/dockerdo`);
  for (const runtime of [`${shared}/nobody`, shared, `${shared}/half`]) {
    const script = (await user.does(
      `XDG_RUNTIME_DIR=${runtime} dockerdo init --local --image ${BASE_IMAGE}`,
    )).trim();
    const dir = script.slice(0, script.lastIndexOf("/"));
    const { socketDir } = JSON.parse(await Deno.readTextFile(`${dir}/session.json`));
    assert.equal(socketDir.startsWith(shared), false, `${runtime}: ${socketDir}`);
    await user.does(`DOCKERDO_SESSION_DIR=${dir} dockerdo rm --delete`);
  }
});

function dirname(url: string): string {
  return new URL(".", url).pathname;
}

Deno.test("behind another engine the session's container is unknown, not gone, and nothing of it is removed", async () => {
  await using user = await newUser();
  await user.begins(`elsewhere --local --image ${BASE_IMAGE}`);
  await user.does("dockerdo build && dockerdo run");
  const { containerId } = await storedSession(user) as { containerId: string };
  const other =
    "docker here is another engine now than the one that has the container of elsewhere";
  const elsewhere = (line: string): ReturnType<User["types"]> =>
    user.types(`DOCKER_HOST=ssh://reykjavik dockerdo ${line}`);
  for (const verb of ["run", "start", "stop", "logs", "rm"]) {
    const { code, stderr } = await elsewhere(verb);
    assert.deepEqual([verb, code, stderr.includes(other)], [verb, 1, true], stderr);
  }
  const { container } = JSON.parse((await elsewhere("status --json")).stdout);
  assert.deepEqual([container.state, container.id], ["unknown", containerId]);
  const [listed] = JSON.parse((await elsewhere("list --json")).stdout);
  assert.deepEqual([listed.name, listed.state], ["elsewhere", "unknown"]);
  assert.equal((await elsewhere("prune --yes")).stderr, "Nothing to remove.\n");
  assert.equal(await user.does("dodo echo here"), "here\n");
  const forced = await elsewhere("rm --force");
  assert.deepEqual([forced.code, forced.stderr.includes(`${other}: it stays there`)], [0, true]);
  assert.deepEqual(await isThere(`${user.workDir}/container`), false);
  const state = ["docker", "inspect", "--format", "{{.State.Status}}", containerId];
  assert.equal((await london(state)).stdout, "running\n");
  await london(["docker", "rm", "-f", containerId]);
});

Deno.test("a container of an image that was committed from the session's is left by run and rm, and named", async () => {
  await using user = await newUser();
  await user.begins(`kept --local --image ${BASE_IMAGE}`);
  await user.does("dockerdo build && dockerdo run && dodo touch /marked");
  const { containerId } = await storedSession(user) as { containerId: string };
  await london(["docker", "commit", containerId, "lab/snapshot:1"]);
  await london([
    "docker",
    "run",
    "-d",
    "--name",
    "prod-snapshot",
    "lab/snapshot:1",
    "sleep",
    "1000",
  ]);
  try {
    const named =
      /the container prod-snapshot \([0-9a-f]{12}\) carries the label of kept, but is not its container: it stays/;
    const removed = await user.types("dockerdo rm --force");
    assert.equal(removed.code, 0, removed.stderr);
    assert.match(removed.stderr, named);
    const again = await user.types("dockerdo run");
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, named);
    const state = ["docker", "inspect", "--format", "{{.State.Status}}", "prod-snapshot"];
    assert.equal((await london(state)).stdout, "running\n");
  } finally {
    await london(["docker", "rm", "-f", "prod-snapshot"]);
    await user.types("dockerdo rm --force --delete");
    await london(["docker", "rmi", "-f", "lab/snapshot:1"]);
  }
});
