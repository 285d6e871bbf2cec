import assert from "node:assert/strict";
import { askRemote, layerSizes, missingBytes, stepSizes } from "../../../src/push/remote_state.ts";
import { type Image, parseImages } from "../../../src/docker.ts";
import { storedBlobs } from "./archives.ts";
import { fakes, temporaryDir, testContext, testSession } from "../fixture.ts";

const ID = `sha256:${"a".repeat(64)}`;
const LAYERS = ["sha256:1", "sha256:2", "sha256:3"];
const CREATED = { Created: "2026-11-25T01:19:10.406021541Z", Config: { Env: ["A=b"] } };
const [PARSED] = parseImages(
  JSON.stringify([{ ...CREATED, Id: ID, Size: 300, RootFS: { Layers: LAYERS } }]),
);
assert.ok(PARSED);
const IMAGE: Image = { ...PARSED, layerDirs: LAYERS.map((_, at) => `/overlay2/${at}/diff`) };

async function asked(answer: string, image = IMAGE): Promise<unknown> {
  using dir = temporaryDir();
  using fake = fakes(dir.path, { FAKE_ssh: `noise\n\x1e${answer}` });
  const context = testContext({ env: fake.env });
  return await askRemote(context, testSession(), image);
}

Deno.test("askRemote() learns that the whole image is there, and what has its tag", async () => {
  assert.deepEqual(
    await asked(
      `program zstd\nknown ${ID} ["a:1","a:2"] ${JSON.stringify(LAYERS)}\n` +
        `known sha256:old ["b:1","dockerdo-debian:bookworm-demo"] ["sha256:9"]\npresent 3\n`,
    ),
    {
      imageId: ID,
      taggedId: "sha256:old",
      presentLayers: 3,
      presentBlobs: undefined,
      hasParts: false,
      format: "zstd",
    },
  );
});

Deno.test("askRemote() does not take the id of an index for what another platform has of it", async () => {
  const state = await asked(`known ${ID} ["a:1"] ["sha256:7"]\npresent 0\ncontainerd\n`);
  assert.deepEqual(state, {
    imageId: "",
    taggedId: "",
    presentLayers: 0,
    presentBlobs: [],
    hasParts: false,
    format: "none",
  });
});

Deno.test("askRemote() learns how many layers a classic image store has", async () => {
  assert.deepEqual(await asked("present 2\nprogram gzip\npart 0123\npart 4567\n"), {
    imageId: "",
    taggedId: "",
    presentLayers: 2,
    presentBlobs: undefined,
    hasParts: true,
    format: "gzip",
  });
});

Deno.test("askRemote() knows the image by its settings where the stores call it otherwise", async () => {
  const there = (env: string): unknown => ({
    ...CREATED,
    Id: `sha256:${env}`,
    Config: { Env: [env] },
  });
  const json = JSON.stringify([there("A=c"), there("A=b")], undefined, 4);
  const whole = async (answer: string, image = IMAGE): Promise<unknown> =>
    (await asked(answer, image) as { imageId: string }).imageId;
  assert.deepEqual(
    [
      await whole(`present 3\ncontainerd\n${json}\n`),
      await whole(`present 3\n${json}\n`, { ...IMAGE, layerDirs: [] }),
      // Two classic stores call the same image the same.
      await whole(`present 3\n${json}\n`),
    ],
    ["sha256:A=b", "sha256:A=b", ""],
  );
});

Deno.test("askRemote() learns which blobs the layers are that containerd's image store has", async () => {
  const stored = await storedBlobs({ diffIds: ["sha256:1", "sha256:2"] });
  const answer = (text: string, layers = LAYERS): Promise<unknown> =>
    asked(`present 2\ncontainerd\n\x1f${stored.digest}${text}`, { ...IMAGE, layers });
  const known = { imageId: "", taggedId: "", hasParts: false, format: "none" };
  assert.deepEqual(
    [
      await answer(stored.output),
      // What it has is another image's, or cannot be read.
      await answer(stored.output, ["sha256:9", "sha256:2", "sha256:3"]),
      await answer("\x1f/store\x1fnothing"),
    ],
    [
      { ...known, presentLayers: 2, presentBlobs: stored.manifest.layers },
      { ...known, presentLayers: 0, presentBlobs: [] },
      { ...known, presentLayers: 0, presentBlobs: [] },
    ],
  );
});

Deno.test("askRemote() tells of an engine that does not answer", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, {
    FAKE_ssh: "\x1e",
    FAKE_ssh__stderr: "",
    FAKE_ssh_stderr: "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
    FAKE_ssh_code: "1",
  });
  await assert.rejects(askRemote(testContext({ env: fake.env }), testSession(), IMAGE), {
    message: "Asking docker for its images on reykjavik failed (exit code 1): " +
      "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
    hint: "Start the engine on reykjavik.\ndockerdo doctor --remote reykjavik looks for the cause.",
  });
});

Deno.test("stepSizes() knows the steps of the history that made a layer", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, { FAKE_docker_history: "0\n5\n0\n0\n40\n300\n" });
  assert.deepEqual(await stepSizes(testContext({ env: fake.env }), IMAGE), [5, 40, 300]);
});

Deno.test("missingBytes() adds up the topmost steps", () => {
  const steps = [5, 40, 300];
  assert.deepEqual(
    [0, 1, 2, 3].map((present) => missingBytes(IMAGE, { present, steps })),
    [300, 45, 5, 0],
  );
});

Deno.test("layerSizes() knows them by the blobs, or where each step made a layer", () => {
  const blob = { mediaType: "", digest: "" };
  const stored = {
    config: { ...blob, size: 1 },
    layers: [7, 8, 9].map((size) => ({ ...blob, size })),
  };
  assert.deepEqual(
    [
      layerSizes(IMAGE, { stored, steps: [] }),
      layerSizes(IMAGE, { stored: undefined, steps: [5, 40, 300] }),
      layerSizes(IMAGE, { stored: undefined, steps: [40, 300] }),
    ],
    [[7, 8, 9], [300, 40, 5], undefined],
  );
});
