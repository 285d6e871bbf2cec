// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import type { Execution } from "../../../src/history/executions.ts";
import {
  commandLine,
  executionRenderer,
  isPackageCall,
  renderEnvironment,
  renderExport,
} from "../../../src/history/script.ts";
import { system, temporaryDir, testSession } from "../fixture.ts";

function execution(changed: Partial<Execution> = {}): Execution {
  return {
    time: "2025-01-02T03:04:05.678Z",
    cwd: "/",
    command: ["ls"],
    exitCode: 0,
    durationMs: 60_000,
    ...changed,
  };
}

Deno.test("a script has what changed something, and comments for what failed, looked or holds a secret", () => {
  const render = executionRenderer();
  assert.deepEqual(
    [
      ...render(execution(), { changed: false }),
      ...render(execution({ command: ["touch", "it's", "a  b"] }), { changed: true }),
      ...render(execution({ cwd: "/my dir", command: ["make", "test"], exitCode: 2 })),
      ...render(execution({ cwd: "/my dir", command: ["make"] })),
      ...render(execution({ cwd: "/gone", exitCode: 127 })),
      ...render(execution({ cwd: "/my dir", command: ["dpkg", "-i", "a.deb"], exitCode: 1 }), {
        changed: true,
      }),
      ...render(execution({ cwd: "/my dir", command: ["curl", "--token", "abc", "x"] })),
      ...render(execution({ command: ["curl", "…"], secret: true })),
      ...render(execution({ command: ["a"], user: "app", env: { A: "1 2", TOKEN: null } })),
      ...render(execution({ command: ["a"], user: "app", env: { A: "1 2" } })),
      ...render(execution({ command: [] }), { inside: ["apt install tree"] }),
    ],
    [
      "# cd /",
      "# ls  # changed nothing",
      "cd /",
      "touch 'it'\\''s' 'a  b'",
      "# cd '/my dir'",
      "# make test  # exit code 2",
      "cd '/my dir'",
      "make",
      "# cd /gone",
      "# ls  # exit code 127",
      "# cd '/my dir'",
      "# dpkg -i a.deb  # exit code 1, it changed something",
      "# curl --token … x  # a secret is not shown",
      "# cd /",
      "# curl …  # a secret is not shown",
      "# A='1 2' a  # -u app, -e A -e TOKEN, a secret is not shown",
      "cd /",
      "A='1 2' a  # -u app, -e A",
      "# a login shell, 03:04 to 03:05",
      "#   apt install tree",
    ],
  );
});

Deno.test("a comment stays one, and runs nothing, whatever the command has in it", async () => {
  using dir = temporaryDir();
  const odd = [
    ["sh", "-c", "true\ntouch ran"],
    ["x\n touch ran", "a"],
    ["a\r\ntouch ran"],
    ["$(touch ran)"],
  ];
  const lines = odd.flatMap((command) =>
    executionRenderer()(execution({
      command,
      exitCode: 1,
      user: "u\ntouch ran",
      env: { "A\ntouch ran": "x\ntouch ran" },
    }))
  );
  for (const shell of ["bash", "dash"]) {
    const { code, stderr } = await system([shell, "-c", lines.join("\n")], { cwd: dir.path });
    assert.deepEqual([code, stderr], [0, ""]);
  }
  assert.deepEqual([...Deno.readDirSync(dir.path)], []);
});

Deno.test("what dodo -c was given is printed as it was typed, where that does the same", () => {
  const lineOf = (line: string): string =>
    executionRenderer()(execution({ command: ["/bin/sh", "-c", line, "dodo"] })).at(-1) ?? "";
  assert.deepEqual(
    [
      "echo $HOME | tr a-z A-Z > /x",
      "apt-get update && apt-get install -y gcc",
      "cd /srv && make",
      "exit 3",
      "A=1; echo $A",
      "echo a # b",
      "echo 'a",
    ].map(lineOf),
    [
      "echo $HOME | tr a-z A-Z > /x",
      "apt-get update && apt-get install -y gcc",
      "/bin/sh -c 'cd /srv && make' dodo",
      "/bin/sh -c 'exit 3' dodo",
      "/bin/sh -c 'A=1; echo $A' dodo",
      "/bin/sh -c 'echo a # b' dodo",
      "/bin/sh -c 'echo '\\''a' dodo",
    ],
  );
});

Deno.test("a script does again what was done, with the session's variables", async () => {
  const session = testSession({ env: { B: "x\ny $(id) 'q'", A: "", _c: "é", API_TOKEN: "abc" } });
  assert.deepEqual(renderEnvironment(session), [
    "export A=''",
    "# export API_TOKEN=…  # a secret is not shown",
    "export B='x\ny $(id) '\\''q'\\'",
    "export _c='é'",
  ]);
  const lines = [
    ...renderEnvironment(session),
    ...executionRenderer()(execution({ command: ["printf", "%s|", "$B", "a;b", "#", "\x1b[1m"] })),
    'printf "%s|" "$B" "$PWD"',
  ];
  assert.equal(
    (await system(["bash", "-c", lines.join("\n")])).stdout,
    "$B|a;b|#|\x1b[1m|x\ny $(id) 'q'|/|",
  );
});

for (const word of ["A=b", "if", "time"]) {
  Deno.test(`a command of the name ${word} is written as a command`, async () => {
    using dir = temporaryDir();
    Deno.writeTextFileSync(`${dir.path}/${word}`, "#!/bin/sh\necho found $1\n", { mode: 0o755 });
    const lines = executionRenderer()(execution({ command: [word, "it"] }));
    const { stdout } = await system(["bash", "-c", lines.join("\n")], {
      env: { PATH: `${dir.path}:/usr/bin:/bin` },
    });
    assert.equal(stdout, "found it\n");
  });
}

Deno.test("renderExport() names what was set and removed, and no value", () => {
  const time = "2025-01-02T03:04:05.678Z";
  assert.deepEqual(
    [
      renderExport({ time, set: { PATH: "/x", KEY: null }, unset: [] }),
      renderExport({ time, set: { A: "1" }, unset: ["B"] }),
      renderExport({ time, set: {}, unset: ["B", "C"] }),
    ],
    [
      "# dockerdo export PATH KEY",
      "# dockerdo export A; removed: B",
      "# removed: B C",
    ],
  );
});

Deno.test("commandLine() is one line without secrets, and isPackageCall() knows a package manager in it", () => {
  const calls: readonly [line: string, isCall: boolean, ...words: string[]][] = [
    ["apt-get install -y gcc", true, "apt-get", "install", "-y", "gcc"],
    ["apt update && apt install x", true, "/bin/sh", "-c", "apt update && apt install x", "dodo"],
    ["/opt/venv/bin/pip install x", true, "/opt/venv/bin/pip", "install", "x"],
    ["python3 -m pip install x", true, "python3", "-m", "pip", "install", "x"],
    ["echo $'a\\x0ab'", false, "echo", "a\nb"],
    ["tool --token …", false, "tool", "--token", "abc"],
    ["make apt-get.c", false, "make", "apt-get.c"],
    ["a login shell", false],
  ];
  for (const [line, isCall, ...command] of calls) {
    assert.deepEqual([commandLine({ command }), isPackageCall({ command })], [line, isCall]);
  }
});
