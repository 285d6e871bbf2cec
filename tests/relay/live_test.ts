// deno-lint-ignore-file no-sync-fn-in-async-fn no-console
/** The relay between a real sshfs and a real sshd: what a person would notice. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Story } from "../../src/history/story.ts";
import { parseStep } from "../../src/relay/journal.ts";
import { live, outcome } from "./live.ts";
import { proc, run, Server, until } from "./server.ts";

/** ROUNDS and ENTRIES in the environment lengthen a run: 60 and 100000 are worth the wait. */
const ROUNDS = (roundTrip: number) =>
  Number(Deno.env.get("ROUNDS") ?? (roundTrip === 0 ? 20 : roundTrip < 50 ? 8 : 3));
const ENTRIES = Number(Deno.env.get("ENTRIES") ?? 5000);

function names(path: string): string[] {
  return [...Deno.readDirSync(path)].map((entry) => entry.name).sort();
}

for (const roundTrip of [0, 20, 100]) {
  live(`what the server wrote before a drop is what the mount shows, ${roundTrip} ms away`, {
    roundTrip,
  }, (mount, server) => {
    const { served } = server, { point } = mount;
    Deno.mkdirSync(`${served}/d`);
    Deno.writeTextFileSync(`${served}/same`, "00");
    mount.drop();
    for (let round = 10; round < 10 + ROUNDS(roundTrip); round++) {
      Deno.writeTextFileSync(`${served}/file`, "x".repeat(round * 37));
      Deno.writeTextFileSync(`${served}/same`, `${round}`);
      Deno.writeTextFileSync(`${served}/d/n${round}`, "");
      if (round > 10) Deno.renameSync(`${served}/r${round - 1}`, `${served}/r${round}`);
      else Deno.writeTextFileSync(`${served}/r${round}`, "");
      if (round > 12) Deno.removeSync(`${served}/d/n${round - 2}`);
      assert.equal(mount.drop(), "done");
      assert.equal(Deno.readTextFileSync(`${point}/same`), `${round}`);
      assert.equal(Deno.readTextFileSync(`${point}/file`), "x".repeat(round * 37));
      assert.equal(Deno.statSync(`${point}/file`).size, round * 37);
      assert.deepEqual(names(`${point}/d`), names(`${served}/d`));
      assert.deepEqual(names(point), names(served));
      assert.throws(() => Deno.statSync(`${point}/r${round - 1}`), Deno.errors.NotFound);
    }
  });
}

for (const roundTrip of [0, 20, 100]) {
  live(`what a local program wrote and closed is what the server has, ${roundTrip} ms away`, {
    roundTrip,
  }, (mount, server) => {
    const { served } = server, { point } = mount;
    Deno.mkdirSync(`${point}/d`);
    for (let round = 10; round < 10 + ROUNDS(roundTrip); round++) {
      Deno.writeTextFileSync(`${point}/same`, `${round}`);
      Deno.writeTextFileSync(`${point}/file`, "x".repeat(round * 3700));
      Deno.writeTextFileSync(`${point}/temporary`, `${round}`);
      Deno.renameSync(`${point}/temporary`, `${point}/d/moved`);
      if (round > 10) Deno.removeSync(`${point}/d/n${round - 1}`);
      Deno.writeTextFileSync(`${point}/d/n${round}`, "");
      Deno.chmodSync(`${point}/same`, 0o600 + round % 8);
      assert.equal(Deno.readTextFileSync(`${served}/same`), `${round}`);
      assert.equal(Deno.readTextFileSync(`${served}/file`), "x".repeat(round * 3700));
      assert.equal(Deno.readTextFileSync(`${served}/d/moved`), `${round}`);
      assert.deepEqual(names(`${served}/d`), ["moved", `n${round}`]);
      assert.equal((Deno.statSync(`${served}/same`).mode ?? 0) & 0o777, 0o600 + round % 8);
      assert.equal(Deno.readTextFileSync(`${point}/same`), `${round}`);
      assert.equal(Deno.readTextFileSync(`${point}/d/moved`), `${round}`);
    }
  });
}

