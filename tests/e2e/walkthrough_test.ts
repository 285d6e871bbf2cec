import assert from "node:assert/strict";
import { BASE_IMAGE, london, reykjavik } from "../lab/lab.ts";
import { isThere, modeOf, newUser, nothingRemains, storedSession } from "./user.ts";

Deno.test("a session goes from init to rm on a remote host behind a firewall, and leaves nothing", async () => {
  await using user = await newUser();
  const mount = `${user.workDir}/container`;

  // init
  await reykjavik(["sh", "-c", "mkdir -p ~/build && echo from reykjavik > ~/build/data.txt"]);
  const script = await user.begins(
    `story --remote reykjavik --image ${BASE_IMAGE} --build-dir build`,
  );
  assert.equal(script, `${user.home}/data/dockerdo/story/activate`);
  assert.equal(await modeOf(user.sessionDir()), 0o700);
  assert.equal(await modeOf(`${user.sessionDir()}/session.json`), 0o600);
  assert.equal(await Deno.readTextFile(`${user.workDir}/reykjavik/data.txt`), "from reykjavik\n");
  const { id, imageTag } = await storedSession(user) as { id: string; imageTag: string };
  assert.equal(imageTag, `dockerdo-lab/debian:bookworm-story-${id.slice(0, 6)}`);

  // overlay, build, push
  await user.does("dockerdo overlay");
  assert.match(
    await Deno.readTextFile(`${user.workDir}/Dockerfile.dockerdo`),
    /^FROM lab\/debian:bookworm$/m,
  );
  await user.does("dockerdo build");
  const imageId = async (host: typeof london): Promise<string> =>
    (await host(["docker", "image", "inspect", "--format", "{{.Id}}", imageTag])).stdout;
  const built = await imageId(london);
  assert.match(built, /^sha256:/);
  assert.equal(await imageId(reykjavik), "\n");
  const pushed = await user.types("dockerdo push");
  assert.equal(pushed.code, 0, pushed.stderr);
  assert.equal(pushed.stdout, "");
  assert.equal(await imageId(reykjavik), built);

  // run
  await user.does("dockerdo run -e 'EXTRA=a b' -v /var/tmp:/data");
  const inspected = await reykjavik([
    "docker",
    "inspect",
    "--format",
    "{{.State.Status}} {{json .NetworkSettings.Ports}} {{.HostConfig.Init}}",
    `dockerdo-story-${id.slice(0, 6)}`,
  ]);
  assert.equal(inspected.stdout, 'running {"22/tcp":null} true\n');
  assert.equal(
    (await london(["docker", "ps", "-q", "--filter", `label=dockerdo.session=${id}`])).stdout,
    "",
  );
  assert.match(await Deno.readTextFile(`${mount}/etc/os-release`), /^ID=debian$/m);

  // exec
  assert.equal(await user.does("dodo pwd"), "/srv/app\n");
  assert.equal(await user.does("dodo pwd", { cwd: `${mount}/etc` }), "/etc\n");
  assert.equal(
    await user.does("dodo printf '%s|' 'a  b' \"it's\" '$HOME' '*' '' -n --"),
    "a  b|it's|$HOME|*||-n|--|",
  );
  assert.equal(
    await user.does("dodo sh -c 'echo $GREETING, $EXTRA; command -v tool'"),
    "hello world $x, a b\n/opt/tool/bin/tool\n",
  );
  assert.equal((await user.types("dodo sh -c 'exit 7'")).code, 7);
  assert.equal(await user.does("dodo tr a-z A-Z | tr -d ' '", { stdin: "one two\n" }), "ONETWO\n");
  const split = await user.types("dodo sh -c 'echo out; echo err >&2'");
  assert.deepEqual(split, { code: 0, stdout: "out\n", stderr: "err\n" });

  // edits through the mount, in both directions
  await Deno.writeTextFile(`${mount}/srv/app/edited.txt`, "by london\n");
  assert.equal(await user.does("dodo cat edited.txt"), "by london\n");
  await user.does("dodo sh -c 'echo by the container > made.txt'");
  assert.equal(await Deno.readTextFile(`${mount}/srv/app/made.txt`), "by the container\n");
  await user.does("dodo sh -c 'echo longer than it was before > edited.txt'");
  assert.equal(
    await Deno.readTextFile(`${mount}/srv/app/edited.txt`),
    "longer than it was before\n",
  );

  // export
  const hostile = "two\nlines = \"q\" 'q' $(id) \\ ü";
  await user.does(
    `dockerdo export 'WORD=a=b' "HOSTILE=$HOSTILE"`.replace(
      "$HOSTILE",
      hostile.replaceAll(/["$\\]/g, "\\$&"),
    ),
  );
  assert.equal(await user.does("dodo printenv HOSTILE"), `${hostile}\n`);
  await user.does("dockerdo export WORD=");
  assert.equal((await user.types("dodo printenv WORD")).code, 1);

  // history: lines of shell, which set the same variable in a shell
  await user.does("dodo make nothing", { cwd: mount }).catch(() => {});
  const history = await user.does("dockerdo history");
  assert.match(history, /^(# )?cd \/etc\n(# )?pwd.*\n(# )?cd \/srv\/app\n/m);
  assert.match(history, /^# cd \/\n# make nothing {2}# exit code 127$/m);
  const variables = history.slice(0, history.search(/^(# )?cd \/srv\/app/m));
  assert.equal(await user.does(`${variables}\nprintf '%s' "$HOSTILE"`), hostile);
  const { commands } = JSON.parse(await user.does("dockerdo history --json"));
  assert.deepEqual(
    ["time", "cwd", "command", "exitCode", "durationMs", "container"]
      .filter((key) => !(key in commands[0])),
    [],
  );
  assert.deepEqual([commands[0].cwd, commands[0].command, commands[0].exitCode], ["/srv/app", [
    "pwd",
  ], 0]);

  // status
  const status = JSON.parse(await user.does("dockerdo status --json"));
  assert.deepEqual(
    [status.container.state, status.masters, status.mounts, status.image],
    [
      "running",
      { remote: true, container: true },
      [`${user.workDir}/reykjavik`, mount].map((path) => ({
        path,
        mounted: true,
        kind: "relay",
        recording: path === mount,
      })),
      { tag: imageTag, local: true, remote: true },
    ],
  );

  // stop and start, both twice
  for (const _ of [1, 2]) await user.does("dockerdo stop");
  assert.equal(await isThere(mount), false);
  assert.equal(JSON.parse(await user.does("dockerdo status --json")).container.state, "exited");
  const stopped = await user.types("dodo true");
  assert.equal(stopped.code, 125);
  assert.match(stopped.stderr, /is exited\n {2}dockerdo start\n$/);
  for (const _ of [1, 2]) await user.does("dockerdo start");
  assert.equal(await user.does("dodo cat /srv/app/made.txt"), "by the container\n");
  assert.equal(await Deno.readTextFile(`${mount}/srv/app/made.txt`), "by the container\n");

  // rm
  const refused = await user.types("dockerdo rm");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /is running\n {2}dockerdo stop/);
  await user.does("dockerdo stop && dockerdo rm && dockerdo rm");
  assert.equal(await isThere(`${user.sessionDir()}/session.json`), true);
  await user.does("dockerdo rm --delete");
  assert.equal(await isThere(user.sessionDir()), false);
  assert.deepEqual([await imageId(london), await imageId(reykjavik)], ["\n", "\n"]);
  assert.equal(await user.does("ls -A"), "");
  await nothingRemains(id);
});

Deno.test("a session goes from init to rm on the local host", async () => {
  await using user = await newUser();
  const script = await user.begins(`--local --image ${BASE_IMAGE}`);
  assert.match(script, /\/state\/dockerdo\/unnamed\/[0-9a-f]{12}\/activate$/);
  const { id } = await storedSession(user) as { id: string };
  await user.does("dockerdo build && dockerdo run");
  const push = await user.types("dockerdo push");
  assert.equal(push.code, 0);
  assert.match(push.stderr, /Nothing to push/);
  assert.equal(
    await user.does("dodo pwd", { cwd: `${user.workDir}/container/usr/bin` }),
    "/usr/bin\n",
  );
  await Deno.writeTextFile(`${user.workDir}/container/root/x`, "1");
  assert.equal(await user.does("dodo cat /root/x"), "1");
  await user.does("dockerdo stop; dockerdo start; dockerdo rm --force --delete");
  assert.equal(await isThere(user.sessionDir()), false);
  await nothingRemains(id);
});
