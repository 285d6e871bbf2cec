import assert from "node:assert/strict";
import { addHost, BASE_IMAGE, london, poll, reykjavik, startLink } from "../lab/lab.ts";
import { digestOf, tar } from "../unit/push/archives.ts";
import { newerEngine, type SecondEngine, secondEngine } from "./engine.ts";
import { startRegistry } from "./registry.ts";
import { newUser, storedSession, type User } from "./user.ts";

/** More than the archive of the base image has. */
const BASE_BYTES = 88e6;

/** A user with a session on a host; `build` makes the session's image from lines of a Dockerfile. */
async function pusher(
  host: string,
  { options = "", socket }: {
    readonly options?: string;
    /** Of the local engine, if it is not the usual one. */
    readonly socket?: string;
  } = {},
): Promise<User & { readonly tag: string; build(...lines: string[]): Promise<string> }> {
  const user = await newUser();
  const engine = socket === undefined ? "" : `export DOCKER_HOST=unix://${socket}; `;
  const does: User["does"] = (script, options) => user.does(engine + script, options);
  const name = `push-${crypto.randomUUID().slice(0, 8)}`;
  await user.begins(`${name} --remote ${host} --image ${BASE_IMAGE} ${options}`);
  const tag = (await storedSession(user))["imageTag"] as string;
  return {
    ...user,
    types: (script, options) => user.types(engine + script, options),
    does,
    [Symbol.asyncDispose]: user[Symbol.asyncDispose],
    tag,
    async build(...lines): Promise<string> {
      await does(`docker build -q --network none -t ${tag} -`, { stdin: lines.join("\n") });
      return (await does(`docker image inspect --format '{{.Id}}' ${tag}`)).trim();
    },
  };
}

async function idOf(
  host: (argv: readonly string[]) => Promise<{ stdout: string }>,
  reference: string,
): Promise<string> {
  const words = ["docker", "image", "inspect", "--format", "{{.Id}}", reference];
  return (await host(words)).stdout.trim();
}

/** The last line of a push. */
async function pushes(user: User, options = ""): Promise<string> {
  const { code, stdout, stderr } = await user.types(`dockerdo push ${options}`);
  assert.deepEqual([code, stdout], [0, ""], stderr);
  return stderr.trim().split("\n").at(-1) ?? "";
}

/** Fails where the last line of a push says anything else of the layers, or more bytes than that. */
function assertSent(line: string, layers: string, mostBytes: number): void {
  const match =
    /^\[remote\] Pushed \S+: (\d+ of \d+ layers), ([\d.]+) (k?M?)B of [\d.]+ k?M?B, [\dms. ]+$/
      .exec(line);
  assert.ok(match, line);
  assert.equal(match[1], layers, line);
  const bytes = Number(match[2]) * (({ k: 1e3, M: 1e6 })[match[3] ?? ""] ?? 1);
  assert.ok(bytes <= mostBytes, line);
}

/** Makes an image of the base with another digest, that reykjavik has not. */
async function freshBase(): Promise<AsyncDisposable & { readonly tag: string }> {
  const tag = `lab/push-${crypto.randomUUID().slice(0, 8)}:1`;
  const script = `id=$(docker create ${BASE_IMAGE} true) && docker export $id |
    docker import --change 'LABEL dockerdo.lab=1' - ${tag}; docker rm $id`;
  const made = await london(["sh", "-c", script]);
  if (made.code !== 0) throw new Error(made.stderr);
  return {
    tag,
    async [Symbol.asyncDispose](): Promise<void> {
      await london(["docker", "rmi", "-f", tag]);
    },
  };
}

/** A layer of two kilobytes that no other image has. */
const smallLayer = (): string => `RUN echo ${crypto.randomUUID()} > /now`;

/** The containers through which pushes read the local engine's images, and what reads. */
async function readersHere(): Promise<string> {
  const containers = await london(["docker", "ps", "-aq", "--filter", "label=dockerdo.push"]);
  const processes = await london(["pgrep", "-af", "docker cp [0-9a-f]+:/dockerdo-"]);
  return containers.stdout + processes.stdout;
}

/** What still loads an image on reykjavik: the shell around docker load has the id among its words. */
async function loadsThere(id: string): Promise<string> {
  return (await reykjavik(["pgrep", "-af", id])).stdout;
}

