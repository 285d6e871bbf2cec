// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { DISTROS } from "../../../src/image/distro.ts";
import {
  checkUserName,
  needsContext,
  overlayDockerfile,
  writeOverlay,
} from "../../../src/image/overlay.ts";
import { assertGolden, fakes, system, temporaryDir, testContext, testSession } from "../fixture.ts";

for (const distro of DISTROS) {
  Deno.test(`overlayDockerfile() for ${distro} is as tests/golden/Dockerfile.${distro}`, () => {
    const baseImage = "reg.example:5000/team/base:1";
    assertGolden(overlayDockerfile({ baseImage, distro, user: "root" }), `Dockerfile.${distro}`);
  });
}

Deno.test("overlayDockerfile() for a user other than root is as tests/golden/Dockerfile.user", () => {
  const text = overlayDockerfile({ baseImage: "debian", distro: "debian", user: "app_1-x" });
  assertGolden(text, "Dockerfile.user");
});

Deno.test("overlayDockerfile() keeps to the classic builder's subset", () => {
  for (const distro of DISTROS) {
    const text = overlayDockerfile({ baseImage: "a", distro, user: "root" });
    assert.doesNotMatch(text, /# *syntax=|<<|--mount=/);
    assert.equal(needsContext(text), false);
  }
});

Deno.test("overlayDockerfile() writes files that a shell and sshd understand", async () => {
  using dir = temporaryDir();
  const text = overlayDockerfile({ baseImage: "a", distro: "debian", user: "root" })
    .replaceAll("/etc/dockerdo", dir.path);
  const commands = text.replaceAll("\\\n", "\n").split(/^(?=[A-Z]+ )/m)
    .filter((line) => /^RUN unset [^;]*; PATH="[^"]*"; (mkdir|printf)/.test(line))
    .map((line) => line.slice(4).replaceAll(/ *\n */g, " ").trim());
  assert.equal(commands.length, 2);
  for (const command of commands) {
    assert.deepEqual(await system(["sh", "-c", command]), { code: 0, stdout: "", stderr: "" });
  }
  assert.deepEqual(await system(["sh", "-n", `${dir.path}/sshd`]), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  const [first, second] = Deno.readTextFileSync(`${dir.path}/sshd`).split("\n");
  assert.deepEqual([first, second], [
    "#!/bin/sh",
    "# Starts sshd with a host key of this container; further arguments go to sshd. With --dir alone it prints where the",
  ]);
  assert.deepEqual(
    Deno.readTextFileSync(`${dir.path}/sshd_config`).split("\n").slice(0, 3),
    [
      "AuthenticationMethods publickey",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
    ],
  );
});

for (
  const [dockerfile, expected] of [
    ["FROM a\nRUN echo COPY\n", false],
    ["FROM a\nCOPY . /srv\n", true],
    ["FROM a\n  copy x y\n", true],
    ["FROM a\nADD https://x /y\n", true],
    ["FROM a\n# COPY . .\n", false],
    ["FROM a\n  # ADD x y\nRUN x\n", false],
    ["FROM a\nADDUSER x\n", false],
    ["FROM a\nONBUILD COPY . .\n", false],
    ["FROM a\nRUN --mount=type=bind,target=/x make\n", true],
    ["FROM a\nRUN make --mount=x\n", true],
    ["", false],
  ] as const
) {
  Deno.test(`needsContext() of ${JSON.stringify(dockerfile)} is ${expected}`, () => {
    assert.equal(needsContext(dockerfile), expected);
  });
}

Deno.test("checkUserName() takes names of the system's kind only", () => {
  const good = ["root", "app", "_x", "a-b_1", "x".repeat(32)];
  assert.deepEqual(good.map(checkUserName), good);
  for (
    const name of ["", "-a", "1a", "a b", "a;id", "a\n", "a$", "é", "a:b", "x".repeat(33)]
  ) {
    assert.throws(() => checkUserName(name), { name: "Failure", exitCode: 2 }, name);
  }
});

const NO_IMAGE = {
  FAKE_docker_image_inspect: "[]",
  FAKE_docker_image_inspect_code: "1",
  FAKE_docker_image_inspect_stderr: "Error response from daemon: No such image: x\n",
};

Deno.test("writeOverlay() reads the distribution out of a container that never starts", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, {
    FAKE_docker_image_inspect: "[{}]",
    FAKE_docker_create: "made\n",
    FAKE_docker_cp: "os-release\nID=alpine\n",
    FAKE_docker_rm: "",
  });
  const session = testSession({ workDir: dir.path, remoteHost: null, baseImage: "tool:1" });
  const context = testContext({ env: fake.env });
  const text = await writeOverlay(context, session, { defaultDistro: null, force: false });
  assert.equal(
    text,
    overlayDockerfile({ baseImage: "tool:1", distro: "alpine", user: "root" }),
  );
  assert.equal(Deno.readTextFileSync(`${dir.path}/Dockerfile.dockerdo`), text);
  assert.deepEqual(fake.calls(), [
    ["docker", "image", "inspect", "tool:1"],
    ["docker", "create", "--label", "dockerdo.session=0a1b2c3d4e5f", "tool:1", "x"],
    ["docker", "cp", "-L", "made:/etc/os-release", "-"],
    ["docker", "rm", "-fv", "made"],
  ]);
});

