import assert from "node:assert/strict";
import { assembleArchive, hasReadableLayers, layersArgv } from "../../../src/push/overlay2.ts";
import { tarHeader, TarReader } from "../../../src/push/tar.ts";
import { UnfitLayer } from "../../../src/push/tar_split.ts";
import { type Bytes, digestOf, inPieces, joined, recorded, tar, whole } from "./archives.ts";

// tests/unit/recorded/layers.tar.gz: what the child of layersArgv() wrote (docker 20.10) for an image of a Debian
// and two layers, with all but the lowest. The second of them has hard links, white-outs, an opaque directory,
// a symbolic link, an empty file, names of 456 bytes, of UTF-8 and of no UTF-8.
const ID = "sha256:fdff63046c04537a9ae9fed39b9ef2216043f325130a2d83786a6b39a51d25bc";
const LAYERS = [
  "sha256:cdf451bb49d23dfb90391e3516a48efc0c922524a435df0baf90e891f3a0bf53",
  "sha256:9256303ffcce8b65bad465c516aab63b66133749731d5cf9b9c8867eb0cabe1c",
  "sha256:12422c46e051191ab0a01dc6bffc05ab126a59a8a10ea6c72dcb107ac51ee4cc",
];
const NAMES = LAYERS.map((digest) => `blobs/sha256/${digest.slice(7)}`);
const IMAGE = { id: ID, layers: LAYERS };

const ROOT = "/var/lib/docker";
const STORED = {
  ...IMAGE,
  layerDirs: ["a", "b", "c"].map((name) => `${ROOT}/overlay2/${name}/diff`),
};

async function assembled(copied: Bytes, { image = IMAGE, present = 1 } = {}): Promise<Bytes> {
  return await whole(assembleArchive(inPieces(copied), image, { present }));
}

async function entries(archive: Bytes): Promise<Map<string, Bytes>> {
  const reader = new TarReader(inPieces(archive, 4096));
  const found = new Map<string, Bytes>();
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    found.set(entry.name, await whole(reader.data()));
  }
  return found;
}

Deno.test("layers are put together to the byte", async () => {
  const heard: unknown[] = [];
  const archive = await whole(
    assembleArchive(inPieces(await recorded("layers.tar.gz")), IMAGE, {
      present: 1,
      onLayer: (layer) => heard.push(layer),
      onSize: (bytes) => heard.push(bytes),
    }),
  );
  const files = await entries(archive);
  const config = `blobs/sha256/${ID.slice(7)}`;
  assert.deepEqual([...files.keys()], [config, NAMES[1], NAMES[2], "manifest.json"]);
  assert.deepEqual(
    await Promise.all(
      [config, NAMES[1], NAMES[2]].map(async (name = "") =>
        `sha256:${await digestOf(files.get(name) ?? "")}`
      ),
    ),
    [ID, LAYERS[1], LAYERS[2]],
  );
  assert.deepEqual(JSON.parse(new TextDecoder().decode(files.get("manifest.json"))), [
    { Config: config, RepoTags: null, Layers: NAMES },
  ]);
  const sizes = [NAMES[1], NAMES[2]].map((name = "") => files.get(name)?.length ?? 0);
  assert.deepEqual(heard, [
    (sizes[0] ?? 0) + (sizes[1] ?? 0),
    { position: 1, size: sizes[0], sent: true },
    { position: 2, size: sizes[1], sent: true },
  ]);
});

Deno.test("for an image store made of blobs the archive has a manifest that names those that are there", async () => {
  const gzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
  const base = [{ mediaType: gzip, digest: `sha256:${"b".repeat(64)}`, size: 7 }];
  const archive = await whole(
    assembleArchive(inPieces(await recorded("layers.tar.gz")), IMAGE, { present: 1, base }),
  );
  const files = await entries(archive);
  const config = `blobs/sha256/${ID.slice(7)}`;
  const [, , , name = ""] = files.keys();
  assert.deepEqual([...files.keys()], [
    config,
    NAMES[1],
    NAMES[2],
    name,
    "index.json",
    "oci-layout",
  ]);
  const content = (name: string): unknown => JSON.parse(new TextDecoder().decode(files.get(name)));
  const blob = (mediaType: string, name = ""): unknown => ({
    mediaType: `application/vnd.oci.image.${mediaType}`,
    digest: name.replace("blobs/sha256/", "sha256:"),
    size: files.get(name)?.length,
  });
  assert.deepEqual(content("index.json"), {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [blob("manifest.v1+json", name)],
  });
  assert.equal(await digestOf(files.get(name) ?? ""), name.slice("blobs/sha256/".length));
  assert.deepEqual(content(name), {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: blob("config.v1+json", config),
    layers: [...base, blob("layer.v1.tar", NAMES[1]), blob("layer.v1.tar", NAMES[2])],
  });
  assert.deepEqual(content("oci-layout"), { imageLayoutVersion: "1.0.0" });
});

