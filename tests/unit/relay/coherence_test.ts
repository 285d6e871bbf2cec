/** What a local program sees of a file, with the relay's real parts between it and a server in memory. */
import assert from "node:assert/strict";
import { Open, Status, Type } from "../../../src/relay/wire.ts";
import { Bench, Failed } from "./simulation/local_client.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function failure(action: Promise<unknown>): Promise<number | undefined> {
  try {
    await action;
    return undefined;
  } catch (error) {
    if (error instanceof Failed) return error.code;
    throw error;
  }
}

for (const place of ["/dev", "/srv"]) {
  Deno.test(`what was written is in the next FSTAT, in ${place}`, async () => {
    using bench = new Bench();
    bench.files.mkdir(place);
    await bench.open();
    const flags = Open.READ | Open.WRITE | Open.CREATE | Open.TRUNCATE;
    const handle = await bench.finish(bench.openFile(`${place}/p`, flags));
    assert.equal((await bench.finish(bench.fstat(handle))).size, 0);
    await bench.finish(bench.write(handle, 0, "x".repeat(100)));
    assert.equal((await bench.finish(bench.fstat(handle))).size, 100);
  });

  Deno.test(`an exclusive open that was cut off is never done twice, in ${place}`, async () => {
    using bench = new Bench({ random: () => 0.9 });
    bench.files.mkdir(place);
    await bench.open();
    bench.host.delay = 10;
    const opened = bench.openFile(`${place}/lock`, Open.WRITE | Open.CREATE | Open.EXCLUSIVE);
    await bench.clock.pass(15);
    bench.host.cut();
    assert.equal(await bench.finish(failure(opened)), Status.IO_ERROR);
    assert.equal(bench.host.count(Type.OPEN) - 2, 1, "beside the two files of /proc");
  });
}

Deno.test("nothing is read ahead where nothing may be remembered", async () => {
  using bench = new Bench();
  bench.files.mkdir("/dev");
  bench.put("/dev/big", "a".repeat(400_000));
  await bench.open();
  const handle = await bench.finish(bench.openFile("/dev/big"));
  await bench.finish(bench.fstat(handle));
  for (let at = 0; at < 4 * 32768; at += 32768) {
    await bench.finish(bench.read(handle, at, 32768));
  }
  bench.put("/dev/big", "b".repeat(400_000));
  assert.equal(text(await bench.finish(bench.read(handle, 4 * 32768, 5))), "bbbbb");
});

Deno.test("a listing under way does not bring back what we have removed since", async () => {
  using bench = new Bench();
  bench.files.mkdir("/d");
  for (let i = 0; i < 200; i++) bench.put(`/d/n${i}`, "x");
  bench.put("/d/x", "x");
  await bench.open();
  assert.equal((await bench.finish(bench.list("/d"))).length, 203);
  await bench.clock.pass(1500);
  // The renewal's listing is read after its OPENDIR was answered, and before our changes are sent.
  bench.host.work = (type) => type === Type.READDIR ? 50 : 0;
  await bench.finish(bench.lstat("/d/n0"));
  await bench.clock.pass(5);
  const changes = [bench.remove("/d/x")];
  for (let i = 1; i < 100; i++) changes.push(bench.chmod(`/d/n${i}`, 0o600));
  await bench.finish(Promise.all(changes));
  assert.equal(await bench.finish(failure(bench.lstat("/d/x"))), Status.NO_SUCH_FILE);
  await bench.clock.pass(200);
  assert.equal(await bench.finish(failure(bench.lstat("/d/x"))), Status.NO_SUCH_FILE);
  assert.equal((await bench.finish(bench.lstat("/d/n5"))).mode, 0o100600);
});

