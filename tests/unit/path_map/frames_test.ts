import assert from "node:assert/strict";
import { frame, FrameReader, headFor } from "../../../src/path_map/frames.ts";

const encoder = new TextEncoder();
const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes);

/** Reads a stream in chunks of this length; junk that is in pieces is put together. */
function read(stream: Uint8Array, length: number): [head: string, body: string | undefined][] {
  const reader = new FrameReader();
  const parts: [string, string | undefined][] = [];
  const take = ({ head, body }: { head: Uint8Array; body: Uint8Array | undefined }): void => {
    const last = parts.at(-1);
    if (body === undefined && last !== undefined && last[1] === undefined) last[0] += text(head);
    else parts.push([text(head) ?? "", text(body)]);
  };
  for (let at = 0; at < stream.length; at += length) {
    for (const part of reader.push(stream.subarray(at, at + length))) take(part);
  }
  for (const part of reader.end()) take(part);
  return parts;
}

Deno.test("messages are the same however the stream is cut, and junk between them passes", () => {
  const body = '{"a":"ä\\u002f😀"}';
  const size = encoder.encode(body).length;
  const parts: [string, string | undefined][] = [
    ["\nlog line\r\n", undefined],
    [`Content-Length: ${size}\r\n\r\n`, body],
    ["Starting content-type... ", undefined],
    [`CONTENT-LENGTH:${size}\n\n`, body],
    [
      `Content-Type: application/vscode-jsonrpc; charset=utf8\r\ncontent-length: ${size}\r\nContent-Foo: 1\r\n\r\n`,
      body,
    ],
    [`Content-Length: ${size}\r\nX-Trace_1: a b\r\n\r\n`, body],
    [`Content-Length: 0\r\n\r\n`, ""],
    [
      "Content-Type: x\r\n\r\nContent-Length: many\r\nContent-Length: 99999999999999\r\n\r\n",
      undefined,
    ],
    ["Content-Length: 2\r\n\r\n", "{}"],
    ["}\n", undefined],
  ];
  const stream = encoder.encode(parts.map(([head, body = ""]) => head + body).join(""));
  for (let length = 1; length < stream.length; length++) {
    assert.deepEqual(read(stream, length), parts, `${length}`);
  }
});

Deno.test("what ends too early comes out as it came in", () => {
  for (
    const stream of [
      "Content-Length: 10\r\n\r\n{}",
      "Content-Length: 10\r\n",
      "Content-Le",
      "x".repeat(10_000),
    ]
  ) {
    const parts = read(encoder.encode(stream), 7);
    assert.equal(parts.map(([head, body = ""]) => head + body).join(""), stream);
    assert.equal(parts.every(([, body]) => body === undefined), true);
  }
});

Deno.test("a header keeps its bytes but for the length", () => {
  const head = encoder.encode("content-type: x\nCONTENT-LENGTH:  12\r\n\r\n");
  assert.equal(text(headFor(head, 345)), "content-type: x\nCONTENT-LENGTH:  345\r\n\r\n");
  assert.equal(text(frame('"ä"')), 'Content-Length: 4\r\n\r\n"ä"');
});
