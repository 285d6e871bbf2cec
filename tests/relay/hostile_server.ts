/**
 * An SFTP server that answers with anything at all: `hostile_server.ts SEED`. With more words, it is one of links
 * alone: `hostile_server.ts 0 NAME TARGET …`, where a target may say `\\0`; every other name is a directory.
 */
import { Framer, Reader, Type, Writer } from "../../src/relay/wire.ts";

let state = Number(Deno.args[0] ?? 1) >>> 0;
function pick(below: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 0x1_0000_0000) * below);
}

const TYPES = [Type.STATUS, Type.HANDLE, Type.DATA, Type.NAME, Type.ATTRS, 201, 77];

const NAMES = ["a", "..", "x/y", "", "../../etc", "..\0", "/..\0", "a\0b", "/", "a/../../b"]
  .concat(["x".repeat(4096), `/${"y/".repeat(2047)}`, "../a", "/etc/passwd\0", "/../../x"]);

function garbage(): Uint8Array {
  const bytes = new Uint8Array([0, 3, 4, 9, 40, 300, 5000][pick(7)] ?? 0);
  for (let i = 0; i < bytes.length; i++) bytes[i] = pick(3) ? 0 : pick(256);
  return bytes;
}

/** A body that is sometimes right for its type. */
function body(type: number): Uint8Array {
  const to = new Writer();
  if (pick(3) === 0) return garbage();
  const attrs = () =>
    to.u32(15).u64(pick(300_000)).u32(0).u32(0).u32([0o100644, 0o40755, 0o120777][pick(3)] ?? 0)
      .u32(1).u32(1);
  if (type === Type.STATUS) to.u32(pick(9)).text("no").text("");
  else if (type === Type.HANDLE) to.text(["h", "", "x".repeat(300)][pick(3)] ?? "");
  else if (type === Type.DATA) to.blob(new Uint8Array([0, 1, 1000, 40_000, 130_000][pick(5)] ?? 0));
  else if (type === Type.ATTRS) attrs();
  else if (type === Type.NAME) {
    const count = pick(4);
    to.u32(pick(10) ? count : 0xffffffff);
    for (let i = 0; i < count; i++) {
      to.text(NAMES[pick(NAMES.length)] ?? "").text("-rw-r--r-- 999999999999 x");
      attrs();
    }
  } else to.raw(garbage());
  return to.view().slice();
}

const links = new Map<string, string>();
for (let i = 1; i + 1 < Deno.args.length; i += 2) {
  links.set(Deno.args[i] ?? "", Deno.args[i + 1]?.replaceAll("\\0", "\0") ?? "");
}

/** The answer of the server of links. */
function linked(packet: Uint8Array, id: number, out: Writer): void {
  const type = packet[0] ?? 0;
  const names = [Type.LSTAT, Type.STAT, Type.READLINK, Type.REALPATH].some((one) => one === type);
  const path = names ? new Reader(packet, 5).text() : "";
  const target = links.get(path);
  if (type === Type.READLINK && target !== undefined) {
    out.begin(Type.NAME, id).u32(1).text(target).text("").u32(0).end();
  } else if (type === Type.REALPATH) {
    out.begin(Type.NAME, id).u32(1).text(links.get(`real ${path}`) ?? path).text("").u32(0).end();
  } else if (type === Type.LSTAT || type === Type.STAT) {
    const mode = target === undefined ? 0o40755 : 0o120777;
    out.begin(Type.ATTRS, id).u32(15).u64(0).u32(0).u32(0).u32(mode).u32(1).u32(1).end();
  } else {
    out.begin(Type.STATUS, id).u32(4).text("").text("").end();
  }
}

const framer = new Framer((packet) => {
  const out = new Writer();
  if (packet[0] !== Type.INIT && Deno.args.length > 1) {
    linked(packet, new Reader(packet, 1).u32(), out);
  } else if (packet[0] === Type.INIT) {
    out.begin(Type.VERSION).u32(3).text("posix-rename@openssh.com").text("1").end();
  } else {
    const id = new Reader(packet, 1).u32();
    const type = TYPES[pick(TYPES.length)] ?? 77;
    if (pick(40) === 0) out.begin(type, pick(0xffffffff)).raw(garbage()).end();
    if (pick(400) === 0) out.u32([0, 0xffffffff, 0x00100000][pick(3)] ?? 0);
    out.begin(type, id).raw(body(type)).end();
    if (pick(60) === 0) out.begin(type, id).raw(body(type)).end();
  }
  Deno.stdout.writeSync(out.view());
});
const buffer = new Uint8Array(65536);
for (let n = Deno.stdin.readSync(buffer); n !== null; n = Deno.stdin.readSync(buffer)) {
  framer.push(buffer.subarray(0, n));
}