Deno.test("a listing counts as under way until it is kept, whatever makes room for it", async () => {
  using bench = new Bench();
  bench.files.mkdir("/d");
  bench.put("/d/x", "x");
  await bench.open();
  const { tree, link } = bench.core;
  const seen: [string, boolean][] = [];
  const learn = tree.learn.bind(tree), learnListing = tree.learnListing.bind(tree);
  tree.learn = (path, attrs, sequence) => {
    seen.push([path, link.oldest() <= sequence]);
    learn(path, attrs, sequence);
  };
  tree.learnListing = (path, entries, sequence) => {
    seen.push([path, link.oldest() <= sequence]);
    learnListing(path, entries, sequence);
  };
  assert.deepEqual(await bench.finish(bench.list("/d")), [".", "..", "x"]);
  assert.deepEqual(seen, [["/d", true], ["/d", true]]);
});

Deno.test("a file opened before a drop is read as it is after it", async () => {
  using bench = new Bench();
  bench.put("/f", "OLD");
  await bench.open();
  await bench.finish(bench.list("/"));
  assert.equal(await bench.finish(bench.content("/f")), "OLD");
  const handle = await bench.finish(bench.openFile("/f"));
  bench.put("/f", "NEW!");
  bench.drop();
  assert.equal((await bench.finish(bench.fstat(handle))).size, 4);
  assert.equal(text(await bench.finish(bench.read(handle))), "NEW!");
});

Deno.test("a content is vouched for only if its file was not young when it was read", async () => {
  using bench = new Bench();
  bench.put("/f", "AAAA");
  await bench.open();
  await bench.finish(bench.list("/"));
  bench.put("/f", "AAAA");
  await bench.finish(bench.lstat("/f"));
  // Between our reading and the end of the second it is written again; the answer comes late.
  bench.host.work = (type) => type === Type.CLOSE ? 6000 : 0;
  const reading = bench.content("/f");
  await bench.clock.pass(20);
  bench.put("/f", "BBBB");
  await bench.finish(reading);
  bench.host.work = () => 0;
  await bench.clock.pass(9000);
  assert.equal(await bench.finish(bench.content("/f")), "BBBB");
});

Deno.test("the same size and time vouch for a content for a minute at most", async () => {
  using bench = new Bench();
  bench.put("/f", "AAAA");
  await bench.open();
  await bench.clock.pass(20_000);
  await bench.finish(bench.list("/"));
  assert.equal(await bench.finish(bench.content("/f")), "AAAA");
  const inode = bench.files.get("/f");
  const { mtime } = inode;
  bench.put("/f", "BBBB");
  inode.mtime = mtime;
  await bench.clock.pass(61_000);
  assert.equal(await bench.finish(bench.content("/f")), "BBBB");
});

for (const how of ["replaced", "removed"] as const) {
  for (const wait of [0, 1500]) {
    Deno.test(`a small file that is ${how} over there stays itself for who reads it, after ${wait} ms`, async () => {
      using bench = new Bench();
      bench.put("/s", "A".repeat(6000));
      bench.put("/s2", "C".repeat(6000));
      await bench.open();
      await bench.finish(bench.list("/"));
      await bench.finish(bench.content("/s"));
      const handle = await bench.finish(bench.openFile("/s"));
      assert.equal(text(await bench.finish(bench.read(handle, 0, 4))), "AAAA");
      if (how === "replaced") bench.files.rename("/s2", "/s");
      else bench.files.remove("/s");
      bench.drop();
      await bench.clock.pass(wait);
      assert.equal(text(await bench.finish(bench.read(handle, 4096, 4))), "AAAA");
      await bench.clock.pass(7000);
      assert.equal(text(await bench.finish(bench.read(handle, 5000, 4))), "AAAA");
    });
  }
}

