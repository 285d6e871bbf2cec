import assert from "node:assert/strict";
import {
  captureDocker,
  docker,
  dockerArgv,
  dockerFailure,
  dockerTrouble,
  inspectContainer,
  inspectImage,
  parseContainers,
  parseDiff,
  parseImages,
} from "../../src/docker.ts";
import {
  allSessionContainers,
  isOtherEngine,
  ownContainers,
} from "../../src/session_containers.ts";
import { fakes, temporaryDir, testContext, testSession, within } from "./fixture.ts";

function recorded(name: string): string {
  return Deno.readTextFileSync(new URL(`recorded/${name}`, import.meta.url));
}

const CREATED = {
  id: "c49856ee5d5645999fbd089292cd1ec526f5a0721b34c4ba17a485334be11c52",
  name: "recorded-created",
  status: "created",
  exitCode: 0,
  finishedAt: "",
  outOfMemory: false,
  image: "lab/entrypoint:1",
  sessionId: "0a1b2c3d4e5f",
  env: {
    HOSTNAME: "c49856ee5d56",
    GREETING: 'hello = "wörld" $HOME',
    EMPTY: "",
    PATH: "/opt/tool/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  },
  workdir: "/srv/my dir",
  labels: { "dockerdo.lab": "1", "dockerdo.session": "0a1b2c3d4e5f" },
  user: "1000",
  pidMode: "",
  networkMode: "",
  runtime: "",
  appArmor: "",
  pidsLimit: 0,
};
const LOCAL = testSession({ remoteHost: null });

Deno.test("parseContainers() reads what a real engine answered", () => {
  const [created, exited, ...rest] = parseContainers(recorded("containers.json"));
  assert.deepEqual(created, CREATED);
  assert.deepEqual(
    {
      name: exited?.name,
      status: exited?.status,
      finishedAt: exited?.finishedAt,
      sessionId: exited?.sessionId,
      rest,
    },
    {
      name: "recorded-exited",
      status: "exited",
      finishedAt: "2026-11-23T18:34:17.84497179Z",
      sessionId: undefined,
      rest: [],
    },
  );
});

Deno.test("parseImages() reads what a real engine answered", () => {
  assert.deepEqual(parseImages(recorded("image.json")), [{
    id: "sha256:58e64c599fabc431f26c4de30e8540ae7bde3a94132bcacd95618fd4088194aa",
    size: 82012087,
    layers: [
      "sha256:eb4176c60bf71825d733ffdbbf9fd8900641647a2cb3f5392e4537d1981aa653",
      "sha256:bc36c3ed32f72948c1d9721370d7c396df0a5fdb585363ed3fb06f76d33098e5",
    ],
    os: "linux",
    architecture: "amd64",
    variant: "",
    settings: JSON.stringify([
      "2026-11-23T18:28:41.228084436Z",
      "",
      "linux",
      "amd64",
      [
        ["Entrypoint", ["/bin/cat"]],
        ["Env", [
          "GREETING=hello world $x",
          "PATH=/opt/tool/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ]],
        ["Labels", { "dockerdo.lab": "1" }],
        ["User", "1000"],
        ["WorkingDir", "/srv/app"],
      ],
    ]),
    layerDirs: [],
    shell: undefined,
    onBuild: [],
    labels: { "dockerdo.lab": "1" },
  }]);
});

Deno.test("parseImages() finds the same settings in what two image stores answer", () => {
  const created = { Created: "2026-11-25T01:19:10.406021541Z", Author: "me" };
  const config = { Env: ["A=b"], Labels: { x: "y", "a.b": "1" }, ExposedPorts: { "80/tcp": {} } };
  const images = [
    { ...created, Config: config },
    {
      ...created,
      Comment: "",
      Config: {
        Hostname: "",
        Tty: false,
        OnBuild: null,
        Volumes: {},
        Image: "sha256:1",
        ...config,
      },
    },
    { ...created, Config: { ...config, Env: ["A=c"] } },
    { ...created, Created: "2026-11-25T01:19:11Z", Config: config },
  ];
  const settings = parseImages(JSON.stringify(images)).map((image) => image.settings);
  assert.deepEqual(settings.map((text) => settings.indexOf(text)), [0, 0, 2, 3]);
});

Deno.test("parseImages() knows where overlay2 has the layers, the lowest first", () => {
  const stored = (driver: string, data: unknown): unknown => {
    const image = {
      GraphDriver: { Name: driver, Data: data },
      Config: { Volumes: { "/data": {} } },
    };
    const [{ layerDirs } = { layerDirs: [] }] = parseImages(
      JSON.stringify([image]),
    );
    return layerDirs;
  };
  const [top, middle, low] = ["c", "b", "a"].map((id) => `/var/lib/docker/overlay2/${id}/diff`);
  const LowerDir = `${middle}:${low}`;
  assert.deepEqual([
    stored("overlay2", { LowerDir, MergedDir: "/m", UpperDir: top, WorkDir: "/w" }),
    stored("overlay2", { MergedDir: "/m", UpperDir: top, WorkDir: "/w" }),
    stored("fuse-overlayfs", { LowerDir, UpperDir: top }),
    stored("overlayfs", null),
  ], [
    [low, middle, top],
    [top],
    [],
    [],
  ]);
});

Deno.test("parseContainers() fills in what an engine leaves out", () => {
  assert.deepEqual(parseContainers('[{"Config":{"Env":null,"Labels":null,"WorkingDir":""}}, {}]'), [
    ...[0, 1].map(() => ({
      id: "",
      name: "",
      status: "",
      exitCode: 0,
      finishedAt: "",
      outOfMemory: false,
      image: "",
      sessionId: undefined,
      env: { HOSTNAME: "", PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
      workdir: "/",
      labels: {},
      user: "",
      pidMode: "",
      networkMode: "",
      runtime: "",
      appArmor: "",
      pidsLimit: 0,
    })),
  ]);
});

Deno.test("parseContainers() refuses what is not JSON, with its beginning", () => {
  assert.throws(() => parseContainers("Welcome!"), {
    name: "Failure",
    message: "docker answered something that is not JSON: Welcome!",
  });
});

const NO_DOCKER =
  "Install docker on reykjavik. If it is there, a shell that is no login shell must have it on its " +
  "PATH (~/.bashrc, ~/.zshenv).";

for (
  const [stderr, hint] of [
    [
      "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get ...",
      "Your user there may not use docker: add it to the group docker, and log in again.",
    ],
    [
      "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock",
      "Your user there may not use docker: add it to the group docker, and log in again.",
    ],
    [
      "Cannot connect to the Docker daemon at unix:///nope. Is the docker daemon running?",
      "Start the engine on reykjavik.",
    ],
    ["sh: 1: docker: not found", NO_DOCKER],
    ["bash: line 1: docker: command not found", NO_DOCKER],
    ["zsh:1: command not found: docker", NO_DOCKER],
    ["fish: Unknown command: docker", NO_DOCKER],
    [
      "write /layer.tar: no space left on device",
      "Make room on reykjavik: docker system df shows what takes it.",
    ],
    ["docker: unknown command: docker buildx", undefined],
    ["Error response from daemon: conflict", undefined],
  ] as const
) {
  Deno.test(`dockerFailure() of "${stderr}"`, () => {
    const finished = { code: 1, stdout: "", stderr: `${stderr}\n` };
    const failure = dockerFailure(testSession(), "Removing the container", finished);
    assert.deepEqual({ message: failure.message, hint: failure.hint }, {
      message: `Removing the container on reykjavik failed (exit code 1): ${stderr}`,
      hint: hint === undefined
        ? undefined
        : `${hint}\ndockerdo doctor --remote reykjavik looks for the cause.`,
    });
  });
}

Deno.test("dockerArgv() is docker itself here and over ssh there", () => {
  assert.deepEqual(dockerArgv("local", ["ps", "-a"]), ["docker", "ps", "-a"]);
  assert.deepEqual(dockerArgv(LOCAL, ["ps", "-a"]), ["docker", "ps", "-a"]);
  assert.deepEqual(dockerArgv(testSession(), ["rm", "a b"]), [
    ...["ssh", "-F", "/home/me/.local/share/dockerdo/demo/ssh_config.remote"],
    ...["-o", "ClearAllForwardings=yes", "-T", "--", "reykjavik", "docker rm 'a b'"],
  ]);
});

Deno.test("captureDocker() on the remote host hands its words over whole", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, { FAKE_ssh: "motd\n\x1eok\n" });
  const context = testContext({ env: fake.env });
  assert.deepEqual(
    await captureDocker(context, testSession(), { words: ["run", "-e", "A=x y"] }),
    { code: 0, stdout: "ok\n", stderr: "" },
  );
  assert.equal(fake.calls()[0]?.at(-1), "printf '\\036'; docker run -e 'A=x y'");
});

Deno.test("docker() gives stdout, trimmed, and fails with docker's own words", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, {
    FAKE_docker_run: " id\n",
    FAKE_docker_rm: "",
    FAKE_docker_rm_code: "1",
    FAKE_docker_rm_stderr: "Error response from daemon: in use\n",
  });
  const context = testContext({ env: fake.env });
  assert.equal(await docker(context, "local", { words: ["run"], doing: "Running" }), "id");
  await assert.rejects(docker(context, "local", { words: ["rm", "x"], doing: "Removing x" }), {
    message:
      "Removing x on the local host failed (exit code 1): Error response from daemon: in use",
  });
});

