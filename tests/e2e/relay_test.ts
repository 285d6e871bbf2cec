// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { BASE_IMAGE, london, poll, reykjavik } from "../lab/lab.ts";
import { isThere, modeOf, newUser, nothingRemains, storedSession, type User } from "./user.ts";

const ROUNDS = 60;

/** The processes of the session's relay: it carries its directory in its arguments. */
async function relays(user: User): Promise<string[]> {
  const { stdout } = await london(["pgrep", "-f", `relay ${user.sessionDir()}/relay `]);
  return stdout.split("\n").filter(Boolean);
}

function names(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

/** What a child reads there, and nothing where it does not answer soon: a mount may hang for a while. */
async function readApart(path: string): Promise<string> {
  return (await london(["timeout", "-s", "KILL", "2", "cat", path])).stdout;
}

Deno.test("a session with --mount relay, from init to rm", async (t) => {
  await using user = await newUser();
  await user.runs(`relayed --remote reykjavik --image ${BASE_IMAGE} --mount relay`);
  const mount = `${user.workDir}/container`;
  const app = `${mount}/srv/app`;
  const session = await storedSession(user);
  const { id, socketDir, containerId } = session as Record<string, string>;

  await t.step(
    "run returns with a mount that answers, and nobody else can read what is ours",
    async () => {
      assert.equal(session["mount"], "relay");
      assert.match(Deno.readTextFileSync(`${mount}/etc/os-release`), /Debian/);
      assert.equal((await relays(user)).length, 1);
      assert.deepEqual(
        [await modeOf(`${user.sessionDir()}/relay`), await modeOf(`${socketDir}/relay`)],
        [0o700, 0o700],
      );
    },
  );

  await t.step("what a command wrote is what the mount shows when it has ended", async () => {
    await user.does("dodo mkdir fresh");
    for (let round = 10; round < 10 + ROUNDS; round++) {
      // The same size each time, a growing file, a new name, and one that goes.
      await user.does(
        `dodo sh -c 'cd fresh; printf ${round} > same; printf ${round} >> grows; : > n${round}; rm -f n${
          round - 2
        }'`,
      );
      const listed = ["grows", ...round > 10 ? [`n${round - 1}`] : [], `n${round}`, "same"];
      assert.deepEqual(
        [
          Deno.readTextFileSync(`${app}/fresh/same`),
          Deno.statSync(`${app}/fresh/grows`).size,
          names(`${app}/fresh`),
        ],
        [`${round}`, (round - 9) * 2, listed],
      );
    }
  });

  await t.step("what a local program wrote is what a command sees", async () => {
    await user.does("dodo mkdir written");
    for (let round = 10; round < 10 + ROUNDS; round++) {
      Deno.writeTextFileSync(`${app}/written/same`, `${round}`);
      Deno.writeTextFileSync(`${app}/written/n${round}`, "");
      if (round > 11) Deno.removeSync(`${app}/written/n${round - 2}`);
      const listed = [...round > 10 ? [`n${round - 1}`] : [], `n${round}`, "same"];
      assert.equal(
        await user.does("dodo sh -c 'cd written; cat same; echo; ls'"),
        `${round}\n${listed.join("\n")}\n`,
      );
    }
  });

  await t.step("links of the image can be read, and lead nowhere else", async () => {
    assert.match(await Deno.readTextFile(`${mount}/etc/os-release`), /Debian/);
    await user.does(
      `dodo sh -c 'ln -s /etc/hostname absolute; ln -s ../../../../../../../../../../etc/hostname up
      ln -s /srv/app/../../etc/hostname crooked'`,
    );
    const inside = await user.does("dodo cat /etc/hostname");
    assert.notEqual(inside, Deno.readTextFileSync("/etc/hostname"));
    for (const name of ["absolute", "up", "crooked"]) {
      assert.equal(Deno.readTextFileSync(`${app}/${name}`), inside);
    }
  });

  await t.step("stop and start, both twice", async () => {
    for (const _ of [1, 2]) await user.does("dockerdo stop");
    assert.deepEqual(
      [await isThere(mount), await isThere(`${socketDir}/relay`), await relays(user)],
      [false, false, []],
    );
    for (const _ of [1, 2]) await user.does("dockerdo start");
    assert.equal(Deno.readTextFileSync(`${app}/written/same`), `${9 + ROUNDS}`);
    assert.equal((await relays(user)).length, 1);
  });

  await t.step(
    "a container that was restarted behind our back is there again within 10 s",
    async () => {
      await user.does("dodo sh -c 'echo before > /srv/app/life'");
      assert.equal(Deno.readTextFileSync(`${app}/life`), "before\n");
      assert.equal((await reykjavik(["docker", "restart", "-t", "0", containerId ?? ""])).code, 0);
      await poll(async () => await readApart(`${app}/life`) === "before\n", {
        what: "the mount after a restart",
        limitMs: 10_000,
      });
      await user.does("dodo sh -c 'echo after > /srv/app/life'");
      assert.equal(Deno.readTextFileSync(`${app}/life`), "after\n");
    },
  );

  await t.step(
    "a paused container fails a reader within 10 s, and is there again when it goes on",
    async () => {
      const docker = async (verb: string) =>
        assert.equal((await reykjavik(["docker", verb, containerId ?? ""])).code, 0);
      await docker("pause");
      try {
        const start = Date.now();
        const { code, stderr } = await london([
          "timeout",
          "-s",
          "KILL",
          "12",
          "ls",
          `${app}/written`,
        ]);
        assert.deepEqual([code, /Input\/output error/.test(stderr)], [2, true]);
        assert.ok(Date.now() - start < 10_000);
      } finally {
        await docker("unpause");
      }
      await poll(async () => await readApart(`${app}/life`) === "after\n", {
        what: "the mount after a pause",
        limitMs: 10_000,
      });
      await user.does("dodo sh -c 'echo resumed > /srv/app/life'");
      assert.equal(Deno.readTextFileSync(`${app}/life`), "resumed\n");
    },
  );

  await t.step("rm leaves no mount, no process and no file", async () => {
    await user.does("dockerdo rm --force --delete");
    assert.deepEqual(
      [await relays(user), await isThere(user.sessionDir()), await isThere(socketDir ?? "")],
      [[], false, false],
    );
    await nothingRemains(id ?? "");
  });
});

Deno.test("run --mount changes how the container is mounted, and leaves docker its own --mount", async () => {
  await using user = await newUser();
  await user.runs(
    `changing --local --image ${BASE_IMAGE}`,
    "--mount relay --mount type=tmpfs,dst=/scratch",
  );
  assert.equal((await storedSession(user))["mount"], "relay");
  assert.equal((await relays(user)).length, 1);
  assert.match(await user.does("dodo grep /scratch /proc/mounts"), /^tmpfs \/scratch /);
  await user.does("dockerdo rm --force && dockerdo run --mount=plain");
  assert.equal((await storedSession(user))["mount"], "plain");
  assert.deepEqual(await relays(user), []);
  assert.match(await Deno.readTextFile(`${user.workDir}/container/etc/os-release`), /Debian/);
});
