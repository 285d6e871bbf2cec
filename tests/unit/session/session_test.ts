// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { forgetDirectory, knownSessions } from "../../../src/session/known.ts";
import {
  buildMount,
  checkSessionName,
  containerMount,
  findSession,
  forgetSession,
  indexSession,
  listSessions,
  loadSession,
  namedSessionDir,
  type Session,
  SESSION_FILES,
} from "../../../src/session/session.ts";
import { lockLifecycle, saveSession, updateSession } from "../../../src/session/store.ts";
import { parseRemoteHost, remoteHostText } from "../../../src/session/remote_host.ts";
import {
  failureOf,
  type TemporaryDir,
  temporaryDir,
  testContext,
  testSession,
  until,
  within,
} from "../fixture.ts";

for (const name of ["a", "demo", "0", "A.b_c-d", "x".repeat(63), "a..b", "con.tainer"]) {
  Deno.test(`checkSessionName() takes ${name}`, () => assert.equal(checkSessionName(name), name));
}

for (
  const name of [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "/abs",
    "a b",
    ";rm",
    "-n",
    "_a",
    "a\nb",
    "a\n",
    "$(id)",
    "é",
    "x".repeat(64),
    "x".repeat(300),
  ]
) {
  Deno.test(`checkSessionName() refuses ${JSON.stringify(name)} with the allowed pattern`, () => {
    const { message, hint, exitCode } = failureOf(() => checkSessionName(name));
    assert.deepEqual({ message, hint, exitCode }, {
      message: `${JSON.stringify(name)} cannot be a session's name`,
      hint: "Use a letter or digit, then at most 62 letters, digits, dots, dashes or underscores.",
      exitCode: 2,
    });
  });
}

for (
  const [text, remote] of [
    ["reykjavik", { name: "reykjavik", user: null, port: null }],
    ["host.example.org", { name: "host.example.org", user: null, port: null }],
    ["my_host-1", { name: "my_host-1", user: null, port: null }],
    ["192.0.2.7", { name: "192.0.2.7", user: null, port: null }],
    ["me@host", { name: "host", user: "me", port: null }],
    ["me@host:2222", { name: "host", user: "me", port: 2222 }],
    ["host:22", { name: "host", user: null, port: 22 }],
    ["ssh://h:22", { name: "h", user: null, port: 22 }],
    ["ssh://me@h:22/", { name: "h", user: "me", port: 22 }],
    ["[::1]", { name: "::1", user: null, port: null }],
    ["me@[fe80::1%eth0]:2222", { name: "fe80::1%eth0", user: "me", port: 2222 }],
  ] as const
) {
  Deno.test(`parseRemoteHost() reads ${text}`, () => {
    assert.deepEqual(parseRemoteHost(text), remote);
  });
}

for (
  const text of [
    "",
    "-oProxyCommand=touch pwn",
    "-v",
    "me@-v",
    "-me@host",
    "ssh://-v",
    "[-v]",
    "a b",
    "host\n",
    "host\nProxyCommand x",
    "host;id",
    "$(id)",
    "*",
    "h?st",
    "!host",
    "a,b",
    "../x",
    "..",
    ".hidden",
    "a/b",
    "host:0",
    "host:65536",
    "host:",
    "host:ssh",
    "::1",
    "me@",
    "@host",
    "a@b@c",
    "a'b@host",
    'a"b',
    "scp://host",
    "é",
  ]
) {
  Deno.test(`parseRemoteHost() refuses ${JSON.stringify(text)}`, () => {
    const { message, exitCode, hint } = failureOf(() => parseRemoteHost(text));
    assert.deepEqual({ message, exitCode, hint }, {
      message: `${JSON.stringify(text)} cannot be a remote host`,
      exitCode: 2,
      hint:
        "Write HOST, USER@HOST, [IPV6] or ssh://USER@HOST:PORT; for other options use ~/.ssh/config.",
    });
  });
}

