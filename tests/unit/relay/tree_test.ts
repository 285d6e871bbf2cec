import assert from "node:assert/strict";
import { Listing } from "../../../src/relay/directory.ts";
import { Tree } from "../../../src/relay/tree.ts";
import { sizeOf, Writer } from "../../../src/relay/wire.ts";

/** Attributes of a regular file, or of a directory. */
function attrs(size: number, mode = 0o100644): Uint8Array {
  return new Writer().u32(15).u64(size).u32(0).u32(0).u32(mode).u32(1).u32(1).view().slice();
}

interface Entry {
  name: string;
  attrs: Uint8Array;
  shared: boolean;
}

function entry(name: string, size = 1): Entry {
  return { name, attrs: attrs(size), shared: false };
}

function listing(entries: Entry[]): Listing {
  const packed = new Listing();
  for (const { name, attrs, shared } of entries) packed.add(name, attrs, shared);
  return packed;
}

function tree(options: { capacity?: number; lifetime?: number; oldest?: () => number } = {}): Tree {
  return new Tree({
    capacity: options.capacity ?? 1 << 20,
    lifetime: options.lifetime ?? 60_000,
    oldest: options.oldest ?? (() => 0),
    onUse: () => {},
    onSharedChange: () => {},
  });
}

/** What is known of a path, in one word or its size. */
function known(of: Tree, path: string): string | number {
  const found = of.find(path);
  return found.kind === "attrs" ? sizeOf(found.attrs) : found.kind;
}

Deno.test("nothing is known until it is learned", () => {
  const one = tree();
  assert.equal(known(one, "/a"), "unknown");
  assert.equal(known(one, "/"), "unknown");
});

Deno.test("a complete listing answers for names it does not have", () => {
  const one = tree();
  one.learn("/d/x", attrs(7), 1);
  assert.equal(known(one, "/d/x"), 7);
  assert.equal(known(one, "/d/y"), "unknown");
  one.learnListing("/d", listing([entry("y", 3)]), 2);
  assert.deepEqual([known(one, "/d/x"), known(one, "/d/y")], ["absent", 3]);
});

Deno.test("an answer that was asked for before our change is not believed, one after it is", () => {
  const one = tree();
  one.learn("/d/x", attrs(1), 1);
  one.change("/d/x", 5);
  assert.equal(known(one, "/d/x"), "unknown");
  one.learn("/d/x", attrs(2), 4);
  assert.equal(known(one, "/d/x"), "unknown");
  one.learn("/d/x", attrs(3), 6);
  assert.equal(known(one, "/d/x"), 3);
});

Deno.test("a listing asked for before our changes keeps what they did", () => {
  const one = tree();
  one.learnListing("/d", listing([entry("old"), entry("stays")]), 1);
  one.change("/d/new", 5);
  one.change("/d/old", 6);
  one.gone("/d/old", 6);
  one.learnListing("/d", listing([entry("old"), entry("stays", 9)]), 4);
  assert.deepEqual(
    ["old", "new", "stays", "never"].map((name) => known(one, `/d/${name}`)),
    ["absent", "unknown", 9, "absent"],
  );
  assert.equal(one.listing("/d"), undefined, "the new name is still in doubt");
  one.learn("/d/new", attrs(4), 7);
  assert.deepEqual([...one.listing("/d")?.names.keys() ?? []].sort(), ["new", "stays"]);
});

Deno.test("a later change of the same name takes back that it is gone", () => {
  const one = tree();
  one.learnListing("/d", listing([entry("x")]), 1);
  one.change("/d/x", 5);
  one.change("/d/x", 6);
  one.gone("/d/x", 5);
  assert.equal(known(one, "/d/x"), "unknown");
});

Deno.test("a change of a name ages the directory's own attributes", () => {
  const one = tree();
  one.learn("/d", attrs(4096, 0o040755), 1);
  one.change("/d/x", 5);
  assert.equal(known(one, "/d"), "unknown");
  one.learn("/d", attrs(4096, 0o040755), 4);
  assert.equal(known(one, "/d"), "unknown");
});