Deno.test("a part of an image has a configuration of its own, and waits for the part below it", async () => {
  const configuration = new TextEncoder().encode('{"rootfs":{}}');
  const gzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
  const base = [{ mediaType: gzip, digest: `sha256:${"b".repeat(64)}`, size: 7 }];
  const heard: unknown[] = [];
  const pieces: Bytes[] = [];
  const archive = assembleArchive(inPieces(await recorded("layers.tar.gz")), {
    ...IMAGE,
    layers: LAYERS.slice(0, 2),
  }, {
    present: 1,
    base,
    configuration,
    beforeEnd: (layers) => {
      heard.push(layers);
      assert.doesNotMatch(new TextDecoder().decode(joined(pieces)), /oci-layout/);
      return Promise.resolve();
    },
  });
  for await (const piece of archive) pieces.push(piece.slice());
  const config = `blobs/sha256/${await digestOf(configuration)}`;
  const files = await entries(joined(pieces));
  assert.deepEqual([...files.keys()].slice(0, 2), [config, NAMES[1]]);
  assert.deepEqual(files.get(config), configuration);
  assert.deepEqual(heard, [[...base, {
    mediaType: "application/vnd.oci.image.layer.v1.tar",
    digest: LAYERS[1],
    size: files.get(NAMES[1] ?? "")?.length,
  }]]);
});

Deno.test("an archive of an image whose layers are all there has its configuration", async () => {
  const files = await entries(await assembled(await recorded("layers.tar.gz"), { present: 3 }));
  assert.deepEqual([...files.keys()], [`blobs/sha256/${ID.slice(7)}`, "manifest.json"]);
});

Deno.test("nothing comes out before all the layers are known to be fit", async () => {
  const copied = await recorded("layers.tar.gz");
  let out = 0;
  let gone = 0;
  const pieces = async function* (): AsyncGenerator<Bytes> {
    for await (const piece of inPieces(copied.slice(0, 9000), 100)) {
      gone += piece.length;
      yield piece;
    }
  };
  const reading = async (): Promise<void> => {
    for await (const piece of assembleArchive(pieces(), IMAGE, { present: 1 })) out += piece.length;
  };
  await assert.rejects(reading(), UnfitLayer);
  assert.deepEqual([out, gone], [0, 9000]);
});

Deno.test("a copy that is cut off is refused, wherever that was", async () => {
  const copied = await recorded("layers.tar.gz");
  for (let length = 0; length < copied.length - 10_240; length += 511) {
    await assert.rejects(assembled(copied.slice(0, length)), UnfitLayer, `${length}`);
  }
});

/** The recorded copy with its files changed: undefined takes one away. */
async function altered(
  change: (name: string, content: Bytes) => Bytes | undefined,
): Promise<Bytes> {
  const parts: Bytes[] = [];
  const reader = new TarReader(inPieces(await recorded("layers.tar.gz"), 4096));
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    const content = await whole(reader.data());
    const name = entry.name.slice(entry.name.indexOf("/") + 1);
    const changed = change(name, content);
    if (changed === content) {
      parts.push(entry.header, content, new Uint8Array(-content.length & 511));
    } else if (changed !== undefined) {
      parts.push(tar([[entry.name, changed]]).slice(0, -1024));
    }
  }
  return joined([...parts, new Uint8Array(1024)]);
}