for (const text of ["h", "me@h", "h:22", "me@h:2222", "[::1]", "me@[fe80::1%eth0]:2222"]) {
  Deno.test(`remoteHostText() gives ${text} back`, () => {
    assert.equal(remoteHostText(parseRemoteHost(text)), text);
  });
}

Deno.test("parseRemoteHost() refuses the name container, which is the container's own", () => {
  assert.match(failureOf(() => parseRemoteHost("me@container")).hint ?? "", /another alias/);
});

Deno.test("the mounts lie in the work dir, the build dir's under the remote host's name", () => {
  const session = testSession();
  assert.deepEqual([containerMount(session), buildMount(session)], [
    "/home/me/project/container",
    "/home/me/project/reykjavik",
  ]);
  assert.equal(buildMount({ ...session, remoteHost: null }), undefined);
});

Deno.test("containerMount() of a session in / is the name that the mount table has", () => {
  assert.equal(containerMount(testSession({ workDir: "/" })), "/container");
});

Deno.test("namedSessionDir() lies below the data directory", () => {
  const context = testContext({ env: { HOME: "/home/me" } });
  assert.equal(namedSessionDir(context, "demo"), "/home/me/.local/share/dockerdo/demo");
});

Deno.test("loadSession() gives back what saveSession() took, whatever characters are in it", async () => {
  using dir = temporaryDir();
  const session = testSession({
    dir: dir.path,
    workDir: "/a \"b'\n\\ é🐳",
    env: { A: "", B: "x=\ny $(id) \u0001", "odd.name": "1" },
    image: { env: { PATH: "/bin" }, workdir: "/srv/my dir", loginShell: "/bin/bash" },
    remoteHost: { name: "h", user: "me", port: 22 },
  });
  await saveSession(session);
  assert.deepEqual(loadSession(dir.path), session);
});

Deno.test("loadSession() takes a file from before there was a choice of mounts as plain", async () => {
  using dir = temporaryDir();
  const session = testSession({ dir: dir.path });
  await saveSession(session);
  const { mount: _, ...old } = JSON.parse(Deno.readTextFileSync(`${dir.path}/session.json`));
  Deno.writeTextFileSync(`${dir.path}/session.json`, JSON.stringify(old));
  assert.deepEqual(loadSession(dir.path), session);
  Deno.writeTextFileSync(`${dir.path}/session.json`, JSON.stringify({ ...old, mount: "fast" }));
  assert.match(failureOf(() => loadSession(dir.path)).message, /: mount is not as it should be$/);
});

Deno.test("saveSession() writes for the user only, and keeps the version before", async () => {
  using dir = temporaryDir();
  await saveSession(testSession({ dir: dir.path, name: "first" }));
  await saveSession(testSession({ dir: dir.path, name: "second" }));
  const files = [...Deno.readDirSync(dir.path)].map(({ name }) => ({
    name,
    mode: (Deno.statSync(`${dir.path}/${name}`).mode ?? 0) & 0o777,
    session: JSON.parse(Deno.readTextFileSync(`${dir.path}/${name}`)).name,
  })).sort((a, b) => a.name < b.name ? -1 : 1);
  assert.deepEqual(files, [
    { name: "session.json", mode: 0o600, session: "second" },
    { name: "session.json~", mode: 0o600, session: "first" },
  ]);
});

Deno.test("saveSession() replaces the file, so that whoever reads the old one reads it whole", async () => {
  using dir = temporaryDir();
  await saveSession(testSession({ dir: dir.path, name: "first" }));
  using old = Deno.openSync(`${dir.path}/session.json`);
  await saveSession(testSession({ dir: dir.path, name: "x".repeat(60) }));
  const buffer = new Uint8Array(65536);
  const length = old.readSync(buffer) ?? 0;
  assert.equal(JSON.parse(new TextDecoder().decode(buffer.subarray(0, length))).name, "first");
});

