/** The relay after a long day, and on a bad one: memory, handles at the server, requests, time. */
import assert from "node:assert/strict";
import { Listing } from "../../../src/relay/directory.ts";
import { Tree } from "../../../src/relay/tree.ts";
import { Open, Status, Type, Writer } from "../../../src/relay/wire.ts";
import { Bench, Failed } from "./simulation/local_client.ts";

function attrs(mode = 0o100644): Uint8Array {
  return new Writer().u32(15).u64(1).u32(0).u32(0).u32(mode).u32(1).u32(1).view().slice();
}

function tree(capacity: number): Tree {
  return new Tree({
    capacity,
    lifetime: 60_000,
    oldest: () => Infinity,
    onUse: () => {},
    onSharedChange: () => {},
  });
}

function sumOfCosts(of: Tree): number {
  return [...of.directories.values()].reduce((sum, directory) => sum + directory.cost, 0);
}

function generator(state: number): (below: number) => number {
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}

Deno.test("names that came and went leave no cost", () => {
  const one = tree(100_000);
  for (let i = 1; i < 5000; i++) {
    const sent = i * 3;
    one.change(`/t/f${i}`, sent);
    one.learn(`/t/f${i}`, attrs(), sent + 1);
    one.change(`/t/f${i}`, sent + 2);
    one.gone(`/t/f${i}`, sent + 2);
  }
  const listing = new Listing();
  for (let i = 0; i < 100; i++) listing.add(`n${i}`, attrs(), false);
  one.learnListing("/e", listing, 99_999);
  assert.equal(one.find("/e/n7").kind, "attrs");
  assert.ok(one.cost < 25_000, `${one.cost}`);
});

Deno.test("after 100,000 operations the cost is the sum of the costs, and under the cap", () => {
  const pick = generator(7);
  const one = tree(400_000);
  for (let step = 1; step <= 100_000; step++) {
    const directory = `/d${pick(60)}`;
    const path = `${directory}/${"n".repeat(1 + pick(30))}${pick(200)}`;
    const kinds = [
      () => one.learn(path, attrs(), step),
      () => one.learn(path, attrs(0o40755), step),
      () => one.learnLink(path, "t".repeat(pick(50)), step),
      () => one.learnAbsent(path, step),
      () => one.change(path, step),
      () => {
        one.change(path, step);
        one.gone(path, step);
      },
      () => one.touch(path, step),
      () => one.share(path),
      () => pick(200) === 0 ? one.drop(step) : undefined,
      () => pick(20) === 0 ? one.forget(directory) : one.forgetEmpty(path),
      () => {
        const listing = new Listing();
        for (let i = pick(40); i > 0; i--) listing.add(`n${i}`, attrs(), pick(9) === 0);
        one.learnListing(directory, listing, step);
      },
    ];
    kinds[pick(kinds.length)]?.();
    if (step % 1000 === 0) assert.equal(one.cost, sumOfCosts(one), `step ${step}`);
    assert.ok(one.cost <= 400_000);
  }
});

Deno.test("a file that cannot be read is fetched ahead once, not for ever", async () => {
  using bench = new Bench();
  bench.files.mkdir("/d");
  for (let i = 0; i < 600; i++) bench.put(`/d/f${i}`, "x".repeat(8000));
  await bench.open();
  bench.host.intercept = (type, fields) =>
    type === Type.OPEN && /\/d\/f1?[0-9]$/.test(fields.text()) ? Status.FAILURE : undefined;
  await bench.finish(bench.list("/d"));
  for (let i = 30; i < 33; i++) await bench.finish(bench.content(`/d/f${i}`));
  await bench.clock.pass(5000);
  const before = bench.host.count(Type.OPEN);
  await bench.clock.pass(60_000);
  assert.equal(bench.host.count(Type.OPEN) - before, 0);
});