Deno.test("a small file is read to its end while it is renamed and while its name is taken", async () => {
  using bench = new Bench();
  bench.put("/s", "A".repeat(6000));
  bench.put("/t", "T".repeat(6000));
  await bench.open();
  bench.host.delay = 20;
  await bench.finish(bench.list("/"));
  await bench.finish(bench.content("/s"));
  await bench.finish(bench.content("/t"));
  const handles = [
    await bench.finish(bench.openFile("/s")),
    await bench.finish(bench.openFile("/t")),
  ];
  const renamed = bench.rename("/s", "/t");
  const pieces = handles.map((handle) => bench.read(handle, 100, 2));
  assert.deepEqual((await bench.finish(Promise.all(pieces))).map(text), ["AA", "TT"]);
  await bench.finish(renamed);
  const later = handles.map((handle) => bench.read(handle, 200, 2));
  assert.deepEqual((await bench.finish(Promise.all(later))).map(text), ["AA", "TT"]);
});

Deno.test("a small log that grows is followed by who has it open", async () => {
  using bench = new Bench();
  bench.put("/log", "one\n");
  await bench.open();
  await bench.finish(bench.list("/"));
  const handle = await bench.finish(bench.openFile("/log"));
  assert.equal(text(await bench.finish(bench.read(handle))), "one\n");
  bench.files.write(bench.files.get("/log"), 4, new TextEncoder().encode("two\n"));
  await bench.clock.pass(3000);
  assert.equal(text(await bench.finish(bench.read(handle, 4))), "two\n");
});

for (const restarted of [true, false]) {
  const what = restarted ? "whose machine was started again" : "that was only cut off";
  Deno.test(`fsync after a server ${what} ${restarted ? "fails once" : "succeeds"}`, async () => {
    using bench = new Bench();
    for (const path of ["/proc", "/proc/sys", "/proc/sys/kernel", "/proc/sys/kernel/random"]) {
      bench.files.mkdir(path);
    }
    bench.put("/proc/sys/kernel/random/boot_id", "1");
    await bench.open();
    const handle = await bench.finish(bench.openFile("/f", Open.WRITE | Open.CREATE));
    await bench.finish(bench.write(handle, 0, "data"));
    await bench.clock.pass(100);
    await bench.finish(bench.fstat(handle));
    if (restarted) bench.put("/proc/sys/kernel/random/boot_id", "2");
    bench.host.cut();
    await bench.clock.pass(1000);
    const code = await bench.finish(failure(bench.fsync(handle)));
    assert.equal(code, restarted ? Status.IO_ERROR : undefined);
    assert.equal(await bench.finish(failure(bench.fsync(handle))), undefined);
  });
}

Deno.test("a file whose mode or size we set stays open through a lost connection", async () => {
  using bench = new Bench();
  await bench.open();
  const handle = await bench.finish(bench.openFile("/f", Open.WRITE | Open.CREATE));
  await bench.finish(bench.write(handle, 0, "data"));
  await bench.finish(bench.ask(Type.FSETSTAT, (to) => to.blob(handle).u32(4).u32(0o600)));
  await bench.finish(bench.ask(Type.FSETSTAT, (to) => to.blob(handle).u32(1).u64(2)));
  await bench.clock.pass(100);
  bench.host.cut();
  await bench.clock.pass(1000);
  await bench.finish(bench.write(handle, 2, "more"));
  assert.equal(text(bench.files.get("/f").data), "damore");
});

Deno.test("a directory renamed while a file in it is written: the file is asked for until it is closed", async () => {
  using bench = new Bench();
  bench.files.mkdir("/d");
  await bench.open();
  await bench.finish(bench.list("/d"));
  const handle = await bench.finish(bench.openFile("/d/f", Open.WRITE | Open.CREATE));
  await bench.finish(bench.rename("/d", "/e"));
  assert.deepEqual([bench.core.tree.isWriting("/d/f"), bench.core.tree.isWriting("/e/f")], [
    false,
    true,
  ]);
  await bench.finish(bench.close(handle));
  assert.equal(bench.core.tree.isWriting("/e/f"), false);
});

Deno.test("a directory is listed with . and .. from the server and from memory", async () => {
  using bench = new Bench();
  bench.put("/f", "x");
  await bench.open();
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(await bench.finish(bench.list("/")), [".", "..", "f"]);
  }
});