live("changes that nobody announces show within moments", {}, async (mount, server) => {
  const { served } = server, { point } = mount;
  Deno.writeTextFileSync(`${served}/file`, "before");
  mount.drop();
  for (let round = 0; round < 5; round++) {
    assert.equal(Deno.readTextFileSync(`${point}/file`).length > 0, true);
    Deno.writeTextFileSync(`${served}/file`, `round ${round}`);
    Deno.writeTextFileSync(`${served}/new${round}`, "");
    await until(() => Deno.readTextFileSync(`${point}/file`) === `round ${round}`, 2500);
    await until(() => names(point).includes(`new${round}`), 2500);
  }
});

live("an open log file is followed as it grows", {}, async (mount, server) => {
  Deno.writeTextFileSync(`${server.served}/log`, "one\n");
  mount.drop();
  using file = Deno.openSync(`${mount.point}/log`);
  const buffer = new Uint8Array(100);
  const read = () => new TextDecoder().decode(buffer.subarray(0, file.readSync(buffer) ?? 0));
  assert.equal(read(), "one\n");
  Deno.writeTextFileSync(`${server.served}/log`, "two\n", { append: true });
  mount.drop();
  let more = "";
  await until(() => (more += read()) === "two\n", 3000);
});

live("a file that is open stays itself when it is deleted or replaced", {}, (mount, server) => {
  const { point } = mount;
  for (const size of [10, 500_000]) {
    const old = "o".repeat(size);
    Deno.writeTextFileSync(`${point}/file`, old);
    mount.drop();
    using file = Deno.openSync(`${point}/file`);
    Deno.writeTextFileSync(`${point}/other`, "replaced");
    Deno.renameSync(`${point}/other`, `${point}/file`);
    const buffer = new Uint8Array(size);
    let have = 0;
    for (let n = file.readSync(buffer); n; n = file.readSync(buffer.subarray(have))) have += n;
    assert.equal(new TextDecoder().decode(buffer) === old, true);
    assert.equal(Deno.readTextFileSync(`${server.served}/file`), "replaced");
  }
});

live("an open directory can be read again, and shows what is new", {}, async (mount, server) => {
  Deno.mkdirSync(`${server.served}/d`);
  Deno.writeTextFileSync(`${server.served}/d/first`, "");
  mount.drop();
  const script = "import os,sys; f=os.open(sys.argv[1],0); print(os.listdir(f)); " +
    "open(sys.argv[1]+'/second','w').close(); print(sorted(os.listdir(f))); print(len(os.listdir(f)))";
  assert.equal(
    await run("python3", "-c", script, `${mount.point}/d`),
    "['first']\n['first', 'second']\n2\n",
  );
});

live("links work and can't lead out of the mount", {}, (mount, server) => {
  const { served } = server, { point } = mount;
  const secret = `${server.directory}/secret`;
  Deno.writeTextFileSync(secret, "local");
  Deno.mkdirSync(`${served}/a/b`, { recursive: true });
  Deno.writeTextFileSync(`${served}/file`, "inside");
  Deno.symlinkSync(`${served}/file`, `${served}/a/b/absolute`);
  Deno.symlinkSync("../../file", `${served}/a/b/relative`);
  Deno.symlinkSync("missing", `${served}/dangling`);
  const up = "../".repeat(20);
  for (
    const [name, target] of [
      ["climb", `${up}${secret.slice(1)}`],
      ["root", secret],
      ["hidden", `a/../${up}${secret.slice(1)}`],
      ["top", served],
      ["chain", `top/../${secret.slice(server.directory.length + 1)}`],
      ["deep", `a/b/top2/../../${secret.slice(server.directory.length + 1)}`],
    ]
  ) Deno.symlinkSync(target ?? "", `${served}/${name}`);
  Deno.symlinkSync("../..", `${served}/a/b/top2`);
  mount.drop();
  assert.equal(Deno.readTextFileSync(`${point}/a/b/absolute`), "inside");
  assert.equal(Deno.readTextFileSync(`${point}/a/b/relative`), "inside");
  assert.equal(Deno.readLinkSync(`${point}/a/b/relative`), "../../file");
  assert.equal(Deno.readLinkSync(`${point}/dangling`), "missing");
  assert.equal(Deno.lstatSync(`${point}/a/b/absolute`).isSymlink, true);
  for (const name of ["climb", "root", "hidden", "chain", "deep"]) {
    assert.throws(() => Deno.readTextFileSync(`${point}/${name}`), `${name} leads out`);
    assert.throws(() => Deno.openSync(`${point}/${name}`, { write: true }), `${name} leads out`);
  }
  Deno.symlinkSync(`${point}/file`, `${point}/made`);
  assert.equal(Deno.readLinkSync(`${served}/made`), `${served}/file`);
  assert.equal(Deno.readTextFileSync(`${point}/made`), "inside");
});