Deno.test("all small files of a directory are fetched ahead of who reads them, each once", async () => {
  using bench = new Bench();
  bench.files.mkdir("/d");
  const COUNT = 300;
  for (let i = 0; i < COUNT; i++) bench.put(`/d/f${1000 + i}`, "x".repeat(100_000));
  await bench.open();
  bench.host.delay = 10;
  await bench.finish(bench.list("/d"));
  const before = bench.host.count(Type.OPEN);
  const start = bench.clock.now;
  for (let i = 0; i < COUNT; i++) {
    const handle = await bench.finish(bench.openFile(`/d/f${1000 + i}`));
    await bench.finish(bench.read(handle));
    await bench.finish(bench.close(handle));
  }
  const opens = bench.host.count(Type.OPEN) - before;
  assert.ok(opens <= COUNT + 10, `${opens} files opened`);
  const each = (bench.clock.now - start) / COUNT;
  assert.ok(each < 12, `${each} ms for each file: a round trip is 20`);
});

for (const backward of [false, true]) {
  const how = backward ? "from its end, as ripgrep does" : "in order";
  Deno.test(`a tree that is larger than the memory for it is fetched once by who reads it ${how}`, async () => {
    using bench = new Bench({ capacity: 8 << 20 });
    const files: string[] = [];
    // On the server in no order at all, as in a hashed directory.
    const order = (i: number) => (i * 37) % 60;
    for (let i = 0; i < 60; i++) {
      bench.files.mkdir(`/d${100 + order(i)}`);
      for (let j = 0; j < 10; j++) {
        bench.put(`/d${100 + order(i)}/f${(j * 7) % 10}`, "x".repeat(8000));
      }
    }
    for (let i = 0; i < 60; i++) for (let j = 0; j < 10; j++) files.push(`/d${100 + i}/f${j}`);
    if (backward) files.reverse();
    await bench.open();
    bench.host.delay = 10;
    const before = bench.host.count(Type.OPEN);
    const start = bench.clock.now;
    for (const file of files) {
      await bench.finish(bench.lstat(file));
      await bench.finish(bench.content(file));
    }
    const opens = bench.host.count(Type.OPEN) - before;
    assert.ok(opens <= files.length * 1.1, `${opens} files opened for ${files.length}`);
    const each = (bench.clock.now - start) / files.length;
    assert.ok(each < 10, `${each} ms for each file: a round trip is 20`);
  });
}

Deno.test("a small directory is listed in two round trips and four requests", async () => {
  using bench = new Bench();
  bench.files.mkdir("/d");
  bench.put("/d/f", "x");
  await bench.open();
  bench.host.delay = 10;
  const start = bench.clock.now;
  const before = [Type.OPENDIR, Type.READDIR].map((type) => bench.host.count(type));
  assert.deepEqual(await bench.finish(bench.list("/d")), [".", "..", "f"]);
  const took = bench.clock.now - start;
  await bench.clock.pass(100);
  const after = [Type.OPENDIR, Type.READDIR].map((type) => bench.host.count(type));
  assert.deepEqual([after.map((count, i) => count - (before[i] ?? 0)), took], [[1, 2], 40]);
});

Deno.test("a tree of many directories with a few small files is read in order at no round trip for each", async () => {
  using bench = new Bench();
  const files: string[] = [];
  for (let i = 0; i < 300; i++) {
    const directory = `/d${100 + i}`;
    bench.files.mkdir(directory);
    for (let j = 0; j < 4; j++) {
      bench.put(`${directory}/f${j}`, "x".repeat(100));
      files.push(`${directory}/f${j}`);
    }
  }
  await bench.open();
  bench.host.delay = 10;
  const start = bench.clock.now;
  let listed = "";
  for (const file of files) {
    const directory = file.slice(0, file.lastIndexOf("/"));
    if (directory !== listed) await bench.finish(bench.list(listed = directory));
    await bench.finish(bench.lstat(file));
    await bench.finish(bench.content(file));
  }
  const each = (bench.clock.now - start) / 300;
  assert.ok(each < 5, `${each} ms for each directory: a round trip is 20`);
});

