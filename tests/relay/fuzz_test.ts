// deno-lint-ignore-file no-console
/** The relay between a client and a server that send anything at all. SEED repeats a run. */
import assert from "node:assert/strict";
import { Framer, Reader, Type, Writer } from "../../src/relay/wire.ts";
import { memoryOf, RELAY, until } from "./server.ts";

const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 1e9));
const REQUESTS = 6000;
const here = new URL(".", import.meta.url).pathname;

class Relay {
  readonly answers = new Map<number, number>();
  /** The targets that each READLINK was answered with. */
  readonly targets: { link: string; target: string }[] = [];
  readonly readlinks = new Map<number, string>();
  private readonly child: Deno.ChildProcess;
  private readonly input: WritableStreamDefaultWriter<Uint8Array>;
  readonly ended: Promise<Deno.CommandStatus>;

  constructor(state: string, server: string[]) {
    const [program = "", ...words] = RELAY.map((word) =>
      word.startsWith("--allow-run") ? "--allow-run" : word
    );
    this.child = new Deno.Command(program, {
      args: [...words, state, "/nowhere", "/", "silent", "0", ...server],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.input = this.child.stdin.getWriter();
    this.ended = this.child.status;
    void this.read();
  }

  private async read(): Promise<void> {
    const framer = new Framer((packet) => {
      const id = new Reader(packet, 1).u32();
      const link = this.readlinks.get(id);
      if (packet[0] === Type.NAME && link !== undefined) {
        this.targets.push({ link, target: new Reader(packet, 9).text() });
      }
      if (packet[0] !== Type.VERSION) this.answers.set(id, (this.answers.get(id) ?? 0) + 1);
      else this.answers.set(-1, 1);
    });
    for await (const chunk of this.child.stdout) framer.push(chunk);
  }

  send(bytes: Uint8Array): Promise<void> {
    return this.input.write(bytes.slice());
  }

  async memory(): Promise<number> {
    return (await memoryOf(this.child.pid)).highest;
  }

  async close(): Promise<number> {
    await this.input.close().catch(() => {});
    return (await this.ended).code;
  }
}

function generator(state: number): (below: number) => number {
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}

function request(pick: (below: number) => number, id: number): Uint8Array {
  const out = new Writer();
  const type = pick(8) ? 3 + pick(18) : [200, 0, 99, 255, 201][pick(5)] ?? 0;
  out.begin(type, id);
  const path =
    ["/", "/a", "/a/b", "a", "/a/../..", "//", "", "/proc/self", "/x".repeat(200)][pick(9)] ?? "";
  if (type === Type.EXTENDED) {
    out.text(["posix-rename@openssh.com", "statvfs@openssh.com", "new@x"][pick(3)] ?? "");
  }
  if (pick(4)) out.text(path);
  if (pick(2)) out.u32([0, 1, 2, 26, 0xffffffff][pick(5)] ?? 0).u32(pick(4));
  if (pick(4) === 0) out.text(path);
  if (pick(20) === 0) out.u32(0xfffffff0);
  return out.end().view();
}

function pathIn(bytes: Uint8Array): string {
  try {
    return new Reader(bytes, 9).text();
  } catch {
    return "";
  }
}

/** Whether C reads the whole target, and nothing that it leads to lies above /nowhere. */
function staysInside({ link, target }: { link: string; target: string }): boolean {
  if (target === "" || target.includes("\0") || target.length > 4095) return false;
  const words = target.split("/");
  if (target.startsWith("/")) return words[1] === "nowhere" && !words.includes("..");
  const names = link.split("/").filter((word) => word !== "" && word !== ".");
  // The root has no directory above it.
  const depth = Math.max(0, names.length - 1);
  const climbs = words.lastIndexOf("..") + 1;
  return climbs <= depth && words.slice(0, climbs).every((word) => word === "..");
}

Deno.test({
  name: `neither side can crash the relay or make it swell (SEED=${seed})`,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(): Promise<void> {
    console.log(`SEED=${seed}`);
    const state = await Deno.makeTempDir();
    const server = [Deno.execPath(), "run", "--quiet", `${here}hostile_server.ts`, `${seed}`];
    const relay = new Relay(state, server);
    const pick = generator(seed);
    await relay.send(new Writer().begin(Type.INIT).u32(3).end().view());
    await until(() => relay.answers.has(-1));
    for (let id = 1; id <= REQUESTS; id++) {
      const bytes = request(pick, id);
      if (bytes[4] === Type.READLINK) relay.readlinks.set(id, pathIn(bytes));
      await relay.send(bytes);
      if (id % 50 === 0) await until(() => relay.answers.size > id - 200, 30_000);
    }
    await until(() => relay.answers.size > REQUESTS, 30_000);
    assert.deepEqual([...relay.answers].filter(([, count]) => count !== 1), []);
    assert.deepEqual(relay.targets.filter((one) => !staysInside(one)), []);
    const memory = await relay.memory();
    assert.ok(memory < 200, `${memory} MiB`);
    assert.equal(await relay.close(), 0);
    await Deno.remove(state, { recursive: true });
  },
});

Deno.test({
  name: "a client whose stream is no SFTP ends the relay, and nothing else happens",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(): Promise<void> {
    for (const bytes of [[0xff, 0xff, 0xff, 0xff, 1], [0, 0, 0, 0], [0x7f, 0, 0, 0, 3, 3, 3]]) {
      const state = await Deno.makeTempDir();
      const relay = new Relay(state, [
        Deno.execPath(),
        "run",
        "--quiet",
        `${here}hostile_server.ts`,
        "1",
      ]);
      await relay.send(Uint8Array.from(bytes));
      await relay.ended;
      await Deno.remove(state, { recursive: true });
    }
  },
});