live("the journal tells what a person edited", {}, (mount, server) => {
  const { point } = mount;
  Deno.writeTextFileSync(`${server.served}/vim`, "1");
  Deno.writeTextFileSync(`${server.served}/sed`, "1");
  Deno.writeTextFileSync(`${server.served}/gone`, "1");
  Deno.writeTextFileSync(`${server.served}/old`, "1");
  mount.drop();
  // vim: swap file, a trial file, the original moved away, written anew, the copy deleted.
  Deno.writeTextFileSync(`${point}/.vim.swp`, "swap");
  Deno.writeTextFileSync(`${point}/4913`, "");
  Deno.removeSync(`${point}/4913`);
  Deno.renameSync(`${point}/vim`, `${point}/vim~`);
  Deno.writeTextFileSync(`${point}/vim`, "2");
  Deno.removeSync(`${point}/vim~`);
  // sed -i and most others: a new file, moved over the old one.
  Deno.writeTextFileSync(`${point}/sedAbC`, "2");
  Deno.renameSync(`${point}/sedAbC`, `${point}/sed`);
  Deno.writeTextFileSync(`${point}/new`, "1");
  Deno.writeTextFileSync(`${point}/passing`, "1");
  Deno.removeSync(`${point}/passing`);
  Deno.removeSync(`${point}/gone`);
  Deno.renameSync(`${point}/old`, `${point}/moved`);
  Deno.mkdirSync(`${point}/folder`);
  Deno.symlinkSync("new", `${point}/link`);
  Deno.chmodSync(`${point}/new`, 0o755);
  Deno.removeSync(`${point}/.vim.swp`);
  // Each step was written down before its program went on.
  const story = new Story();
  for (const line of Deno.readTextFileSync(`${mount.state}/changes.jsonl`).trim().split("\n")) {
    const step = parseStep(line);
    assert.ok(step, line);
    if (step.kind !== "mounted") story.add(step);
  }
  const told = story.tell().map(({ kind, path, from }) => ({
    kind,
    path: path.replace(server.served, ""),
    ...from && { from: from.replace(server.served, "") },
  }));
  const order = (a: { path: string }, b: { path: string }) => a.path < b.path ? -1 : 1;
  assert.deepEqual(told.sort(order), [
    { kind: "created", path: "/folder" },
    { kind: "deleted", path: "/gone" },
    { kind: "linked", path: "/link" },
    { kind: "renamed", path: "/moved", from: "/old" },
    { kind: "created", path: "/new" },
    { kind: "changed", path: "/sed" },
    { kind: "changed", path: "/vim" },
  ]);
  return Promise.resolve();
});

live(
  "a frozen link fails within 10 s, and all is well when it thaws",
  { roundTrip: 5 },
  async (mount, server) => {
    const { point } = mount;
    Deno.writeTextFileSync(`${server.served}/file`, "before");
    await Deno.mkdir(`${point}/d`);
    mount.drop();
    await mount.link("freeze");
    const start = performance.now();
    const results = await Promise.all([
      outcome(() => Deno.readTextFile(`${point}/file`)),
      outcome(() => Deno.mkdir(`${point}/d/e`)),
      outcome(() => Deno.writeTextFile(`${point}/new`, "x")),
      outcome(() => Array.fromAsync(Deno.readDir(`${point}/d`))),
    ]);
    const waited = performance.now() - start;
    for (const result of results) assert.match(result, /Input\/output error/);
    assert.ok(waited < 10_000, `took ${waited} ms`);
    await mount.link("thaw");
    await until(async () => await outcome(() => Deno.stat(`${point}/file`)) === "done", 10_000);
    assert.equal(await Deno.readTextFile(`${point}/file`), "before");
    await Deno.writeTextFile(`${point}/after`, "x");
    assert.equal(await Deno.readTextFile(`${server.served}/after`), "x");
  },
);

