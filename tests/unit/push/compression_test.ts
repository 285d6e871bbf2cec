import assert from "node:assert/strict";
import { compress, type Format } from "../../../src/push/compression.ts";
import { through } from "../../../src/process/pipe.ts";
import { system, temporaryDir, testContext, testWith } from "../fixture.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const MiB = 2 ** 20;

/** Numbers that compress. */
function numbers(size: number): Bytes {
  return new Uint8Array(new Uint32Array(size / 4).map((_, i) => i).buffer);
}

/** The bytes in chunks of odd sizes, each in the memory of the one before. */
async function* inChunks(bytes: Bytes): AsyncGenerator<Bytes> {
  const memory = new Uint8Array(100_001);
  for (let at = 0; at < bytes.length; at += memory.length) {
    const chunk = bytes.subarray(at, at + memory.length);
    memory.set(chunk);
    yield await Promise.resolve(memory.subarray(0, chunk.length));
    memory.fill(0xff);
  }
}

/** What a link of a rate gets, with the programs that were started and the rate that was measured. */
async function overLink(
  format: Format,
  { size, bytesPerSecond, chosen, onChoice }: {
    size: number;
    bytesPerSecond: number;
    chosen?: readonly string[] | undefined;
    onChoice?: (argv: readonly string[]) => void;
  },
): Promise<{ wire: Bytes; programs: string[]; rate: number | undefined }> {
  let clock = 0;
  let rate: number | undefined;
  const programs: string[] = [];
  const chunks: Bytes[] = [];
  const stream = compress(inChunks(numbers(size)), {
    format,
    size,
    chosen,
    onChoice,
    through: (argv, source) => {
      programs.push(argv.join(" "));
      return through(testContext(), argv, source);
    },
    onRate: (measured) => rate = measured,
    now: () => clock,
  });
  for await (const chunk of stream) {
    chunks.push(chunk.slice());
    clock += chunk.length / bytesPerSecond * 1000;
  }
  const wire = new Uint8Array(await new Blob(chunks).arrayBuffer());
  return { wire, programs, rate };
}

for (const format of ["zstd", "gzip"] as const) {
  for (
    const { link, bytesPerSecond, size, program } of [
      { link: "a fast link", bytesPerSecond: 100e6, size: 60 * MiB, program: [] },
      { link: "a 100 Mbit/s link", bytesPerSecond: 12.5e6, size: 30 * MiB, program: ["-3", "-3"] },
      { link: "a slow link", bytesPerSecond: 1e6, size: 30 * MiB, program: ["harder", "harder"] },
      { link: "a fast link, but a little,", bytesPerSecond: 200e6, size: MiB, program: ["-3"] },
    ]
  ) {
    testWith(format, `${link} gets what ${format} -dc understands`, async () => {
      using dir = temporaryDir();
      const { wire, programs, rate } = await overLink(format, { size, bytesPerSecond });
      const level = { "-3": "-3", harder: format === "zstd" ? "-9" : "-6" };
      assert.deepEqual(
        programs,
        program.map((name) =>
          `${format}${format === "zstd" ? " -q" : ""} ${level[name as "harder"]} -c`
        ),
      );
      if (size > MiB) assert.ok(Math.abs((rate ?? 0) / bytesPerSecond - 1) < 0.01, `${rate}`);
      assert.equal(wire.length < size, program.length > 0);
      await Deno.writeFile(`${dir.path}/wire`, wire);
      await Deno.writeFile(`${dir.path}/plain`, numbers(size));
      const script = `${format} -dc < "$1/wire" | cmp - "$1/plain"`;
      assert.deepEqual(await system(["sh", "-c", script, "sh", dir.path]), {
        code: 0,
        stdout: "",
        stderr: "",
      });
    });
  }
}

Deno.test("what does not compress goes as it is, until a later trial finds what does", async () => {
  const chunk = new Uint8Array(64 * 1024);
  const pieces = 128 * MiB / chunk.length;
  let programs = 0;
  let clock = 0;
  const source = ReadableStream.from(Array.from({ length: pieces }, () => chunk));
  const stream = compress(source, {
    format: "zstd",
    size: 128 * MiB,
    // A program that makes nothing smaller at first, and then only a tenth.
    through: async function* (_, source): AsyncGenerator<Bytes> {
      const divisor = ++programs > 1 ? 10 : 1;
      for await (const { length } of source) yield chunk.subarray(0, length / divisor);
    },
    now: () => clock,
  });
  let bytes = 0;
  for await (const { length } of stream) {
    bytes += length;
    clock += length / 12.5e6 * 1000;
  }
  // After the first trial, 16 MiB go as they are; the second trial finds a better way for all the rest.
  assert.equal(programs, 3);
  const plain = (4 + 8 + 16) * MiB;
  assert.ok(Math.abs(bytes - (plain + (128 * MiB - plain) / 10)) < MiB, `${bytes}`);
});

Deno.test("what one stream has found out of the link the next does not try", async () => {
  let chosen: readonly string[] | undefined;
  const link = { size: 30 * MiB, bytesPerSecond: 12.5e6 };
  const first = await overLink("zstd", { ...link, onChoice: (argv) => chosen = argv });
  const second = await overLink("zstd", { ...link, chosen });
  assert.deepEqual([first.programs.length, second.programs], [2, ["zstd -q -3 -c"]]);
  assert.ok(second.wire.length < first.wire.length, `${second.wire.length} ${first.wire.length}`);
});

Deno.test("without a common format the bytes go as they are, and the link is measured all the same", async () => {
  const { wire, programs, rate } = await overLink("none", { size: 20 * MiB, bytesPerSecond: 1e6 });
  assert.deepEqual([programs, Math.round(rate ?? 0)], [[], 1e6]);
  assert.deepEqual(wire, numbers(20 * MiB));
});

Deno.test("a program that fails in the middle is a failure", async () => {
  const stream = compress(inChunks(numbers(MiB)), {
    format: "gzip",
    size: MiB,
    through: (_, source) =>
      through(testContext(), ["sh", "-c", "head -c 9; echo no >&2; exit 3"], source),
  });
  await assert.rejects(new Response(ReadableStream.from(stream)).arrayBuffer(), {
    message: "sh failed with exit code 3: no",
  });
});
