// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { BASE_IMAGE, london, poll, reykjavik } from "../lab/lab.ts";
import { isThere, newUser, nothingRemains, storedSession, type User } from "./user.ts";

/** The process that serves one of the session's mounts. */
async function serverOf(user: User, destination: "container" | "remote"): Promise<string> {
  const { id } = await storedSession(user) as { id: string };
  const { stdout } = await london(["pgrep", "-f", `^sshfs .*fsname=dockerdo:${id}:${destination}`]);
  assert.match(stdout, /^\d+\n$/);
  return stdout.trim();
}

async function signal(name: string, pid: string | number): Promise<void> {
  assert.equal((await london(["kill", `-${name}`, `${pid}`])).code, 0);
}

async function mounts(user: User): Promise<string[]> {
  const { mounts } = JSON.parse(await user.does("dockerdo status --json")) as {
    mounts: { path: string; mounted: boolean; kind: string; recording: boolean }[];
  };
  return mounts.map(({ path, mounted, kind }) =>
    `${path.slice(user.workDir.length + 1)} ${kind} ${mounted ? "up" : "down"}`
  );
}

/** What a shell in the work dir gets when it writes there; a dead mount may answer late. */
async function writing(user: User, path: string): Promise<number> {
  return (await user.types(`timeout -s KILL 12 sh -c 'echo x > ${path}'`)).code;
}

Deno.test("the build dir has the same relay, exact for what is written here, and near for what is written there", async () => {
  await using user = await newUser();
  const home = (await reykjavik(["mktemp", "-d", "/root/build dir.XXXXXX"])).stdout.trim();
  const there = (script: string): Promise<string> =>
    reykjavik(["sh", "-c", `cd "$0" && ${script}`, home]).then(({ stdout }) => stdout);
  await there("echo 1 > seen; mkdir sub; ln -s ../seen sub/up; ln -s /etc/hostname out");
  await user.begins(
    `built --remote reykjavik --image ${BASE_IMAGE} --build-dir "${home.slice("/root/".length)}"`,
  );
  const { id } = await storedSession(user) as { id: string };
  const here = `${user.workDir}/reykjavik`;
  assert.deepEqual(await mounts(user), ["reykjavik relay up", "container relay down"]);
  assert.equal(Deno.readTextFileSync(`${here}/sub/up`), "1\n");
  for (let round = 0; round < 20; round++) {
    Deno.writeTextFileSync(`${here}/written`, `${round}`);
    assert.equal(await there("cat written"), `${round}`);
  }
  await there("echo 2 > seen; : > new");
  await poll(
    () => Deno.readTextFileSync(`${here}/seen`) === "2\n" && Deno.lstatSync(`${here}/new`).isFile,
    { what: "what the remote host wrote", limitMs: 4000 },
  ).catch((error) => {
    throw new Error(`${error}: ${Deno.readTextFileSync(`${here}/seen`)}`);
  });
  // Links stay links, and none leads to a file of this host.
  assert.equal(Deno.lstatSync(`${here}/out`).isSymlink, true);
  assert.throws(() => Deno.readTextFileSync(`${here}/out`), Deno.errors.NotFound);
  await user.does("dockerdo rm --delete");
  assert.equal(await isThere(here), false);
  await nothingRemains(id);
  await reykjavik(["rm", "-r", home]);
});

Deno.test("when a mount's server is killed nothing is written below it, and start brings it back", async () => {
  await using user = await newUser();
  await user.runs(`served --remote reykjavik --image ${BASE_IMAGE}`);
  const { id } = await storedSession(user) as { id: string };
  for (const name of ["KILL", "TERM"]) {
    for (const destination of ["container", "remote"] as const) {
      await signal(name, await serverOf(user, destination));
    }
    const down = ["reykjavik relay down", "container relay down"];
    await poll(async () => `${await mounts(user)}` === `${down}`, { what: `the end by ${name}` });
    for (const point of ["container/tmp", "container", "reykjavik"]) {
      assert.notEqual(await writing(user, `${point}/lost`), 0, `${name} ${point}`);
    }
    assert.equal(await user.does("dodo echo still here"), "still here\n");
    await user.does("dockerdo start");
    assert.deepEqual(await mounts(user), ["reykjavik relay up", "container relay up"]);
    assert.equal(await writing(user, "container/tmp/kept"), 0);
    assert.equal(
      await user.does("dodo cat /tmp/kept; ls -A reykjavik | grep -c lost || :"),
      "x\n0\n",
    );
  }
  await user.does("dockerdo rm --force --delete");
  await nothingRemains(id);
});

