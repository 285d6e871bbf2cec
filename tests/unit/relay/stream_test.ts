import assert from "node:assert/strict";
import type { OnAnswer } from "../../../src/relay/link.ts";
import { Budget, Stream } from "../../../src/relay/stream.ts";
import { Reader, Type, Writer } from "../../../src/relay/wire.ts";

const CHUNK = 64 * 1024;
const PIECE = 32 * 1024;
const REMOTE = new Uint8Array(4);

interface World {
  /** The chunks that the server was asked for. */
  readonly asked: number[];
  /** The chunks that came to sshfs. */
  readonly came: number[];
  readonly clock: { now: number };
  /** Reads as sshfs does, and returns whether it was by the stream. */
  readonly read: (offset: number) => boolean;
  readonly answerAll: () => void;
}

/** A stream of a file of so many chunks, on a server that answers when it is told to. */
function world(chunks: number): World {
  const asked: number[] = [];
  const due: (() => void)[] = [];
  const clock = { now: 0 };
  const send = (_type: number, body: (to: Writer) => void, done: OnAnswer): number => {
    const fields = new Writer();
    body(fields);
    const request = new Reader(fields.view());
    request.blob();
    const offset = request.u64();
    const length = request.u32();
    asked.push(offset / CHUNK);
    due.push(() => {
      const answer = new Writer().blob(new Uint8Array(length).fill(offset / CHUNK));
      done(Type.DATA, new Reader(answer.view()));
    });
    return asked.length;
  };
  const stream = new Stream({
    link: { send },
    budget: new Budget(128 * CHUNK),
    size: chunks * CHUNK,
    now: () => clock.now,
  });
  const came: number[] = [];
  const read = (offset: number): boolean => {
    if (!stream.follows(offset, PIECE)) return false;
    stream.read(REMOTE, offset, PIECE, (data) => came.push(data?.[0] ?? NaN));
    return true;
  };
  const answerAll = (): void => {
    for (const answer of due.splice(0)) answer();
  };
  return { asked, came, clock, read, answerAll };
}

Deno.test("a long read asks for each chunk once, though requests overtake each other", () => {
  const { asked, came, read, answerAll } = world(400);
  const offsets = Array.from({ length: 800 }, (_, i) => i * PIECE);
  // Of each sixteen that are under way the first one comes last.
  const swapped = offsets.map((_, i) => i < 64 ? i : i % 16 === 15 ? i - 15 : i + 1);
  const byStream = swapped.filter((i) => {
    const is = read(offsets[i] ?? 0);
    answerAll();
    return is;
  });
  const chunks = (pieces: number[]): number[] => pieces.map((i) => Math.floor(i / 2) % 256);
  assert.deepEqual(byStream, swapped.slice(1));
  assert.deepEqual(came, chunks(byStream));
  assert.deepEqual(asked.toSorted((a, b) => a - b), Array.from({ length: 400 }, (_, i) => i));
});

Deno.test("reads here and there are no stream", () => {
  const { asked, read } = world(4000);
  assert.deepEqual([0, 900, 70, 3000, 2000, 40].map((chunk) => read(chunk * CHUNK)), [
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
  assert.deepEqual(asked, []);
});

Deno.test("read-ahead that waited too long is asked for again, all of it and at once", () => {
  const { asked, clock, read, answerAll } = world(400);
  for (let i = 0; i < 40; i++) {
    read(i * PIECE);
    answerAll();
  }
  asked.length = 0;
  clock.now += 1500;
  read(40 * PIECE);
  assert.deepEqual(asked, Array.from({ length: 65 }, (_, i) => 20 + i));
});

Deno.test("on a slow link little is under way at a time", () => {
  const { asked, clock, read, answerAll } = world(4000);
  const aheadAfter = (reads: number, answerMs: number): number => {
    for (let i = 0; i < reads; i++, at += PIECE) {
      read(at);
      clock.now += answerMs;
      answerAll();
    }
    return Math.max(...asked) - Math.floor(at / CHUNK);
  };
  let at = 0;
  assert.ok(aheadAfter(100, 20) >= 60);
  assert.ok(aheadAfter(300, 700) <= 8);
  assert.ok(aheadAfter(300, 20) >= 60);
});