Deno.test("inspectContainer() takes the very name or id, and no other that docker finds", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, { FAKE_docker_container_inspect: recorded("containers.json") });
  const context = testContext({ env: fake.env });
  const found = await Promise.all(
    ["recorded-created", CREATED.id, CREATED.id.slice(0, 12), "recorded", "created"]
      .map(async (name) => (await inspectContainer(context, LOCAL, name))?.name),
  );
  assert.deepEqual(found, [
    ...Array(3).fill("recorded-created"),
    undefined,
    undefined,
  ]);
});

Deno.test("inspectContainer() and inspectImage() are undefined for what is not there, and fail for the rest", async () => {
  using dir = temporaryDir();
  using none = fakes(dir.path, {
    FAKE_docker: "[]\n",
    FAKE_docker_code: "1",
    FAKE_docker_container_inspect: "[]\n",
    FAKE_docker_container_inspect_code: "1",
    FAKE_docker_container_inspect_stderr: "Error response from daemon: No such container: nope\n",
    FAKE_docker_image_inspect: "[]\n",
    FAKE_docker_image_inspect_code: "1",
    FAKE_docker_image_inspect_stderr:
      "Error response from daemon: no such image: nope: No such image: nope:latest\n",
  });
  const context = testContext({ env: none.env });
  assert.equal(await inspectContainer(context, "local", "nope"), undefined);
  assert.equal(await inspectImage(context, "local", "nope"), undefined);
  const stderr = "Cannot connect to the Docker daemon at unix:///nope.\n";
  using down = fakes(dir.path, {
    FAKE_docker: "",
    FAKE_docker_code: "1",
    FAKE_docker_stderr: stderr,
  });
  const broken = testContext({ env: down.env });
  const expected = {
    hint: "Start the engine on the local host.\ndockerdo doctor looks for the cause.",
  };
  await assert.rejects(inspectContainer(broken, "local", "x"), expected);
  await assert.rejects(inspectImage(broken, "local", "x"), expected);
});