Deno.test("saveSession() does not store the directory in the file", async () => {
  using dir = temporaryDir();
  await saveSession(testSession({ dir: dir.path }));
  const stored = JSON.parse(Deno.readTextFileSync(`${dir.path}/session.json`));
  assert.equal(Object.hasOwn(stored, "dir"), false);
});

Deno.test("saveSession() that cannot write leaves nothing of its own, and says where", async () => {
  using dir = temporaryDir();
  // A directory in the file's place makes the rename fail, as root too.
  Deno.mkdirSync(`${dir.path}/session.json/x`, { recursive: true });
  await assert.rejects(saveSession(testSession({ dir: dir.path })), {
    name: "Failure",
    message: new RegExp(`^the session cannot be saved in ${dir.path}: `),
  });
  assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name), ["session.json"]);
});

Deno.test("loadSession() of a directory without one says how to make one", () => {
  using dir = temporaryDir();
  const { message, hint } = failureOf(() => loadSession(dir.path));
  assert.deepEqual({ message, hint }, {
    message: `there is no session in ${dir.path}`,
    hint: "Start one with: source $(dockerdo init)",
  });
});

Deno.test("loadSession() of a session of the Python dockerdo says what to do with it", () => {
  using dir = temporaryDir();
  const old = `${dir.path}/it's old`;
  Deno.mkdirSync(old);
  Deno.writeTextFileSync(`${old}/session.yaml`, "name: demo\n");
  const { message, hint } = failureOf(() => loadSession(old));
  assert.deepEqual({ message, hint }, {
    message: `${old} holds a session of the Python dockerdo, which this version cannot use`,
    hint:
      `session.yaml there names its container and its work dir. Remove the container with docker, unmount
what is mounted in the work dir (fusermount3 -u), and then: rm -r '${dir.path}/it'\\''s old'
A new session: source $(dockerdo init)`,
  });
  Deno.writeTextFileSync(`${old}/session.json`, "{}");
  assert.match(failureOf(() => loadSession(old)).message, /session\.json is not one/);
});

for (
  const [what, damage] of [
    ["empty", () => ""],
    ["truncated", (text: string) => text.slice(0, text.length / 2)],
    ["not an object", () => "[]"],
    ["null", () => "null"],
    ["of an older version", (text: string) => text.replace('"version": 1', '"version": 0')],
    ["of a newer version", (text: string) => text.replace('"version": 1', '"version": 2')],
    ["without a field", (text: string) => text.replace('"containerName"', '"other"')],
    ["with a field of another type", (text: string) => text.replace('"root"', "7")],
  ] as const
) {
  Deno.test(`loadSession() refuses a file that is ${what} and names it and its backup`, async () => {
    using dir = temporaryDir();
    await saveSession(testSession({ dir: dir.path }));
    const path = `${dir.path}/session.json`;
    Deno.copyFileSync(path, `${path}~`);
    const damaged = damage(Deno.readTextFileSync(path));
    Deno.writeTextFileSync(path, damaged);
    const { message, hint, exitCode } = failureOf(() => loadSession(dir.path));
    assert.ok(message.startsWith(`the session file ${path} `), message);
    assert.deepEqual({ hint, exitCode }, {
      hint: `Its previous version is kept as ${path}~.`,
      exitCode: 1,
    });
    await assert.rejects(updateSession(dir.path, (session) => session), { name: "Failure" });
    assert.equal(Deno.readTextFileSync(path), damaged);
  });
}

Deno.test("loadSession() promises a previous version only where there is one", async () => {
  using dir = temporaryDir();
  await saveSession(testSession({ dir: dir.path }));
  Deno.writeTextFileSync(`${dir.path}/session.json`, "{");
  assert.equal([...Deno.readDirSync(dir.path)].length, 1);
  assert.equal(
    failureOf(() => loadSession(dir.path)).hint,
    "Move the session directory away, and begin a new session: dockerdo init",
  );
});

