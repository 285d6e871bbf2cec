import assert from "node:assert/strict";
import { addHost, BASE_IMAGE, poll, reykjavik, startLink } from "../lab/lab.ts";
import { isThere, newUser, nothingRemains, storedSession, type User } from "./user.ts";

interface Listed {
  readonly name: string | null;
  readonly host: string | null;
  readonly state: string;
  readonly mount: string | null;
  readonly mountAnswers: boolean | null;
  readonly problem: string | null;
}

interface Finding {
  readonly check: string;
  readonly status: string;
  readonly found: string;
  readonly remedy: string | null;
}

/** What is typed outside of any session, in a directory of none. */
const ELSEWHERE = "cd / && unset DOCKERDO_SESSION_DIR DOCKERDO_SESSION_NAME;";

async function list(user: User): Promise<Listed[]> {
  return JSON.parse(await user.does(`${ELSEWHERE} dockerdo list --json`));
}

async function doctor(user: User, options: string): Promise<{ code: number; findings: Finding[] }> {
  const { code, stdout } = await user.types(`${ELSEWHERE} dockerdo doctor --json ${options}`);
  return { code, findings: JSON.parse(stdout) };
}

/** Ends `init`'s sessions of a test that a dead host keeps from ending by themselves. */
function onReykjavik(id: string): Promise<string> {
  return reykjavik(["docker", "ps", "-aq", "--filter", `label=dockerdo.session=${id}`])
    .then(({ stdout }) => stdout);
}

