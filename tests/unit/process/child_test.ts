// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { Failure } from "../../../src/error.ts";
import { capture, ignoredSignals, run } from "../../../src/process/child.ts";
import { fakes, system, temporaryDir, testContext, testWith, within } from "../fixture.ts";

const HOSTILE = [
  "",
  "a  b",
  "it's",
  '"',
  "$HOME $(id)",
  "\\",
  "a\nb",
  "-n",
  "!",
  "é🐳",
  "*",
  "A=b",
];

for (
  const [script, code] of [
    ["exit 0", 0],
    ["exit 7", 7],
    ["exit 255", 255],
    ["kill -TERM $$", 143],
    ["kill -KILL $$", 137],
    ["kill -INT $$", 130],
  ] as const
) {
  Deno.test(`run() and capture() give the code ${code} of ${script}`, async () => {
    const argv = ["sh", "-c", script];
    assert.equal(await run(testContext(), argv), code);
    assert.deepEqual(await capture(testContext(), argv), { code, stdout: "", stderr: "" });
  });
}

Deno.test("capture() hands words over untouched and keeps both outputs apart", async () => {
  const argv = ["sh", "-c", 'echo oops >&2; printf "%s\\0" "$@"', "sh", ...HOSTILE];
  assert.deepEqual(await capture(testContext(), argv), {
    code: 0,
    stdout: HOSTILE.map((word) => `${word}\0`).join(""),
    stderr: "oops\n",
  });
});

Deno.test("a child gets the context's environment without the loader's variables, and nothing of this process", async () => {
  using dir = temporaryDir();
  const context = testContext({
    cwd: dir.path,
    env: { A: "x y", PATH: "/usr/bin:/bin", LD_LIBRARY_PATH: "/opt/cuda/lib64", DYLD_X: "1" },
  });
  const { stdout } = await capture(context, ["sh", "-c", "pwd; env | grep -v '^PWD='"], {
    env: { B: "1\n2", LD_PRELOAD: "/x.so" },
  });
  const expected = ["/", "A=x y", "B=1", "2", "PATH=/usr/bin:/bin"].sort();
  assert.deepEqual(
    stdout.trim().split("\n").filter((line) => !/^(_|OLDPWD|SHLVL)=/.test(line)).sort(),
    expected,
  );
});

Deno.test("a child starts in /, one with relative paths of the user's in the current directory", async () => {
  using dir = temporaryDir();
  const context = testContext({ cwd: dir.path });
  assert.equal((await capture(context, ["pwd"])).stdout, "/\n");
  assert.equal((await capture(context, ["pwd"], { relative: true })).stdout, `${dir.path}\n`);
  const gone = testContext({ cwd: "" });
  assert.equal((await capture(gone, ["pwd"], { relative: true })).stdout, "/\n");
  await assert.rejects(capture(context, ["pwd"], { cwd: `${dir.path}/gone` }), {
    message: `cannot start pwd in ${dir.path}/gone: the directory is gone`,
  });
});

Deno.test("signals that whoever started us ignores are read from the mask of proc(5)", () => {
  const signals = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const;
  const read = (mask: string): string[] => [...ignoredSignals(mask, signals)];
  assert.deepEqual(read("0000000000000000"), []);
  assert.deepEqual(read("0000000000000001"), ["SIGHUP"]);
  assert.deepEqual(read("ffffffff80001006"), ["SIGINT", "SIGQUIT"]);
  assert.deepEqual(read(""), []);
});

for (
  const [program, hint] of [
    ["sshfs", "Install sshfs (Debian: apt-get install sshfs; macOS: macFUSE and sshfs)."],
    ["ssh", "Install the OpenSSH client (Debian: apt-get install openssh-client)."],
    ["docker", "Install the docker client (Debian: apt-get install docker.io)."],
    ["ps", "Install procps (Debian: apt-get install procps)."],
    ["no-such-program", undefined],
  ] as const
) {
  Deno.test(`the program ${program}, where it is missing, is named with the way to get it`, async () => {
    const context = testContext({ env: { PATH: "/nonexistent" } });
    for (const start of [run, capture]) {
      await assert.rejects(start(context, [program, "x"]), {
        name: "Failure",
        message: `cannot start ${program}: no such program`,
        hint: hint && `${hint}\ndockerdo doctor looks for the cause.`,
        exitCode: 1,
      });
    }
  });
}

Deno.test("capture() feeds its input and closes it", async () => {
  const input = "é🐳\n\0".repeat(50_000);
  const { stdout } = await capture(testContext(), ["cat"], { input });
  assert.equal(stdout, input);
});

Deno.test("capture() without input gives the child an empty one", async () => {
  assert.deepEqual(await within(5000, capture(testContext(), ["cat"])), {
    code: 0,
    stdout: "",
    stderr: "",
  });
});

Deno.test("input to a child that does not read it is no failure of ours", async () => {
  const input = "x".repeat(1_000_000);
  const argv = ["sh", "-c", "exec 0<&-; echo why >&2; exit 3"];
  assert.deepEqual(await capture(testContext(), argv, { input }), {
    code: 3,
    stdout: "",
    stderr: "why\n",
  });
  assert.equal(await run(testContext(), ["sh", "-c", "exit 3"], { input }), 3);
});