Deno.test("writeOverlay() names an unknown distribution, removes its container and writes nothing", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, {
    FAKE_docker_image_inspect: "[{}]",
    FAKE_docker_create: "made\n",
    FAKE_docker_cp: "ID=gentoo\n",
    FAKE_docker_rm: "",
  });
  const session = testSession({ workDir: dir.path, remoteHost: null });
  await assert.rejects(
    writeOverlay(testContext({ env: fake.env }), session, { defaultDistro: null, force: false }),
    {
      message: "the overlay does not know the distribution of debian:bookworm: gentoo",
      hint: "Name the nearest one with --distro: debian, alpine, fedora, opensuse, arch.",
    },
  );
  assert.equal(fake.calls().at(-1)?.join(" "), "docker rm -fv made");
  assert.throws(() => Deno.lstatSync(`${dir.path}/Dockerfile.dockerdo`), Deno.errors.NotFound);
});

Deno.test("writeOverlay() goes by the image's name where no engine has it", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, NO_IMAGE);
  const session = testSession({
    workDir: dir.path,
    remoteHost: null,
    baseImage: "reg:5000/mirror/rocky:9",
  });
  const options = { defaultDistro: null, force: false };
  const text = await writeOverlay(testContext({ env: fake.env }), session, options);
  assert.match(text, /dnf/);
  await assert.rejects(
    writeOverlay(testContext({ env: fake.env }), { ...session, baseImage: "tool:1" }, options),
    {
      message: "the distribution of tool:1 is not known, and no engine has the image yet",
    },
  );
});

Deno.test("writeOverlay() keeps a file that was edited, and replaces its own, or any by force", async () => {
  using dir = temporaryDir();
  const path = `${dir.path}/Dockerfile.dockerdo`;
  const context = testContext();
  const session = testSession({ workDir: dir.path, distro: "debian" });
  const options = { defaultDistro: null, force: false };
  await writeOverlay(context, session, options);
  await writeOverlay(context, { ...session, distro: "alpine", baseImage: "alpine" }, options);
  assert.match(Deno.readTextFileSync(path), /^FROM alpine$/m);
  Deno.writeTextFileSync(path, Deno.readTextFileSync(path) + "RUN mine\n");
  await assert.rejects(writeOverlay(context, session, options), {
    message: `${path} has been edited`,
    hint: "dockerdo overlay --force replaces it; dockerdo build uses it as it is.",
  });
  assert.match(Deno.readTextFileSync(path), /RUN mine\n$/);
  await writeOverlay(context, session, { ...options, force: true });
  assert.doesNotMatch(Deno.readTextFileSync(path), /RUN mine/);
});

Deno.test("writeOverlay() of a dry run writes nothing", async () => {
  using dir = temporaryDir();
  await writeOverlay(
    testContext({ dryRun: true }),
    testSession({ workDir: dir.path, distro: "debian" }),
    { defaultDistro: null, force: false },
  );
  assert.deepEqual([...Deno.readDirSync(dir.path)], []);
});

Deno.test("writeOverlay() refuses a --distro that it does not know", async () => {
  await assert.rejects(
    writeOverlay(testContext(), testSession({ workDir: "/nonexistent", distro: "gentoo" }), {
      defaultDistro: null,
      force: false,
    }),
    { exitCode: 2, hint: "Use one of debian, alpine, fedora, opensuse, arch." },
  );
});
