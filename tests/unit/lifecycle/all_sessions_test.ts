// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { reason } from "../../../src/commands/prune.ts";
import { main } from "../../../src/cli.ts";
import { indexSession, type Session } from "../../../src/session/session.ts";
import { saveSession } from "../../../src/session/store.ts";
import { survey, type Surveyed } from "../../../src/lifecycle/all_sessions.ts";
import {
  type Fakes,
  fakes,
  type TemporaryDir,
  temporaryDir,
  type TestContext,
  testContext,
  testSession,
  within,
} from "../fixture.ts";

const NEAR = { name: "near", user: null, port: null };
const FAR = { name: "far", user: "me", port: 2222 };

function container(sessionId: string, id: string, status: string): unknown {
  return {
    Id: id,
    Name: `/c-${id}`,
    State: { Status: status, ExitCode: 0 },
    Config: { Image: "i", Labels: { "dockerdo.session": sessionId } },
  };
}

/** Sessions in the index, and a fake ssh and docker that answer for all hosts. */
async function world(
  dir: TemporaryDir,
  sessions: readonly Partial<Session>[],
  answers: Readonly<Record<string, string>>,
): Promise<{ context: () => TestContext; fake: Fakes }> {
  const fake = fakes(dir.path, answers);
  const context = (): TestContext =>
    testContext({ cwd: dir.path, env: { HOME: dir.path, TMPDIR: dir.path, ...fake.env } });
  for (const [at, changed] of sessions.entries()) {
    const name = changed.name ?? `s${at}`;
    const session = testSession({
      id: `id${at}`,
      name,
      dir: `${dir.path}/.local/share/dockerdo/${name}`,
      workDir: `${dir.path}/w${at}`,
      socketDir: `${dir.path}/sockets${at}`,
      ...changed,
    });
    Deno.mkdirSync(session.dir, { recursive: true });
    await saveSession(session);
    await indexSession(context(), session);
  }
  return { context, fake };
}

function short({ session, state, mount, problem }: Surveyed): unknown {
  return [session?.name, state, mount, problem];
}

Deno.test("survey() asks each host once, and takes a session's own container by its label and its id or name", async () => {
  using dir = temporaryDir();
  const containers = [
    container("id0", "other", "exited"),
    container("id0", "mine", "running"),
    container("id2", "x", "paused"),
    container("somebody", "y", "running"),
  ];
  const { context, fake } = await world(dir, [
    { remoteHost: NEAR, containerId: "mine" },
    { remoteHost: NEAR, containerId: "gone" },
    { remoteHost: FAR, containerName: "c-x" },
    { remoteHost: FAR, containerId: "z", engineId: "ANOTHER" },
  ], { FAKE_ssh: `\x1eengine=ONE\n${JSON.stringify(containers)}` });
  using _ = fake;
  assert.deepEqual((await survey(context())).map(short), [
    ["s0", "running", "none", null],
    ["s1", "none", "none", null],
    ["s2", "paused", "none", null],
    [
      "s3",
      "unknown",
      "none",
      "docker on far is another engine now than the one that has the container of s3",
    ],
  ]);
  assert.deepEqual(fake.calls().map((call) => call.at(-2)).sort(), ["far", "near"]);
});

Deno.test("survey() of a host that does not answer has its words; the others have their state", async () => {
  using dir = temporaryDir();
  const { context, fake } = await world(dir, [
    { remoteHost: FAR },
    { remoteHost: null, containerId: "c" },
  ], {
    FAKE_ssh_code: "255",
    FAKE_ssh: "",
    FAKE_ssh_stderr: "ssh: connect to host far port 2222: Connection refused\n",
    FAKE_docker_info: "engine=ONE\n",
    FAKE_docker_ps: "c\n",
    FAKE_docker_container_inspect: JSON.stringify([container("id1", "c", "running")]),
  });
  using _ = fake;
  assert.deepEqual((await survey(context())).map(short), [
    [
      "s0",
      "unknown",
      "none",
      "cannot connect to far: ssh: connect to host far port 2222: Connection refused",
    ],
    ["s1", "running", "none", null],
  ]);
});

