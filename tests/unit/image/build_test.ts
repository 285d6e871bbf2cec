// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { buildImage } from "../../../src/image/build.ts";
import { fakes, system, temporaryDir, testContext, testSession } from "../fixture.ts";

const PLAIN = "FROM debian:bookworm\nRUN true\n";
const COPYING = "FROM debian:bookworm\nCOPY . /srv\n";
const IN_THE_WORK_DIR = { engine: "local", words: ["-t", "x:y", "--build-arg", "A=it's"] } as const;

/** Builds with a fake docker in a work dir with these files; gives the calls and what docker was sent. */
async function build(
  files: Readonly<Record<string, string>>,
  options: {
    readonly dockerfile?: string;
    readonly dirs?: readonly string[];
    readonly odd?: string;
  } = {},
): Promise<{ code: number; calls: string[][]; sent: Set<string>; stderr: string }> {
  const { dockerfile = COPYING } = options;
  using dir = temporaryDir();
  const workDir = `${dir.path}/it's a work dir`;
  const stdin = `${dir.path}/stdin`;
  Deno.mkdirSync(workDir);
  for (const name of options.dirs ?? []) Deno.mkdirSync(`${workDir}/${name}`, { recursive: true });
  for (const [name, text] of Object.entries({ "Dockerfile.dockerdo": dockerfile, ...files })) {
    Deno.mkdirSync(`${workDir}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    Deno.writeTextFileSync(`${workDir}/${name}`, text);
  }
  if (options.odd !== undefined) {
    await system(["sh", "-c", `touch "$(printf '${options.odd}')"`], { cwd: workDir });
  }
  using fake = fakes(dir.path, { FAKE_docker_build: "", FAKE_STDIN: stdin });
  const context = testContext({ env: fake.env, cwd: workDir });
  const code = await buildImage(context, testSession({ workDir }), {
    ...IN_THE_WORK_DIR,
    dockerfile,
  });
  const list = await system(["tar", "--quoting-style=escape", "-tf", stdin]);
  const sent = list.code === 0
    ? new Set(
      list.stdout.split("\n").filter((name) => name !== "" && !name.endsWith("/"))
        .map((name) => name.replace(/^\.\//, "")),
    )
    : new Set([Deno.readTextFileSync(stdin)]);
  return { code, calls: fake.calls(), sent, stderr: context.written.stderr };
}

Deno.test("buildImage() without COPY sends the Dockerfile and nothing else", async () => {
  const { code, calls, sent } = await build({ secret: "x" }, { dockerfile: PLAIN });
  assert.deepEqual({ code, calls, sent }, {
    code: 0,
    calls: [["docker", "build", "-t", "x:y", "--build-arg", "A=it's", "-"]],
    sent: new Set([PLAIN]),
  });
});

Deno.test("buildImage() with COPY sends the work dir without mounts and keys", async () => {
  const { code, calls, sent } = await build({
    "a file": "1",
    "sub/é": "2",
    "sub/container/kept": "3",
    "container/etc/passwd": "no",
    "reykjavik/big": "no",
    ".ssh/known_hosts": "no",
    "id_rsa": "no",
    "sub/id_ed25519": "no",
    "sub/id_ecdsa_sk": "no",
    "id_rsa.pub": "yes",
  });
  assert.deepEqual({ code, calls }, {
    code: 0,
    calls: [[
      ...["docker", "build", "-t", "x:y", "--build-arg", "A=it's"],
      ...["-f", "Dockerfile.dockerdo", "-"],
    ]],
  });
  assert.deepEqual(
    sent,
    new Set([
      "Dockerfile.dockerdo",
      "a file",
      "id_rsa.pub",
      "sub/container/kept",
      "sub/\\303\\251",
    ]),
  );
});

Deno.test("buildImage() sends no .ssh of a directory below the work dir either", async () => {
  const { sent } = await build({ "home/.ssh/work_key": "no", "home/.ssh/config": "no", a: "" });
  assert.deepEqual(sent, new Set(["Dockerfile.dockerdo", "a"]));
});

Deno.test("buildImage() sends no private key under another name", async () => {
  const key = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
  const { sent } = await build({ "id_ed25519_work": key, a: "" });
  assert.deepEqual(sent, new Set(["Dockerfile.dockerdo", "a"]));
});

Deno.test("buildImage() sends files whatever their names", async () => {
  const names = ["-rf", "--checkpoint-action=exec=touch pwn", "-C", "a\nb", "*", "'q'", " ", "\\"];
  const { sent } = await build(Object.fromEntries(names.map((name) => [name, ""])));
  assert.deepEqual(
    sent,
    new Set([
      ...["Dockerfile.dockerdo", "-rf", "--checkpoint-action=exec=touch pwn", "-C", "a\\nb", "*"],
      ...["'q'", " ", "\\\\"],
    ]),
  );
});

Deno.test("buildImage() sends a file whose name is not UTF-8", async () => {
  const { sent } = await build({}, { odd: "n\\344me" });
  assert.deepEqual(sent, new Set(["Dockerfile.dockerdo", "n\\344me"]));
});

Deno.test("buildImage() leaves out what .dockerignore names, and keeps its own Dockerfile", async () => {
  const { sent } = await build({
    ".dockerignore": "# a comment\nnode_modules\n*.log\n!keep.log\nDockerfile*\nsub/**/tmp\n",
    "node_modules/a/b.js": "",
    "x.log": "",
    "keep.log": "",
    "sub/x/tmp/y": "",
    "sub/x/z": "",
  });
  assert.deepEqual(
    sent,
    new Set([".dockerignore", "Dockerfile.dockerdo", "keep.log", "sub/x/z"]),
  );
});

Deno.test("buildImage() sends empty directories as well", async () => {
  using dir = temporaryDir();
  Deno.mkdirSync(`${dir.path}/w/empty`, { recursive: true });
  Deno.writeTextFileSync(`${dir.path}/w/Dockerfile.dockerdo`, COPYING);
  using fake = fakes(dir.path, { FAKE_docker_build: "", FAKE_STDIN: `${dir.path}/stdin` });
  await buildImage(testContext({ env: fake.env }), testSession({ workDir: `${dir.path}/w` }), {
    ...IN_THE_WORK_DIR,
    dockerfile: COPYING,
  });
  const { stdout } = await system(["tar", "-tf", `${dir.path}/stdin`]);
  assert.deepEqual(stdout.trim().split("\n").sort(), ["./Dockerfile.dockerdo", "./empty/"]);
});

Deno.test("buildImage() gives docker's exit code", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, { FAKE_docker_build: "", FAKE_docker_build_code: "17" });
  for (const dockerfile of [PLAIN, COPYING]) {
    const session = testSession({ workDir: dir.path });
    const options = { ...IN_THE_WORK_DIR, dockerfile };
    assert.equal(await buildImage(testContext({ env: fake.env }), session, options), 17);
  }
});

Deno.test("buildImage() of a dry run prints docker's line and starts nothing", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path);
  const context = testContext({ env: fake.env, dryRun: true });
  const session = testSession({ workDir: dir.path });
  await buildImage(context, session, { ...IN_THE_WORK_DIR, dockerfile: PLAIN });
  assert.deepEqual(fake.calls(), []);
  assert.equal(
    context.written.stderr,
    `printf %s '${PLAIN}' | docker build -t x:y --build-arg 'A=it'\\''s' -\n`,
  );
});

Deno.test("buildImage() on the remote host is one ssh that carries the Dockerfile", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, { FAKE_ssh: "", FAKE_STDIN: `${dir.path}/stdin` });
  const session = testSession({ workDir: dir.path });
  await buildImage(testContext({ env: fake.env }), session, {
    engine: session,
    dockerfile: PLAIN,
    words: ["-t", "x:y"],
  });
  assert.deepEqual(fake.calls(), [[
    ...["ssh", "-F", `${session.dir}/ssh_config.remote`, "-o", "ClearAllForwardings=yes"],
    ...["-T", "--", "reykjavik", "docker build -t x:y -"],
  ]]);
  assert.equal(Deno.readTextFileSync(`${dir.path}/stdin`), PLAIN);
});
