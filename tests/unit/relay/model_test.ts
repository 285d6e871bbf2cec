// deno-lint-ignore-file no-console
/**
 * Two programs on the mount and one on the server do things at random, over a link that is slow, breaks and stands
 * still; each answer is held against all that was ever true. One run is always the same, one is drawn each time:
 * SEED=NUMBER repeats one, SECONDS lengthens it.
 */
import assert from "node:assert/strict";
import { Open, Status } from "../../../src/relay/wire.ts";
import type { Inode } from "./simulation/file_system.ts";
import { Bench, Failed } from "./simulation/local_client.ts";
import { Truth } from "./simulation/truth.ts";

const drawn = Math.floor(Math.random() * 1e9);
const asked = Deno.env.get("SEED") ?? `1,${drawn}`;
const seeds = asked.split(",").map((word) => word === "random" ? drawn : Number(word));
const seconds = Number(Deno.env.get("SECONDS") ?? 8) / seeds.length;
const STEPS = 400;
const SIZES = [0, 1, 700, 700, 700, 3000, 40_000, 100_000, 200_000, 400_000];
const NAMES = ["a", "b", "c", "d", "e", "f"];

type Pick = (below: number) => number;

function generator(state: number): Pick {
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}

interface OpenFile {
  path: string;
  readonly handle: Uint8Array;
  readonly writes: boolean;
  readonly openedAt: number;
  inodes: Inode[];
  seen: boolean;
}

class Run {
  readonly story: string[] = [];
  readonly truth: Truth;
  readonly open: OpenFile[] = [];
  /** Somebody on the server works while this step does. */
  interfered = false;
  hidden = 0;

  constructor(
    readonly bench: Bench,
    readonly pick: Pick,
    private readonly of: { readonly seed: number; readonly number: number },
  ) {
    const { host, clock, files } = bench;
    host.delay = [0, 1, 10, 50][pick(4)] ?? 0;
    host.jitter = [0, 5, 30][pick(3)] ?? 0;
    // Two seconds from its arrival, one more for a handle that was just looked at.
    this.truth = new Truth(files, clock, 3000 + 4 * (host.delay + host.jitter));
  }

  directory(): string {
    return ["", "/d", "/d/s", "/e"][this.pick(4)] ?? "";
  }

  path(): string {
    return `${this.directory()}/${NAMES[this.pick(NAMES.length)]}`;
  }

  text(): string {
    const letter = String.fromCharCode(97 + this.pick(26), 65 + this.pick(26));
    return letter.repeat(200_000).slice(0, SIZES[this.pick(SIZES.length)]);
  }

  fail(why: string | undefined): void {
    if (why === undefined) return;
    const log = this.bench.log.slice(-12).join("\n");
    assert.fail(
      `SEED=${this.of.seed} run ${this.of.number}: ${why}\n${
        this.story.slice(-60).join("\n")
      }\n${log}`,
    );
  }

  note(what: string): void {
    this.story.push(`${this.bench.clock.now.toFixed(0)} ${what}`);
  }

  /** Does something; an I/O error is right only where the link was bad, other errors are the server's. */
  async attempt<T>(what: string, action: () => Promise<T>, from?: number): Promise<T | Failed> {
    const { clock } = this.bench;
    this.note(what);
    const start = clock.now;
    try {
      const result = await action();
      this.note(`  done: ${what}`);
      return result;
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      this.note(`  ${error.message}: ${what}`);
      const excused = this.truth.troubleAt >= (from ?? start) - 20_000;
      if (error.code === Status.IO_ERROR && !excused) this.fail(`${what} failed`);
      if (error.code === Status.BAD_MESSAGE) this.fail(`${what} went wrong`);
      return error;
    } finally {
      const took = clock.now - start;
      const heard = this.bench.core.link.silence < 1500;
      if (took > (heard ? 20_000 : 10_200)) this.fail(`${what} took ${took} ms`);
    }
  }

  async look(path: string): Promise<void> {
    const asked = this.bench.clock.now;
    const seen = await this.attempt(`lstat ${path}`, () => this.bench.lstat(path));
    if (seen instanceof Failed && seen.code !== Status.NO_SUCH_FILE) return;
    this.fail(this.truth.lstat(path, seen instanceof Failed ? undefined : seen, asked));
  }

  async list(path: string): Promise<void> {
    const asked = this.bench.clock.now;
    const names = await this.attempt(`list ${path}`, () => this.bench.list(path || "/"));
    if (names instanceof Failed) return;
    const real = names.filter((name) => name !== "." && name !== "..");
    if (real.length + 2 !== names.length) this.fail(`${path} has no dots`);
    this.fail(this.truth.list(path, real, asked));
  }

