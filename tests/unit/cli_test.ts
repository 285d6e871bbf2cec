// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { main } from "../../src/cli.ts";
import { indexSession, loadSession } from "../../src/session/session.ts";
import { saveSession } from "../../src/session/store.ts";
import {
  fakes,
  type TemporaryDir,
  temporaryDir,
  type TestContext,
  testContext,
  testSession,
} from "./fixture.ts";

const VERBS = [
  ...[
    "install",
    "editor",
    "completions",
    "doctor",
    "config",
    "init",
    "attach",
    "up",
    "overlay",
    "build",
    "push",
    "run",
  ],
  ...[
    "exec",
    "export",
    "forward",
    "status",
    "history",
    "changes",
    "dockerfile",
    "logs",
    "list",
    "stop",
    "start",
    "rm",
    "prune",
  ],
];

async function call(
  argv: readonly string[],
  context: TestContext = testContext({ env: { HOME: "/nonexistent" } }),
): Promise<{ code: number; stdout: string; stderr: string }> {
  return { code: await main(argv, context), ...context.written };
}

for (
  const [typed, meant] of [["biuld", "build"], ["Exec", "exec"], ["statsu", "status"]] as const
) {
  Deno.test(`${typed} is no command: 2, and ${meant} is proposed`, async () => {
    assert.deepEqual(await call([typed, "--help"]), {
      code: 2,
      stdout: "",
      stderr: `dockerdo: there is no command "${typed}"\n  Did you mean: dockerdo ${meant}\n`,
    });
  });
}

for (const [typed, meant] of [["ps", "list"], ["down", "stop"], ["shell", "exec"]] as const) {
  Deno.test(`${typed}, as other programs have it, is answered with ${meant}`, async () => {
    const { code, stderr } = await call([typed]);
    assert.deepEqual([code, stderr], [
      2,
      `dockerdo: there is no command "${typed}"\n  Did you mean: dockerdo ${meant}\n`,
    ]);
  });
}

Deno.test("an option in front of the command is answered with the right order", async () => {
  assert.deepEqual(await call(["-v", "rm", "--force", "my demo"]), {
    code: 2,
    stdout: "",
    stderr:
      "dockerdo: the option -v must follow the command\n  Type: dockerdo rm -v --force 'my demo'\n",
  });
});

for (const typed of ["frobnicate-it", "constructor", ""]) {
  Deno.test(`${JSON.stringify(typed)} is no command, and none is proposed`, async () => {
    assert.deepEqual(await call([typed]), {
      code: 2,
      stdout: "",
      stderr: `dockerdo: there is no command "${typed}"\n  dockerdo --help lists the commands.\n`,
    });
  });
}

Deno.test("without a command the overview is on stderr with 2, for --help on stdout with 0", async () => {
  const { code, stdout, stderr } = await call([]);
  assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
  for (const argv of [["--help"], ["-h"], ["help"]]) {
    assert.deepEqual(await call(argv), { code: 0, stdout: stderr, stderr: "" });
  }
  const rows = stderr.split("\n");
  const also = rows.find((row) => row.startsWith("Also "))?.slice(5).trim().split(", ") ?? [];
  const listed = rows.flatMap((row) => /^(?:[A-Z][a-z]+)? +([a-z]+) {2,}/.exec(row)?.[1] ?? []);
  assert.deepEqual(also, [
    ...["editor", "completions", "config", "overlay", "changes", "logs", "prune"],
  ]);
  assert.deepEqual(listed, VERBS.filter((verb) => !also.includes(verb)));
});

Deno.test("--version gives the version of deno.json", async () => {
  const manifest = JSON.parse(
    Deno.readTextFileSync(new URL("../../deno.json", import.meta.url)),
  );
  assert.deepEqual(await call(["--version"]), {
    code: 0,
    stdout: `dockerdo ${manifest.version}\n`,
    stderr: "",
  });
});

for (const verb of [...VERBS, "reconnect"]) {
  Deno.test(`${verb} --help prints its usage on stdout and gives 0`, async () => {
    const { code, stdout, stderr } = await call([verb, "--help"]);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, new RegExp(`dockerdo ${verb}`));
    const changesNothing = [
      "editor",
      "completions",
      "doctor",
      "config",
      "status",
      "history",
      "changes",
      "logs",
      "list",
    ];
    assert.equal(/--dry-run/.test(stdout), !changesNothing.includes(verb));
  });
}

