// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { Failure } from "../../../src/error.ts";
import { startFailure } from "../../../src/lifecycle/start_failure.ts";
import { closeRemoteShells } from "../../../src/ssh/remote_shell.ts";
import { temporaryDir, testContext, testSession } from "../fixture.ts";

Deno.test("a link that breaks while run asks for the container does not hide the first reason", async () => {
  using dir = temporaryDir();
  Deno.writeTextFileSync(`${dir.path}/ssh`, "#!/bin/sh\necho 'no route to host' >&2; exit 255\n", {
    mode: 0o755,
  });
  const context = testContext({
    env: { PATH: `${dir.path}:${Deno.env.get("PATH")}` },
    sharedShells: true,
  });
  const first = new Failure("the container's sshd refused the login", { hint: "Look at its log." });
  const session = testSession({ dir: dir.path });
  const told = await startFailure(context, session, { containerId: "c1", error: first });
  assert.equal(told, first);
  closeRemoteShells();
});