Deno.test("updateSession() in 40 calls of 5 processes loses nothing", async () => {
  using dir = temporaryDir();
  await saveSession(testSession({ dir: dir.path }));
  const module = new URL("../../../src/session/store.ts", import.meta.url).href;
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  const script = `${dir.path}/update.ts`;
  Deno.writeTextFileSync(
    script,
    `import { updateSession } from ${JSON.stringify(module)};
    await Promise.all(Deno.args.slice(1).map((name) =>
      updateSession(Deno.args[0], (s) => ({ ...s, env: { ...s.env, [name]: "1" } }))));`,
  );
  const names = Array.from({ length: 40 }, (_, i) => `V${i}`);
  const codes = await Promise.all([0, 1, 2, 3, 4].map(async (part) => {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-prompt", "--no-check", "--cached-only", "--config", config],
        ...["--allow-read", "--allow-sys=uid", `--allow-write=${dir.path}`, script],
        ...[dir.path, ...names.slice(part * 8, part * 8 + 8)],
      ],
      stdin: "null",
    }).output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  }));
  assert.deepEqual(codes, Array(5).fill({ code: 0, stderr: "" }));
  assert.deepEqual(Object.keys(loadSession(dir.path).env).sort(), names.sort());
  Deno.removeSync(script);
  const known: readonly string[] = SESSION_FILES;
  assert.deepEqual([...Deno.readDirSync(dir.path)].filter(({ name }) => !known.includes(name)), []);
});

Deno.test("lockLifecycle() keeps a second command out until the first is done, and says so", async () => {
  using dir = temporaryDir();
  const session = testSession({ dir: dir.path });
  const context = testContext();
  const first = await lockLifecycle(context, session);
  let entered = false;
  const second = lockLifecycle(context, session).then((lock) => {
    entered = true;
    return lock;
  });
  await within(5000, until(() => context.written.stderr !== ""));
  assert.deepEqual({ entered, stderr: context.written.stderr }, {
    entered: false,
    stderr: "[local] Waiting for another dockerdo command in demo\n",
  });
  first[Symbol.dispose]();
  (await within(5000, second))[Symbol.dispose]();
});

Deno.test("lockLifecycle() of a dry run leaves no file", async () => {
  using dir = temporaryDir();
  using _lock = await lockLifecycle(
    testContext({ dryRun: true }),
    testSession({ dir: dir.path }),
  );
  assert.deepEqual([...Deno.readDirSync(dir.path)], []);
});

/** A session on disk and in the index, with its work dir below `dir`. */
async function establish(dir: TemporaryDir, name: string, workDir: string): Promise<Session> {
  const session = testSession({ id: `id-${name}`, name, workDir, dir: `${dir.path}/data/${name}` });
  Deno.mkdirSync(session.dir, { recursive: true });
  await saveSession(session);
  await indexSession(contextIn(dir, "/"), session);
  return session;
}

function contextIn(
  dir: TemporaryDir,
  cwd: string,
  active?: Session,
): ReturnType<typeof testContext> {
  return testContext({
    cwd,
    env: {
      XDG_STATE_HOME: `${dir.path}/state`,
      ...(active === undefined ? {} : { DOCKERDO_SESSION_DIR: active.dir }),
    },
  });
}

Deno.test("listSessions() gives the indexed sessions and leaves out what is gone or damaged", async () => {
  using dir = temporaryDir();
  assert.deepEqual(listSessions(contextIn(dir, "/")), []);
  const [a, b, c] = [
    await establish(dir, "a", "/w/a"),
    await establish(dir, "b", "/w/b"),
    await establish(dir, "c", "/w/c"),
  ];
  Deno.removeSync(b.dir, { recursive: true });
  Deno.writeTextFileSync(`${c.dir}/session.json`, "{");
  assert.deepEqual(listSessions(contextIn(dir, "/")), [a]);
  await forgetSession(contextIn(dir, "/"), a);
  await forgetSession(contextIn(dir, "/"), a);
  assert.deepEqual(listSessions(contextIn(dir, "/")), []);
});

