import assert from "node:assert/strict";
import { askRemote } from "../../../src/push/remote_state.ts";
import { loadWords } from "../../../src/push/remote_load.ts";
import { readStoredImage } from "../../../src/push/containerd.ts";
import { readerArgv } from "../../../src/push/store_container.ts";
import { capture } from "../../../src/process/child.ts";
import { parseImages } from "../../../src/docker.ts";
import { fakes, temporaryDir, testContext, testSession, testWith } from "../fixture.ts";

/** What an image can call a volume. */
const VOLUME = "/x,type=volume,target=/payload,volume-opt=device=/usr/local/sbin";

const ANSWERS = {
  FAKE_docker_info: '[["driver-type","io.containerd.snapshotter.v1"]] /var/lib/docker\n',
  FAKE_docker_image_ls: "sha256:base\n",
  FAKE_docker_image_inspect: `sha256:base  | sha256:1 \n${VOLUME}\n`,
  FAKE_docker_image_rm: "",
  FAKE_docker_create: "container\n",
  FAKE_docker_cp: '{"config": {"digest": "sha256:c0ffee"}}',
  FAKE_docker_rm: "",
  FAKE_docker_ps: "",
  FAKE_docker_load: "Loaded image ID: sha256:abc\n",
  FAKE_docker_tag: "",
};

/** Gives a shell the name `sh`, and returns a PATH that has it in front. */
async function withShell(dir: string, argv: readonly string[], path: string): Promise<string> {
  await Deno.mkdir(`${dir}/bin`);
  await Deno.writeTextFile(`${dir}/bin/sh`, `#!/bin/sh\nexec ${argv.join(" ")} "$@"\n`, {
    mode: 0o755,
  });
  return `${dir}/bin:${path}`;
}

for (const argv of [["dash"], ["busybox", "sh"]] as const) {
  testWith(
    argv[0],
    `push's scripts run in ${argv[0]}, and no volume is a word of theirs`,
    async () => {
      using dir = temporaryDir();
      using fake = fakes(dir.path, ANSWERS);
      const path = await withShell(dir.path, argv, fake.env["PATH"] ?? "");
      const context = testContext({ env: { ...fake.env, PATH: path } });
      const local = testSession({ remoteHost: null });

      const [image] = parseImages(
        JSON.stringify([{
          Id: "sha256:abc",
          Config: { Volumes: { [VOLUME]: {} } },
          RootFS: { Layers: ["sha256:1", "sha256:2"] },
        }]),
      );
      assert.ok(image);
      const state = await askRemote(context, local, image);
      assert.deepEqual([state.presentLayers, state.presentBlobs], [0, []]);

      const platform = { os: "linux", architecture: "amd64", variant: "" };
      const wanted = { sessionId: "5e551011", image: image.id, digest: "sha256:d", platform };
      assert.equal(await readStoredImage(context, "local", wanted), undefined);

      const read = await capture(
        context,
        readerArgv("5e551011", image.id, [{ source: "/a b", target: "a" }]),
      );
      assert.deepEqual(read, { code: 0, stdout: ANSWERS.FAKE_docker_cp, stderr: "" });

      const options = { format: "none", part: false, layers: ["sha256:1"], parts: true } as const;
      const load = await capture(context, loadWords(local, { ...options, id: "sha256:abc" }));
      assert.deepEqual(load, { code: 0, stdout: "verified\n", stderr: "" });

      const words = fake.calls().filter(([, verb]) => verb === "create");
      assert.equal(words.length, 3);
      assert.doesNotMatch(JSON.stringify(words), /payload|tmpfs/);
      const gone = fake.calls().filter(([, verb]) => verb === "rm");
      assert.deepEqual(gone, Array(3).fill(["docker", "rm", "-fv", "container"]));
    },
  );
}