Deno.test("push sends the layers that the remote engine lacks, then nothing, then what was changed", async () => {
  await using user = await pusher("reykjavik");
  const numbers = `RUN { echo ${crypto.randomUUID()}; seq 1 100000; } > /numbers`;
  const first = await user.build(`FROM ${BASE_IMAGE}`, numbers, smallLayer());
  const pushed = await user.types("dockerdo push");
  assert.equal(pushed.code, 0, pushed.stderr);
  const lines = pushed.stderr.trim().split("\n");
  assert.equal(lines[0], "[remote] reykjavik has 1 of 3 layers");
  assert.deepEqual(lines.filter((line) => / Layer /.test(line)).sort(), [
    "[remote] Layer 2 of 3: 591 kB",
    "[remote] Layer 3 of 3: 2.05 kB",
  ]);
  assertSent(lines.at(-1) ?? "", "2 of 3 layers", 250_000);
  assert.equal(await idOf(reykjavik, user.tag), first);

  assertSent(await pushes(user), "0 of 3 layers", 0);

  const second = await user.build(`FROM ${first}`, smallLayer());
  assertSent(await pushes(user), "1 of 4 layers", 16_000);
  assert.equal(await idOf(reykjavik, user.tag), second);
  const ran = await reykjavik([
    "docker",
    "run",
    "--rm",
    "--network",
    "none",
    second,
    "tail",
    "-n",
    "1",
    "/numbers",
  ]);
  assert.equal(ran.stdout, "100000\n", ran.stderr);
});

Deno.test("push sends no layer for an image that differs in its settings only", async () => {
  await using user = await pusher("reykjavik");
  const first = await user.build(`FROM ${BASE_IMAGE}`, smallLayer());
  await pushes(user);
  const second = await user.build(`FROM ${first}`, "ENV ANSWER=42");
  assertSent(await pushes(user), "0 of 2 layers", 16_000);
  assert.equal(await idOf(reykjavik, user.tag), second);
});

Deno.test("push only tags an image that is there under another name, and leaves that name", async () => {
  await using user = await pusher("reykjavik");
  const id = await user.build(`FROM ${BASE_IMAGE}`, smallLayer());
  await pushes(user);
  const other = `${user.tag}-other`;
  await reykjavik(["docker", "tag", user.tag, other]);
  await reykjavik(["docker", "rmi", user.tag]);
  assert.equal(await idOf(reykjavik, user.tag), "");
  await user.does(`docker tag ${user.tag} ${user.tag}-third`);
  assertSent(await pushes(user), "0 of 2 layers", 0);
  assert.deepEqual(
    await Promise.all(["", "-other", "-third"].map((end) => idOf(reykjavik, user.tag + end))),
    [id, id, ""],
  );
  await reykjavik(["docker", "rmi", other]);
  await user.does(`docker rmi ${user.tag}-third`);
});

Deno.test("push copes with layers that are the same", async () => {
  await using user = await pusher("reykjavik");
  await user.does(
    `echo ${crypto.randomUUID()} > a; touch -d 2025-01-02T03:04:05Z a; mkdir context; mv a context`,
  );
  const build = async (last: string): Promise<string> => {
    const lines = [`FROM ${BASE_IMAGE}`, "COPY a /a", "RUN echo b > /b", ...last.split("\n")];
    await Deno.writeTextFile(`${user.workDir}/context/Dockerfile`, lines.join("\n"));
    await user.does(`docker build -q -t ${user.tag} context`);
    return await idOf(london, user.tag);
  };
  const first = await build("COPY a /a");
  await pushes(user);
  assert.equal(await idOf(reykjavik, user.tag), first);
  // The new layer is the same as one that is there, but not as a chain.
  const second = await build("COPY a /a\nCOPY a /a");
  assertSent(await pushes(user), "1 of 5 layers", 16_000);
  assert.equal(await idOf(reykjavik, user.tag), second);
});