Deno.test("after a drop nothing that was asked for before it is believed", () => {
  const one = tree();
  one.learnListing("/d", listing([entry("x")]), 1);
  one.learnLink("/d/l", "target", 1);
  one.drop(9);
  one.learn("/d/x", attrs(2), 9);
  one.learnListing("/d", listing([entry("x")]), 8);
  assert.deepEqual([known(one, "/d/x"), known(one, "/d/y"), one.link("/d/l")], [
    "unknown",
    "unknown",
    undefined,
  ]);
  one.learn("/d/x", attrs(3), 10);
  assert.equal(known(one, "/d/x"), 3);
});

Deno.test("answers end after their lifetime", () => {
  const one = tree({ lifetime: 0 });
  one.learnListing("/d", listing([entry("x")]), 1);
  assert.deepEqual([known(one, "/d/x"), known(one, "/d/y"), one.listing("/d")], [
    "unknown",
    "unknown",
    undefined,
  ]);
});

Deno.test("a file that is open for writing is always asked for", () => {
  const one = tree();
  one.learn("/d/x", attrs(1), 1);
  one.beginWriting("/d/x");
  one.beginWriting("/d/x");
  assert.equal(known(one, "/d/x"), "unknown");
  one.learn("/d/x", attrs(2), 2);
  one.endWriting("/d/x");
  assert.equal(known(one, "/d/x"), "unknown");
  one.endWriting("/d/x");
  one.learn("/d/x", attrs(3), 3);
  assert.equal(known(one, "/d/x"), 3);
});

Deno.test("a write under one name puts the other names of all linked files in doubt", () => {
  let told = 0;
  const one = new Tree({
    capacity: 1 << 20,
    lifetime: 60_000,
    oldest: () => 0,
    onUse: () => {},
    onSharedChange: () => told++,
  });
  one.learnListing("/d", listing([{ ...entry("x"), shared: true }, entry("z")]), 1);
  one.learnListing("/e", listing([{ ...entry("y"), shared: true }]), 2);
  one.touch("/d/x", 5);
  assert.deepEqual([known(one, "/e/y"), known(one, "/d/z")], ["unknown", 1]);
  assert.equal(told, 1);
  one.learn("/e/y", attrs(2), 4);
  assert.equal(known(one, "/e/y"), "unknown", "an answer from before is not believed");
  one.learn("/e/y", attrs(2), 6);
  assert.equal(known(one, "/e/y"), 2);
});

Deno.test("attributes of a shape that nobody knows are not kept", () => {
  const one = tree();
  one.learn("/d/x", new Writer().u32(0).view().slice(), 1);
  assert.equal(known(one, "/d/x"), "unknown");
});

Deno.test("memory stays under the cap, and changes in flight survive it", () => {
  const one = tree({ capacity: 100_000, oldest: () => 0 });
  one.change("/mine/x", 5);
  for (let d = 0; d < 500; d++) {
    one.learnListing(`/d${d}`, listing(Array.from({ length: 20 }, (_, i) => entry(`n${i}`))), 10);
  }
  const cost = [...one.directories.values()].reduce((sum, directory) => sum + directory.cost, 0);
  assert.ok(cost <= 100_000 + 3000, `${cost} bytes`);
  one.learn("/mine/x", attrs(1), 4);
  assert.equal(known(one, "/mine/x"), "unknown");
});

Deno.test("the entries of an open directory hold still while the listing is renewed", () => {
  const one = tree();
  one.learnListing("/d", listing([entry("x", 1), entry("y", 2)]), 1);
  const open = one.listing("/d")?.entries();
  one.learnListing("/d", listing([entry("y", 20), entry("z", 30), entry("x", 10)]), 2);
  const seen = open?.names.map((name, i) => [name, sizeOf(open.attrs(i) ?? attrs(0))]);
  assert.deepEqual(seen, [[".", 0], ["..", 0], ["x", 1], ["y", 2]]);
});