/** A session without a container, in a directory of its own, and a context that has it active. */
async function activeSession(
  dir: TemporaryDir,
  env: Readonly<Record<string, string>> = {},
): Promise<{ dir: string; context: () => TestContext }> {
  const session = testSession({ dir: `${dir.path}/s`, workDir: dir.path, remoteHost: null });
  Deno.mkdirSync(session.dir);
  await saveSession(session);
  const context = (): TestContext =>
    testContext({
      cwd: dir.path,
      env: { HOME: dir.path, DOCKERDO_SESSION_DIR: session.dir, ...env },
    });
  await indexSession(context(), session);
  return { dir: session.dir, context };
}

Deno.test("a failure is 1 with a hint and no stack; DOCKERDO_DEBUG shows the stack", async () => {
  using dir = temporaryDir();
  const env = { HOME: dir.path };
  const plain = await call(["history"], testContext({ cwd: dir.path, env }));
  assert.deepEqual(plain, {
    code: 1,
    stdout: "",
    stderr: "dockerdo: no session is active, and none has its work dir here\n" +
      "  Start one with: source $(dockerdo init)\n" +
      "  or activate one with: source ~/.local/share/dockerdo/NAME/activate\n",
  });
  const debug = await call(
    ["history"],
    testContext({ cwd: dir.path, env: { ...env, DOCKERDO_DEBUG: "1" } }),
  );
  assert.equal(debug.code, 1);
  assert.ok(debug.stderr.startsWith(plain.stderr.trimEnd()));
  assert.match(debug.stderr, /\n +at .*session\.ts/);
});

Deno.test("exec's own failure is 125, its usage error 2", async () => {
  using dir = temporaryDir();
  const { context } = await activeSession(dir);
  assert.deepEqual(await call(["exec", "ls"], context()), {
    code: 125,
    stdout: "",
    stderr: "dockerdo: the session demo has no container\n  dockerdo run\n",
  });
  assert.equal((await call(["exec", "--frob", "ls"], context())).code, 2);
});

