import assert from "node:assert/strict";
import { Contents } from "../../../src/relay/contents.ts";
import type { OnAnswer } from "../../../src/relay/link.ts";
import { Reader, Type, Writer } from "../../../src/relay/wire.ts";

const NOW = 1_000_000;
const REGULAR = 0o100644;

/** Attributes of a regular file of 3 bytes. */
function attributes(mtime: number): Uint8Array {
  return new Writer().u32(0x0f).u64(3).u32(0).u32(0).u32(REGULAR).u32(NOW).u32(mtime).view()
    .slice();
}

/** Answers each request at once, as a server whose files have 3 bytes. */
function send(type: number, _body: (to: Writer) => void, done: OnAnswer): number {
  const data = new Writer().blob(new Uint8Array(type === Type.OPEN ? 4 : 3));
  if (type === Type.OPEN) queueMicrotask(() => done(Type.HANDLE, new Reader(data.view())));
  else if (type === Type.READ) queueMicrotask(() => done(Type.DATA, new Reader(data.view())));
  return 1;
}

for (
  const [what, mtime, expected] of [
    ["lasts while its attributes vouch for it", NOW - 60, true],
    ["ends where it was written so shortly before that they cannot", NOW - 1, false],
  ] as const
) {
  Deno.test(`what is kept of a file ${what}`, async () => {
    const contents = new Contents({
      link: { send, hold: () => {}, letGo: () => {}, closeHandle: () => {} },
      tree: { changedAt: () => 0, believes: () => true },
      capacity: 1 << 20,
      lifetime: 0,
      serverTime: () => NOW,
    });
    const attrs = attributes(mtime);
    const { promise, resolve } = Promise.withResolvers<void>();
    contents.fetch("/f", attrs, { ahead: true, done: resolve });
    await promise;
    const has = contents.has("/f", attrs);
    const found = contents.find("/f", attrs) !== undefined;
    assert.deepEqual({ has, found }, { has: expected, found: expected });
  });
}
