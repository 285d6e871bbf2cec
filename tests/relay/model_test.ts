// deno-lint-ignore-file no-console
/**
 * The model test: random operations through the mount and on the server, each done to a plain
 * directory too; after each, everything that both can show is compared.
 *
 * SEED and STEPS in the environment repeat or lengthen a run.
 */
import assert from "node:assert/strict";
import { Server, until } from "./server.ts";

const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 1e9));
const steps = Number(Deno.env.get("STEPS") ?? 150);

function generator(state: number): (below: number) => number {
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}

const NAMES = ["a", "b", "c", "sp ace", "ünï", "-x", "new\nline", "d", "e"];

type Action = { name: string; does: (root: string) => void };

function snapshot(root: string, at = ""): string[] {
  const lines = [];
  const names = [...Deno.readDirSync(root + at)].map((entry) => entry.name).sort();
  for (const name of names) {
    const path = `${at}/${name}`;
    const info = Deno.lstatSync(root + path);
    const mode = ((info.mode ?? 0) & 0o7777).toString(8);
    if (info.isDirectory) lines.push(`${path} dir ${mode}`, ...snapshot(root, path));
    else if (info.isSymlink) lines.push(`${path} -> ${Deno.readLinkSync(root + path)}`);
    else lines.push(`${path} ${mode} ${info.size} ${digest(Deno.readFileSync(root + path))}`);
  }
  return lines;
}

function hasLinks(root: string): boolean {
  for (const entry of Deno.readDirSync(root)) {
    const path = `${root}/${entry.name}`;
    if (entry.isDirectory ? hasLinks(path) : (Deno.lstatSync(path).nlink ?? 1) > 1) return true;
  }
  return false;
}

function digest(bytes: Uint8Array): string {
  let hash = 0;
  for (const byte of bytes) hash = (Math.imul(hash, 31) + byte) >>> 0;
  return `${bytes.length}:${hash.toString(16)}`;
}

function choose(pick: (below: number) => number, root: string): Action {
  const name = () => NAMES[pick(NAMES.length)] ?? "a";
  const path = (): string => {
    let at = "";
    for (let depth = pick(3); depth > 0; depth--) at += "/" + name();
    return `${at}/${name()}`;
  };
  const existing = (): string => {
    const lines = snapshot(root).filter((line) => line.startsWith("/"));
    const line = lines[pick(Math.max(1, lines.length))];
    return line === undefined ? path() : line.replace(/ (dir|->|[0-7]+) ?[^\n]*$/, "");
  };
  const somewhere = () => pick(3) ? existing() : path();
  const bytes = () => {
    const size = [0, 1, 7, 300, 5000, 70_000, 200_000][pick(7)] ?? 0;
    const first = pick(256);
    return new Uint8Array(size).map((_, i) => (first + i * 7) & 255);
  };
  const a = somewhere(), b = somewhere(), data = bytes(), number = pick(100_000);
  const kinds: Action[] = [
    { name: `write ${a}`, does: (to) => Deno.writeFileSync(to + a, data) },
    { name: `write ${a}`, does: (to) => Deno.writeFileSync(to + a, data) },
    { name: `append ${a}`, does: (to) => Deno.writeFileSync(to + a, data, { append: true }) },
    {
      name: `create ${b}`,
      does: (to) => Deno.openSync(to + b, { write: true, createNew: true }).close(),
    },
    {
      name: `patch ${a}`,
      does: (to) => {
        using file = Deno.openSync(to + a, { read: true, write: true });
        file.seekSync(number % 5000, Deno.SeekMode.Start);
        file.writeSync(new Uint8Array([1, 2, 3]));
      },
    },
    { name: `truncate ${a}`, does: (to) => Deno.truncateSync(to + a, number % 9000) },
    { name: `mkdir ${b}`, does: (to) => Deno.mkdirSync(to + b) },
    { name: `mkdir ${b}`, does: (to) => Deno.mkdirSync(to + b) },
    { name: `remove ${a}`, does: (to) => Deno.removeSync(to + a) },
    { name: `remove all ${a}`, does: (to) => Deno.removeSync(to + a, { recursive: true }) },
    { name: `rename ${a} to ${b}`, does: (to) => Deno.renameSync(to + a, to + b) },
    { name: `rename ${a} to ${b}`, does: (to) => Deno.renameSync(to + a, to + b) },
    { name: `chmod ${a}`, does: (to) => Deno.chmodSync(to + a, 0o600 + (number & 0o77)) },
    { name: `link ${a} to ${b}`, does: (to) => Deno.linkSync(to + a, to + b) },
    { name: `symlink ${b}`, does: (to) => Deno.symlinkSync("a", to + b) },
  ];
  return kinds[pick(kinds.length)] ?? { name: "nothing", does: () => {} };
}

function attempt(action: Action, root: string): string {
  try {
    action.does(root);
    return "done";
  } catch (error) {
    return error instanceof Error ? "failed" : "strange";
  }
}

Deno.test({
  name: `random changes on both sides always look alike (SEED=${seed} STEPS=${steps})`,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(): Promise<void> {
    console.log(`SEED=${seed} STEPS=${steps}`);
    const server = await Server.start();
    try {
      const mount = await server.mount();
      const model = `${server.directory}/model`;
      Deno.mkdirSync(model);
      const pick = generator(seed);
      const history: string[] = [];
      for (let step = 0; step < steps; step++) {
        const action = choose(pick, model);
        const remote = pick(2) === 1;
        history.push(`${step} ${remote ? "server" : "mount"}: ${action.name}`);
        const expected = attempt(action, model);
        const got = attempt(action, remote ? server.served : mount.point);
        if (remote) assert.equal(mount.drop(), "done");
        const story = () => `SEED=${seed}\n${history.slice(-12).join("\n")}`;
        assert.equal(got, expected, story());
        const truth = snapshot(model);
        // The kernel closes files behind the caller's back: until then sshfs hides deleted ones.
        await until(() => !snapshot(server.served).some((line) => line.includes("/.fuse_hidden")));
        assert.deepEqual(snapshot(server.served), truth, `server: ${story()}`);
        // To the kernel two names of one file are two files: for 0.1 s it believes what it saw.
        const shared = hasLinks(model);
        if (shared) {
          await until(() => `${snapshot(mount.point)}` === `${truth}`, 300).catch(() => {});
        }
        assert.deepEqual(snapshot(mount.point), truth, `mount: ${story()}`);
      }
    } finally {
      await server.stop();
    }
  },
});
