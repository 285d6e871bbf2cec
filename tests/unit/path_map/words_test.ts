import assert from "node:assert/strict";
import { mapWords } from "../../../src/path_map/words.ts";

const MOUNT = "/home/ä b/work,1/container";

Deno.test("paths below the mount are mapped within a word where a part of it starts, and nowhere else", () => {
  const cases: [word: string, mapped: string][] = [
    [`-I${MOUNT}/inc`, "-I/inc"],
    [`-isystem${MOUNT}`, "-isystem/"],
    [`--sysroot=${MOUNT}/sys root`, "--sysroot=/sys root"],
    [`-DX="${MOUNT}/x"`, '-DX="/x"'],
    [`${MOUNT}/a:${MOUNT}/b:/usr/bin`, "/a:/b:/usr/bin"],
    [`-Wl,-rpath,${MOUNT}/lib`, "-Wl,-rpath,/lib"],
    [`@${MOUNT}/args`, "@/args"],
    [`A=${MOUNT};B=${MOUNT}/`, "A=/;B=/"],
    [`file://${MOUNT.replaceAll(" ", "%20")}/x%20y`, "file:///x%20y"],
    [`--root=file://${encodeURI(MOUNT)}`, "--root=file:///"],
    [`/data${MOUNT}/x`, `/data${MOUNT}/x`],
    [`rel${MOUNT}/x`, `rel${MOUNT}/x`],
    [`-I${MOUNT}2/x`, `-I${MOUNT}2/x`],
    [`--x=${MOUNT}/../y`, `--x=${MOUNT}/../y`],
    [`http:/${MOUNT}/x`, `http:/${MOUNT}/x`],
    ["-I/usr/include", "-I/usr/include"],
    ["ü=1", "ü=1"],
    [`say "see ${MOUNT}/x"`, `say "see ${MOUNT}/x"`],
  ];
  assert.deepEqual(
    mapWords(cases.map(([word]) => word), [[MOUNT, ""]]),
    cases.map(([, mapped]) => mapped),
  );
});

Deno.test("quotes and backslashes of a name are kept as they are", () => {
  assert.deepEqual(mapWords([`-I/m"\\t/x\\"`], [['/m"\\t', ""], ["/l", '/q"r']]), ['-I/x\\"']);
  assert.deepEqual(mapWords(["-I/l/x"], [["/m", ""], ["/l", '/q"r']]), ['-I/q"r/x']);
});

Deno.test("from outside the mount, a relative path into it is mapped, and a word that only looks like one is not", () => {
  const mapped = (word: string, outside: string): string =>
    mapWords([word], [["/home/ada/demo/container", ""]], { outside })[0] ?? "";
  for (
    const [word, outside, expected] of [
      ["container/srv/x", "/home/ada/demo", "/srv/x"],
      ["./container/srv//x/", "/home/ada/demo", "/srv/x/"],
      ["container/", "/home/ada/demo", "/"],
      ["../container/srv/../x", "/home/ada/demo/web01", "/x"],
      ["demo/container/x", "/home/ada", "/x"],
      // Without a slash it may be any word, and an option is one.
      ["container", "/home/ada/demo", "container"],
      ["-Icontainer/x", "/home/ada/demo", "-Icontainer/x"],
      ["container2/x", "/home/ada/demo", "container2/x"],
      ["container/../x", "/home/ada/demo", "container/../x"],
      ["container/x", "/home/ada", "container/x"],
      ["container/x", "/", "container/x"],
      ["s/container/x/", "/home/ada/demo", "s/container/x/"],
    ] as const
  ) assert.equal(mapped(word, outside), expected, `${word} in ${outside}`);
});