Deno.test("push reads only what it sends, and leaves no container and no volume", async () => {
  await using user = await pusher("reykjavik");
  const volume = "VOLUME /usr";
  const first = await user.build(`FROM ${BASE_IMAGE}`, volume, smallLayer());
  await pushes(user);
  const volumes = async (): Promise<string> => (await london(["docker", "volume", "ls"])).stdout;
  const before = await volumes();
  const names = "RUN mkdir -p /a/b /a.b && ln -s b /a/link && : > /a/empty && rm /etc/motd && " +
    "echo 1 > /a/b/1 && ln /a/b/1 /a/2 && ln /a/b/1 /z && echo 3 > /a.b/3 && rm -r /srv && " +
    `mkdir /srv && echo 4 > "/srv/$(printf '\\377')" && echo 5 > /srv/${"n".repeat(200)}`;
  const second = await user.build(`FROM ${first}`, names, smallLayer());
  const { code, stderr } = await user.types("dockerdo push --verbose");
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stderr, /docker save/);
  assertSent(stderr.trim().split("\n").at(-1) ?? "", "2 of 4 layers", 16_000);
  assert.equal(await idOf(reykjavik, user.tag), second);
  assert.deepEqual([await readersHere(), await volumes()], ["", before]);
});

Deno.test("push tells of layers that cannot be read one by one, and sends them all the same", async () => {
  await using user = await pusher("reykjavik");
  await user.does(`echo ${crypto.randomUUID()} > b; echo > a; tar -cf layer.tar b a`);
  await user.does(`docker import -c 'LABEL dockerdo.lab=1' layer.tar ${user.tag}`);
  const id = await idOf(london, user.tag);
  const { code, stderr } = await user.types("dockerdo push");
  assert.equal(code, 0, stderr);
  assert.match(stderr, /order of their own: docker save reads the whole image instead\n/);
  assert.match(stderr, /: 1 of 1 layers, [\d.]+ k?B of \d+ B, [\dms. ]+\n$/);
  assert.equal(await idOf(reykjavik, user.tag), id);
  assert.equal(await readersHere(), "");
});

Deno.test("what a push that was killed left behind goes with the next one, and with rm", async () => {
  await using user = await pusher("reykjavik");
  await user.build(`FROM ${BASE_IMAGE}`, smallLayer());
  const { id } = await storedSession(user);
  const labels = `--label dockerdo.push=${id} --label dockerdo.push.pid=4194305`;
  const leave = (): Promise<string> => user.does(`docker create ${labels} ${user.tag} x`);
  await leave();
  assert.notEqual(await readersHere(), "");
  await pushes(user);
  assert.equal(await readersHere(), "");
  await leave();
  await user.does("dockerdo rm --force --delete");
  assert.deepEqual([await readersHere(), await idOf(london, user.tag)], ["", ""]);
});

/** Fails unless an engine on reykjavik has the image as it is here, and all of it, and nothing of ours beside it. */
async function assertArrived(
  user: User & { readonly tag: string },
  engine: Pick<SecondEngine, "docker" | "socket">,
): Promise<void> {
  const format = "{{json .RootFS.Layers}} {{json .Config}} {{.Created}}";
  assert.equal(
    await engine.docker(["image", "inspect", "--format", format, user.tag]),
    await user.does(`docker image inspect --format '${format}' ${user.tag}`),
  );
  const script = `export DOCKER_HOST=unix://$1 && docker save "$2" >/dev/null &&
    id=$(docker create --network none "$2" x) && docker cp "$id:/now" - >/dev/null && docker rm "$id"`;
  const used = await reykjavik(["bash", "-c", script, "sh", engine.socket, user.tag]);
  assert.equal(used.code, 0, used.stderr);
  const readers = ["ps", "-aq", "--filter", "label=dockerdo.push"];
  assert.equal(await engine.docker(readers), "");
  assert.equal(await user.does(`docker ${readers.join(" ")}`), "");
}

const CLASSIC = {
  host: "reykjavik",
  socket: "/var/run/docker.sock",
  docker: async (words: readonly string[]): Promise<string> =>
    (await reykjavik(["docker", ...words])).stdout,
  [Symbol.asyncDispose]: (): Promise<void> => Promise.resolve(),
};