Deno.test("a session is taken by its name from anywhere, through its whole life", async () => {
  await using user = await newUser();
  await user.begins(`named --remote reykjavik --image ${BASE_IMAGE}`);
  const { id } = await storedSession(user) as { id: string };
  const types = (script: string): Promise<string> => user.does(`${ELSEWHERE} ${script}`);
  await types("dockerdo overlay named");
  await types("dockerdo build --session named --remote");
  await types("dockerdo run --session named -e X='a b' --label y=1");
  assert.equal(await types("dodo --session named printenv X"), "a b\n");
  await types("dockerdo export --session=named Y=2");
  assert.equal(await types("dodo --session named sh -c 'echo $Y; pwd'"), "2\n/srv/app\n");
  assert.match(
    await types("dockerdo history named"),
    /^export Y=2$[^]*^(# )?printenv X( {2}# .*)?$/m,
  );
  assert.equal(JSON.parse(await types("dockerdo status named --json")).container.state, "running");
  await types("dockerdo stop named");
  assert.equal(JSON.parse(await types("dockerdo status named --json")).container.state, "exited");
  await types("dockerdo start named && dockerdo reconnect named");
  assert.equal(await types("dodo --session named printenv X"), "a b\n");
  const unknown = await user.types(`${ELSEWHERE} dockerdo rm nobody --force`);
  assert.deepEqual([unknown.code, unknown.stderr], [
    1,
    "dockerdo: there is no session nobody\n  dockerdo list shows them all.\n",
  ]);
  await types("dockerdo rm named --force --delete");
  await nothingRemains(id);
});

Deno.test("list shows every session, and is done in time with a frozen host, a dead mount and damaged files", async () => {
  await using user = await newUser();
  await using link = await startLink({ to: "10.77.0.2:22", rttMs: 0 });
  await using _far = await addHost("reykjavik-far", { port: link.port });
  await user.runs(`near --local --image ${BASE_IMAGE}`);
  const near = user.sessionDir();
  await user.does("mkdir other");
  const far = (await user.does(
    `cd other && dockerdo init far --remote reykjavik-far --image ${BASE_IMAGE}`,
  )).trim();
  await user.does("dockerdo build --session far --remote && dockerdo run --session far");
  await user.does("mkdir third && cd third && dockerdo init");
  const short = async (): Promise<unknown[]> =>
    (await list(user)).map(({ name, host, state, mountAnswers, problem }) => [
      name?.replace(/^dockerdo_.*/, "unnamed") ?? null,
      host,
      state,
      mountAnswers,
      problem?.replace(/json cannot be read.*/, "") ?? null,
    ]);
  assert.deepEqual(await short(), [
    ["far", "reykjavik-far", "running", true, null],
    ["near", "local", "running", true, null],
    ["unnamed", "local", "none", null, null],
  ]);
  const [head = "", ...rows] = (await user.does("dockerdo list")).trimEnd().split("\n");
  assert.match(head, /^NAME +HOST +IMAGE +STATE +MOUNT +AGE$/);
  assert.match(
    rows[0] ?? "",
    /^far +reykjavik-far +lab\/debian:bookworm +running +\/\S+\/other\/container +\d+ ?\w+$/,
  );

  link.freeze();
  await user.does(`cp ${near}/session.json saved && echo '{' > ${near}/session.json`);
  const frozen = await short();
  link.thaw();
  await user.does(`cat saved > ${near}/session.json`);
  assert.deepEqual(frozen, [
    ["far", "reykjavik-far", "unknown", false, "reykjavik-far has not answered within 5 s"],
    [null, null, "damaged", null, `the session file ${near}/session.`],
    ["unnamed", "local", "none", null, null],
  ]);
  assert.equal(far, `${user.home}/data/dockerdo/far/activate`);
});

Deno.test("prune removes what a host has no more, asks first, and leaves what just does not answer", async () => {
  await using user = await newUser();
  await using link = await startLink({ to: "10.77.0.2:22", rttMs: 0 });
  await using _far = await addHost("reykjavik-far", { port: link.port });
  const ids: string[] = [];
  for (const [name, host] of [["gone", "reykjavik"], ["away", "reykjavik-far"]] as const) {
    await user.does(`mkdir ${name}`);
    await user.does(`cd ${name} && dockerdo init ${name} --remote ${host} --image ${BASE_IMAGE}`);
    await user.does(
      `dockerdo build --session ${name} --remote && dockerdo run --session ${name}`,
    );
    const file = `${user.home}/data/dockerdo/${name}/session.json`;
    ids.push(JSON.parse(await Deno.readTextFile(file)).id);
  }
  await user.does("mkdir idle; cd idle && dockerdo init idle --local");
  const [gone = "", away = ""] = ids;
  const names = async (): Promise<unknown[]> => (await list(user)).map(({ name }) => name);
  assert.equal((await user.types("dockerdo prune --yes")).stderr, "Nothing to remove.\n");

  await reykjavik(["sh", "-c", `docker rm -f ${(await onReykjavik(gone)).trim()}`]);
  const dry = await user.types("dockerdo prune --dry-run");
  assert.deepEqual([dry.code, dry.stdout], [0, ""]);
  assert.match(dry.stderr, /^gone: its container is gone from reykjavik$/m);
  assert.doesNotMatch(dry.stderr, /^(away|idle):/m);
  const silent = await user.types("dockerdo prune");
  assert.equal(silent.code, 2);
  assert.match(silent.stderr, /stdin is not a terminal\n {2}Use --yes/);
  const no = await user.types("script -qec 'dockerdo prune' /dev/null", { stdin: "n\n" });
  assert.match(no.stdout, /Remove this session, with image and history\? \[y\/N\]/);
  const asked =
    `timeout 20 sh -c 'until grep -q y/N asked; do sleep 0.1; done; printf "\\003"; sleep 5'`;
  const cut = await user.types(
    `touch asked; ${asked} | script -qfec 'dockerdo prune' asked >/dev/null; echo \${PIPESTATUS[1]}`,
  );
  assert.equal(cut.stdout, "130\n");
  assert.deepEqual(await names(), ["away", "gone", "idle"]);
  await user.does("dockerdo prune --yes");
  assert.deepEqual(await names(), ["away", "idle"]);
  assert.equal(await isThere(`${user.workDir}/gone/container`), false);
  await nothingRemains(gone);

  await link.refuse();
  link.cut();
  await poll(async () => (await list(user))[0]?.state === "unknown", { what: "the link's end" });
  assert.equal((await user.types("dockerdo prune --yes")).stderr, "Nothing to remove.\n");
  const forced = await user.types("dockerdo prune --yes --force");
  assert.equal(forced.code, 0, forced.stderr);
  assert.match(forced.stderr, /^away: cannot connect to reykjavik-far/m);
  assert.deepEqual(await names(), ["idle"]);
  await reykjavik(["sh", "-c", `docker rm -f ${(await onReykjavik(away)).trim()}`]);
  await nothingRemains(away);
});

Deno.test("an index entry whose directory is gone goes with prune", async () => {
  await using user = await newUser();
  const script = await user.begins("--local");
  const { socketDir } = await storedSession(user) as { socketDir: string };
  await user.does(`rm -r ${script.replace(/\/activate$/, "")} ${socketDir}`);
  assert.deepEqual((await list(user)).map(({ state }) => state), ["gone"]);
  await user.does("dockerdo prune --yes");
  assert.deepEqual(await list(user), []);
});

Deno.test("doctor finds everything in order here and on the host, and says what a session has down", async () => {
  await using user = await newUser();
  const well = await doctor(user, "--remote reykjavik-forward");
  assert.deepEqual(
    well.findings.filter(({ status }) => status !== "ok"),
    [],
  );
  assert.equal(well.code, 0);
  assert.deepEqual(
    well.findings.map(({ check }) => check).slice(-9),
    [
      ...["remote host", "host key", "login", "forwarding", "MaxSessions", "docker there"],
      ...["clock", "disk there", "disk there"],
    ],
  );
  await user.runs(`checked --remote reykjavik --image ${BASE_IMAGE}`);
  const up = await doctor(user, "checked");
  assert.deepEqual(up.findings.slice(-5).map(({ check, found }) => `${check}: ${found}`), [
    "container: that of checked is running",
    "master: of the remote host is up",
    `mount: ${user.workDir}/reykjavik`,
    "master: of the container is up",
    `mount: ${user.workDir}/container`,
  ]);
  const forbidden = await user.types(
    `${ELSEWHERE} DOCKERDO_DEFAULT_CONNECT=port dockerdo doctor --remote reykjavik`,
  );
  assert.equal(forbidden.code, 1);
  assert.match(
    forbidden.stdout,
    /^missing {2}forwarding +sshd forbids it\n +dockerdo run --connect exec/m,
  );
  await user.does("dockerdo stop");
  const down = await doctor(user, "checked");
  assert.deepEqual(
    down.findings.filter(({ status }) => status !== "ok").map((
      { found, remedy },
    ) => [found, remedy]),
    [["that of checked is exited", "dockerdo start checked"]],
  );
  assert.equal(down.code, 0);
});

Deno.test("doctor says how far a connection comes, and never hangs", async () => {
  await using user = await newUser();
  await using link = await startLink({ to: "10.77.0.2:22", rttMs: 0 });
  await using _far = await addHost("reykjavik-far", { port: link.port });
  await using _dead = await addHost("reykjavik-dead", { port: 9 });
  link.freeze();
  for (
    const [host, check, remedy] of [
      ["reykjavik-far", "remote host", "ssh -v reykjavik-far true"],
      ["reykjavik-dead", "remote host", "ssh -v reykjavik-dead true"],
      [
        "no-such.invalid",
        "remote host",
        "Check the name, or add a Host block for no-such.invalid to ~/.ssh/config.",
      ],
      [`127.0.0.1:${link.port}`, "remote host", `ssh -v -p ${link.port} 127.0.0.1 true`],
      [
        "nobody@reykjavik",
        "login",
        "ssh-copy-id nobody@reykjavik (or ssh-add, if the key has a passphrase)",
      ],
    ] as const
  ) {
    const { code, findings } = await doctor(user, `--remote ${host}`);
    assert.equal(code, 1);
    const missing = findings.filter(({ status }) => status === "missing");
    assert.deepEqual(missing.map(({ check, remedy }) => [check, remedy]), [[check, remedy]]);
  }
  link.thaw();
  const unknown = await doctor(user, `--remote 127.0.0.1:${link.port}`);
  assert.equal(unknown.findings.at(-1)?.check, "host key");
});

Deno.test("doctor tells of an engine that the user may not use, here and there, with the command for it", async () => {
  await using user = await newUser();
  // A login of this test alone: the others' are in use.
  const name = `eve${crypto.randomUUID().slice(0, 8)}`;
  const script = `useradd -m -p '*' -s /bin/sh ${name} && cp -r /root/.ssh /home/${name}/ &&
    chown -R ${name}: /home/${name}`;
  const made = await reykjavik(["sh", "-c", script]);
  assert.equal(made.code, 0, made.stderr);
  try {
    const { code, findings } = await doctor(user, `--remote ${name}@reykjavik`);
    assert.deepEqual(
      [
        code,
        ...findings.filter(({ status }) => status === "missing")
          .map(({ check, found, remedy }) => [check, found, remedy]),
      ],
      [1, [
        "docker there",
        "you may not use the engine",
        `ssh -t ${name}@reykjavik 'sudo usermod -aG docker "$USER"'`,
      ]],
    );
  } finally {
    await reykjavik(["userdel", "-r", name]);
  }
  const here = await user.types("DOCKER_HOST=unix:///nope dockerdo doctor");
  assert.equal(here.code, 1);
  assert.match(here.stdout, /^missing {2}docker here +the engine does not run\n +\S/m);
});

Deno.test("a variable is stronger than the session, an option stronger than both; config shows which", async () => {
  await using user = await newUser();
  await user.begins(`settings --remote reykjavik-forward --image ${BASE_IMAGE} --connect exec`);
  await user.does("dockerdo build --remote");
  const config = async (script: string): Promise<string[]> =>
    (await user.does(script)).split("\n").find((line) => line.startsWith("default_connect"))
      ?.split(/ {2,}/).slice(1) ?? [];
  assert.deepEqual(await config("dockerdo config"), ["exec", "session settings"]);
  const variable = "DOCKERDO_DEFAULT_CONNECT=port";
  assert.deepEqual(await config(`${variable} dockerdo config`), [
    "port",
    "DOCKERDO_DEFAULT_CONNECT",
  ]);
  const connect = async (): Promise<unknown> => (await storedSession(user))["connect"];
  await user.does(`${variable} dockerdo run && dodo true`);
  assert.equal(await connect(), "port");
  await user.does(`dockerdo rm --force && ${variable} dockerdo run --connect exec && dodo true`);
  assert.equal(await connect(), "exec");
  const wrong = await user.types("DOCKERDO_DEFAULT_CONNECT=prot dockerdo run");
  assert.deepEqual([wrong.code, wrong.stdout], [1, ""]);
  assert.match(
    wrong.stderr,
    /^dockerdo: DOCKERDO_DEFAULT_CONNECT: expected exec or port, found "prot"; did you mean port\?\n/,
  );
});