for (const [what, pause] of [["a slow", 30], ["a quick", 1]] as const) {
  Deno.test(`${what} walk lists each directory once, and does not wait for it`, async () => {
    using bench = new Bench();
    const directories: string[] = [];
    for (let i = 0; i < 30; i++) {
      bench.files.mkdir(`/d${100 + i}`);
      directories.push(`/d${100 + i}`);
      for (let j = 0; j < 20; j++) {
        bench.files.mkdir(`/d${100 + i}/s${10 + j}`);
        bench.put(`/d${100 + i}/s${10 + j}/f`, "x");
        directories.push(`/d${100 + i}/s${10 + j}`);
      }
    }
    await bench.open();
    bench.host.delay = 10;
    for (const round of [1, 2]) {
      const before = bench.host.count(Type.OPENDIR);
      const start = bench.clock.now;
      for (const directory of ["/", ...directories]) {
        await bench.finish(bench.list(directory));
        await bench.clock.pass(pause);
      }
      const listings = (bench.host.count(Type.OPENDIR) - before) / directories.length;
      const waited = (bench.clock.now - start) / directories.length - pause;
      assert.ok(listings < 1.25, `round ${round}: each is listed ${listings} times`);
      assert.ok(waited < 4, `round ${round}: ${waited} ms for each: a round trip is 20`);
    }
  });
}

Deno.test("what is closed during a silence is closed at the server after it", async () => {
  using bench = new Bench();
  for (let i = 0; i < 50; i++) bench.put(`/f${i}`, "x");
  await bench.open();
  const handles = [];
  for (let i = 0; i < 50; i++) {
    handles.push(await bench.finish(bench.openFile(`/f${i}`, Open.WRITE)));
  }
  bench.host.freeze(9000);
  const asked = bench.lstat("/none").catch(() => {});
  await bench.clock.pass(8000);
  for (const handle of handles) await bench.finish(bench.close(handle));
  await bench.finish(asked);
  await bench.clock.pass(5000);
  assert.equal(bench.host.connection?.handles.size, 0);
});

Deno.test("who waited for a connection that is silent at once is failed in 10 s all the same", async () => {
  using bench = new Bench();
  bench.put("/f", "x");
  await bench.open();
  bench.host.cut();
  bench.host.frozenUntil = bench.clock.now + 7000;
  const start = bench.clock.now;
  const asked = bench.chmod("/f", 0o600).then(() => 0, (error: Failed) => error.code);
  await bench.clock.pass(6900);
  bench.host.intercept = () => {
    bench.host.frozenUntil = bench.clock.now + 60_000;
    return undefined;
  };
  await bench.finish(asked);
  const took = bench.clock.now - start;
  assert.ok(took <= 10_000, `${took} ms`);
});

Deno.test("a directory of many names is not listed for each one that is asked for", async () => {
  using bench = new Bench();
  bench.files.mkdir("/d");
  for (let i = 0; i < 6000; i++) bench.put(`/d/f${i}`, "x");
  await bench.open();
  await bench.finish(bench.list("/d"));
  const before = bench.host.count(Type.OPENDIR);
  for (let i = 0; i < 20; i++) {
    await bench.clock.pass(2500);
    await bench.finish(bench.lstat(`/d/f${i}`));
  }
  assert.equal(bench.host.count(Type.OPENDIR) - before, 0);
  for (let i = 0; i < 300; i++) await bench.finish(bench.lstat(`/d/f${i}`));
  assert.equal(bench.host.count(Type.OPENDIR) - before, 1, "but for who asks for all");
});

Deno.test("a day's temporary names in a directory leave no memory behind", () => {
  const one = tree(1 << 20);
  for (let i = 1; i < 50_000; i++) {
    one.change(`/d/t${i}`, 2 * i);
    one.learn(`/d/t${i}`, attrs(), 2 * i + 1);
    one.change(`/d/t${i}`, 2 * i + 1);
    one.gone(`/d/t${i}`, 2 * i + 1);
  }
  assert.ok(one.cost < 20_000, `${one.cost}`);
});