for (
  const [here, there] of [
    ["a classic image store", "containerd's"],
    ["containerd's", "containerd's"],
    ["containerd's", "a classic one"],
  ] as const
) {
  Deno.test(`push from ${here} to ${there} sends only what is not there`, async () => {
    await using local = here === "containerd's" ? await newerEngine("containerd") : undefined;
    await using engine = there === "containerd's"
      ? await secondEngine({ megabytes: 700, store: "containerd" })
      : CLASSIC;
    await using user = await pusher(
      engine.host,
      local === undefined ? {} : { socket: local.socket },
    );
    await user.build(`FROM ${BASE_IMAGE}`, smallLayer());
    // The classic one has the base.
    const [layers, bytes] = engine === CLASSIC ? [1, 16_000] : [2, BASE_BYTES];
    assertSent(await pushes(user), `${layers} of 2 layers`, bytes);
    await assertArrived(user, engine);
    assertSent(await pushes(user), "0 of 2 layers", 0);

    await user.build(`FROM ${user.tag}`, smallLayer());
    assertSent(await pushes(user), "1 of 3 layers", 16_000);
    await assertArrived(user, engine);

    // Nothing but the settings: another image all the same.
    await user.build(`FROM ${user.tag}`, "ENV ANOTHER=1");
    assertSent(await pushes(user), "0 of 3 layers", 16_000);
    await assertArrived(user, engine);
    assertSent(await pushes(user), "0 of 3 layers", 0);
  });
}

Deno.test("push sends of an image for several platforms the one that is used here", async () => {
  await using local = await newerEngine("containerd");
  await using user = await pusher("reykjavik", { socket: local.socket });
  await Deno.writeFile(`${user.workDir}/image.tar`, await imageForTwo());
  await user.does(`docker load -q -i image.tar && docker tag lab/two:1 ${user.tag}`);
  assertSent(await pushes(user), "1 of 1 layers", 16_000);
  const format = "{{.Architecture}} {{json .RootFS.Layers}} {{json .Config.Env}}";
  const inspected = await user.does(`docker image inspect --format '${format}' ${user.tag}`);
  assert.match(inspected, /^amd64 .*ARCHITECTURE=amd64/);
  assert.equal(
    (await reykjavik(["docker", "image", "inspect", "--format", format, user.tag])).stdout,
    inspected,
  );
  assertSent(await pushes(user), "0 of 1 layers", 0);
});

/** An archive of an image lab/two:1 for amd64 and arm64, with a layer of its own each. */
async function imageForTwo(): Promise<Uint8Array<ArrayBuffer>> {
  const files: [string, string | Uint8Array<ArrayBuffer>][] = [];
  const blob = async (type: string, content: string | Uint8Array<ArrayBuffer>): Promise<{
    mediaType: string;
    digest: string;
    size: number;
  }> => {
    const digest = await digestOf(content);
    files.push([`blobs/sha256/${digest}`, content]);
    return {
      mediaType: `application/vnd.oci.image.${type}`,
      digest: `sha256:${digest}`,
      size: content.length,
    };
  };
  const manifests = [];
  for (const architecture of ["amd64", "arm64"]) {
    const layer = await blob(
      "layer.v1.tar",
      tar([["now", `${architecture} ${crypto.randomUUID()}`]]),
    );
    const platform = { os: "linux", architecture };
    const config = await blob(
      "config.v1+json",
      JSON.stringify({
        ...platform,
        created: "2026-11-25T01:19:10Z",
        config: { Env: [`ARCHITECTURE=${architecture}`], Labels: { "dockerdo.lab": "1" } },
        rootfs: { type: "layers", diff_ids: [layer.digest] },
      }),
    );
    const manifest = { schemaVersion: 2, config, layers: [layer] };
    manifests.push({ ...await blob("manifest.v1+json", JSON.stringify(manifest)), platform });
  }
  const index = await blob("index.v1+json", JSON.stringify({ schemaVersion: 2, manifests }));
  const annotations = { "io.containerd.image.name": "docker.io/lab/two:1" };
  return tar([
    ...files,
    ["index.json", JSON.stringify({ schemaVersion: 2, manifests: [{ ...index, annotations }] })],
    ["oci-layout", '{"imageLayoutVersion":"1.0.0"}'],
  ]);
}

Deno.test("a volume's name that is options of docker create binds no directory of the engine's host", async () => {
  await using local = await newerEngine("containerd");
  await using user = await pusher("reykjavik", { socket: local.socket });
  // Where the engine sees the directory of its socket.
  const victim = `${local.socket.replace(/[^/]*$/, "")}victim`;
  await london(["mkdir", victim]);
  const options = "type=none,volume-opt=o=bind,volume-opt=device=/mnt/run/victim";
  const volume = `/x,type=volume,target=/payload,volume-driver=local,volume-opt=${options}`;
  await user.build(
    `FROM ${BASE_IMAGE}`,
    "RUN mkdir /payload && echo taken > /payload/file",
    `VOLUME ${JSON.stringify([volume])}`,
    smallLayer(),
  );
  await pushes(user);
  await assertArrived(user, CLASSIC);
  assert.equal((await london(["ls", "-A", victim])).stdout, "");
});