Deno.test("export keeps values whole, and an empty one removes", async () => {
  using dir = temporaryDir();
  const { dir: session, context } = await activeSession(dir);
  const long = "x".repeat(100_000);
  const words = ["A=b=c", "MSG=hello world $(id)\n'\"", "GONE=1", `LONG=${long}`, "_x=é"];
  assert.deepEqual(await call(["export", ...words], context()), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  assert.equal((await call(["export", "GONE=", "NEVER="], context())).code, 0);
  assert.deepEqual(loadSession(session).env, {
    A: "b=c",
    MSG: "hello world $(id)\n'\"",
    LONG: long,
    _x: "é",
  });
});

for (const word of ["A", "1A=x", "=x", "A-B=x", "A B=x", "é=x", ""]) {
  Deno.test(`export refuses ${JSON.stringify(word)} with 2 and changes nothing`, async () => {
    using dir = temporaryDir();
    const { dir: session, context } = await activeSession(dir);
    const { code, stderr } = await call(["export", "OK=1", word], context());
    assert.equal(code, 2);
    assert.match(stderr, /^dockerdo: /);
    assert.deepEqual(loadSession(session).env, {});
  });
}

Deno.test("export of a dry run prints and changes nothing", async () => {
  using dir = temporaryDir();
  const { dir: session, context } = await activeSession(dir);
  assert.deepEqual(await call(["export", "-n", "A=x y", "B="], context()), {
    code: 0,
    stdout: "",
    stderr: "export A='x y'\nunset B\n",
  });
  assert.deepEqual(loadSession(session).env, {});
});

for (const image of ["debian\nRUN touch pwn", "Debian", "--help", "a b", "$(id)"]) {
  Deno.test(`overlay refuses the image ${JSON.stringify(image)} with 2 and writes nothing`, async () => {
    using dir = temporaryDir();
    const { dir: session, context } = await activeSession(dir);
    const { code } = await call(["overlay", `--image=${image}`, "--distro", "debian"], context());
    assert.equal(code, 2);
    assert.throws(() => Deno.lstatSync(`${dir.path}/Dockerfile.dockerdo`), Deno.errors.NotFound);
    assert.equal(loadSession(session).baseImage, "debian:bookworm");
  });
}

for (
  const argv of [
    ["init", "../x"],
    ["init", "a b"],
    ["init", "--remote=-oProxyCommand=id"],
    ["init", "--remote", "a b"],
    ["init", "--local", "--remote", "h"],
    ["init", "--local", "--user", "a;id"],
    ["init", "--local", "--container", "-x"],
    ["init", "--local", "--image", "A B"],
  ]
) {
  Deno.test(`${argv.join(" ")} is refused with 2 and leaves nothing`, async () => {
    using dir = temporaryDir();
    const env = { HOME: dir.path };
    const { code, stdout, stderr } = await call(argv, testContext({ cwd: dir.path, env }));
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
    assert.match(stderr, /^dockerdo: [^\n]+\n/);
    assert.deepEqual([...Deno.readDirSync(dir.path)], []);
  });
}

Deno.test("init --local NAME prints the script's path alone and keeps the session, once", async () => {
  using dir = temporaryDir();
  const context = (): TestContext => testContext({ cwd: dir.path, env: { HOME: dir.path } });
  const argv = ["init", "--local", "--shell", "sh", "demo"];
  const session = `${dir.path}/.local/share/dockerdo/demo`;
  const { code, stdout } = await call(argv, context());
  try {
    assert.deepEqual({ code, stdout }, { code: 0, stdout: `${session}/activate\n` });
    assert.equal(loadSession(session).workDir, dir.path);
    assert.equal((Deno.statSync(session).mode ?? 0) & 0o777, 0o700);
    const again = await call(argv, context());
    assert.deepEqual({ code: again.code, stdout: again.stdout }, { code: 1, stdout: "" });
    assert.match(again.stderr, /^dockerdo: the session demo already exists\n {2}Activate it/);
  } finally {
    Deno.removeSync(loadSession(session).socketDir);
  }
});

Deno.test("init does not take the name of a session of the Python dockerdo for one of ours", async () => {
  using dir = temporaryDir();
  const old = `${dir.path}/.local/share/dockerdo/demo`;
  Deno.mkdirSync(old, { recursive: true });
  Deno.writeTextFileSync(`${old}/session.yaml`, "name: demo\n");
  const context = testContext({ cwd: dir.path, env: { HOME: dir.path } });
  const { code, stdout, stderr } = await call(["init", "--local", "demo"], context);
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
  assert.match(stderr, /^dockerdo: \S+\/demo holds a session of the Python dockerdo, /);
  assert.deepEqual([...Deno.readDirSync(old)].map(({ name }) => name), ["session.yaml"]);
});

Deno.test("history prints variables and commands on stdout, or JSON", async () => {
  using dir = temporaryDir();
  const { dir: session, context } = await activeSession(dir);
  await call(["export", "A=x y"], context());
  const line = { time: "t", cwd: "/", command: ["ls", "a b"], exitCode: 2, durationMs: 1 };
  Deno.writeTextFileSync(`${session}/history.jsonl`, `${JSON.stringify(line)}\n`);
  assert.deepEqual(await call(["history"], context()), {
    code: 0,
    stdout: "export A='x y'\n\n# cd /\n# ls 'a b'  # exit code 2\n",
    stderr: "Edits through the mount are not recorded. To record them: " +
      "dockerdo run --mount relay --record\n",
  });
  assert.deepEqual(JSON.parse((await call(["history", "--json"], context())).stdout), {
    environment: { A: "x y" },
    commands: [{ ...line, verdict: "unknown" }],
    exports: [],
    recording: false,
    edits: [],
    inside: [],
  });
});

Deno.test("history lists edited files in comments below the commands", async () => {
  using dir = temporaryDir();
  const { dir: session, context } = await activeSession(dir);
  const time = "2025-01-02T03:04:05.678Z";
  const edit = { time, kind: "changed", path: "/etc/hosts" };
  Deno.writeTextFileSync(`${session}/changes.jsonl`, `${JSON.stringify(edit)}\n`);
  assert.equal(
    (await call(["history"], context())).stdout,
    "# Edited through the mount:\n#   2025-01-02T03:04:05Z  changed   /etc/hosts\n",
  );
  assert.deepEqual(JSON.parse((await call(["history", "--json"], context())).stdout).edits, [edit]);
});

Deno.test("build hands docker's options on, and gives docker's failure as its own", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, {
    FAKE_docker_image_inspect: "[]",
    FAKE_docker_build: "",
    FAKE_docker_build_code: "1",
    FAKE_ssh__T__G: "",
  });
  const { context } = await activeSession(dir, fake.env);
  Deno.writeTextFileSync(`${dir.path}/Dockerfile.dockerdo`, "FROM debian:bookworm\n");
  Deno.mkdirSync(`${dir.path}/.ssh`);
  Deno.writeTextFileSync(`${dir.path}/.ssh/id_rsa.pub`, "ssh-rsa AAAAB3NzaC1yc2E= it's me\n");
  const { code, stdout } = await call(["build", "--no-cache", "--label", "a=x y"], context());
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
  const asked = ["ssh", "-T", "-G", "--", "localhost"];
  assert.deepEqual(fake.calls(), [asked, ["docker", "image", "inspect", "debian:bookworm"], [
    ...["docker", "build", "-t", "dockerdo-debian:bookworm-demo", "--build-arg"],
    ...["SSH_PUB_KEY=ssh-rsa AAAAB3NzaC1yc2E= its me", "--no-cache", "--label", "a=x y", "-"],
  ]]);
});