  async openFile(path: string): Promise<void> {
    const asked = this.bench.clock.now;
    const flags = [Open.READ, Open.READ, Open.READ, Open.READ | Open.WRITE][this.pick(4)] ?? 1;
    const handle = await this.attempt(`open ${path}`, () => this.bench.openFile(path, flags));
    if (handle instanceof Failed) return;
    const inodes = this.truth.candidates(path, asked);
    if (inodes.length === 0) this.fail(`opened ${path}, which is not there`);
    this.open.push({
      path,
      handle,
      writes: flags !== Open.READ,
      openedAt: asked,
      inodes,
      seen: false,
    });
  }

  /**
   * Nothing tells a file that was reopened on another connection from one that took its name; and one that is
   * opened from memory may turn out to have been opened a moment later, as long as nobody has seen a byte of it, or
   * when what took its name begins with all that it was.
   */
  widen(file: OpenFile): void {
    const others = this.truth.candidates(file.path, file.openedAt);
    if (!file.seen || this.truth.troubleAt >= file.openedAt) file.inodes.push(...others);
    else file.inodes.push(...this.truth.continuing(file.inodes, others, file.openedAt - 6000));
  }

  async read(file: OpenFile): Promise<void> {
    const largest = Math.max(1, ...file.inodes.map(({ data }) => data.length));
    const offset = this.pick(Math.ceil(largest / 1024)) * 1024;
    const what = `read ${file.path} at ${offset}`;
    const asked = this.bench.clock.now;
    const data = await this.attempt(
      what,
      () => this.bench.read(file.handle, offset, 512),
      file.openedAt,
    );
    if (data instanceof Failed) return;
    this.widen(file);
    // Who reads from memory may go on with the file as it was.
    const since = file.writes ? this.truth.since(file.path, asked) : file.openedAt - 6000;
    const inodes = this.truth.holding(file.inodes, offset, data, since);
    if (inodes.length === 0) this.fail(`${what}: never was ${data.subarray(0, 8)}, ${data.length}`);
    file.inodes = inodes;
    file.seen ||= data.length > 0;
  }

  async write(file: OpenFile): Promise<void> {
    const start = this.bench.clock.now;
    const offset = this.pick(3) * 400;
    const text = String.fromCharCode(48 + this.pick(10)).repeat(1 + this.pick(500));
    const what = `write ${file.path}`;
    const result = await this.attempt(
      what,
      () => this.bench.write(file.handle, offset, text),
      file.openedAt,
    );
    if (result instanceof Failed) return;
    const bytes = new TextEncoder().encode(text);
    this.widen(file);
    const taken = this.truth.holding(file.inodes, offset, bytes, start);
    if (taken.length === 0) this.fail(`${what} was acknowledged and is not there`);
    file.inodes = taken;
    if (this.interfered || taken.length !== 1) return;
    if (this.truth.files.find(file.path) === taken[0]) {
      this.truth.changed(file.path, start, false);
    }
  }

  async close(file: OpenFile): Promise<void> {
    this.open.splice(this.open.indexOf(file), 1);
    await this.attempt(`close ${file.path}`, () => this.bench.close(file.handle));
    const last = !this.open.some(({ path }) => path === file.path);
    if (last && file.path.includes("/.hidden")) await this.change("remove", file.path);
  }

  /** As libfuse does: a file that is open goes on under another name. */
  async hide(path: string): Promise<void> {
    if (!this.open.some((file) => file.path === path)) return;
    await this.change("rename", path, `/.hidden${this.hidden++}`);
  }

  async change(kind: string, path: string, to = ""): Promise<void> {
    const { bench, truth } = this;
    if (kind === "rename" && to === path) return;
    if (kind === "remove") await this.hide(path);
    if (kind === "rename" && truth.files.find(path) && !to.includes("/.hidden")) {
      await this.hide(to);
    }
    const start = bench.clock.now;
    const does: Record<string, () => Promise<void>> = {
      save: () => bench.save(path, this.text()),
      remove: () => bench.remove(path),
      mkdir: () => bench.mkdir(path),
      rmdir: () => bench.rmdir(path),
      rename: () => bench.rename(path, to),
      link: () => bench.link(path, to),
      symlink: () => bench.symlink(path, "a"),
      truncate: () => bench.truncate(path, this.pick(3000)),
      chmod: () => bench.chmod(path, 0o600 + this.pick(64)),
    };
    const inode = truth.files.find(path);
    const there = truth.files.find(to);
    const result = await this.attempt(
      `${kind} ${path} ${to}`,
      does[kind] ?? (() => Promise.resolve()),
    );
    if (result instanceof Failed) return;
    const moves = kind === "rename" && (inode === undefined || inode !== there);
    if (moves) {
      for (const file of this.open) {
        if (file.path === path) file.path = to;
        else if (file.path.startsWith(`${path}/`)) file.path = to + file.path.slice(path.length);
      }
    }
    if (this.interfered) return;
    const below = ["remove", "mkdir", "rmdir", "rename"].includes(kind);
    truth.changed(path, start, below);
    if (to !== "") truth.changed(to, start, below);
  }