Deno.test("where containerd's content store cannot be read, push sends what docker save gives", async () => {
  await using local = await newerEngine("containerd");
  await using engine = await secondEngine({ megabytes: 700, store: "containerd" });
  await using user = await pusher(engine.host, { socket: local.socket });
  await user.build(`FROM ${BASE_IMAGE}`, smallLayer());
  assertSent(await pushes(user), "2 of 2 layers", BASE_BYTES);
  const docker = (await user.does("command -v docker")).trim();
  const script = `#!/bin/sh\n[ "$1" != create ] || exit 1\nexec ${docker} "$@"\n`;
  await Deno.writeTextFile(`${user.home}/bin/docker`, script, { mode: 0o755 });
  await user.build(`FROM ${user.tag}`, smallLayer());
  assertSent(await pushes(user), "1 of 3 layers", 16_000);
  await assertArrived(user, engine);
});

Deno.test("push to a login whose shell prints noise arrives all the same", async () => {
  await using user = await pusher("reykjavik-noisy");
  const id = await user.build(`FROM ${BASE_IMAGE}`, smallLayer());
  assertSent(await pushes(user), "1 of 2 layers", 16_000);
  assert.equal(await idOf(reykjavik, user.tag), id);
});

Deno.test("a dry run of push sends nothing", async () => {
  await using user = await pusher("reykjavik");
  await user.build(`FROM ${BASE_IMAGE}`, smallLayer());
  const { code, stdout, stderr } = await user.types("dockerdo push --dry-run");
  assert.deepEqual([code, stdout], [0, ""]);
  assert.match(stderr, /^docker save sha256:[0-9a-f]{64} \| ssh -F .* reykjavik /m);
  assert.equal(await idOf(reykjavik, user.tag), "");
});

for (
  const [signal, exitCode, message] of [
    ["INT", 130, /interrupted by SIGINT\n$/],
    ["HUP", 129, /interrupted by SIGHUP\n$/],
    ["KILL", 137, /Exporting/],
  ] as const
) {
  Deno.test(`a push that SIG${signal} ends leaves the old image tagged and no process, and the next one arrives`, async () => {
    await using base = await freshBase();
    await using link = startLink({ to: "10.77.0.2:22", rttMs: 0 });
    await using _host = await addHost("reykjavik-interrupted", { port: link.port });
    await using user = await pusher("reykjavik-interrupted");
    const old = await user.build(`FROM ${BASE_IMAGE}`, smallLayer());
    await pushes(user);
    const id = await user.build(`FROM ${base.tag}`, smallLayer());
    link.setRate(2e6);
    const before = link.bytes.up;
    const pushing = user.types("echo $$ > pid; exec dockerdo push");
    await poll(() => link.bytes.up > before + 1e6, {
      what: "a megabyte under way",
      limitMs: 20_000,
    });
    await user.does(`kill -${signal} $(cat pid)`);
    const { code, stderr } = await pushing;
    assert.equal(code, exitCode, stderr);
    assert.match(stderr, message);
    await poll(async () => await loadsThere(id) === "", { what: "the end of docker load there" });
    await poll(async () => await readersHere() === "", { what: "the end of all that read here" });
    assert.equal(await idOf(reykjavik, user.tag), old);
    link.setRate(Infinity);
    assertSent(await pushes(user), "2 of 2 layers", BASE_BYTES);
    assert.equal(await idOf(reykjavik, user.tag), id);
  });
}

Deno.test("a link that is cut in the middle of a push is told of, and the next push arrives", async () => {
  await using base = await freshBase();
  await using link = startLink({ to: "10.77.0.2:22", rttMs: 0 });
  await using _host = await addHost("reykjavik-cut", { port: link.port });
  await using user = await pusher("reykjavik-cut");
  const id = await user.build(`FROM ${base.tag}`, smallLayer());
  link.setRate(2e6);
  const before = link.bytes.up;
  const pushing = user.types("dockerdo push");
  await poll(() => link.bytes.up > before + 1e6, { what: "a megabyte under way", limitMs: 20_000 });
  link.cut();
  const { code, stderr } = await pushing;
  assert.equal(code, 1, stderr);
  assert.match(
    stderr,
    /the connection to reykjavik-cut was lost: .*\n {2}The images on the remote host are unchanged/,
  );
  await poll(async () => await loadsThere(id) === "", { what: "the end of docker load there" });
  assert.equal(await idOf(reykjavik, user.tag), "");
  link.setRate(Infinity);
  assertSent(await pushes(user), "2 of 2 layers", BASE_BYTES);
  assert.equal(await idOf(reykjavik, user.tag), id);
});