Deno.test("capture() ends a child at its limit with the code of timeout(1)", async () => {
  const ended = capture(testContext(), ["sleep", "60"], { limitMs: 50 });
  assert.deepEqual(await within(5000, ended), { code: 124, stdout: "", stderr: "" });
});

Deno.test("capture() ends at its limit though a grandchild keeps the pipes open", async () => {
  using dir = temporaryDir();
  const script = `( while [ -d ${dir.path} ]; do sleep 0.1; done ) & wait`;
  const captured = capture(testContext(), ["sh", "-c", script], { limitMs: 50 });
  try {
    assert.equal((await within(3000, captured)).code, 124);
  } finally {
    await captured;
  }
});

Deno.test("capture() ends a child that writes more than it keeps, on either output", async () => {
  for (const redirection of ["", ">&2"]) {
    await assert.rejects(
      capture(testContext(), ["sh", "-c", `while :; do echo 0123456789; done ${redirection}`], {
        limitBytes: 3 * 1024 * 1024,
      }),
      new Failure("sh wrote more than 3 MiB: more than dockerdo reads", {
        hint: "With --verbose dockerdo prints the command; run it by hand to see what it writes.",
      }),
    );
  }
});

Deno.test("capture() survives a limit that comes after the child's own end", async () => {
  using dir = temporaryDir();
  const script = `while [ -d ${dir.path}/go-on ]; do sleep 0.05; done & exit 5`;
  Deno.mkdirSync(`${dir.path}/go-on`);
  const errors: unknown[] = [];
  const onError = (event: ErrorEvent): void => {
    event.preventDefault();
    errors.push(event.error);
  };
  globalThis.addEventListener("error", onError);
  const captured = capture(testContext(), ["sh", "-c", script], { limitMs: 300 });
  try {
    await within(3000, captured).catch(() => {});
    Deno.removeSync(`${dir.path}/go-on`);
    await captured;
    assert.deepEqual(errors, []);
  } finally {
    globalThis.removeEventListener("error", onError);
  }
});

Deno.test("verbose prints a child's line before it runs, and questions too", async () => {
  const context = testContext({ verbose: true });
  await capture(context, ["true", "a b"], { readOnly: true });
  await run(context, ["true", "it's"]);
  assert.equal(context.written.stderr, "true 'a b'\ntrue 'it'\\''s'\n");
});

Deno.test("without verbose nothing is printed", async () => {
  const context = testContext();
  await capture(context, ["true"], { readOnly: true });
  await run(context, ["true"]);
  assert.deepEqual(context.written, { stdout: "", stderr: "" });
});

for (const shell of ["sh", "bash", "zsh", "fish"]) {
  testWith(shell, `the line that verbose prints does the same again in ${shell}`, async () => {
    using dir = temporaryDir();
    const script = 'cat; printf "%s|" "$X" "$@"';
    for (
      const options of [
        {},
        { env: { X: "a  b'$(id)\n" } },
        { input: "%s \\n it's\n$HOME" },
        { env: { X: "1" }, input: "-n" },
      ]
    ) {
      const context = testContext({ verbose: true, cwd: dir.path });
      const argv = ["sh", "-c", script, "sh", ...HOSTILE];
      const { stdout } = await capture(context, argv, options);
      const again = await system([shell, "-c", context.written.stderr], { cwd: dir.path });
      assert.deepEqual(again, { code: 0, stdout, stderr: "" });
    }
  });
}

Deno.test("the line that verbose prints has the directory of the child", async () => {
  using dir = temporaryDir();
  Deno.mkdirSync(`${dir.path}/it's a dir`);
  const context = testContext({ verbose: true });
  const { stdout } = await capture(context, ["pwd"], { cwd: `${dir.path}/it's a dir` });
  assert.equal((await system(["sh", "-c", context.written.stderr])).stdout, stdout);
});

Deno.test("the line that verbose prints can be pasted though the input has NUL in it", async () => {
  const context = testContext({ verbose: true });
  const { stdout } = await capture(context, ["od", "-c"], { input: "a b\0\\c%\0" });
  const line = context.written.stderr;
  assert.equal(line.includes("\0"), false);
  assert.equal((await system(["sh", "-c", line])).stdout, stdout);
});

Deno.test("a dry run asks its questions and only prints the rest", async () => {
  using dir = temporaryDir();
  const context = testContext({ dryRun: true });
  assert.equal(
    (await capture(context, ["echo", "answer"], { readOnly: true })).stdout,
    "answer\n",
  );
  assert.equal(context.written.stderr, "");
  assert.deepEqual(await capture(context, ["touch", `${dir.path}/a`]), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  assert.equal(await run(context, ["touch", `${dir.path}/b`], { input: "x" }), 0);
  assert.deepEqual([...Deno.readDirSync(dir.path)], []);
  assert.equal(
    context.written.stderr,
    `touch ${dir.path}/a\nprintf %s x | touch ${dir.path}/b\n`,
  );
});

Deno.test("a fake that nobody foresaw is told from one that answers", async () => {
  using dir = temporaryDir();
  const fake = fakes(dir.path, { FAKE_docker_ps: "x" });
  const context = testContext({ env: fake.env });
  assert.equal((await capture(context, ["docker", "ps"])).stdout, "x");
  assert.doesNotThrow(() => fake[Symbol.dispose]());
  assert.equal((await capture(context, ["docker", "rm", "-f"])).code, 99);
  assert.throws(() => fake[Symbol.dispose](), { name: "AssertionError" });
});
