import assert from "node:assert/strict";
import { Core } from "../../../src/relay/core.ts";
import { Request } from "../../../src/relay/client.ts";
import { accept } from "../../../src/relay/relay.ts";
import { Framer, Reader, Status, Type, Writer } from "../../../src/relay/wire.ts";
import { Fake } from "./fake_server.ts";

const BASE = "/srv/base";

/** A core between a client, which is the test, and a server that knows the base and nothing else. */
class Bench {
  /** What reached the server: type and path, or type alone. */
  readonly asked: [number, string?][] = [];
  readonly answers = new Map<number, { type: number; body: Reader }>();
  readonly log: string[] = [];
  readonly core: Core;
  private readonly take: (packet: Uint8Array) => void;
  private next = 1;

  constructor(options: { lifetime?: number; mute?: (type: number) => boolean } = {}) {
    const framer = new Framer((packet) => {
      const body = new Reader(packet.slice(), 1);
      this.answers.set(body.u32(), { type: packet[0] ?? 0, body });
    });
    this.core = new Core({
      start: () =>
        new Fake((server, type, id, fields) => {
          if (type === Type.INIT || options.mute?.(type)) return;
          const path = named(type) ? fields.text() : undefined;
          this.asked.push(path === undefined ? [type] : [type, path]);
          if (type === Type.LSTAT && path === BASE) {
            return server.say(new Writer().begin(Type.ATTRS, id).raw(directory()).end());
          }
          server.say(
            new Writer().begin(Type.STATUS, id).u32(Status.NO_SUCH_FILE).text("").text("").end(),
          );
        }),
      write: (bytes) => framer.push(bytes),
      capacity: 1 << 20,
      lifetime: options.lifetime ?? 2000,
      mapping: { base: BASE, mountPoint: "/mnt" },
      journal: undefined,
      log: (text) => this.log.push(text),
    });
    this.take = accept(this.core);
  }

  async lstat(path: string): Promise<number> {
    const id = this.next++;
    this.take(new Writer().begin(Type.LSTAT, id).text(path).end().view().subarray(4));
    const end = performance.now() + 2000;
    while (!this.answers.has(id)) {
      assert.ok(performance.now() < end, "no answer");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return this.answers.get(id)?.type ?? 0;
  }

  [Symbol.dispose](): void {
    this.core.link.close();
  }
}

function named(type: number): boolean {
  return type === Type.LSTAT || type === Type.OPENDIR || type === Type.REALPATH;
}

function directory(): Uint8Array {
  return new Writer().u32(15).u64(0).u32(0).u32(0).u32(0o40755).u32(1).u32(1).view().slice();
}

Deno.test("what lies above the mounted directory is never looked at", async () => {
  // The mount itself may lie there: the server would wait for it, and it for the server.
  using bench = new Bench({ lifetime: 200 });
  await bench.core.link.open();
  for (let i = 0; i < 40; i++) {
    assert.equal(await bench.lstat(BASE), Type.ATTRS);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.ok(bench.asked.length < 40, "it is remembered for a while");
  assert.deepEqual(bench.asked.filter(([type, path]) => type !== Type.LSTAT || path !== BASE), []);
});

Deno.test("a request that nobody works on any more is failed in time, and answered once", async () => {
  using bench = new Bench();
  await bench.core.link.open();
  const { front } = bench.core;
  const packet = new Writer().begin(Type.LSTAT, 77).text(`${BASE}/x`).end().view().subarray(4);
  front.waiting.set(77, new Request(packet));
  bench.core.giveUp(performance.now() + 9000);
  assert.equal(front.waiting.size, 1);
  bench.core.giveUp(performance.now() + 10_000);
  front.flush();
  const answer = bench.answers.get(77);
  assert.equal(answer?.body.u32(), Status.IO_ERROR);
  front.status(77, Status.OK);
  front.flush();
  assert.equal(bench.answers.get(77), answer, "no other answer came");
  assert.deepEqual(bench.log.slice(0, 1), ["a request of type 7 was forgotten"]);
});