Deno.test("the parts of a big image go over one after the other, and none is left", async () => {
  await using base = await freshBase();
  await using user = await pusher("reykjavik");
  const noise = (name: string): string => `RUN head -c 40000000 /dev/urandom > /${name}`;
  const id = await user.build(`FROM ${base.tag}`, noise("a"), noise("b"), smallLayer());
  const { code, stderr } = await user.types("dockerdo push");
  assert.equal(code, 0, stderr);
  const told = stderr.trim().split("\n");
  assert.deepEqual(
    told.slice(0, -1).filter((line) => !line.includes("dockerdo build --remote")),
    [
      `[local] Exporting ${user.tag}`,
      ...["85.3 MB", "40 MB", "40 MB", "2.05 kB"].map((size, at) =>
        `[remote] Layer ${at + 1} of 4: ${size}`
      ),
    ],
  );
  assertSent(told.at(-1) ?? "", "4 of 4 layers", 170e6);
  assert.equal(await idOf(reykjavik, user.tag), id);
  assert.equal(await CLASSIC.docker(["image", "ls", "-q", "--filter", "label=dockerdo.push"]), "");
  assert.equal(await readersHere(), "");
});

Deno.test("a part that cannot be read is told of, and only the rest goes as docker save gives it", async () => {
  await using user = await pusher("reykjavik");
  const big = (): Uint8Array<ArrayBuffer> => {
    const content = new Uint8Array(34e6);
    content.set(crypto.getRandomValues(new Uint8Array(64)));
    return content;
  };
  const layers = [tar([["a", big()]]), tar([["z", big()], ["b", "not in the order of a walk"]])];
  const config = JSON.stringify({
    os: "linux",
    architecture: "amd64",
    created: "2026-11-25T01:19:10Z",
    config: { Labels: { "dockerdo.lab": "1" } },
    history: layers.map(() => ({ created: "2026-11-25T01:19:10Z", created_by: "a test" })),
    rootfs: {
      type: "layers",
      diff_ids: await Promise.all(layers.map(async (layer) => `sha256:${await digestOf(layer)}`)),
    },
  });
  const Layers = ["1/layer.tar", "2/layer.tar"];
  const manifest = [{ Config: "config.json", RepoTags: [user.tag], Layers }];
  await Deno.writeFile(
    `${user.workDir}/image.tar`,
    tar([
      ["config.json", config],
      ...layers.map((layer, at) => [Layers[at] ?? "", layer] as const),
      ["manifest.json", JSON.stringify(manifest)],
    ]),
  );
  await user.does("docker load -q -i image.tar && rm image.tar");
  const { code, stderr } = await user.types("dockerdo push");
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /the files of a layer are in an order of their own: docker save reads the whole/,
  );
  // The first one had come by then.
  assertSent(stderr.trim().split("\n").at(-1) ?? "", "1 of 2 layers", 35e6);
  assert.equal(await idOf(reykjavik, user.tag), await idOf(london, user.tag));
  assert.equal(await CLASSIC.docker(["image", "ls", "-q", "--filter", "label=dockerdo.push"]), "");
});

for (const store of ["overlay2", "containerd"] as const) {
  Deno.test(`what ${store} has of a big image when the link is cut is not sent again`, async () => {
    await using engine = await secondEngine({
      megabytes: 900,
      ...store === "overlay2" ? {} : { store },
    });
    await using link = startLink({ to: "10.77.0.2:22", rttMs: 0 });
    const user = engine.host.replace("reykjavik-", "");
    await using _host = await addHost(`parts-${user}`, { port: link.port, user });
    await using base = await freshBase();
    await using pushing = await pusher(`parts-${user}`);
    const noise = "RUN head -c 40000000 /dev/urandom > /noise";
    await pushing.build(`FROM ${base.tag}`, noise, smallLayer());
    link.setRate(1e7);
    const first = pushing.types("dockerdo push");
    const parts = ["image", "ls", "-q", "--filter", "label=dockerdo.push"];
    await poll(() => engine.docker(parts), { what: "the first part", limitMs: 30_000 });
    link.cut();
    const { code, stderr } = await first;
    assert.equal(code, 1, stderr);
    assert.match(
      stderr,
      /the connection to parts-edda\w+ was lost: .*\n {2}The images on the remote host are unchanged/,
    );
    link.setRate(Infinity);
    const second = await pushing.types("dockerdo push");
    assert.match(second.stderr, /^\[remote\] parts-edda\w+ has 1 of 3 layers$/m);
    assertSent(second.stderr.trim().split("\n").at(-1) ?? "", "2 of 3 layers", 41e6);
    await assertArrived(pushing, engine);
    assert.equal(await engine.docker(parts), "");
  });
}

