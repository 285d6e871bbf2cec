// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { captureOnRemoteHost } from "../../../src/ssh/master.ts";
import { closeRemoteShells } from "../../../src/ssh/remote_shell.ts";
import { temporaryDir, type TestContext, testContext, testSession } from "../fixture.ts";

// The login shell's start-up files write something, then the line is run.
const SSH = `#!/bin/sh
echo ssh >>"$LOG"
if [ -e "$LOG.down" ]; then echo 'ssh: no route to host' >&2; exit 255; fi
echo welcome
for line do :; done
exec sh -c "$line"
`;

function host(dir: string): TestContext {
  Deno.writeTextFileSync(`${dir}/ssh`, SSH, { mode: 0o755 });
  const PATH = `${dir}:${Deno.env.get("PATH")}`;
  return testContext({ env: { PATH, LOG: `${dir}/log` }, sharedShells: true });
}

function sessionsOfSsh(dir: string): number {
  return Deno.readTextFileSync(`${dir}/log`).split("\n").length - 1;
}

Deno.test("what a command asks of a remote host goes through one session of ssh, bytes and codes intact", async () => {
  using dir = temporaryDir();
  const context = host(dir.path);
  const session = testSession({ dir: dir.path });
  const ask = (...words: string[]): ReturnType<typeof captureOnRemoteHost> =>
    captureOnRemoteHost(context, session, { words, readOnly: true });
  const hostile = ["a  b", "it's", "$(id)", "\\", "a\nb", "", "é🐳", "\x1e"];
  const text = hostile.map((word) => `<${word}>`).join("");
  assert.deepEqual(await ask("printf", "<%s>", ...hostile), { code: 0, stdout: text, stderr: "" });
  assert.deepEqual(await ask("sh", "-c", "cat; echo oops >&2; exit 255"), {
    code: 255,
    stdout: "",
    stderr: "oops\n",
  });
  const [first, second] = await Promise.all([ask("echo", "1"), ask("echo", "2")]);
  assert.deepEqual([first.stdout, second.stdout], ["1\n", "2\n"]);
  const big = await ask("sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x");
  assert.equal(big.stdout, "x".repeat(3_000_000));
  assert.equal(sessionsOfSsh(dir.path), 1);
  closeRemoteShells();
});

Deno.test("a shell whose link broke is a broken connection, and the next question gets a new one", async () => {
  using dir = temporaryDir();
  const context = host(dir.path);
  const session = testSession({ dir: dir.path });
  const ask = (line: string, limitMs?: number): ReturnType<typeof captureOnRemoteHost> =>
    captureOnRemoteHost(context, session, {
      words: ["sh", "-c", line],
      ...limitMs !== undefined && { limitMs },
    });
  assert.equal((await ask("sleep 5", 100)).code, 124);
  await assert.rejects(ask("kill -KILL $PPID"), {
    message: /^cannot connect to reykjavik/,
  });
  assert.equal((await ask("echo again")).stdout, "again\n");
  closeRemoteShells();
  Deno.writeTextFileSync(`${dir.path}/log.down`, "");
  await assert.rejects(ask("true"), {
    message: "cannot connect to reykjavik: ssh: no route to host",
  });
});