Deno.test("somebody who unmounts by hand finds no directory to write into, whatever the kind", async () => {
  await using user = await newUser();
  await user.runs(`unmounted --local --image ${BASE_IMAGE}`);
  await user.does("fusermount3 -u container");
  await poll(async () => !await isThere(`${user.workDir}/container`), { what: "no mount point" });
  assert.notEqual(await writing(user, "container/lost"), 0);
  await user.does("dockerdo start --mount plain");
  assert.deepEqual(await mounts(user), ["container plain up"]);
  await user.does("fusermount3 -u container");
  assert.equal((Deno.statSync(`${user.workDir}/container`).mode ?? 0) & 0o777, 0o555);
  await user.does("dockerdo start --mount relay && ls -d container/etc");
});

Deno.test("dodo does not wait for ever for a relay that does not answer, and what it said is heard later", async () => {
  await using user = await newUser();
  await user.runs(`late --local --image ${BASE_IMAGE}`);
  const file = `${user.workDir}/container/srv/app/file`;
  await user.does("dodo sh -c 'echo 1 > file'");
  assert.equal(Deno.readTextFileSync(file), "1\n");
  const pid = Deno.readTextFileSync(`${user.sessionDir()}/relay/relay.pid`).trim();
  await signal("STOP", pid);
  try {
    const { code, stderr } = await user.types("dodo sh -c 'echo 2 > file; exit 7'");
    assert.deepEqual([code, stderr], [7, ""]);
  } finally {
    await signal("CONT", pid);
  }
  // The next message is answered after the one that nobody waited for.
  await user.does("dodo true");
  assert.equal(Deno.readTextFileSync(file), "2\n");
});

Deno.test("--connect port and the relay go together, through a restart that changes the port", async () => {
  await using user = await newUser();
  await user.runs(`port-relay --remote reykjavik-forward --image ${BASE_IMAGE} --connect port`);
  const { id, containerId } = await storedSession(user) as { id: string; containerId: string };
  const file = `${user.workDir}/container/srv/app/file`;
  for (const start of ["", "dockerdo start;"]) {
    if (start !== "") {
      assert.equal((await reykjavik(["docker", "restart", "-t", "0", containerId])).code, 0);
      await user.does(start);
    }
    assert.deepEqual(await mounts(user), ["reykjavik-forward relay up", "container relay up"]);
    for (let round = 10; round < 20; round++) {
      await user.does(`dodo sh -c 'echo ${round} > file'`);
      assert.equal(Deno.readTextFileSync(file), `${round}\n`);
      Deno.writeTextFileSync(file, `${-round}`);
      assert.equal(await user.does("dodo cat file"), `${-round}`);
    }
  }
  await user.does("dockerdo rm --force --delete");
  await nothingRemains(id);
});

Deno.test("a kill of everything at once leaves nothing that rm does not take away", async () => {
  await using user = await newUser();
  await user.runs(`crashed --remote reykjavik --image ${BASE_IMAGE} --record`);
  const { id } = await storedSession(user) as { id: string };
  for (const pattern of [`dockerdo:${id}:`, `relay ${user.sessionDir()}/relay`]) {
    await london(["pkill", "-KILL", "-f", "--", pattern]);
  }
  await user.does("dockerdo rm --force --delete");
  assert.equal(await user.does("ls -A"), "");
  await nothingRemains(id);
});