Deno.test("survey() takes no remote host for the local engine, whatever it is called", async () => {
  using dir = temporaryDir();
  const { context, fake } = await world(dir, [
    { remoteHost: { name: "local", user: null, port: null }, containerId: "there" },
    { remoteHost: null, containerId: "here" },
  ], {
    FAKE_docker_info: "engine=ONE\n",
    FAKE_ssh: `\x1e${JSON.stringify([container("id0", "there", "running")])}`,
    FAKE_docker_ps: "here\n",
    FAKE_docker_container_inspect: JSON.stringify([container("id1", "here", "paused")]),
  });
  using _ = fake;
  assert.deepEqual((await survey(context())).map(short), [
    ["s0", "running", "none", null],
    ["s1", "paused", "none", null],
  ]);
});

Deno.test("survey() is done in time though a host hangs, and lists what is damaged or gone", async () => {
  using dir = temporaryDir();
  const { context, fake } = await world(dir, [{ remoteHost: FAR }, {}, {}], {});
  using _ = fake;
  Deno.writeTextFileSync(`${dir.path}/ssh`, "#!/bin/sh\nexec sleep 60\n", { mode: 0o755 });
  Deno.writeTextFileSync(`${dir.path}/.local/share/dockerdo/s1/session.json`, "{");
  Deno.removeSync(`${dir.path}/.local/share/dockerdo/s2`, { recursive: true });
  const hanging = context();
  const found = await within(
    9000,
    survey({ ...hanging, env: { ...hanging.env, PATH: `${dir.path}:${hanging.env["PATH"]}` } }),
  );
  assert.deepEqual(found.map(({ state, problem }) => [state, problem?.replace(/.json.*/, "")]), [
    ["unknown", "far has not answered within 5 s"],
    ["damaged", `the session file ${dir.path}/.local/share/dockerdo/s1/session`],
    ["gone", `there is no session in ${dir.path}/.local/share/dockerdo/s2`],
  ]);
});

Deno.test("list prints a table, or JSON; with nothing to list stdout is empty, or an empty list", async () => {
  using dir = temporaryDir();
  const now = new Date().toISOString();
  const { context, fake } = await world(dir, [{ remoteHost: NEAR, created: now }], {
    FAKE_ssh: "\x1e[]",
  });
  using _ = fake;
  const plain = context();
  assert.equal(await main(["list"], plain), 0);
  const [head = "", row = ""] = plain.written.stdout.split("\n");
  assert.deepEqual(head.split(/ {2,}/), [
    ...["NAME", "HOST", "IMAGE", "STATE", "MOUNT", "AGE"],
  ]);
  assert.match(row, /^s0 +near +debian:bookworm +not run +- +\d+s$/);
  const json = context();
  assert.equal(await main(["list", "--json"], json), 0);
  assert.deepEqual(JSON.parse(json.written.stdout), [{
    name: "s0",
    dir: `${dir.path}/.local/share/dockerdo/s0`,
    workDir: `${dir.path}/w0`,
    host: "near",
    image: "debian:bookworm",
    container: "dockerdo-demo-0a1b2c",
    state: "none",
    mount: null,
    mountAnswers: null,
    forwards: [],
    created: now,
    problem: null,
  }]);
  for (const [argv, stdout] of [[["list"], ""], [["list", "--json"], "[]\n"]] as const) {
    const empty = testContext({ env: { HOME: "/nonexistent" } });
    assert.equal(await main(argv, empty), 0);
    assert.equal(empty.written.stdout, stdout);
  }
});

