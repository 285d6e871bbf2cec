import assert from "node:assert/strict";
import { connectRemoteHost, reachRemoteHost } from "../../../src/lifecycle/connection.ts";
import { loadSession } from "../../../src/session/session.ts";
import { saveSession } from "../../../src/session/store.ts";
import { fakes, temporaryDir, testContext, testSession } from "../fixture.ts";

Deno.test("reachRemoteHost() twice at once makes one directory of control sockets", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, { FAKE_ssh: "" });
  const session = testSession({ dir: dir.path, socketDir: `${dir.path}/went-with-a-reboot` });
  await saveSession(session);
  const context = testContext({ cwd: dir.path, env: { HOME: dir.path, ...fake.env } });
  const options = { interactive: false };
  const [one, other] = await Promise.all([
    reachRemoteHost(context, session, options),
    reachRemoteHost(context, session, options),
  ]);
  assert.notEqual(one.socketDir, session.socketDir);
  assert.deepEqual(
    [other.socketDir, loadSession(dir.path).socketDir],
    [one.socketDir, one.socketDir],
  );
  await Deno.remove(one.socketDir, { recursive: true });
});

for (const [what, printed] of [["nothing", ""], ["no path", "."], ["two lines", "/a\n/b\n"]]) {
  Deno.test(`connectRemoteHost() refuses a host that says ${what} of where the build dir is`, async () => {
    using dir = temporaryDir();
    using fake = fakes(dir.path, { FAKE_ssh: `\x1e${printed}` });
    const socketDir = `${dir.path}/sockets`;
    await Deno.mkdir(socketDir);
    const session = testSession({ dir: dir.path, workDir: dir.path, socketDir, mount: "relay" });
    await saveSession(session);
    const context = testContext({ cwd: dir.path, env: { HOME: dir.path, ...fake.env } });
    await assert.rejects(
      connectRemoteHost(context, session, { interactive: false }),
      /reykjavik does not say where the build dir \. is/,
    );
    assert.deepEqual(fake.calls().filter(([program]) => program === "sshfs"), []);
  });
}
