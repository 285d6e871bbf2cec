// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { pipe } from "../../../src/process/pipe.ts";
import { system, temporaryDir, testContext, until, within } from "../fixture.ts";

Deno.test("pipe() streams one child into another and counts", async () => {
  let seen = 0;
  const { from, to } = await pipe(testContext(), {
    from: ["sh", "-c", "head -c 3000000 /dev/zero; echo from >&2"],
    to: ["sh", "-c", "wc -c; echo to >&2; exit 4"],
    onBytes: (bytes) => seen = bytes,
  });
  assert.deepEqual({ from, to: { ...to, stdout: to.stdout.trim() }, seen }, {
    from: { code: 0, stdout: "", stderr: "from\n" },
    to: { code: 4, stdout: "3000000", stderr: "to\n" },
    seen: 3000000,
  });
});

Deno.test("pipe() ends an endless source when the sink has ended", async () => {
  const { from, to } = await within(
    10_000,
    pipe(testContext(), {
      from: ["cat", "/dev/zero"],
      to: ["sh", "-c", "head -c 10 >/dev/null; echo full >&2; exit 1"],
      onBytes: () => {},
    }),
  );
  assert.deepEqual(to, { code: 1, stdout: "", stderr: "full\n" });
  assert.notEqual(from.code, 0);
});

Deno.test("pipe() tells of a source that fails in the middle", async () => {
  const { from, to } = await pipe(testContext(), {
    from: ["sh", "-c", "echo half; kill -KILL $$"],
    to: ["cat"],
    onBytes: () => {},
  });
  assert.deepEqual([from.code, to], [137, { code: 0, stdout: "half\n", stderr: "" }]);
});

Deno.test("pipe() ends a source that has nothing to write yet when the sink has ended", async () => {
  const { from, to } = await within(
    10_000,
    pipe(testContext(), {
      from: ["sh", "-c", "trap '' TERM; while :; do read -r line < /dev/tty || sleep 1; done"],
      to: ["sh", "-c", "echo gone >&2; exit 255"],
      onBytes: () => {},
    }),
  );
  assert.deepEqual([from.code, to], [137, { code: 255, stdout: "", stderr: "gone\n" }]);
});

Deno.test("pipe() lets a source finish its work whose output was read to its end", async () => {
  using dir = temporaryDir();
  const { from, to } = await pipe(testContext(), {
    from: ["sh", "-c", `echo all; exec >&-; until [ -e ${dir.path}/ended ]; do :; done; exit 3`],
    to: ["sh", "-c", `cat; touch ${dir.path}/ended`],
    onBytes: () => {},
  });
  assert.deepEqual([from.code, to.stdout], [3, "all\n"]);
});

Deno.test("pipe() ends both where what is in between gives up, and says why", async () => {
  const piped = pipe(testContext(), {
    from: ["cat", "/dev/zero"],
    to: ["cat"],
    pass: async function* (source): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      for await (const chunk of source) {
        yield chunk;
        throw new Error("enough");
      }
    },
    onBytes: () => {},
  });
  await assert.rejects(within(10_000, piped), { message: "enough" });
});

Deno.test("pipe() tells of a source that fails, not of what is missing in between", async () => {
  const { from } = await pipe(testContext(), {
    from: ["sh", "-c", "echo broken >&2; exit 3"],
    to: ["cat"],
    pass: async function* (source): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      yield* source;
      throw new Error("it ends early");
    },
    onBytes: () => {},
  });
  assert.deepEqual([from.code, from.stderr], [3, "broken\n"]);
});

Deno.test("pipe() leaves no source behind where the sink cannot be started", async () => {
  using dir = temporaryDir();
  const script = `while [ ! -e ${dir.path}/stop ]; do sleep 0.05; done`;
  const piped = pipe(testContext(), {
    from: ["sh", "-c", script],
    to: ["no-such-program"],
    onBytes: () => {},
  });
  await assert.rejects(piped, { message: "cannot start no-such-program: no such program" });
  const gone = async (): Promise<boolean> => (await system(["pgrep", "-f", dir.path])).code === 1;
  try {
    await within(2000, until(gone));
  } finally {
    Deno.writeTextFileSync(`${dir.path}/stop`, "");
    await within(5000, until(gone));
  }
});

Deno.test("a dry run of pipe() only prints", async () => {
  using dir = temporaryDir();
  const context = testContext({ dryRun: true });
  const { from, to } = await pipe(context, {
    from: ["touch", `${dir.path}/c`],
    to: ["touch", `${dir.path}/d e`],
    onBytes: () => {},
  });
  assert.deepEqual([from.code, to.code, [...Deno.readDirSync(dir.path)]], [0, 0, []]);
  assert.equal(context.written.stderr, `touch ${dir.path}/c | touch '${dir.path}/d e'\n`);
});
