import assert from "node:assert/strict";
import {
  Beginning,
  binary,
  bytesOf,
  Framer,
  isPlain,
  Malformed,
  MAX_PACKET,
  mtimeOf,
  Reader,
  sizeOf,
  Type,
  Writer,
} from "../../../src/relay/wire.ts";

function packets(stream: Uint8Array, cut: number[]): string[] {
  const found: string[] = [];
  const framer = new Framer((packet) => found.push(binary(packet)));
  let from = 0;
  for (const at of [...cut, stream.length]) {
    framer.push(stream.subarray(from, at));
    from = at;
  }
  return found;
}

Deno.test("fields come back as they were written", () => {
  const written = new Writer().begin(Type.OPEN, 7).text("/a b\xff").u32(3).u64(2 ** 40 + 5)
    .blob(new Uint8Array([1, 2])).end().view();
  const reader = new Reader(written);
  assert.equal(reader.u32(), written.length - 4);
  assert.equal(reader.u8(), Type.OPEN);
  assert.equal(reader.u32(), 7);
  assert.equal(reader.text(), "/a b\xff");
  assert.equal(reader.u32(), 3);
  assert.equal(reader.u64(), 2 ** 40 + 5);
  assert.deepEqual(reader.blob(), new Uint8Array([1, 2]));
  assert.equal(reader.left, 0);
});

Deno.test("names of any bytes survive", () => {
  const all = Uint8Array.from({ length: 5000 }, (_, i) => i & 255);
  assert.deepEqual(bytesOf(binary(all)), all);
});

Deno.test("attributes are read in every shape of version 3", () => {
  for (const flags of [0, 1, 2, 4, 8, 15, 0x80000000, 0x8000000f]) {
    const writer = new Writer().u32(flags);
    if (flags & 1) writer.u64(123_456_789_012);
    if (flags & 2) writer.u32(1).u32(2);
    if (flags & 4) writer.u32(0o100644);
    if (flags & 8) writer.u32(10).u32(20);
    if (flags & 0x80000000) writer.u32(2).text("a").text("b").text("c").text("d");
    const bytes = writer.view();
    const attrs = new Reader(bytes).attrs();
    assert.deepEqual(attrs, bytes);
    assert.equal(isPlain(attrs), flags === 15);
  }
  const plain = new Writer().u32(15).u64(5_000_000_000).u32(0).u32(0).u32(0o100600).u32(1).u32(99)
    .view();
  assert.equal(sizeOf(plain), 5_000_000_000);
  assert.equal(mtimeOf(plain), 99);
});

Deno.test("packets are the same wherever the stream is cut", () => {
  const writer = new Writer();
  for (let i = 0; i < 20; i++) writer.begin(i + 1, i).raw(new Uint8Array(i * 13)).end();
  const stream = writer.view().slice();
  const whole = packets(stream, []);
  assert.equal(whole.length, 20);
  for (let at = 0; at < stream.length; at++) assert.deepEqual(packets(stream, [at]), whole);
  const everywhere = Array.from({ length: stream.length }, (_, i) => i);
  assert.deepEqual(packets(stream, everywhere), whole);
});

Deno.test("a packet that claims too much, or nothing, is refused before memory is spent", () => {
  for (const length of [0, MAX_PACKET + 1, 0x7fffffff, 0xffffffff]) {
    const stream = new Writer().u32(length).u32(0).view().slice();
    assert.throws(() => packets(stream, []), Malformed);
    assert.throws(() => packets(stream, [1, 2, 3]), Malformed);
  }
});

Deno.test("a truncated packet of any kind is Malformed, never a wrong value", () => {
  const attrs = new Writer().u32(0x8000000f).u64(1).u32(1).u32(1).u32(1).u32(1).u32(1).u32(1)
    .text("name").text("value").view().slice();
  const whole = new Writer().text("name").u32(1).raw(attrs).blob(new Uint8Array(9)).u64(1).view()
    .slice();
  const readAll = (bytes: Uint8Array) => {
    const reader = new Reader(bytes);
    reader.text();
    reader.u32();
    reader.attrs();
    reader.blob();
    reader.u64();
  };
  readAll(whole);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => readAll(whole.subarray(0, length)), Malformed);
  }
});

Deno.test("attributes that promise four billion pairs end at the packet's end", () => {
  const bytes = new Writer().u32(0x80000000).u32(0xffffffff).text("a").text("b").view().slice();
  assert.throws(() => new Reader(bytes).attrs(), Malformed);
});

for (
  const noise of ["", "you have new mail\n", "\0\0\0", "\0\0\0\x05\x02\0\0", "\xff".repeat(300)]
) {
  Deno.test(`the server's first packet is found behind ${JSON.stringify(noise.slice(0, 20))}`, () => {
    const text = `${noise}\0\0\0\x05\x02\0\0\0\x03\0\0\0\x01more`;
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    for (const size of [1, 3, 1000]) {
      const beginning = new Beginning();
      const found: number[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        found.push(...beginning.take(bytes.slice(at, at + size)) ?? []);
      }
      assert.deepEqual(found, [...bytes.slice(noise.length)]);
    }
  });
}
