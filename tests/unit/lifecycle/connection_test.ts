import assert from "node:assert/strict";
import { reachRemoteHost } from "../../../src/lifecycle/connection.ts";
import { loadSession, saveSession } from "../../../src/session/session.ts";
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