Deno.test("a link that freezes in the middle of a push ends it in time, and the next push arrives", async () => {
  await using base = await freshBase();
  await using link = startLink({ to: "10.77.0.2:22", rttMs: 0 });
  await using _host = await addHost("reykjavik-frozen", { port: link.port });
  await using user = await pusher("reykjavik-frozen");
  const id = await user.build(`FROM ${base.tag}`, smallLayer());
  link.setRate(2e6);
  const before = link.bytes.up;
  const pushing = user.types("dockerdo push");
  await poll(() => link.bytes.up > before + 1e6, { what: "a megabyte under way", limitMs: 20_000 });
  link.freeze();
  const frozen = Date.now();
  const { code, stderr } = await pushing;
  assert.equal(code, 1, stderr);
  assert.match(
    stderr,
    /the connection to reykjavik-frozen was lost: .*\n {2}The images on the remote host are unchanged/,
  );
  // ServerAliveInterval 5, ServerAliveCountMax 3.
  assert.ok(Date.now() - frozen < 25_000, `${Date.now() - frozen} ms`);
  assert.equal(await readersHere(), "");
  link.cut();
  link.thaw();
  await poll(async () => await loadsThere(id) === "", { what: "the end of docker load there" });
  assert.equal(await idOf(reykjavik, user.tag), "");
  link.setRate(Infinity);
  assertSent(await pushes(user), "2 of 2 layers", BASE_BYTES);
  assert.equal(await idOf(reykjavik, user.tag), id);
});

for (const store of ["overlay2", "containerd"] as const) {
  Deno.test(`a full disk of ${store} there is told of with what to do, and the next push arrives`, async () => {
    await using engine = await secondEngine({
      megabytes: 400,
      ...store === "overlay2" ? {} : { store },
    });
    await using user = await pusher(engine.host);
    await user.build(`FROM ${BASE_IMAGE}`, smallLayer());
    const path = await fillDisk(engine, 300);
    const { code, stderr } = await user.types("dockerdo push");
    assert.equal(code, 1, stderr);
    assert.match(stderr, /no space left on device.*\n {2}Make room on reykjavik-edda/);
    assert.equal(await engine.docker(["image", "ls", "-aq"]), "");
    await reykjavik(["rm", path]);
    assertSent(await pushes(user), "2 of 2 layers", BASE_BYTES);
    await assertArrived(user, engine);
  });
}

Deno.test("an engine that is restarted in the middle of a push is told of, and the next push arrives", async () => {
  await using engine = await secondEngine({ megabytes: 500 });
  await using link = startLink({ to: "10.77.0.2:22", rttMs: 0 });
  const name = engine.host.replace("reykjavik-", "");
  await using _host = await addHost(`slow-${name}`, { port: link.port, user: name });
  await using user = await pusher(`slow-${name}`);
  const id = await user.build(`FROM ${BASE_IMAGE}`, smallLayer());
  link.setRate(2e6);
  const before = link.bytes.up;
  const pushing = user.types("dockerdo push");
  await poll(() => link.bytes.up > before + 1e6, { what: "a megabyte under way", limitMs: 20_000 });
  await engine.restart();
  const { code, stderr } = await pushing;
  assert.equal(code, 1, stderr);
  assert.match(stderr, /^dockerdo: Loading the image on slow-edda\w+ failed/m);
  assert.equal(await engine.docker(["image", "ls", "-aq"]), "");
  link.setRate(Infinity);
  assertSent(await pushes(user), "2 of 2 layers", BASE_BYTES);
  assert.equal(
    (await engine.docker(["image", "inspect", "--format", "{{.Id}}", user.tag])).trim(),
    id,
  );
});

