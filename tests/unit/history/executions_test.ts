// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import {
  type Execution,
  executionRenderer,
  historyPath,
  inputsPath,
  readExecutions,
  readHistory,
  readInputs,
  recordExecution,
  renderEnvironment,
} from "../../../src/history/executions.ts";
import { system, temporaryDir, testContext, testSession } from "../fixture.ts";

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

Deno.test("executionRenderer() writes cd where the directory changes, and marks failures", () => {
  const render = executionRenderer();
  assert.deepEqual(
    [
      execution({ cwd: "/" }),
      execution({ cwd: "/", command: ["echo", "it's", "a  b"] }),
      execution({ cwd: "/my dir", command: ["make", "test"], exitCode: 2 }),
      execution({ cwd: "/my dir" }),
      execution({ cwd: "/", exitCode: 130 }),
    ].flatMap(render),
    [
      "cd /",
      "ls",
      "echo 'it'\\''s' 'a  b'",
      "cd '/my dir'",
      "make test  # exit code 2",
      "ls",
      "cd /",
      "ls  # exit code 130",
    ],
  );
});

Deno.test("executionRenderer() and renderEnvironment() write what a shell runs again", async () => {
  const session = testSession({ env: { B: "x\ny $(id) 'q'", A: "", _c: "é" } });
  assert.deepEqual(renderEnvironment(session), [
    "export A=''",
    "export B='x\ny $(id) '\\''q'\\'",
    "export _c='é'",
  ]);
  const lines = [
    ...renderEnvironment(session),
    ...executionRenderer()(execution({ cwd: "/", command: ["printf", "%s|", "$B", "a;b", "#"] })),
    'printf "%s|" "$B" "$PWD"',
  ];
  assert.equal(
    (await system(["sh", "-c", lines.join("\n")])).stdout,
    "$B|a;b|#|x\ny $(id) 'q'|/|",
  );
});

Deno.test("a line of dodo -c is written as it was typed, unless the lines after it would run otherwise", () => {
  const ofLine = (line: string, more: Partial<Execution> = {}): string =>
    executionRenderer()(execution({ command: ["/bin/sh", "-c", line, "dodo"], ...more })).at(-1) ??
      "";
  assert.deepEqual(
    [
      "ps ax | grep python",
      "make && make install",
      "cd /srv && make",
      "A=1; make",
      "exit 3",
      "echo x # y",
      "echo a\necho b",
      'echo "$1"',
      "sleep 9 &",
    ].map((line) => ofLine(line) === line),
    [true, true, false, false, false, false, false, false, false],
  );
  assert.equal(ofLine("cd /srv && make"), "/bin/sh -c 'cd /srv && make' dodo");
  assert.equal(ofLine("false", { exitCode: 1 }), "/bin/sh -c false dodo  # exit code 1");
});

for (const word of ["A=b", "if", "time"]) {
  Deno.test(`executionRenderer() writes a command of the name ${word} as a command`, async () => {
    using dir = temporaryDir();
    Deno.writeTextFileSync(`${dir.path}/${word}`, "#!/bin/sh\necho found $1\n", { mode: 0o755 });
    const lines = executionRenderer()(execution({ cwd: "/", command: [word, "it"] }));
    const { stdout } = await system(["bash", "-c", lines.join("\n")], {
      env: { PATH: `${dir.path}:/usr/bin:/bin` },
    });
    assert.equal(stdout, "found it\n");
  });
}

Deno.test("readHistory() has exports among the commands, with what each command was given", async () => {
  using dir = temporaryDir();
  const session = testSession({ dir: dir.path });
  const all = [
    execution({
      container: "c1",
      user: "app:app",
      env: { A: "1", TOKEN: null },
      terminal: true,
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