Deno.test("what was known before the machine slept is not believed after it", async () => {
  using bench = new Bench();
  bench.put("/f", "old");
  await bench.open();
  await bench.finish(bench.list("/"));
  bench.put("/f", "older than the sleep");
  bench.clock.ahead += 3_600_000;
  await bench.clock.pass(300);
  assert.equal((await bench.finish(bench.lstat("/f"))).size, 20);
});

Deno.test("what was failed during a silence and done all the same is seen after it", async () => {
  using bench = new Bench();
  for (const path of ["/a", "/b"]) bench.files.mkdir(path);
  bench.put("/a/f", "one");
  bench.put("/b/f", "other");
  await bench.open();
  await bench.finish(bench.list("/"));
  await bench.finish(bench.list("/a"));
  await bench.finish(bench.content("/a/f"));
  bench.host.freeze(12_000);
  const renamed = failure(bench.rename("/a", "/c"));
  assert.equal(await bench.finish(renamed), Status.IO_ERROR);
  await bench.clock.pass(8000);
  assert.equal(await bench.finish(failure(bench.lstat("/a/f"))), Status.NO_SUCH_FILE);
  assert.equal(await bench.finish(bench.content("/c/f")), "one");
});

Deno.test("a small file whose reopening is held up by a silence leaves nothing open over there", async () => {
  using bench = new Bench();
  bench.put("/s", "A".repeat(6000));
  await bench.open();
  await bench.finish(bench.list("/"));
  await bench.finish(bench.content("/s"));
  const handle = await bench.finish(bench.openFile("/s"));
  await bench.finish(bench.read(handle));
  bench.put("/s", "A".repeat(7000));
  bench.drop();
  // OPEN and LSTAT are answered, and the comparison of the bytes is under way.
  bench.host.work = (type) => type === Type.READ ? 8000 : 0;
  const late = failure(bench.read(handle));
  await bench.finish(late);
  bench.host.work = () => 0;
  await bench.clock.pass(10_000);
  await bench.finish(bench.close(handle));
  await bench.clock.pass(1000);
  assert.equal(bench.host.connection?.handles.size, 0);
});

Deno.test("a file whose opening was given up is closed when the server opens it after all", async () => {
  using bench = new Bench();
  bench.put("/f", "data");
  await bench.open();
  // The link comes back after 6 s; then the server takes 5 more, behind the two files of /proc.
  let opens = 0;
  bench.host.work = (type) => type === Type.OPEN && ++opens > 2 ? 5000 : 0;
  bench.host.freeze(6000);
  bench.host.cut();
  await bench.clock.pass(10);
  const opened = bench.openFile("/f", Open.READ | Open.WRITE);
  assert.equal(await bench.finish(failure(opened)), Status.IO_ERROR);
  assert.equal(bench.core.link.up, true);
  await bench.clock.pass(5000);
  assert.deepEqual(
    [
      bench.host.connection?.handles.size,
      bench.core.handles.all.size,
      bench.core.tree.isWritingAny,
    ],
    [0, 0, false],
  );
});

Deno.test("a connection that answers once after a silence and is silent again fails what waits within 10 s", async () => {
  using bench = new Bench();
  bench.put("/a", "a");
  bench.put("/b", "b");
  await bench.open();
  bench.host.delay = 5;
  const first = failure(bench.lstat("/a"));
  await bench.clock.pass(1);
  bench.host.freeze(7700);
  await bench.clock.pass(8);
  // The answer to the first is on its way; nothing else passes any more.
  bench.host.freeze(30_000);
  const start = bench.clock.now;
  assert.equal(await bench.finish(failure(bench.lstat("/b"))), Status.IO_ERROR);
  assert.ok(bench.clock.now - start <= 10_000, `${bench.clock.now - start} ms`);
  await bench.finish(first);
});