  /** What a program on the server does. */
  interfere(): void {
    const { files } = this.bench;
    const path = this.path(), to = this.path(), text = this.text();
    const kinds: [string, () => void][] = [
      ["writes", () => this.bench.put(path, text)],
      ["writes", () => this.bench.put(path, text)],
      ["replaces", () => {
        this.bench.put("/.new", text);
        files.rename("/.new", path);
      }],
      ["removes", () => files.remove(path)],
      ["renames", () => files.rename(path, to)],
      ["makes", () => files.mkdir(path)],
      ["unmakes", () => files.rmdir(path)],
      ["links", () => files.link(path, to)],
    ];
    const [what, does] = kinds[this.pick(kinds.length)] ?? ["", () => {}];
    this.note(`the server ${what} ${path} ${to} (${text.slice(0, 2)} ${text.length})`);
    try {
      does();
    } catch (error) {
      this.note(`  it cannot: ${error}`);
    }
  }

  async step(): Promise<void> {
    const { bench, pick, truth } = this;
    const chance = pick(200);
    // What happens at one moment has no order.
    await bench.clock.pass(1);
    if (chance < 30) {
      this.interfere();
      if (pick(2)) {
        bench.drop();
        truth.dropped();
        this.note("dodo");
      }
      return;
    }
    if (chance < 45) return await bench.clock.pass(pick(4000));
    if (chance === 45) {
      truth.frozen(0);
      bench.host.cut();
      return this.note("cut");
    }
    if (chance === 46) {
      const ms = pick(15_000);
      bench.host.freeze(ms);
      truth.frozen(ms);
      return this.note(`frozen for ${ms} ms`);
    }
    if (chance === 47) bench.clock.ahead += 100_000;
    this.interfered = pick(6) === 0;
    if (this.interfered) setTimeout(() => this.interfere(), pick(2 + 4 * bench.host.delay) + 0.5);
    const actions = [this.act()];
    if (pick(2)) actions.push(this.watch());
    if (pick(3) === 0) actions.push(this.watch());
    await bench.finish(Promise.all(actions), 400_000);
  }

  async watch(): Promise<void> {
    const file = this.open[this.pick(this.open.length + 1)];
    if (file !== undefined) return await this.read(file);
    if (this.pick(3) === 0) return await this.list(this.directory());
    await this.look(this.path());
  }

  async act(): Promise<void> {
    const file = this.open[this.pick(this.open.length + 1)];
    const kinds = ["save", "save", "remove", "mkdir", "rmdir", "rename", "rename", "link"]
      .concat(["symlink", "truncate", "chmod", "look", "look", "list", "open", "open"]);
    const kind = kinds[this.pick(kinds.length)] ?? "";
    if (file !== undefined && this.pick(3)) {
      if (this.pick(5) === 0 || this.open.length > 12) return await this.close(file);
      return file.writes ? await this.write(file) : await this.read(file);
    }
    if (kind === "look") return await this.look(this.path());
    if (kind === "list") return await this.list(this.directory());
    if (kind === "open") return await this.openFile(this.path());
    const to = kind === "rename" || kind === "link" ? this.path() : "";
    await this.change(kind, this.path(), to);
  }

  /** When all is closed and quiet, nothing is left anywhere. */
  async end(): Promise<void> {
    const { bench } = this;
    await bench.clock.pass(30_000);
    for (const file of [...this.open]) await bench.finish(this.close(file), 60_000);
    await bench.clock.pass(30_000);
    const { tree, link, front, handles } = bench.core;
    const sum = [...tree.directories.values()].reduce((sum, { cost }) => sum + cost, 0);
    assert.deepEqual(
      {
        cost: tree.cost,
        waiting: front.waiting.size,
        handles: handles.all.size,
        there: [...bench.host.connection?.handles.values() ?? []].map(({ at, flags, inode }) =>
          `${inode.kind} ${flags} opened at ${at}`
        ),
        held: link.oldest() - link.sequence,
        writing: tree.isWritingAny,
      },
      { cost: sum, waiting: 0, handles: 0, there: [], held: 1, writing: false },
      `SEED=${this.of.seed}\n${this.story.slice(-60).join("\n")}\n${
        bench.log.slice(-9).join("\n")
      }`,
    );
  }
}

for (const seed of seeds) {
  Deno.test(`whatever two programs and the server do, no answer is older than promised (SEED=${seed})`, async () => {
    const pick = generator(seed);
    const realNow = Date.now;
    const end = realNow() + seconds * 1000;
    let steps = 0;
    while (realNow() < end) {
      using bench = new Bench({ random: () => pick(1000) / 1000 });
      bench.files.mkdir("/d");
      bench.files.mkdir("/d/s");
      bench.files.mkdir("/e");
      await bench.open();
      const run = new Run(bench, pick, { seed, number: steps / STEPS });
      for (let i = 0; i < STEPS; i++, steps++) await run.step();
      await run.end();
    }
    console.log(`SEED=${seed}: ${steps} steps, ${Math.round(steps / seconds)} a second`);
  });
}