Deno.test("a file that is not as it was when the layer was made is refused", async () => {
  for (const name of ["3-files/001/old/x", "3-files/002/a/b/one", "3-files/002/a/\xff\xfe"]) {
    const complaint = {
      message: `${JSON.stringify(name)} in the engine's store does not match the layer`,
    };
    const taken = await altered((here, content) => here === name ? undefined : content);
    await assert.rejects(assembled(taken), complaint);
    const longer = await altered((here, content) =>
      here === name ? joined([content, content]) : content
    );
    await assert.rejects(assembled(longer), complaint);
  }
});

Deno.test("a configuration that is another image's is refused", async () => {
  const other = await altered((name, content) =>
    name === "1-config" ? joined([content, Uint8Array.of(0x20)]) : content
  );
  await assert.rejects(assembled(other), { message: "the image's configuration is another one" });
});

Deno.test("a description of a layer that is too big to remember is refused", async () => {
  const other = await altered((name, content) =>
    name === "2-splits/001" ? new Uint8Array(2 ** 25 + 1) : content
  );
  await assert.rejects(assembled(other), {
    message: "the engine keeps too much of the layers' archives",
  });
});

Deno.test("of layers that are the same one is read", async () => {
  const twice = { ...STORED, layers: [LAYERS[1], LAYERS[0], LAYERS[1]].map(String) };
  const argv = await layersArgv("5e551011", twice, { present: 0 });
  const dir = argv[6];
  assert.deepEqual(argv.filter((word) => /-files\//.test(word)), [
    `type=bind,source=${ROOT}/overlay2/a/diff,target=${dir}/3-files/000,readonly`,
    `type=bind,source=${ROOT}/overlay2/b/diff,target=${dir}/3-files/001,readonly`,
  ]);
});

Deno.test("the layers that are needed are mounted, nothing else of the engine's store", async () => {
  const argv = await layersArgv("5e551011", STORED, { present: 1 });
  const dir = argv[6] ?? "";
  assert.match(dir, /^\/dockerdo-[-0-9a-f]{36}$/);
  const store = `${ROOT}/image/overlay2`;
  // sha256 of `LAYERS[0] LAYERS[1]`, and of that and LAYERS[2].
  const chain1 = await digestOf(`${LAYERS[0]} ${LAYERS[1]}`);
  const chain2 = await digestOf(`sha256:${chain1} ${LAYERS[2]}`);
  const mount = (source: string, target: string): string[] => [
    "--mount",
    `type=bind,source=${source},target=${dir}/${target},readonly`,
  ];
  assert.deepEqual(argv.slice(4), [
    "dockerdo.push=5e551011",
    String(Deno.pid),
    dir,
    ...mount(`${store}/imagedb/content/sha256/${ID.slice(7)}`, "1-config"),
    ...mount(`${store}/layerdb/sha256/${chain1}/tar-split.json.gz`, "2-splits/001"),
    ...mount(`${ROOT}/overlay2/b/diff`, "3-files/001"),
    ...mount(`${store}/layerdb/sha256/${chain2}/tar-split.json.gz`, "2-splits/002"),
    ...mount(`${ROOT}/overlay2/c/diff`, "3-files/002"),
    ID,
    "x",
  ]);
});

Deno.test("layers are readable where each is a directory of one overlay2", () => {
  const dirs = STORED.layerDirs;
  assert.deepEqual(
    [
      STORED,
      { ...STORED, layerDirs: [] },
      { ...STORED, layerDirs: dirs.slice(1) },
      { ...STORED, layerDirs: dirs.with(1, "/elsewhere/overlay2/b/diff") },
      { ...STORED, layerDirs: dirs.map((dir) => dir.replace("overlay2", "vfs")) },
      { ...STORED, layerDirs: dirs.map((dir) => dir.replace("lib", "li,b")) },
    ].map(hasReadableLayers),
    [true, false, false, false, false, false],
  );
});

Deno.test("a header has the size of a layer, however big it is", async () => {
  for (const size of [0, 1, 8 ** 11 - 1, 8 ** 11, 10 ** 13, Number.MAX_SAFE_INTEGER]) {
    const entry = await new TarReader(inPieces(tarHeader("a/layer.tar", size))).next();
    assert.deepEqual([entry?.name, entry?.type, entry?.size], ["a/layer.tar", "0", size]);
  }
});
