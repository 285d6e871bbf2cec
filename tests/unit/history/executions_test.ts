// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import {
  type Execution,
  historyPath,
  readExecutions,
  readHistory,
  readInputs,
  recordExecution,
} from "../../../src/history/executions.ts";
import { inputsPath } from "../../../src/session/session.ts";
import { temporaryDir, testContext, testSession } from "../fixture.ts";

function execution(changed: Partial<Execution> = {}): Execution {
  return {
    time: "2025-01-02T03:04:05.678Z",
    cwd: "/srv",
    command: ["ls"],
    exitCode: 0,
    durationMs: 12,
    ...changed,
  };
}

Deno.test("readExecutions() gives back what recordExecution() took, byte for byte", async () => {
  using dir = temporaryDir();
  const session = testSession({ dir: dir.path });
  const all = [
    execution(),
    execution({ command: ["printf", "a\nb", "", "é🐳", "it's", '"', "\\", "\u2028"], cwd: "/ä ö" }),
    execution({ exitCode: 137 }),
  ];
  for (const one of all) recordExecution(session, one);
  const context = testContext();
  assert.deepEqual(await Array.fromAsync(readExecutions(context, session)), all);
  assert.equal(context.written.stderr, "");
  assert.equal((Deno.statSync(historyPath(session)).mode ?? 0) & 0o777, 0o600);
});

Deno.test("readExecutions() of a session without history is empty", async () => {
  using dir = temporaryDir();
  const none = readExecutions(testContext(), testSession({ dir: dir.path }));
  assert.deepEqual(await Array.fromAsync(none), []);
});

Deno.test("readExecutions() leaves out damaged lines and names each", async () => {
  using dir = temporaryDir();
  const session = testSession({ dir: dir.path });
  const good = JSON.stringify(execution());
  const path = historyPath(session);
  Deno.writeTextFileSync(
    path,
    [good, good.slice(0, 20), "null", "[]", '{"time":1}', good.replace('["ls"]', "[1]"), good].join(
      "\n",
    ),
  );
  const context = testContext();
  const found = await Array.fromAsync(readExecutions(context, session));
  assert.deepEqual(found, [execution(), execution()]);
  assert.equal(
    context.written.stderr,
    [2, 3, 4, 5, 6].map((n) => `dockerdo: ${path}:${n} is damaged and left out\n`).join(""),
  );
});

Deno.test("readExecutions() puts together a character that two chunks share", async () => {
  using dir = temporaryDir();
  const session = testSession({ dir: dir.path });
  const all = Array.from(
    { length: 40 },
    (_, i) => execution({ command: ["x".repeat(i) + "🐳".repeat(2000)] }),
  );
  for (const one of all) recordExecution(session, one);
  assert.deepEqual(await Array.fromAsync(readExecutions(testContext(), session)), all);
});

Deno.test("recordExecution() after a line that broke off loses the broken line only", async () => {
  using dir = temporaryDir();
  const session = testSession({ dir: dir.path });
  Deno.writeTextFileSync(historyPath(session), '{"time":"2025');
  recordExecution(session, execution());
  const found = await Array.fromAsync(readExecutions(testContext(), session));
  assert.deepEqual(found, [execution()]);
});

Deno.test("readHistory() has exports among the commands, with what each command was given", async () => {
  using dir = temporaryDir();
  const session = testSession({ dir: dir.path });
  const all = [
    execution({
      container: "c1",
      user: "app:app",
      env: { A: "1", TOKEN: null },
      terminal: true,
      secret: true,
      input: "00ff",
    }),
    { time: "2025-01-02T03:04:05.678Z", set: { PATH: "/opt/bin", KEY: null }, unset: ["B"] },
  ];
  for (const one of all) recordExecution(session, one);
  const context = testContext();
  assert.deepEqual(await Array.fromAsync(readHistory(context, session)), all);
  assert.deepEqual(await Array.fromAsync(readExecutions(context, session)), all.slice(0, 1));
  assert.equal(context.written.stderr, "");
});

Deno.test("readInputs() tells files from pipes, and leaves out what is neither", async () => {
  using dir = temporaryDir();
  const session = testSession({ dir: dir.path });
  Deno.writeTextFileSync(
    inputsPath(session),
    "0a pipe\n0b file 12 1700000000 /home/me/a b.sql\n0c file  /x\nodd\n0d file 1 2 pipe:[3]\n",
  );
  assert.deepEqual(
    await readInputs(session),
    new Map([
      ["0a", { kind: "pipe" }],
      ["0b", { kind: "file", path: "/home/me/a b.sql", size: 12, mtime: 1700000000 }],
    ]),
  );
});
