/**
 * What a real sshfs 3.7.3 and OpenSSH 9.2's sftp-server said to each other, byte for byte: a walk, small and big
 * reads, a write, a rename, links, a truncation, deletions, in a directory /tmp/srv-rec.
 */
import assert from "node:assert/strict";
import { Core } from "../../../src/relay/core.ts";
import { accept } from "../../../src/relay/relay.ts";
import { Framer, Reader, Type, u32, Writer } from "../../../src/relay/wire.ts";
import { Fake } from "./fake_server.ts";

const BASE = "/tmp/srv-rec";

function recorded(side: "client" | "server"): Uint8Array {
  return Deno.readFileSync(new URL(`../recorded/sftp-${side}.bin`, import.meta.url));
}

function packets(bytes: Uint8Array, chunk = bytes.length): Uint8Array[] {
  const found: Uint8Array[] = [];
  const framer = new Framer((packet) => found.push(packet.slice()));
  for (let at = 0; at < bytes.length; at += chunk) framer.push(bytes.subarray(at, at + chunk));
  return found;
}

/** Reads all fields of a packet and writes them again. */
function again(packet: Uint8Array): Uint8Array {
  const from = new Reader(packet, 1);
  const type = packet[0] ?? 0;
  const to = new Writer();
  if (type === Type.INIT || type === Type.VERSION) {
    to.begin(type).u32(from.u32());
    while (from.left > 0) to.text(from.text());
    return to.end().view().subarray(4);
  }
  to.begin(type, from.u32());
  const text = () => to.text(from.text());
  const number = () => to.u32(from.u32());
  const long = () => to.u64(from.u64());
  const attrs = () => to.raw(from.attrs());
  const fields: Record<number, (() => void)[]> = {
    [Type.OPEN]: [text, number, attrs],
    [Type.CLOSE]: [text],
    [Type.READ]: [text, long, number],
    [Type.WRITE]: [text, long, text],
    [Type.LSTAT]: [text],
    [Type.STAT]: [text],
    [Type.FSTAT]: [text],
    [Type.SETSTAT]: [text, attrs],
    [Type.FSETSTAT]: [text, attrs],
    [Type.OPENDIR]: [text],
    [Type.READDIR]: [text],
    [Type.REMOVE]: [text],
    [Type.MKDIR]: [text, attrs],
    [Type.RMDIR]: [text],
    [Type.REALPATH]: [text],
    [Type.RENAME]: [text, text],
    [Type.READLINK]: [text],
    [Type.SYMLINK]: [text, text],
    [Type.STATUS]: [number, text, text],
    [Type.HANDLE]: [text],
    [Type.DATA]: [text],
    [Type.ATTRS]: [attrs],
  };
  if (type === Type.NAME) {
    const count = from.u32();
    to.u32(count);
    for (let i = 0; i < count; i++) for (const field of [text, text, attrs]) field();
  } else if (type === Type.EXTENDED) {
    const name = from.text();
    to.text(name);
    for (let left = name === "statvfs@openssh.com" ? 1 : 2; left > 0; left--) text();
  } else if (type === 201) {
    to.raw(from.rest());
    return to.end().view().subarray(4);
  } else {
    for (const field of fields[type] ?? []) field();
  }
  assert.equal(from.left, 0, `type ${type}`);
  return to.end().view().subarray(4);
}

for (const side of ["client", "server"] as const) {
  Deno.test(`every packet of a recorded ${side} is read to its end, and written again the same`, () => {
    const bytes = recorded(side);
    const whole = packets(bytes);
    assert.ok(whole.length > 50);
    for (const packet of whole) assert.deepEqual(again(packet), packet);
    for (const chunk of [1, 7, 4096]) assert.deepEqual(packets(bytes, chunk), whole);
  });
}

interface Asked {
  type: number;
  path: string;
  answer: Uint8Array;
}

/** The recorded questions about names, each with its first answer, up to the first change. */
function questions(): Asked[] {
  const answers = new Map(packets(recorded("server")).map((packet) => [u32(packet, 1), packet]));
  const asked: Asked[] = [];
  const seen = new Set<string>();
  for (const packet of packets(recorded("client"))) {
    const type = packet[0] ?? 0;
    if (type === Type.INIT) continue;
    if (type === Type.OPEN && new Reader(packet, 5).text().endsWith("/new")) break;
    const answer = answers.get(u32(packet, 1));
    if (!answer || (type !== Type.LSTAT && type !== Type.READLINK)) continue;
    const path = new Reader(packet, 5).text();
    if (!seen.has(`${type} ${path}`)) asked.push({ type, path, answer });
    seen.add(`${type} ${path}`);
  }
  return asked;
}

Deno.test("through the caches, a recorded client gets the recorded server's answers, asked once", async () => {
  const asked = questions();
  const known = new Map(asked.map(({ type, path, answer }) => [`${type} ${path}`, answer]));
  const sent: string[] = [];
  const got = new Map<number, Uint8Array>();
  const framer = new Framer((packet) => got.set(u32(packet, 1), packet.slice()));
  const core = new Core({
    start: () =>
      new Fake((server, type, id, fields) => {
        if (type === Type.INIT) return;
        const question = `${type} ${fields.text()}`;
        const answer = known.get(question);
        if (answer !== undefined) sent.push(question);
        const to = new Writer();
        if (answer === undefined) to.begin(Type.STATUS, id).u32(4).text("").text("");
        else to.begin(answer[0] ?? 0, id).raw(answer.subarray(5));
        server.say(to.end());
      }),
    write: (bytes) => framer.push(bytes),
    capacity: 1 << 20,
    lifetime: 60_000,
    mapping: { base: BASE, mountPoint: "/mnt" },
    journal: undefined,
    log: () => {},
  });
  const take = accept(core);
  await core.link.open();
  for (let round = 0; round < 2; round++) {
    for (const [index, { type, path, answer }] of asked.entries()) {
      const id = round * 1000 + index;
      take(new Writer().begin(type, id).text(path).end().view().subarray(4));
      const end = performance.now() + 2000;
      while (!got.has(id)) {
        assert.ok(performance.now() < end, `no answer for ${path}`);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      const body = got.get(id);
      assert.equal(body?.[0], answer[0], path);
      if (type === Type.LSTAT) assert.deepEqual(body?.subarray(5), answer.subarray(5), path);
      else assert.equal(new Reader(body ?? answer, 9).text(), new Reader(answer, 9).text());
    }
  }
  core.link.close();
  const existing = sent.filter((question) => known.get(question)?.[0] !== Type.STATUS);
  assert.deepEqual(existing.length, new Set(existing).size, "nothing that exists is asked twice");
});
