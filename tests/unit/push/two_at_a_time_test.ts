import assert from "node:assert/strict";
import { Failure } from "../../../src/error.ts";
import { type Turn, TwoAtATime } from "../../../src/push/two_at_a_time.ts";

/** A task that a test ends, and what it has logged. */
function task(name: string, log: string[]): {
  readonly run: (turn: Turn) => Promise<void>;
  readonly stream: () => void;
  readonly end: (error?: unknown) => void;
} {
  const ended = Promise.withResolvers<void>();
  const streaming = Promise.withResolvers<void>();
  return {
    run: async ({ streamed, earlier }) => {
      log.push(`${name} started`);
      streaming.promise.then(() => {
        log.push(`${name} streamed`);
        streamed();
      });
      await ended.promise;
      await earlier;
      log.push(`${name} ended`);
    },
    stream: streaming.resolve,
    end: (error) => error === undefined ? ended.resolve() : ended.reject(error),
  };
}

Deno.test("TwoAtATime starts a task when the one before is streamed and the one before that has ended", async () => {
  const log: string[] = [];
  const [a, b, c] = [task("a", log), task("b", log), task("c", log)];
  const parts = new TwoAtATime();
  const started = (async () => {
    for (const { run } of [a, b, c]) await parts.start(run);
  })();
  a.stream();
  b.stream();
  // c has to wait for a; b for a, too, before it ends.
  b.end();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(log, ["a started", "a streamed", "b started", "b streamed"]);
  a.end();
  c.stream();
  await started;
  c.end();
  await parts.finished();
  assert.deepEqual(log.slice(4).sort(), [
    ...["a ended", "b ended", "c ended", "c started", "c streamed"],
  ]);
});

Deno.test("TwoAtATime starts nothing after a failure, and throws it at the end", async () => {
  const log: string[] = [];
  const [a, b] = [task("a", log), task("b", log)];
  const parts = new TwoAtATime();
  const failure = new Error("broken");
  a.end(failure);
  await parts.start(a.run);
  assert.deepEqual(parts.failures, [failure]);
  await parts.start(b.run);
  await assert.rejects(parts.finished(), failure);
  assert.deepEqual(log, ["a started"]);
});

Deno.test("TwoAtATime throws a signal's failure before another one", async () => {
  const log: string[] = [];
  const [a, b] = [task("a", log), task("b", log)];
  const parts = new TwoAtATime();
  const signal = new Failure("interrupted", { exitCode: 130 });
  a.stream();
  await parts.start(a.run);
  const second = parts.start(b.run);
  a.end(new Error("broken"));
  b.end(signal);
  await second;
  await assert.rejects(parts.finished(), signal);
});

Deno.test("TwoAtATime without a task is finished at once", async () => {
  await new TwoAtATime().finished();
});