Deno.test("findSession() without any session says how to make or activate one", () => {
  using dir = temporaryDir();
  const { message, exitCode } = failureOf(() => findSession(contextIn(dir, "/w")));
  assert.deepEqual({ message, exitCode }, {
    message: "no session is active, and none has its work dir here",
    exitCode: 1,
  });
});

Deno.test("findSession() follows its rules", async (t) => {
  using dir = temporaryDir();
  const a = await establish(dir, "a", "/w/a");
  const b = await establish(dir, "b", "/w/b");
  const inner = await establish(dir, "inner", "/w/a/sub");
  const nested = await establish(dir, "nested", "/w/a/container/home/p");
  for (
    const { rule, cwd, active, expected } of [
      { rule: "the active one anywhere else", cwd: "/", active: a, expected: a },
      { rule: "the active one in another's work dir", cwd: "/w/b", active: a, expected: a },
      { rule: "the one in whose mount we are", cwd: "/w/b/container/etc", active: a, expected: b },
      {
        rule: "the one at whose mount's root we are",
        cwd: "/w/b/container",
        active: a,
        expected: b,
      },
      { rule: "no mount of a longer name", cwd: "/w/b/container2", active: a, expected: a },
      { rule: "the work dir's", cwd: "/w/b/x", active: undefined, expected: b },
      { rule: "the deepest work dir's", cwd: "/w/a/sub/x", active: undefined, expected: inner },
      { rule: "the mount's", cwd: "/w/a/container/etc", active: undefined, expected: a },
      {
        rule: "the nearest mount's of two nested ones",
        cwd: "/w/a/container/home/p/container/etc",
        active: undefined,
        expected: nested,
      },
      {
        rule: "the nearest mount's, though the outer one is active",
        cwd: "/w/a/container/home/p/container/etc",
        active: a,
        expected: nested,
      },
      {
        rule: "a mount's rather than a deeper work dir's",
        cwd: "/w/a/container/home/p/src",
        active: undefined,
        expected: a,
      },
    ]
  ) {
    await t.step(rule, () => {
      assert.equal(findSession(contextIn(dir, cwd, active)).name, expected.name);
    });
  }
  await t.step("a session that is gone but active hides no other one's mount", () => {
    const gone = testSession({ dir: `${dir.path}/gone` });
    assert.equal(findSession(contextIn(dir, "/w/b/container", gone)).name, "b");
  });
  await t.step("a session that is gone but active is a failure elsewhere", () => {
    const gone = testSession({ dir: `${dir.path}/gone` });
    assert.equal(
      failureOf(() => findSession(contextIn(dir, "/elsewhere", gone))).message,
      `there is no session in ${dir.path}/gone`,
    );
  });
});

Deno.test("findSession() among several sessions of one work dir takes the one that is meant, or none", async (t) => {
  using dir = temporaryDir();
  const names = ["a", "b", "c"] as const;
  for (const at of ["", "/container/etc"]) {
    const cwd = `/w${at}`;
    const found = (active?: Session): string => {
      try {
        return findSession(contextIn(dir, cwd, active)).name;
      } catch (error) {
        return (error as Error).message;
      }
    };
    const make = async (changes: readonly Partial<Session>[]): Promise<Session[]> => {
      const made: Session[] = [];
      for (const [nr, change] of changes.entries()) {
        const session = await establish(dir, names[nr] ?? "", "/w");
        const changed = { ...session, created: `2025-01-0${nr + 1}`, ...change };
        await saveSession(changed);
        made.push(changed);
      }
      return made;
    };
    const up = `${dir.path}/up`;
    await Deno.mkdir(up, { recursive: true });
    await Deno.writeTextFile(`${up}/container`, "");
    await t.step(`${cwd}: the activated one, without one the newest`, async () => {
      const [first] = await make([{}, {}, {}]);
      assert.deepEqual([found(first), found()], ["a", "c"]);
    });
    await t.step(`${cwd}: the only one with a container`, async () => {
      const [, , third] = await make([{}, { containerId: "1" }, {}]);
      assert.deepEqual([found(), found(third)], ["b", "c"]);
    });
    await t.step(`${cwd}: of several containers the one that is connected`, async () => {
      await make([{ containerId: "1" }, { containerId: "2", socketDir: up }, {}]);
      assert.equal(found(), "b");
    });
    await t.step(`${cwd}: none of several that could be meant`, async () => {
      await make([{ containerId: "1" }, {}, { containerId: "3" }]);
      assert.equal(found(), "/w is the work dir of several sessions: c, a");
    });
  }
});