Deno.test("reason() lets a session go only where its container is gone for certain", () => {
  const one = (session: Partial<Session> | undefined, state: string, mount = "none"): Surveyed => ({
    dir: "/d",
    session: session === undefined ? undefined : testSession(session),
    state,
    mount: mount as Surveyed["mount"],
    problem: state === "unknown" ? "far does not answer" : null,
  });
  const had = { containerId: "c" };
  const judged = (
    [
      ["had a container, and its host has it no more", one(had, "none")],
      ["has not run yet", one({ containerId: null }, "none")],
      ["is running", one(had, "running")],
      ["is stopped", one(had, "exited")],
      ["whose host does not answer", one(had, "unknown")],
      ["whose host does not answer and whose mount does", one(had, "unknown", "mounted")],
      ["that is damaged", one(undefined, "damaged")],
      ["whose directory is gone", one(undefined, "gone")],
    ] as const
  ).map(([what, surveyed]) => [
    what,
    reason(surveyed, { force: false }),
    reason(surveyed, { force: true }),
  ]);
  const gone = "its container is gone from reykjavik";
  assert.deepEqual(judged, [
    ["had a container, and its host has it no more", gone, gone],
    ["has not run yet", undefined, undefined],
    ["is running", undefined, undefined],
    ["is stopped", undefined, undefined],
    ["whose host does not answer", undefined, "far does not answer"],
    ["whose host does not answer and whose mount does", undefined, undefined],
    ["that is damaged", undefined, undefined],
    ["whose directory is gone", "its directory is gone", "its directory is gone"],
  ]);
});

Deno.test("prune shows what it would remove, and removes it after a yes", async () => {
  using dir = temporaryDir();
  const { context, fake } = await world(dir, [
    { remoteHost: null, containerId: "gone", name: "old" },
    { remoteHost: null, name: "new" },
  ], { FAKE_docker_info: "", FAKE_docker_ps: "", FAKE_docker_image: "", FAKE_ssh_add: "" });
  using _ = fake;
  const there = (): string[] =>
    Array.from(Deno.readDirSync(`${dir.path}/.local/share/dockerdo`), ({ name }) => name).sort();
  const dry = context();
  assert.deepEqual([await main(["prune", "--dry-run"], dry), dry.written.stdout, there()], [
    0,
    "",
    ["new", "old"],
  ]);
  assert.match(dry.written.stderr, /^old: its container is gone from local\n/m);
  assert.doesNotMatch(dry.written.stderr, /^new:/m);
  const yes = context();
  assert.equal(await main(["prune", "--yes"], yes), 0, yes.written.stderr);
  assert.deepEqual(there(), ["new"]);
  const again = context();
  assert.deepEqual([await main(["prune", "--yes"], again), there()], [0, ["new"]]);
  assert.match(again.written.stderr, /Nothing to remove/);
});

Deno.test("rm, history, status and export take a session by name from anywhere", async () => {
  using dir = temporaryDir();
  const { context, fake } = await world(dir, [{ remoteHost: null, name: "demo" }], {
    FAKE_docker: "",
    FAKE_docker_container: "",
    FAKE_docker_container_code: "1",
    FAKE_docker_container_stderr: "No such container",
    FAKE_docker_image: "",
    FAKE_docker_image_code: "1",
    FAKE_docker_image_stderr: "No such image",
  });
  using _ = fake;
  const call = async (
    ...argv: string[]
  ): Promise<{ code: number; stdout: string; stderr: string }> => {
    const one = { ...context(), cwd: "/" };
    return { code: await main(argv, one), ...one.written };
  };
  assert.deepEqual(await call("export", "--session", "demo", "A=1"), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  for (const words of [["demo"], ["--session", "demo"], ["--session=demo", "demo"]]) {
    assert.equal((await call("history", ...words)).stdout, "export A=1\n");
  }
  const { session } = JSON.parse((await call("status", "demo", "--json")).stdout);
  assert.equal(session.name, "demo");
  assert.deepEqual(await call("history", "demo", "--session", "other"), {
    code: 2,
    stdout: "",
    stderr: "dockerdo: two sessions are named: other and demo\n",
  });
  assert.equal((await call("exec", "--session", "demo", "ls")).code, 125);
  assert.match((await call("exec", "--session", "nope", "ls")).stderr, /there is no session nope/);
  assert.match((await call("run", "--session", "nope", "-v", "/a:/b")).stderr, /no session nope/);
  assert.match((await call("start", "nope")).stderr, /there is no session nope/);
  assert.equal((await call("rm", "--delete", "demo")).code, 0);
  assert.match((await call("rm", "demo")).stderr, /there is no session demo/);
});
