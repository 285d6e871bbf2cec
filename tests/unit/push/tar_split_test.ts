import assert from "node:assert/strict";
import {
  measureTarSplit,
  readTarSplit,
  type TarSplitStep,
  UnfitLayer,
  walkKey,
} from "../../../src/push/tar_split.ts";
import { type Bytes, whole } from "./archives.ts";

async function gzipped(text: string): Promise<Bytes> {
  return await whole(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip")));
}

/** The lines that an engine writes. */
function lines(...values: readonly unknown[]): Promise<Bytes> {
  return gzipped(values.map((value) => `${JSON.stringify(value)}\n`).join(""));
}

const file = (name: string, size = 1): unknown => ({ type: 1, name, size, payload: "AAAA" });
const bytes = (text: string): unknown => ({ type: 2, payload: btoa(text) });

async function stepsOf(split: Bytes): Promise<TarSplitStep[]> {
  return (await Array.fromAsync(readTarSplit(split))).flat();
}

Deno.test("the steps are raw bytes and the files that have content", async () => {
  const split = await lines(
    bytes("head"),
    { type: 1, name: "a/", payload: null },
    bytes(""),
    file("./a/é", 5),
    { type: 1, name_raw: "YS///g==", size: 2, payload: "Qx7QAAAAAAA=" },
    { type: 2, payload: null },
    bytes("ta"),
  );
  assert.deepEqual(await stepsOf(split), [
    { base64: btoa("head"), length: 4 },
    { name: "a/\xc3\xa9", length: 5 },
    { name: "a/\xff\xfe", length: 2 },
    { base64: btoa("ta"), length: 2 },
  ]);
  assert.equal(await measureTarSplit(split), 13);
});

Deno.test("a key sorts names as a walk meets them", () => {
  const walked = ["a", "a/b", "a/b/c", "a/b.c", "a.d", "a0", "\xc3\xa9", "\xff"];
  assert.deepEqual(walked.toReversed().sort((a, b) => walkKey(a) < walkKey(b) ? -1 : 1), walked);
});

Deno.test("a layer whose files are in another order than a walk's is unfit", async () => {
  const unfit = { name: "Failure", message: "the files of a layer are in an order of their own" };
  await assert.rejects(async () => measureTarSplit(await lines(file("b"), file("a"))), unfit);
  await assert.rejects(async () => measureTarSplit(await lines(file("a.b"), file("a/b"))), unfit);
  await assert.rejects(async () => measureTarSplit(await lines(file("a"), file("./a"))), unfit);
  const linked = await lines(file("b"), file("a", 0), file("c"));
  assert.equal(await measureTarSplit(linked), 2);
});

Deno.test("a file that no walk meets makes a layer unfit", async () => {
  for (const name of ["../x", "a/../b", "a//b", "a/./b", "/", "", "a/", "a\0b", "..", "./../x"]) {
    await assert.rejects(async () => stepsOf(await lines(file(name))), {
      message: `a layer has a file ${JSON.stringify(name)}`,
    });
  }
});

const DAMAGED: readonly (readonly [what: string, split: () => Promise<Bytes>])[] = [
  ["bytes that are no gzip", () => Promise.resolve(new TextEncoder().encode("no gzip at all"))],
  [
    "an end that came early",
    async () => (await lines(file("a"), bytes("a".repeat(99)))).slice(0, -9),
  ],
  ["nothing at all", () => Promise.resolve(new Uint8Array())],
  ["a line that is cut off", () => gzipped('{"type":1,"name":"a","si')],
  ["a line that is no object", () => lines(null)],
  ["another kind of line", () => lines({ type: 3, payload: "" })],
  ["a payload that is no text", () => lines({ type: 2, payload: [1] })],
  ["base64 that is cut off", () => lines({ type: 2, payload: "YWJ" })],
  ["a negative size", () => lines(file("a", -1))],
  ["a size that is a fraction", () => lines(file("a", 0.5))],
  ["an absurd size", () => lines(file("a", 2 ** 60))],
  ["a raw name that is no base64", () => lines({ type: 1, name_raw: "?", size: 1 })],
];

for (const [what, split] of DAMAGED) {
  Deno.test(`a layer of which the engine keeps ${what} is unfit`, async () => {
    const given = await split();
    await assert.rejects(stepsOf(given), (error) =>
      error instanceof UnfitLayer &&
      error.message === "what the engine keeps of a layer's archive is damaged");
  });
}

Deno.test("sizes that add up to an absurd one make a layer unfit", async () => {
  const split = await lines(...["a", "b"].map((name) => file(name, Number.MAX_SAFE_INTEGER)));
  await assert.rejects(measureTarSplit(split), { message: "a layer's size is absurd" });
});

Deno.test("a line without an end makes a layer unfit before it fills the memory", async () => {
  const zeros = new Blob([new Uint8Array(64 * 2 ** 20)]).stream();
  const split = await whole(zeros.pipeThrough(new CompressionStream("gzip")));
  await assert.rejects(measureTarSplit(split), {
    message: "what the engine keeps of a layer's archive is too long",
  });
});
