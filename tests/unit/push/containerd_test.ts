import assert from "node:assert/strict";
import {
  assembleBlobs,
  blobsArgv,
  lowestLayers,
  readStoredImage,
  type StoredImage,
} from "../../../src/push/containerd.ts";
import { UnfitLayer } from "../../../src/push/tar_split.ts";
import { type Bytes, contents, digestOf, inPieces, storedBlobs, tar, whole } from "./archives.ts";
import { fakes, temporaryDir, testContext } from "../fixture.ts";

const PLATFORM = { os: "linux", architecture: "arm64", variant: "v8" };
const LAYERS = ["the lowest", "the middle", "the top"];
const STORED = await storedBlobs({
  diffIds: ["sha256:1", "sha256:2", "sha256:3"],
  contents: LAYERS,
});
const NAMES = STORED.manifest.layers.map(({ digest }) =>
  digest.replace("sha256:", "blobs/sha256/")
);
const CONFIG = STORED.manifest.config.digest.replace("sha256:", "blobs/sha256/");

async function read(output: string, digest = STORED.digest): Promise<StoredImage | undefined> {
  return await readStoredImage(testContext(), "local", {
    sessionId: "5e551011",
    image: digest,
    digest,
    platform: PLATFORM,
    output,
  });
}

async function stored(): Promise<StoredImage> {
  const image = await read(STORED.output);
  assert.ok(image);
  return image;
}

/** What docker cp writes of these layers. */
function copied(positions: readonly number[], change = (text: string): string => text): Bytes {
  return tar([
    ["dockerdo-1/", "", "5"],
    ["dockerdo-1/layers/", "", "5"],
    ...positions.map((at) => [`dockerdo-1/layers/00${at}`, change(LAYERS[at] ?? "")] as const),
  ]);
}

Deno.test("an image is read out of the content store with the bytes it has there", async () => {
  assert.deepEqual(await stored(), {
    ...STORED.manifest,
    store: "/store/blobs",
    manifest: new TextEncoder().encode(STORED.text),
    configuration: new TextEncoder().encode(STORED.configuration),
    diffIds: ["sha256:1", "sha256:2", "sha256:3"],
  });
});

Deno.test("an image whose blobs are not what their digests say is not read", async () => {
  assert.deepEqual(
    [
      await read(""),
      await read(STORED.output, `sha256:${"0".repeat(64)}`),
      await read(STORED.output.replace("linux", "minix")),
      await read(STORED.output.slice(0, STORED.output.lastIndexOf("\x1f"))),
      await read(STORED.output.replace("/store/blobs", "/store,readonly=false")),
    ],
    [undefined, undefined, undefined, undefined, undefined],
  );
});

Deno.test("of an image for several platforms the one that is asked for is read", async () => {
  const entry = (digest: string, architecture: string, variant?: string): unknown => ({
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest,
    size: 1,
    platform: { os: "linux", architecture, ...variant === undefined ? {} : { variant } },
  });
  const other = `sha256:${"0".repeat(64)}`;
  const index = (variant: string): string =>
    JSON.stringify({
      manifests: [
        entry(other, "amd64"),
        entry(other, "arm64", "v9"),
        entry(STORED.digest, "arm64", variant),
        entry(other, "unknown"),
      ],
    });
  const answered = async (text: string): Promise<StoredImage | undefined> => {
    using dir = temporaryDir();
    using fake = fakes(dir.path, {
      FAKE_docker_info: '[["driver-type","io.containerd.snapshotter.v1"]] /var/lib/docker\n',
      FAKE_docker_create: "container\n",
      // The fake gives one answer for both blobs: the configuration is there, the manifest not.
      FAKE_docker_cp: STORED.configuration,
      FAKE_docker_rm: "",
      FAKE_docker_ps: "",
    });
    const digest = `sha256:${await digestOf(text)}`;
    const image = await readStoredImage(testContext({ env: fake.env }), "local", {
      sessionId: "5e551011",
      image: "sha256:image",
      digest,
      platform: PLATFORM,
      output: `\x1f/store\x1f${text}`,
    });
    const [create] = fake.calls().filter(([, verb]) => verb === "create");
    assert.deepEqual(
      create?.filter((word) => /^type=/.test(word)).map((word) =>
        word.replace(/dockerdo-[-\w]+/, "dir")
      ),
      text.includes('"v8"')
        ? [
          "type=bind,source=/var/lib/docker/containerd/daemon/io.containerd.content.v1.content/blobs/sha256," +
          "target=/dir,readonly",
        ]
        : undefined,
    );
    const copies = fake.calls().filter(([, verb]) => verb === "cp").map(([, , path]) =>
      path?.replace(/.*\//, "")
    );
    assert.deepEqual(copies, text.includes('"v8"') ? [STORED.digest.slice(7)] : []);
    return image;
  };
  assert.deepEqual([await answered(index("v8")), await answered(index("v7"))], [
    undefined,
    undefined,
  ]);
});

Deno.test("with a classic image store no container is made to look for blobs", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, {
    FAKE_docker_info: '[["Backing Filesystem","extfs"]] /var/lib/docker\n',
  });
  const image = await readStoredImage(testContext({ env: fake.env }), "local", {
    sessionId: "5e551011",
    image: "sha256:image",
    digest: STORED.digest,
    platform: PLATFORM,
  });
  assert.deepEqual([image, fake.calls().length], [undefined, 1]);
});

