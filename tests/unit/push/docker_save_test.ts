import assert from "node:assert/strict";
import {
  legacyLayerIds,
  readLayerNames,
  thinArchive,
  type Thinning,
  UnknownLayerNames,
} from "../../../src/push/docker_save.ts";
import {
  type Bytes,
  contents,
  digestOf,
  header,
  inPieces,
  joined,
  recorded,
  tar,
  whole,
} from "./archives.ts";

// tests/unit/recorded/archive-legacy.tar.gz: docker save (20.10) of an image made with
// FROM scratch, COPY a /a, COPY b /b, COPY a /a, COPY b /c. The third layer is a link to the first.
const RECORDED = [
  "sha256:beb11a92afc28846e16cb2d68ac1d1c8d559f9df1dc22ed6cf0aa4d6c740c342",
  "sha256:601f64c8471a8a2f7955e0422cc723d2540a5fdb8f828afda462e38e6c3e704c",
  "sha256:beb11a92afc28846e16cb2d68ac1d1c8d559f9df1dc22ed6cf0aa4d6c740c342",
  "sha256:fa654d6d03f81b534cca59377893bb5dfab93528225693c60572f3b79be54ba0",
];
const RECORDED_NAMES = [
  "84f67e1f8279d92aa58386a3720a72f518c9077e19ecb0891ca6e96e7353cbac/layer.tar",
  "56add542020d2b5035b0661de186560afd87e7b7a0430ab175ef43aa028c7f29/layer.tar",
  "3707e12181bcb91d4659641f3ada8dd7f1464fbb35d9e5035d37527665d13f9b/layer.tar",
  "9f1217ebc39123015b6daf8ceddb519c5137eb59de7e34f46438378cd6ac860b/layer.tar",
];

async function thin(archive: Bytes, thinning: Thinning): Promise<Bytes> {
  return await whole(thinArchive(inPieces(archive), thinning));
}

async function layersIn(archive: Bytes): Promise<string[]> {
  return Object.keys(await contents(archive)).filter((name) => /layer\.tar|^blobs/.test(name));
}

/** An image in the OCI layout that engines from 25 on write; a compressed blob has any name. */
async function ociArchive(
  layers: readonly Bytes[],
  { compressed = false }: { compressed?: boolean } = {},
): Promise<{ archive: Bytes; digests: string[]; names: string[]; config: string }> {
  const digests = await Promise.all(layers.map(async (layer) => `sha256:${await digestOf(layer)}`));
  const blobs = await Promise.all(
    layers.map(async (layer, i) =>
      `blobs/sha256/${await digestOf(compressed ? `compressed ${i}` : layer)}`
    ),
  );
  const config = JSON.stringify({ architecture: "amd64", rootfs: { diff_ids: digests } });
  const configName = `blobs/sha256/${await digestOf(config)}`;
  const manifest = JSON.stringify([{ Config: configName, RepoTags: null, Layers: blobs }]);
  const files = new Map<string, string | Bytes>([[configName, config]]);
  for (const [i, layer] of layers.entries()) files.set(blobs[i] ?? "", layer);
  const sorted = [...files].sort(([a], [b]) => a < b ? -1 : 1);
  const archive = tar([
    ["blobs/", "", "5"],
    ["blobs/sha256/", "", "5"],
    ...sorted,
    ["index.json", JSON.stringify({ schemaVersion: 2, manifests: [] })],
    ["manifest.json", manifest],
    ["oci-layout", '{"imageLayoutVersion":"1.0.0"}'],
  ]);
  return { archive, digests, names: blobs, config: configName };
}

const big = (byte: number): Bytes => new Uint8Array(2 ** 20 + 1).fill(byte);

Deno.test("the directories of the old layout follow from the layers' digests", async () => {
  assert.deepEqual(
    (await legacyLayerIds(RECORDED)).map((id) => `${id}/layer.tar`),
    RECORDED_NAMES.slice(0, 3),
  );
  assert.deepEqual(await legacyLayerIds([]), []);
});

