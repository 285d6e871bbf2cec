// deno-lint-ignore-file no-console
/**
 * Plain sshfs with its caches, without them, our mount, and what the wire allows, side by side.
 *
 *   deno run -A bench/mount.ts [round trip in ms …]      default: 0 20 100
 *
 * The repo has FILES small files, ten in a directory; FILES is a list (default "2000,20000"; 100000 is worth the
 * wait). Each action runs RUNS times (default 1) on a fresh mount of each kind, by turns; the medians are shown,
 * and last what the distance costs, and what one file costs more in each repo than in the smallest. ONLY, a regular expression, selects actions,
 * KINDS the kinds; LIMIT (seconds, default 300) ends what takes longer. `hit` is the time of one lstat that needs
 * no server.
 */
import { type Mount, run, Server } from "../tests/relay/server.ts";

const roundTrips = Deno.args.length > 0 ? Deno.args.map(Number) : [0, 20, 100];
const only = new RegExp(Deno.env.get("ONLY") ?? "");
const kinds = (["relay", "plain", "coherent"] as const)
  .filter((kind) => new RegExp(Deno.env.get("KINDS") ?? "").test(kind));
const runs = Number(Deno.env.get("RUNS") ?? 1);
const limit = Number(Deno.env.get("LIMIT") ?? 300);
const sizes = (Deno.env.get("FILES") ?? "2000,20000").split(",").map(Number);
const BIG = 200, WRITTEN = 50;