Deno.test("the blobs that are needed are mounted, nothing else of the content store", async () => {
  const argv = blobsArgv("5e551011", "sha256:image", { stored: await stored(), present: 1 });
  const dir = argv[6] ?? "";
  const mount = (digest: string, target: string): string[] => [
    "--mount",
    `type=bind,source=/store/blobs/${digest.slice(7)},target=${dir}/${target},readonly`,
  ];
  const digests = STORED.manifest.layers.map(({ digest }) => digest);
  assert.deepEqual(argv.slice(7), [
    ...mount(digests[1] ?? "", "layers/001"),
    ...mount(digests[2] ?? "", "layers/002"),
    "sha256:image",
    "x",
  ]);
});

Deno.test("blobs become an archive whose manifest has them in the image's order", async () => {
  const heard: unknown[] = [];
  const archive = await whole(
    assembleBlobs(inPieces(copied([1, 2])), await stored(), {
      present: 1,
      onLayer: (layer) => heard.push(layer),
      onSize: (bytes) => heard.push(bytes),
    }),
  );
  assert.deepEqual(await contents(archive), {
    [CONFIG]: STORED.configuration,
    [NAMES[1] ?? ""]: "the middle",
    [NAMES[2] ?? ""]: "the top",
    "manifest.json": JSON.stringify([{ Config: CONFIG, RepoTags: null, Layers: NAMES }]),
  });
  assert.deepEqual(heard, [
    17,
    { position: 1, size: 10, sent: true },
    { position: 2, size: 7, sent: true },
  ]);
});

Deno.test("the manifest stays as it is unless the other store has other blobs of the lowest layers", async () => {
  const manifestIn = async (base: StoredImage["layers"]): Promise<string> => {
    const archive = await whole(
      assembleBlobs(inPieces(copied([1, 2])), await stored(), { present: 1, base }),
    );
    const files = await contents(archive);
    const { manifests: [{ digest, size }] } = JSON.parse(files["index.json"] ?? "");
    const text = files[digest.replace("sha256:", "blobs/sha256/")] ?? "";
    assert.deepEqual([digest, size], [`sha256:${await digestOf(text)}`, text.length]);
    return text;
  };
  assert.equal(await manifestIn(STORED.manifest.layers.slice(0, 1)), STORED.text);
  const other = { mediaType: "application/x", digest: `sha256:${"0".repeat(64)}`, size: 3 };
  const { config, layers } = JSON.parse(await manifestIn([other]));
  assert.deepEqual({ config, layers }, {
    config: STORED.manifest.config,
    layers: [other, ...STORED.manifest.layers.slice(1)],
  });
});

Deno.test("the lowest layers make an image of their own", async () => {
  const configuration = new TextEncoder().encode('{"rootfs":{}}');
  const part = await lowestLayers(await stored(), { layers: 2, configuration });
  const digest = `sha256:${await digestOf(configuration)}`;
  const layers = STORED.manifest.layers.slice(0, 2);
  assert.deepEqual(
    { ...part, manifest: JSON.parse(new TextDecoder().decode(part.manifest)) },
    {
      config: { ...STORED.manifest.config, digest, size: configuration.length },
      layers,
      store: "/store/blobs",
      configuration,
      diffIds: ["sha256:1", "sha256:2"],
      manifest: {
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: { ...STORED.manifest.config, digest, size: configuration.length },
        layers,
      },
    },
  );
});

Deno.test("blobs that are missing, cut off or of another size are refused", async () => {
  const image = await stored();
  const longer = (text: string): string => `${text}!`;
  for (
    const source of [
      copied([2]),
      copied([1]),
      copied([1, 2], longer),
      copied([1, 2]).slice(0, 3 * 1024 + 100),
      new Uint8Array(),
    ]
  ) {
    await assert.rejects(whole(assembleBlobs(inPieces(source), image, { present: 1 })), UnfitLayer);
  }
});