Deno.test("a recorded archive of the old layout comes through as it is where nothing is there", async () => {
  const archive = await recorded("archive-legacy.tar.gz");
  const sent = await thin(archive, { digests: RECORDED, present: 0 });
  // docker pads to a record of its own; the rest is the same to the byte.
  assert.deepEqual(sent, archive.slice(0, sent.length));
  assert.equal(archive.slice(sent.length).every((byte) => byte === 0), true);
});

for (const [present, left] of [[2, [2, 0, 3]], [3, [3]], [4, []]] as const) {
  Deno.test(`of a recorded archive with ${present} layers there, the others and all the rest are left`, async () => {
    const archive = await recorded("archive-legacy.tar.gz");
    const sent = await thin(archive, { digests: RECORDED, present });
    assert.deepEqual(await layersIn(sent), left.map((position) => RECORDED_NAMES[position]));
    const before = await contents(archive);
    const after = await contents(sent);
    for (const [name, content] of Object.entries(after)) assert.equal(content, before[name]);
    assert.equal(Object.keys(before).length - Object.keys(after).length, 4 - left.length);
  });
}

Deno.test("each layer is told of with its size as it goes by or does not", async () => {
  const layers: unknown[] = [];
  await thin(await recorded("archive-legacy.tar.gz"), {
    digests: RECORDED,
    present: 3,
    onLayer: (layer) => layers.push(layer),
  });
  assert.deepEqual(layers, [
    { position: 2, size: 0, sent: false },
    { position: 1, size: 2048, sent: false },
    { position: 0, size: 2048, sent: false },
    { position: 3, size: 2048, sent: true },
  ]);
});

Deno.test("of an OCI layout the blobs of the layers that are there stay behind", async () => {
  const { archive, digests, names, config } = await ociArchive([big(1), big(2), big(3)]);
  const sent = await thin(archive, { digests, present: 2 });
  assert.deepEqual((await layersIn(sent)).sort(), [config, names[2]].sort());
  assert.equal(
    (await contents(sent))["manifest.json"],
    (await contents(archive))["manifest.json"],
  );
});

Deno.test("blobs with names that tell nothing are known after a first reading", async () => {
  const { archive, digests, names, config } = await ociArchive([big(1), big(2), big(3)], {
    compressed: true,
  });
  await assert.rejects(thin(archive, { digests, present: 2 }), UnknownLayerNames);
  const known = await readLayerNames(inPieces(archive, 65_536), digests);
  assert.deepEqual([...known], names.map((name, i) => [name, i]));
  const sent = await thin(archive, { digests, present: 2, names: known });
  assert.deepEqual((await layersIn(sent)).sort(), [config, names[2]].sort());
  // Where nothing is there, nobody needs to know.
  assert.equal((await thin(archive, { digests, present: 0 })).length, archive.length);
});

Deno.test("an image store that goes by blobs is spared the very blobs that it has", async () => {
  const { archive, digests, names, config } = await ociArchive([big(1), big(2)], {
    compressed: true,
  });
  const blobs = new Set([names[0] ?? ""]);
  const sent = await thin(archive, { digests, present: 0, blobs });
  assert.deepEqual((await layersIn(sent)).sort(), [config, names[1]].sort());
});

Deno.test("the names of the layers are read from the old layout, too", async () => {
  const names = await readLayerNames(inPieces(await recorded("archive-legacy.tar.gz")), RECORDED);
  assert.deepEqual([...names], RECORDED_NAMES.map((name, i) => [name, i]));
});

Deno.test("the images of other platforms in an archive go along whole", async () => {
  const mine = await ociArchive([big(1), big(2)], { compressed: true });
  const other = `blobs/sha256/${"0".repeat(64)}`;
  const archive = joined([tar([[other, big(9)]]).slice(0, -1024), mine.archive]);
  const names = await readLayerNames(inPieces(archive, 65_536), mine.digests);
  const sent = await thin(archive, { digests: mine.digests, present: 1, names });
  assert.deepEqual(
    (await layersIn(sent)).sort(),
    [other, mine.config, mine.names[1]].sort(),
  );
});

