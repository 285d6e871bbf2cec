import assert from "node:assert/strict";
import { askRemote, missingBytes, stepSizes } from "../../src/remote_layers.ts";
import { fakes, temporaryDir, testContext, testSession } from "./fixture.ts";

const ID = `sha256:${"a".repeat(64)}`;
const LAYERS = ["sha256:1", "sha256:2", "sha256:3"];
const IMAGE = { id: ID, size: 300, layers: LAYERS };

async function asked(answer: string): Promise<unknown> {
  using dir = temporaryDir();
  using fake = fakes(dir.path, { FAKE_ssh: `noise\n\x1e${answer}` });
  const context = testContext({ env: fake.env });
  return await askRemote(context, testSession(), IMAGE);
}

Deno.test("askRemote() learns that the whole image is there, and what has its tag", async () => {
  assert.deepEqual(
    await asked(
      `program zstd\nknown ${ID} ["a:1","a:2"]\nknown sha256:old ["b:1","dockerdo-debian:bookworm-demo"]\npresent 3 ${ID}\n`,
    ),
    {
      whole: true,
      tagged: "sha256:old",
      present: 3,
      containerd: false,
      blobs: undefined,
      format: "zstd",
    },
  );
});

Deno.test("askRemote() learns how many layers a classic image store has", async () => {
  const answer = `store [["Backing Filesystem","extfs"]]\npresent 2 sha256:base\nprogram gzip\n`;
  assert.deepEqual(await asked(answer), {
    whole: false,
    tagged: "",
    present: 2,
    containerd: false,
    blobs: undefined,
    format: "gzip",
  });
});

Deno.test("askRemote() goes by blobs where the image store is containerd's", async () => {
  const blob = `blobs/sha256/${"b".repeat(64)}`;
  const store = `store [["driver-type","io.containerd.snapshotter.v1"]]\npresent 2 sha256:base\n`;
  // The fake gives one answer to both questions.
  assert.deepEqual(await asked(`${store}${blob}\nblobs/\nindex.json\n`), {
    whole: false,
    tagged: "",
    present: 0,
    containerd: true,
    blobs: new Set([blob]),
    format: "none",
  });
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
