import assert from "node:assert/strict";
import {
  contain,
  isOutside,
  isTarget,
  mappingOf,
  needsServer,
  OUTSIDE,
  release,
} from "../../../src/relay/containment.ts";

const ROOT = { base: "", mountPoint: "/home/me/container" };
const BUILD = { base: "/home/u/build", mountPoint: "/home/me/build" };

Deno.test("a harmless target is shown as it is", () => {
  for (const target of ["file", "./file", "../lib/x", "../../x", "a/b/", "..", "."]) {
    assert.equal(contain("/usr/lib/link", target, ROOT), target);
  }
});

Deno.test("an absolute target leads to the same place inside the mount", () => {
  assert.equal(
    contain("/etc/alternatives/awk", "/usr/bin/mawk", ROOT),
    "/home/me/container/usr/bin/mawk",
  );
  assert.equal(contain("/link", "/", ROOT), "/home/me/container");
});

Deno.test("more steps up than there are end at the root, as in the container", () => {
  assert.equal(contain("/a/link", "../../../etc/passwd", ROOT), "/home/me/container/etc/passwd");
});

Deno.test("a target with steps up behind a name goes through the server first", () => {
  for (const target of ["a/../b", "/a/../b", "../a/.."]) assert.equal(needsServer(target), true);
  for (const target of ["../a", "/a/b", "a..b/c", ""]) assert.equal(needsServer(target), false);
});

Deno.test("below a base, a target inside it leads to the same place of the mount", () => {
  assert.equal(contain("/home/u/build/a/link", "/home/u/build/b", BUILD), "/home/me/build/b");
  assert.equal(contain("/home/u/build/a/link", "../b", BUILD), "../b");
  assert.equal(contain("/home/u/build/a/link", "../../build/b", BUILD), "/home/me/build/b");
});

Deno.test("below a base, a target outside it dangles, whatever has that name inside", () => {
  for (
    const [link, target, outside] of [
      ["/home/u/build/link", "/etc/passwd", "/etc/passwd"],
      ["/home/u/build/link", "../../../etc/passwd", "/etc/passwd"],
      ["/home/u/build/link", "../x", "/home/u/x"],
      ["/home/u/build/a/link", "../../build2/x", "/home/u/build2/x"],
      ["/home/u/build/link", "/", ""],
      ["/elsewhere/link", "../../x", "/x"],
      ["/home/u/build/../link", "../x", "/home/x"],
    ] as const
  ) {
    const shown = contain(link, target, BUILD);
    assert.equal(shown, `/home/me/build/${OUTSIDE}${outside}`);
    assert.equal(isOutside(`/home/u/build${shown.slice("/home/me/build".length)}`, BUILD), true);
    if (outside !== "") assert.equal(release(shown, BUILD), outside, "a copy is the same link");
  }
  for (const path of ["/home/u/build/x", `/home/u/build/a/${OUTSIDE}`, `/${OUTSIDE}`]) {
    assert.equal(isOutside(path, BUILD), false, path);
  }
  assert.equal(isOutside(`/${OUTSIDE}/x`, ROOT), false, "nothing lies outside of /");
});

Deno.test("what ends earlier for C than for us is no target, nor is none, nor one too long", () => {
  for (const target of ["", "..\0", "/..\0", "a\0b", "\0", "x".repeat(4096)]) {
    assert.equal(isTarget(target), false);
    for (const mapping of [ROOT, BUILD]) {
      assert.equal(contain("/home/u/build/link", target, mapping), undefined);
    }
  }
  assert.equal(contain("/link", "x".repeat(4095), ROOT)?.length, 4095);
  assert.equal(contain("/link", "/" + "x".repeat(4094), ROOT), undefined, "sshfs would cut it off");
  assert.equal(contain("link", "x", ROOT), undefined, "nobody knows how deep it is");
});

Deno.test("a mount is between absolute paths", () => {
  assert.deepEqual(mappingOf("/", "/m"), { base: "", mountPoint: "/m" });
  assert.deepEqual(mappingOf("/a//", "/m"), { base: "/a", mountPoint: "/m" });
  for (const base of ["", ".", "a/b", "./x", "/a/../b", "/a\0b"]) {
    assert.throws(() => mappingOf(base, "/m"), /no absolute path/);
  }
  assert.throws(() => mappingOf("/", "m"), /no absolute path/);
});

Deno.test("whatever the target, what is shown can't climb out", () => {
  const words = ["..", "a", ".", "", "..", "b c", "...", "\xff"];
  let state = 1;
  const pick = (below: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % below;
  for (let i = 0; i < 20_000; i++) {
    const target = (pick(2) ? "/" : "") +
      Array.from({ length: pick(9) }, () => words[pick(words.length)]).join("/");
    const depth = pick(4);
    for (const mapping of [ROOT, { base: "/d", mountPoint: "/m" }]) {
      const shown = contain("/d".repeat(depth) + "/link", target, mapping);
      if (shown === undefined) {
        assert.equal(target, "");
        continue;
      }
      if (shown.startsWith("/")) {
        assert.ok(
          shown === mapping.mountPoint || shown.startsWith(mapping.mountPoint + "/"),
          shown,
        );
        assert.ok(!shown.split("/").includes(".."), shown);
        continue;
      }
      const home = mapping.base === "" ? depth : Math.max(0, depth - 1);
      const real = shown.split("/").filter((word) => word !== "." && word !== "");
      const named = real.findIndex((word) => word !== "..");
      assert.ok((named === -1 ? real.length : named) <= home, `${target} shown as ${shown}`);
      assert.ok(named === -1 || !real.includes("..", named), `${target} shown as ${shown}`);
    }
  }
});

Deno.test("a link made to a place in the mount is the container's own", () => {
  assert.equal(release("/home/me/container/etc/x", ROOT), "/etc/x");
  assert.equal(release("/home/me/container", ROOT), "/");
  assert.equal(release("/home/me/containers", ROOT), "/home/me/containers");
  assert.equal(release("/home/me/build/x", BUILD), "/home/u/build/x");
  assert.equal(release("../x", ROOT), "../x");
});