for (
  const [stderr, trouble] of [
    ["permission denied while trying to connect to the docker API at unix:///x", "permission"],
    ["Cannot connect to the Docker daemon at unix:///nope.", "daemon"],
    ["sh: 1: docker: not found", "program"],
    ["no space left on device", "space"],
    ["Error response from daemon: conflict", undefined],
  ] as const
) {
  Deno.test(`dockerTrouble() of "${stderr}" is ${trouble}`, () => {
    assert.equal(dockerTrouble(stderr), trouble);
  });
}

Deno.test("allSessionContainers() asks once, makes no master, and takes a container that goes meanwhile", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, {
    FAKE_ssh: `Welcome!\n\x1eengine=ABC:DEF\n${recorded("containers.json")}`,
    FAKE_ssh_code: "1",
    FAKE_ssh_stderr: "Error: No such container: 123\n",
  });
  const context = testContext({ env: fake.env });
  const session = testSession({ socketDir: dir.path });
  const found = await allSessionContainers(context, session, { limitMs: 3000 });
  assert.deepEqual(found, {
    engineId: "ABC:DEF",
    containers: parseContainers(recorded("containers.json")),
  });
  const [call = [], ...more] = fake.calls();
  assert.deepEqual(more, []);
  assert.deepEqual(call.slice(0, -2), [
    ...["ssh", "-F", `${session.dir}/ssh_config.remote`, "-o", "ClearAllForwardings=yes"],
    ...["-o", "ControlPath=none", "-o", "BatchMode=yes", "-o", "ConnectTimeout=3"],
    ...["-o", "ConnectionAttempts=1", "-T", "--"],
  ]);
  assert.equal(call.at(-2), "reykjavik");
});

