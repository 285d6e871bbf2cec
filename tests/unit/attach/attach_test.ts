import assert from "node:assert/strict";
import { helperDockerfile } from "../../../src/attach/helper.ts";
import { composeOf, projectOf, refusal } from "../../../src/attach/target.ts";
import { packBare } from "../../../src/exec/container_command.ts";
import { loadSession } from "../../../src/session/session.ts";
import { saveSession } from "../../../src/session/store.ts";
import { temporaryDir, testSession } from "../fixture.ts";

Deno.test("a directory's project is named as compose names it", () => {
  assert.deepEqual(["/srv/My Shop", "/srv/_x.y", "/"].map(projectOf), ["myshop", "xy", ""]);
});

Deno.test("compose's labels say project and service; half of them say nothing", () => {
  const project = { "com.docker.compose.project": "shop" };
  const service = { "com.docker.compose.service": "web" };
  assert.deepEqual(
    [{ ...project, ...service }, project, {}].map((labels) => composeOf({ labels })),
    [{ project: "shop", service: "web" }, null, null],
  );
});

Deno.test("a container that cannot be attached to is refused with the reason", () => {
  const running = { name: "web", status: "running", runtime: "runc", sessionId: undefined };
  const said = [
    running,
    { ...running, status: "paused" },
    { ...running, status: "exited" },
    { ...running, status: "restarting" },
    { ...running, runtime: "runsc" },
    { ...running, sessionId: "0a1b2c3d4e5f" },
  ].map((container) => refusal(container)?.message);
  assert.deepEqual(said, [
    undefined,
    "web is paused",
    "web is exited",
    "web is restarting",
    "web runs under runsc, whose processes no other container sees",
    "web already is the container of a session",
  ]);
});

Deno.test("the helper's image serves sftp by our script and lets no key in", () => {
  const text = helperDockerfile("debian:bookworm");
  assert.match(text, /^FROM debian:bookworm$/m);
  assert.match(text, /Subsystem sftp \/etc\/dockerdo\/sftp/);
  assert.match(text, /: >\/etc\/dockerdo\/authorized_keys/);
});

Deno.test("without a shell a program is run as it is, and a shell is refused with a sentence", () => {
  const session = testSession({ env: { A: "1" } });
  const command = { cwd: "/", command: ["ls", "-l"], env: { B: "2" } };
  assert.deepEqual(packBare(session, command, { token: "dodo-x" }), {
    line: "",
    words: ["ls", "-l"],
    env: { A: "1", B: "2", DODO_TOKEN: "dodo-x" },
    oversized: false,
  });
  for (const words of [[], ["/bin/sh", "-c", "x"]]) {
    assert.throws(
      () => packBare(session, { ...command, command: words }, { token: "dodo-x" }),
      /^Failure: there is no shell in dockerdo-demo/,
    );
  }
});

Deno.test("a session of before there was attach is attached to nothing; a wrong attachment is refused", async () => {
  using dir = temporaryDir();
  const session = testSession({ dir: dir.path });
  await saveSession(session);
  const path = `${dir.path}/session.json`;
  const { attached: _, ...old } = JSON.parse(await Deno.readTextFile(path));
  await Deno.writeTextFile(path, JSON.stringify(old));
  assert.equal(loadSession(dir.path).attached, null);
  await Deno.writeTextFile(path, JSON.stringify({ ...old, attached: { user: 1 } }));
  assert.throws(() => loadSession(dir.path), /attached/);
});