Deno.test("where an engine refuses a thin archive, push says so and sends the whole one", async () => {
  await using engine = await secondEngine({ megabytes: 600 });
  await using user = await pusher(engine.host);
  await user.build(`FROM ${BASE_IMAGE}`);
  assertSent(await pushes(user), "1 of 1 layers", BASE_BYTES);
  await engine.addProgram(
    "docker",
    `[ "$1" = load ] && [ ! -e ~/refused ] || exec /usr/bin/env -i DOCKER_HOST="$DOCKER_HOST" ${await dockerThere()} "$@"
     cat >/dev/null; touch ~/refused; echo "layer not found" >&2; exit 1`,
  );
  const id = await user.build(`FROM ${BASE_IMAGE}`, smallLayer());
  const { code, stderr } = await user.types("dockerdo push");
  assert.equal(code, 0, stderr);
  assert.match(stderr, /layer not found: sending the whole image instead\n/);
  assertSent(stderr.trim().split("\n").at(-1) ?? "", "2 of 2 layers", BASE_BYTES);
  assert.equal(
    (await engine.docker(["image", "inspect", "--format", "{{.Id}}", user.tag])).trim(),
    id,
  );
});

// Whether gzip keeps up with the link depends on how busy the machine is; the unit tests pin the decision.
for (
  const [programs, least, most] of [[["gzip"], 2e7, BASE_BYTES], [[], 8e7, BASE_BYTES]] as const
) {
  Deno.test(`push arrives where the remote host has ${programs[0] ?? "no program"} to decompress`, async () => {
    await using engine = await secondEngine({ megabytes: 500 });
    await engine.onlyPrograms(["sh", "docker", "grep", "mkdir", ...programs]);
    await using link = startLink({ to: "10.77.0.2:22", rttMs: 0, bytesPerSecond: 1e7 });
    const name = engine.host.replace("reykjavik-", "");
    await using _host = await addHost(`bare-${name}`, { port: link.port, user: name });
    await using user = await pusher(`bare-${name}`);
    const id = await user.build(`FROM ${BASE_IMAGE}`, smallLayer());
    assertSent(await pushes(user), "2 of 2 layers", most);
    assert.ok(link.bytes.up > least, `${link.bytes.up}`);
    assert.equal(
      (await engine.docker(["image", "inspect", "--format", "{{.Id}}", user.tag])).trim(),
      id,
    );
  });
}

Deno.test("with a registry push pushes there and the remote engine pulls, both visibly", async () => {
  await using registry = await startRegistry();
  await using user = await pusher("reykjavik", { options: `--registry ${registry.address}` });
  assert.equal(user.tag.startsWith(`${registry.address}/dockerdo-lab/debian:`), true);
  const id = await user.build(`FROM ${BASE_IMAGE}`, smallLayer());
  const { code, stdout, stderr } = await user.types("dockerdo push");
  assert.deepEqual([code, stdout], [0, ""], stderr);
  assert.match(
    stderr,
    /^\[local\] Pushing 127[^]*: Pushed\n[^]*^\[remote\] Pulling 127[^]*: Pull complete\n/m,
  );
  assert.match(stderr, /\[remote\] Pushed 127\S+: 2 layers, 82 MB, [\dms. ]+\n$/);
  assert.equal(await idOf(reykjavik, user.tag), id);
});

Deno.test("a registry that refuses is told of with what to check", async () => {
  await using registry = await startRegistry({ onReykjavik: false });
  await using user = await pusher("reykjavik", { options: `--registry ${registry.address}` });
  await user.build(`FROM ${BASE_IMAGE}`);
  const { code, stderr } = await user.types("dockerdo push");
  assert.equal(code, 1, stderr);
  assert.match(
    stderr,
    /docker pull \S+ failed with exit code 1\n {2}Check that docker login to 127/,
  );
});

async function dockerThere(): Promise<string> {
  return (await reykjavik(["sh", "-c", "command -v docker"])).stdout.trim();
}

async function fillDisk(engine: { host: string }, megabytes: number): Promise<string> {
  const path = `/var/lib/${engine.host.replace("reykjavik-", "")}/ballast`;
  await reykjavik(["sh", "-c", `head -c ${megabytes}000000 /dev/zero > ${path}`]);
  return path;
}