Deno.test("an archive that does not tell its layers is refused", async () => {
  await assert.rejects(
    readLayerNames(inPieces(tar([["manifest.json", "[{]"]])), RECORDED),
    { message: "the archive of docker save does not say which layers it holds" },
  );
});

Deno.test("an archive that is cut off is refused, wherever that was", async () => {
  const archive = await recorded("archive-legacy.tar.gz");
  for (const length of [0, 1, 511, 512, 513, 1536, 9000, archive.length - 10_240]) {
    if (archive.slice(length).every((byte) => byte === 0)) continue;
    await assert.rejects(thin(archive.slice(0, length), { digests: RECORDED, present: 2 }), {
      message: "the archive of docker is damaged: it ends early",
    });
  }
});

const HOSTILE: readonly (readonly [what: string, archive: Bytes, complaint: RegExp])[] = [
  ["a name with ..", tar([["a/../../etc/passwd", "x"]]), /it has an entry/],
  ["an absolute name", tar([["/etc/passwd", "x"]]), /it has an entry/],
  [
    "a long name with ..",
    tar([["pax", record("path", "../x"), "x"], ["a", ""]]),
    /it has an entry "\.\.\/x"/,
  ],
  ["two entries of a name", tar([["manifest.json", "[]"], ["manifest.json", "[]"]]), /two entries/],
  [
    "a size beyond all numbers",
    header("a", { size: "\x7f".repeat(12), type: "0" }),
    /an invalid number in a header/,
  ],
  ["a negative size", header("a", { size: "-0000000001", type: "0" }), /number in a header/],
  [
    "an absurd size in a pax header",
    tar([["pax", record("size", "9".repeat(20)), "x"], ["a", ""]]),
    /size in a header is absurd/,
  ],
  [
    "a pax header without end",
    header("pax", { size: 2 ** 30, type: "x" }),
    /a header of 1073741824 bytes/,
  ],
  ["a pax record that is cut off", tar([["pax", "999 path=x\n", "x"], ["a", ""]]), /cut off/],
  ["a pax header with nothing after it", tar([["pax", record("path", "x"), "x"]]), /missing/],
  ["text", new Uint8Array(1024).fill(65), /checksum|number in a header/],
];

function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const length = new TextEncoder().encode(rest).length + 2;
  return `${length < 10 ? length - 1 : length}${rest}`;
}

for (const [what, archive, complaint] of HOSTILE) {
  Deno.test(`an archive with ${what} is refused`, async () => {
    await assert.rejects(thin(archive, { digests: RECORDED, present: 2 }), complaint);
  });
}

Deno.test("a size in base 256 and a name in a pax header count", async () => {
  const size = Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3);
  const block = header("short", { size: 0, type: "0" });
  block.set(size, 124);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((all, byte) => all + byte, 0).toString(8).padStart(6, "0");
  block.set(new TextEncoder().encode(`${sum}\0 `), 148);
  const body = new Uint8Array(512);
  body.set([97, 98, 99]);
  const archive = joined([
    tar([["pax", record("path", "long/ü"), "x"]]).slice(0, -1024),
    block,
    body,
    new Uint8Array(1024),
  ]);
  assert.deepEqual(await contents(await thin(archive, { digests: [], present: 0 })), {
    "long/\xc3\xbc": "abc",
  });
});

Deno.test("memory stays flat however big a layer is", async () => {
  const size = 6 * 2 ** 30;
  const chunk = new Uint8Array(2 ** 20);
  const block = header("x/layer.tar", { size, type: "0" });
  async function* archive(): AsyncGenerator<Bytes> {
    yield block;
    for (let left = size; left > 0; left -= chunk.length) yield await Promise.resolve(chunk);
    yield new Uint8Array(1024);
  }
  const before = Deno.memoryUsage().rss;
  let most = 0;
  let bytes = 0;
  for await (const piece of thinArchive(archive(), { digests: [], present: 0 })) {
    bytes += piece.length;
    if (bytes % 2 ** 28 < chunk.length) most = Math.max(most, Deno.memoryUsage().rss - before);
  }
  assert.equal(bytes, size + 512 + 1024);
  assert.ok(most < 64 * 2 ** 20, `${most} bytes more`);
});