live("a big write into a frozen link is reported within 10 s", { roundTrip: 5 }, async (mount) => {
  const { point } = mount;
  const file = await Deno.open(`${point}/big`, { write: true, create: true });
  await file.write(new Uint8Array(1 << 20));
  await mount.link("freeze");
  const start = performance.now();
  const data = new Uint8Array(4 << 20);
  const result = await outcome(async () => {
    for (let i = 0; i < 8; i++) await file.write(data);
    await file.syncData();
  });
  const waited = performance.now() - start;
  assert.match(result, /Input\/output error/);
  assert.ok(waited < 10_000, `took ${waited} ms`);
  assert.match(await outcome(() => Deno.stat(`${point}/other`)), /Input\/output error/);
  await mount.link("thaw");
  await until(async () => await outcome(() => Deno.stat(`${point}/big`)) === "done", 10_000);
  file.close();
});

live(
  "a cut link comes back by itself, open files and all",
  { roundTrip: 5 },
  async (mount, server) => {
    const { point } = mount;
    const size = 300_000;
    await Deno.writeTextFile(`${server.served}/big`, "b".repeat(size));
    mount.drop();
    using reading = await Deno.open(`${point}/big`);
    const buffer = new Uint8Array(4096);
    await reading.read(buffer);
    using writing = await Deno.open(`${point}/out`, { write: true, create: true });
    await writing.write(new TextEncoder().encode("first "));
    await writing.syncData();
    await mount.link("cut");
    await writing.write(new TextEncoder().encode("second"));
    await writing.syncData();
    assert.equal(await Deno.readTextFile(`${server.served}/out`), "first second");
    await reading.seek(200_000, Deno.SeekMode.Start);
    assert.equal(await reading.read(buffer), 4096);
    assert.equal(buffer[0], "b".charCodeAt(0));
    assert.equal(await Deno.readTextFile(`${point}/out`), "first second");
  },
);

live(
  "a write that was cut off is complete or reported",
  { roundTrip: 20 },
  async (mount, server) => {
    const { point } = mount;
    const data = new Uint8Array(8 << 20).map((_, i) => i % 251);
    for (let round = 0; round < 4; round++) {
      const writing = outcome(() => Deno.writeFile(`${point}/out${round}`, data));
      await until(() => outcomeSize(`${server.served}/out${round}`) > 1 << 18, 9000);
      await mount.link("cut");
      const result = await writing;
      const there = await Deno.readFile(`${server.served}/out${round}`);
      if (result === "done") {
        assert.equal(
          there.length === data.length && there.every((byte, i) => byte === i % 251),
          true,
        );
      }
      await until(
        async () => await outcome(() => Deno.stat(`${point}/out${round}`)) === "done",
        10_000,
      );
    }
  },
);

function outcomeSize(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}

live(`${ENTRIES} entries in one directory`, {}, async (mount, server) => {
  Deno.mkdirSync(`${server.served}/many`);
  for (let i = 0; i < ENTRIES; i++) {
    Deno.writeTextFileSync(`${server.served}/many/entry number ${i}`, "");
  }
  mount.drop();
  assert.equal(names(`${mount.point}/many`).length, ENTRIES);
  assert.equal(Deno.statSync(`${mount.point}/many/entry number ${ENTRIES - 7}`).size, 0);
  Deno.writeTextFileSync(`${mount.point}/many/new`, "x");
  assert.equal(Deno.readTextFileSync(`${server.served}/many/new`), "x");
  console.log(`memory of the relay, highest: ${(await mount.memory()).highest.toFixed(0)} MiB`);
  await run("rm", "-r", `${server.served}/many`);
});