Deno.test("allSessionContainers() gives a host that does not answer up, by name", async () => {
  using dir = temporaryDir();
  await Deno.writeTextFile(`${dir.path}/ssh`, "#!/bin/sh\nexec sleep 60\n", { mode: 0o755 });
  const context = testContext({ env: { PATH: `${dir.path}:${Deno.env.get("PATH")}` } });
  const session = testSession({ socketDir: dir.path });
  await assert.rejects(within(10_000, allSessionContainers(context, session, { limitMs: 1000 })), {
    message: "reykjavik has not answered within 1 s",
  });
});

Deno.test("ownContainers() asks for the session's label, and leaves and names what is not its own", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, {
    FAKE_docker_ps: `${CREATED.id}\n`,
    FAKE_docker_container_inspect: recorded("containers.json"),
  });
  const own = { ...LOCAL, containerId: CREATED.id };
  assert.deepEqual(await ownContainers(testContext({ env: fake.env }), own), [CREATED]);
  assert.deepEqual(fake.calls(), [
    ["docker", "ps", "-aq", "--no-trunc", "--filter", "label=dockerdo.session=0a1b2c3d4e5f"],
    ["docker", "container", "inspect", CREATED.id],
  ]);
  const context = testContext({ env: fake.env });
  assert.deepEqual(await ownContainers(context, LOCAL), []);
  assert.equal(
    context.written.stderr,
    "dockerdo: the container recorded-created (c49856ee5d56) carries the label of demo, but is not its container: " +
      "it stays\n",
  );
});

Deno.test("isOtherEngine() is asked of a session with a container and an engine that it knows", () => {
  const session = { ...LOCAL, containerId: "c", engineId: "A" };
  assert.deepEqual(
    [
      isOtherEngine(session, "B"),
      isOtherEngine(session, "A"),
      isOtherEngine(session, ""),
      isOtherEngine(session, null),
      isOtherEngine({ ...session, engineId: null }, "B"),
      isOtherEngine({ ...session, containerId: null }, "B"),
    ],
    [true, false, false, false, false, false],
  );
});

Deno.test("parseDiff() keeps every name whole", () => {
  assert.deepEqual(parseDiff("C /etc\nA /a b\nD /x\ny\nA z\nA /last"), [
    { letter: "C", path: "/etc" },
    { letter: "A", path: "/a b" },
    { letter: "D", path: "/x\ny\nA z" },
    { letter: "A", path: "/last" },
  ]);
  assert.deepEqual(parseDiff(""), []);
});
