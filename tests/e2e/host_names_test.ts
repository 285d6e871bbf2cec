import assert from "node:assert/strict";
import { BASE_IMAGE, london, poll, reykjavik } from "../lab/lab.ts";
import { isThere, modeOf, newUser, type User } from "./user.ts";

// Any ssh program, for which ssh_config(5) is what it is for the user's own.
const TOOLS = `set -e
ssh NAME 'cat /which'
printf 'local\\n' >file && scp -q file NAME:/srv/new && ssh NAME cat /srv/new
echo 'get /which got' | sftp -q -b - NAME >/dev/null && cat got
ssh NAME 'exit 7' || echo $?`;

/** Lets ssh know the sessions of a user as install does; dispose of it to have the file as it was. */
async function installed(user: User): Promise<AsyncDisposable> {
  const config = `${Deno.env.get("HOME")}/.ssh/config`;
  const before = await Deno.readTextFile(config);
  const [ssh] = await resolved(["reykjavik"]);
  await user.does("dockerdo install --yes --no-bashrc --shell bash");
  assert.match(await Deno.readTextFile(config), /^# >>> dockerdo >>> .*\n#.*\nInclude "/);
  assert.deepEqual(await resolved(["reykjavik"]), [ssh]);
  return {
    [Symbol.asyncDispose]: async () => {
      await user.does("dockerdo install --yes --uninstall");
      assert.equal(await Deno.readTextFile(config), before);
    },
  };
}

async function resolved(hosts: readonly string[]): Promise<string[]> {
  return await Promise.all(hosts.map(async (host) => (await london(["ssh", "-G", host])).stdout));
}

Deno.test("ssh, scp, sftp and rsync reach a session by its host name, with its master and without", async () => {
  await using user = await newUser();
  await user.runs(`odd.Name_1 --remote reykjavik --image ${BASE_IMAGE}`);
  await user.does("dodo sh -c 'echo one >/which'");
  await using _line = await installed(user);
  const hosts = `${user.home}/state/dockerdo/ssh_hosts`;
  assert.equal(await modeOf(hosts), 0o600);
  const name = "odd.Name_1.dockerdo";
  const tools = TOOLS.replaceAll("NAME", name);
  const before = await resolved(["reykjavik", "other"]);
  assert.equal(await user.does(tools), "one\nlocal\none\n7\n");
  await user.does(
    "dodo sh -c 'apt-get update && apt-get install -y --no-install-recommends rsync' >/dev/null",
  );
  // Without a master each is a connection of its own, that ends.
  await user.does(`ssh -F ${user.sessionDir()}/ssh_config -O exit container`);
  assert.equal(
    await user.does(
      `(${tools}; rsync -a file ${name}:/srv/synced && ssh ${name} cat /srv/synced) 2>&1 | cat`,
    ),
    "one\nlocal\none\n7\nlocal\n",
  );
  // One more session, by a port, beside it.
  await using two = await newUser();
  await two.does(`rm -r ${two.home}/state && ln -s ${user.home}/state ${two.home}/state`);
  await two.runs(`two --remote reykjavik-forward --connect port --image ${BASE_IMAGE}`);
  await two.does("dodo sh -c 'echo two >/which'");
  assert.equal(await two.does(TOOLS.replaceAll("NAME", "two.dockerdo")), "two\nlocal\ntwo\n7\n");
  await two.does(`ssh -F ${two.sessionDir()}/ssh_config -O exit container`);
  assert.equal(await two.does("ssh two.dockerdo cat /which"), "two\n");
  assert.equal(await two.does(`ssh ${name} cat /which`), "one\n");
  await two.does("dockerdo stop");
  const stopped = await two.types("ssh two.dockerdo true");
  assert.deepEqual(stopped, {
    code: 255,
    stdout: "",
    stderr: stopped.stderr,
  });
  assert.match(
    stopped.stderr,
    /^dockerdo: cannot connect to the session two: .*; dockerdo start two brings it up\n$/,
  );
  await user.does("dockerdo stop");
  const exited = await user.types(`ssh ${name} true`);
  assert.deepEqual([exited.code, exited.stderr], [
    255,
    "dockerdo: cannot connect to the session odd.Name_1: its container does not run, or has been started again; " +
    "dockerdo start odd.Name_1 brings it up\n",
  ]);
  await two.does("dockerdo rm --force --delete");
  const gone = await two.types("ssh two.dockerdo true");
  assert.equal(gone.code, 255);
  assert.doesNotMatch(await Deno.readTextFile(hosts), /two\.dockerdo/);
  assert.deepEqual(await resolved(["reykjavik", "other"]), before);
});

Deno.test("an attached session's host name serves the container's files, and refuses commands in one sentence", async () => {
  const target = `hosts-${crypto.randomUUID().slice(0, 6)}`;
  const run = await reykjavik([
    "docker",
    "run",
    "-d",
    "--name",
    target,
    BASE_IMAGE,
    "sleep",
    "1000",
  ]);
  assert.equal(run.code, 0, run.stderr);
  await using user = await newUser();
  await Deno.mkdir(`${user.home}/config/dockerdo`, { recursive: true });
  await Deno.writeTextFile(
    `${user.home}/config/dockerdo/dockerdo.yaml`,
    `default_image: ${BASE_IMAGE}\n`,
  );
  try {
    await user.does(`dockerdo attach ${target} web --remote reykjavik`);
    await using _line = await installed(user);
    await user.does("echo hello >file && scp -q file web.dockerdo:/srv/here");
    assert.equal(
      (await reykjavik(["docker", "exec", target, "cat", "/srv/here"])).stdout,
      "hello\n",
    );
    for (const command of ["", "hostname"]) {
      const { code, stdout, stderr } = await user.types(`ssh web.dockerdo ${command} </dev/null`);
      assert.deepEqual([
        code,
        stdout,
        stderr.split("\n").filter((line) => /dockerdo:/.test(line)).length,
      ], [126, "", 1]);
    }
    await reykjavik(["docker", "rm", "-f", target]);
    await poll(
      async () =>
        /^dockerdo: cannot connect to the session web: its container does not run.*\n$/.test(
          (await user.types("ssh web.dockerdo true </dev/null")).stderr,
        ),
      { what: "the sentence", limitMs: 30_000 },
    );
    assert.equal(await isThere(`${user.home}/state/dockerdo/ssh_hosts`), true);
  } finally {
    await reykjavik(["docker", "rm", "-f", target]);
  }
});