live("git, make, npm, sqlite, locks and mmap work as on a disk", {}, async (mount, server) => {
  const { point } = mount;
  const sh = (line: string) => run("sh", "-euc", line, "sh", point, server.served);
  const git = "git -c user.name=a -c user.email=a@b -c safe.directory='*'";
  await sh(`mkdir $2/origin; cd $2/origin; git init -q; seq 300 | split -l 1 - f; ${git} add .
    ${git} commit -qm all`);
  mount.drop();
  await sh(
    `cd $1; ${git} clone -q --no-hardlinks origin clone; cd clone; echo x > new; ${git} add new
    ${git} commit -qm new; ${git} branch other; ${git} checkout -q other; ${git} gc -q`,
  );
  assert.equal(await sh(`cd $1/clone; ${git} status --porcelain; ${git} fsck --strict`), "");
  assert.equal(await sh("cd $1/clone; ls | wc -l"), "301\n");
  await sh(
    `mkdir $1/make; cd $1/make; for i in $(seq 20); do echo "int f$i(void){return $i;}" > $i.c; done
    printf 'all: $(patsubst %%.c,%%.o,$(wildcard *.c))\\n\\tcat *.o > all\\n%%.o: %%.c\\n\\tcp $< $@\\n' > Makefile
    make -s -j4`,
  );
  assert.equal(await sh("cd $1/make; make -j4"), "make: 'all' is up to date.\n");
  await sh(`mkdir $1/package; cd $1/package; echo '{"name":"p","version":"1.0.0"}' > package.json
    npm pack --silent > /dev/null; mkdir $1/user; cd $1/user; echo '{"name":"u"}' > package.json
    npm install --silent --offline ../package/p-1.0.0.tgz`);
  assert.match(
    await Deno.readTextFile(`${server.served}/user/node_modules/p/package.json`),
    /1\.0\.0/,
  );
  for (const count of [1, 2, 3]) {
    const database = new DatabaseSync(`${point}/db`);
    database.exec("create table if not exists t(a); insert into t values(1)");
    assert.equal(database.prepare("select count(*) as n from t").get()?.["n"], count);
    database.close();
  }
  assert.equal(await sh("flock $1/db sh -c 'flock -n $0 true || echo held' $1/db"), "held\n");
  const mapped =
    "import mmap,sys; f=open(sys.argv[1],'r+b'); m=mmap.mmap(f.fileno(),0); m[:3]=b'abc'; m.flush()";
  await sh(`printf 123456 > $1/mapped; python3 -c "${mapped}" $1/mapped`);
  assert.equal(await Deno.readTextFile(`${server.served}/mapped`), "abc456");
});

Deno.test({
  name: "a file is moved to another file system of the server by copying it",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(): Promise<void> {
    const server = await Server.start();
    const other = `${server.served}/other`;
    await Deno.mkdir(other);
    await run("mount", "-t", "tmpfs", "tmpfs", other);
    try {
      const { point } = await server.mount();
      await Deno.mkdir(`${point}/d`);
      await Deno.writeTextFile(`${point}/d/file`, "moved");
      await run("mv", `${point}/d`, `${point}/other/d`);
      assert.equal(await Deno.readTextFile(`${other}/d/file`), "moved");
      assert.deepEqual(names(server.served), ["other"]);
    } finally {
      await run("umount", "-l", other);
      await server.stop();
    }
  },
});

live("without a relay there is nothing to drop, and nobody waits", {}, async (mount) => {
  Deno.kill(mount.relayPid, "SIGKILL");
  await until(() => mount.drop() === "none");
});

live("no relay and no ssh is left when the mount ends", {}, async (mount) => {
  const pid = mount.relayPid;
  const children = (await run("pgrep", "-P", `${pid}`)).trim().split("\n").map(Number);
  assert.equal(children.length, 1);
  await mount.close();
  for (const process of [pid, ...children]) {
    await until(async () => (await proc(`${process}/stat`))?.includes(") Z ") ?? true);
  }
});