async function makeRepo(path: string, files: number): Promise<void> {
  await Deno.mkdir(path);
  for (let i = 0; i < files / 10; i++) {
    const directory = `${path}/d${Math.floor(i / 20)}/s${i % 20}`;
    await Deno.mkdir(directory, { recursive: true });
    for (let j = 0; j < 10; j++) {
      await Deno.writeTextFile(
        `${directory}/f${j}.txt`,
        `line ${i} ${j}\n`.repeat(20 + (i * 37 + j * 91) % 380),
      );
    }
  }
  await run("git", "-C", path, "init", "-q");
  await run("git", "-C", path, "add", ".");
  await run("git", "-C", path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all");
}

/** Seconds that a shell line takes; Infinity when it was ended at the limit. */
async function seconds(line: string): Promise<number> {
  const start = performance.now();
  const { code } = await new Deno.Command("timeout", {
    args: ["-s", "KILL", `${limit}`, "sh", "-c", line],
    stdout: "null",
    stderr: "null",
    env: { LC_ALL: "C" },
  }).output();
  return code === 137 ? Infinity : (performance.now() - start) / 1000;
}

/** What is timed, on a mount at `$1`; pairs need the same mount, and its memory of the first. */
const GROUPS: [string, string][][] = [
  [["find, first", "find $m/repo"], ["find, second", "find $m/repo"]],
  [["ls -lR", "ls -lR $m/repo"]],
  [["git status, first", "git -C $m/repo status"], ["git status, second", "git -C $m/repo status"]],
  [["grep -r", "grep -r nonesuch $m/repo"]],
  [["rg", "rg nonesuch $m/repo"]],
  [["cp -r", "cp -r $m/repo $copy"]],
  [["read 200 MB", "cat $m/big"]],
  [["write 50 MB", `dd if=/dev/zero of=$m/written bs=1M count=${WRITTEN}`]],
  [["create 100", "mkdir $m/new; for i in $(seq 100); do echo x > $m/new/$i; done"]],
];
const LIMITS: Record<string, string> = {
  "find, first": '$ssh "find $served/repo"',
  "ls -lR": '$ssh "ls -lR $served/repo"',
  "git status, first": '$ssh "git -C $served/repo status"',
  "grep -r": '$ssh "tar c -C $served repo" | tar x -C $scratch',
  "read 200 MB": '$ssh "cat $served/big" > /dev/null',
  "write 50 MB": `dd if=/dev/zero bs=1M count=${WRITTEN} | $ssh "cat > $served/written"`,
};

function copyOf(server: Server): string {
  return `${server.directory}/copy`;
}

async function clean(server: Server): Promise<void> {
  await run("rm", "-rf", `${server.served}/written`, `${server.served}/new`, copyOf(server));
  // git must not find the time stamps of an earlier run in its index.
  await run("git", "-C", `${server.served}/repo`, "read-tree", "HEAD");
}

type Kind = "plain" | "coherent" | "relay";
type Times = Map<string, number[]>;

function note(times: Times, name: string, value: number): void {
  times.set(name, [...times.get(name) ?? [], value]);
}

async function measure(
  server: Server,
  kind: Kind,
  { roundTrip, times }: { roundTrip: number; times: Times },
): Promise<void> {
  for (const group of GROUPS.filter((group) => group.some(([name]) => only.test(name)))) {
    await clean(server);
    const mount = await server.mount({ kind, ...roundTrip > 0 && { roundTrip } });
    for (const [name, line] of group) {
      const filled = line.replaceAll("$m", mount.point).replaceAll("$copy", copyOf(server));
      note(times, name, await seconds(filled));
    }
    if (kind === "relay") {
      note(times, `memory after ${group[0]?.[0]}, MiB`, (await mount.memory()).highest);
    }
    await mount.close();
  }
  if (!only.test("hit") || (kind === "coherent" && roundTrip > 0)) return;
  const mount = await server.mount({ kind, ...roundTrip > 0 && { roundTrip } });
  note(times, "hit, us", await hit(mount));
  await mount.close();
}

/** Microseconds of one lstat answered without the server: one sweep to learn, the next to measure. */
async function hit(mount: Mount): Promise<number> {
  const paths: string[] = [];
  for (let d = 0; d < 200; d++) {
    for (let f = 0; f < 10; f++) {
      paths.push(`${mount.point}/repo/d${Math.floor(d / 20)}/s${d % 20}/f${f}.txt`);
    }
  }
  const sweep = async () => {
    for (const path of paths) await Deno.lstat(path);
  };
  await sweep();
  const start = performance.now();
  await sweep();
  return (performance.now() - start) * 1000 / paths.length;
}

async function limits(
  server: Server,
  { roundTrip, times }: { roundTrip: number; times: Times },
): Promise<void> {
  const between = await server.mount({ kind: "plain", ...roundTrip > 0 && { roundTrip } });
  const scratch = `${server.directory}/scratch`;
  const ssh = [...server.ssh(between.port), "localhost"].join(" ");
  for (const [name, line] of Object.entries(LIMITS).filter(([name]) => only.test(name))) {
    await run("rm", "-rf", scratch);
    await Deno.mkdir(scratch);
    const words = { $ssh: ssh, $served: server.served, $scratch: scratch };
    const filled = line.replace(/\$(ssh|served|scratch)/g, (word) => words[word as "$ssh"]);
    note(times, name, await seconds(filled));
  }
  await between.close();
}

function median(values: number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

function cell(values: number[] | undefined): string {
  const value = median(values ?? []);
  if (value === undefined) return "";
  return value === Infinity ? `> ${limit}` : value >= 100 ? value.toFixed(0) : value.toFixed(2);
}

type All = Record<Kind | "wire", Times>;

async function measureAll(server: Server, roundTrip: number): Promise<All> {
  const times: All = {
    plain: new Map(),
    coherent: new Map(),
    relay: new Map(),
    wire: new Map(),
  };
  for (let i = 0; i < runs; i++) {
    await limits(server, { roundTrip, times: times.wire });
    for (const kind of kinds) await measure(server, kind, { roundTrip, times: times[kind] });
  }
  return times;
}

function show(times: All, title: string): void {
  console.log(`\n| ${title} | plain sshfs | without caches | our mount | the wire |`);
  console.log("|---|---|---|---|---|");
  for (const name of times.relay.keys()) {
    const cells = (["plain", "coherent", "relay", "wire"] as const)
      .map((kind) => cell(times[kind].get(name)));
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

const COMPARED = [
  "find, first",
  "find, second",
  "ls -lR",
  "git status, first",
  "git status, second",
  "grep -r",
  "rg",
  "cp -r",
].filter((name) => only.test(name));

/** What each action takes on our mount, beside what it takes at the first round trip. */
function showDistance(files: number): void {
  const [first, ...others] = roundTrips;
  if (first === undefined || others.length === 0) return;
  const took = (roundTrip: number, name: string) =>
    median(all.get(roundTrip)?.get(files)?.relay.get(name) ?? []) ?? NaN;
  console.log(`\n| ${files} files, beside ${first} ms | ${others.join(" ms | ")} ms |`);
  console.log(`|---|${others.map(() => "---|").join("")}`);
  for (const name of COMPARED) {
    const cells = others.map((one) => `${(took(one, name) / took(first, name)).toFixed(2)} x`);
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

/** What one file costs on our mount, beside what it costs in the smallest repo. */
function showGrowth(all: ReadonlyMap<number, All>, roundTrip: number): void {
  const [first, ...others] = all;
  if (first === undefined || others.length === 0) return;
  console.log(`\n| ${roundTrip} ms, cost of a file | ${others.map(([n]) => n).join(" | ")} |`);
  console.log(`|---|${others.map(() => "---|").join("")}`);
  for (const name of COMPARED) {
    const each = ([files, times]: [number, All]) =>
      (median(times.relay.get(name) ?? []) ?? NaN) / files;
    const cells = others.map((one) => `${(each(one) / each(first)).toFixed(2)} x`);
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

const all = new Map(roundTrips.map((roundTrip) => [roundTrip, new Map<number, All>()]));
for (const files of sizes) {
  const server = await Server.start();
  try {
    await makeRepo(`${server.served}/repo`, files);
    await run("dd", "if=/dev/urandom", `of=${server.served}/big`, "bs=1M", `count=${BIG}`);
    for (const roundTrip of roundTrips) {
      const times = await measureAll(server, roundTrip);
      all.get(roundTrip)?.set(files, times);
      show(times, `${files} files, ${roundTrip} ms`);
    }
  } finally {
    await server.stop();
  }
}
for (const files of sizes) showDistance(files);
for (const [roundTrip, times] of all) showGrowth(times, roundTrip);
