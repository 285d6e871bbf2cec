import assert from "node:assert/strict";
import {
  deferUndo,
  describeFailure,
  endingAsText,
  exitCodeOf,
  Failure,
  usageFailure,
} from "../../src/error.ts";
import { settled } from "../../src/push/settled.ts";

Deno.test("describeFailure() is a sentence, and the hint on lines of its own", () => {
  const failure = new Failure("it is broken", { hint: "Mend it.\nGo on." });
  assert.equal(
    describeFailure(failure, { debug: false }),
    "dockerdo: it is broken\n  Mend it.\n  Go on.",
  );
});

Deno.test("describeFailure() of what is no Error shows its text", () => {
  assert.equal(
    describeFailure("odd", { debug: false }),
    "dockerdo: unexpected failure: odd\n  DOCKERDO_DEBUG=1 shows where.",
  );
});

Deno.test("exitCodeOf() is the failure's own, 2 for usage, 1 for anything else", () => {
  const errors = [new Failure("a"), new Failure("b", { exitCode: 125 }), usageFailure("c"), "d"];
  assert.deepEqual(errors.map(exitCodeOf), [1, 125, 2, 1]);
});

Deno.test("endingAsText() passes the exit code on, and turns what is thrown into text and a code", async () => {
  const lines: string[] = [];
  const context = { env: {}, stderr: (text: string) => void lines.push(text) };
  assert.equal(await endingAsText(context, () => Promise.resolve(7)), 7);
  assert.equal(await endingAsText(context, () => Promise.reject(usageFailure("it is odd"))), 2);
  assert.deepEqual(lines, ["dockerdo: it is odd\n"]);
});

Deno.test("settled() waits for all, and throws a signal before what else went wrong", async () => {
  const ended: string[] = [];
  const late = async (name: string, error?: Failure): Promise<string> => {
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    ended.push(name);
    if (error !== undefined) throw error;
    return name;
  };
  assert.deepEqual(await settled([late("a"), late("b")]), ["a", "b"]);
  const signal = new Failure("interrupted by SIGINT", { exitCode: 130 });
  await assert.rejects(
    settled([Promise.reject(new Failure("first")), late("c"), late("d", signal)]),
    signal,
  );
  await assert.rejects(
    settled([Promise.reject(new Failure("first")), late("e", new Failure("f"))]),
    {
      message: "first",
    },
  );
  assert.deepEqual(ended, ["a", "b", "c", "d", "e"]);
});

Deno.test("where undoing fails too, the first reason comes first and its exit code counts", async () => {
  const first = new Failure("interrupted by SIGINT", { exitCode: 130 });
  const second = new Failure("the host is gone", { hint: "Look." });
  const error = new SuppressedError(second, first);
  assert.equal(
    describeFailure(error, { debug: false }),
    "dockerdo: interrupted by SIGINT\ndockerdo: undoing it failed too: the host is gone\n  Look.",
  );
  assert.equal(exitCodeOf(error), 130);
  let written = "";
  let others = 0;
  const undo = new AsyncDisposableStack();
  const context = { stderr: (text: string): void => void (written += text) };
  deferUndo(undo, context, () => Promise.resolve(others++));
  deferUndo(undo, context, () => Promise.reject(second));
  await undo.disposeAsync();
  assert.deepEqual([written, others], ["dockerdo: undoing failed: the host is gone\n  Look.\n", 1]);
});