Deno.test("findSession() takes a name from anywhere: a kept session's, an unnamed one's, and no other", async () => {
  using dir = temporaryDir();
  const context = testContext({ cwd: "/elsewhere", env: { HOME: dir.path } });
  const kept = testSession({ dir: `${dir.path}/.local/share/dockerdo/demo`, id: "1" });
  const unnamed = testSession({ dir: `${dir.path}/tmp`, name: "dockerdo_abc", id: "2" });
  for (const session of [kept, unnamed]) {
    Deno.mkdirSync(session.dir, { recursive: true });
    await saveSession(session);
  }
  await indexSession(context, unnamed);
  assert.deepEqual(findSession(context, "demo"), kept);
  assert.deepEqual(findSession(context, "dockerdo_abc"), unnamed);
  // The name counts before the active session and the directory's own.
  const inside = testContext({
    cwd: containerMount(unnamed),
    env: { HOME: dir.path, DOCKERDO_SESSION_DIR: unnamed.dir },
  });
  assert.deepEqual(findSession(inside, "demo"), kept);
  const { message, hint, exitCode } = failureOf(() => findSession(context, "nope"));
  assert.deepEqual({ message, hint, exitCode }, {
    message: "there is no session nope",
    hint: "dockerdo list shows them all.",
    exitCode: 1,
  });
  for (const name of ["../demo", "", "a/b", "-x"]) {
    assert.equal(failureOf(() => findSession(context, name)).exitCode, 2);
  }
});

Deno.test("knownSessions() has all of them: damaged, gone, and those that the index has lost", async () => {
  using dir = temporaryDir();
  const context = testContext({ env: { HOME: dir.path } });
  const data = `${dir.path}/.local/share/dockerdo`;
  const make = async (name: string, id: string): Promise<Session> => {
    const session = testSession({ dir: `${data}/${name}`, name, id });
    Deno.mkdirSync(session.dir, { recursive: true });
    await saveSession(session);
    return session;
  };
  const lost = await make("a-lost", "1");
  const damaged = await make("b-damaged", "2");
  const gone = await make("c-gone", "3");
  const plain = await make("d-plain", "4");
  for (const session of [damaged, gone, plain]) await indexSession(context, session);
  Deno.writeTextFileSync(`${damaged.dir}/session.json`, "{");
  Deno.removeSync(gone.dir, { recursive: true });
  Deno.mkdirSync(`${data}/e-something-else`);
  const shown = (): unknown[] =>
    knownSessions(context).map(({ dir, session, problem }) => [
      dir.slice(data.length + 1),
      session?.name,
      problem?.message.replace(dir, "").replace(/:.*/, ""),
    ]);
  assert.deepEqual(shown(), [
    ["a-lost", "a-lost", undefined],
    ["b-damaged", undefined, "the session file /session.json cannot be read"],
    ["c-gone", undefined, "there is no session in "],
    ["d-plain", "d-plain", undefined],
  ]);
  await forgetDirectory(context, gone.dir);
  await forgetDirectory(context, gone.dir);
  assert.deepEqual(shown().map((row) => (row as string[])[0]), ["a-lost", "b-damaged", "d-plain"]);
  assert.deepEqual(listSessions(context), [plain]);
  assert.deepEqual(knownSessions(testContext({ env: { HOME: "/nonexistent" } })), []);
  assert.equal(lost.name, "a-lost");
});
