import assert from "node:assert/strict";
import fc from "fast-check";
import { OutputMapper } from "../../../src/path_map/compiler_output.ts";
import { byteString } from "../../../src/path_map/json_scan.ts";
import { PathMap } from "../../../src/path_map/paths.ts";

const MOUNT = "/home/ada/demo/container";
const ROOTS = new Set(
  "bin boot dev etc home lib lib64 media mnt opt proc root run sbin srv sys tmp usr var".split(" "),
);

function mapper(): OutputMapper {
  return new OutputMapper(new PathMap(MOUNT), ROOTS);
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (byte) => byte.charCodeAt(0));
}

function utf8(text: string): string {
  return byteString(new TextEncoder().encode(text));
}

/** What comes of a text, one character a byte, in pieces of these lengths. */
function mapped(text: string, cuts: readonly number[] = []): string {
  const one = mapper();
  let out = "";
  let at = 0;
  for (const length of [...cuts, text.length]) {
    out += byteString(one.push(bytes(text.slice(at, at + length))));
    at += length;
  }
  return out + byteString(one.flush());
}

/** In the recorded outputs of real programs an @ stands where the mount's path is to be put in. */
const RECORDED = byteString(
  Deno.readFileSync(new URL("../recorded/compiler_output.txt", import.meta.url)),
);
const PRINTED = RECORDED.replaceAll("@", "");
const EXPECTED = RECORDED.replaceAll("@", MOUNT);

Deno.test("what gcc, make, rustc, javac, python, pytest, gdb, sh, node, perl, grep, tsc, eslint and go print names local files", () => {
  assert.equal(mapped(PRINTED), EXPECTED);
});

Deno.test("however the output is cut, the same comes out", () => {
  assert.equal(mapped(PRINTED, new Array(PRINTED.length).fill(1)), EXPECTED);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 60 }), (cuts) => {
      assert.equal(mapped(PRINTED, cuts), EXPECTED);
    }),
    { numRuns: 50 },
  );
});

Deno.test("a line in which nothing is a path of the container stays as it is", () => {
  for (
    const line of [
      "see http://h/usr/x:3 and a/usr/b.c:3 and //usr/x.c:3",
      "sed s/usr/x/:1",
      "GET /api/v1:3",
      "#!/bin/sh",
      "</usr/x.c:3>",
      "+++ b/usr/x.c",
      "--- /dev/null",
      "/dev/tty:1: x",
      "/proc/1/maps:3:1",
      "PATH=/usr/local/bin:/usr/bin:/bin",
      "a:/usr/bin:/bin",
      "gcc -I/usr/include -o /srv/x /srv/x.c",
      '{"file":"/srv/x.c:3","at":["/srv/y.c:4", "/srv/z.c:5"], "uri": "file:///srv/x"}',
      `${MOUNT}/srv/x.c:3:1: error`,
      `make: Entering directory '${MOUNT}/srv'`,
      `file://${MOUNT}/srv/x.c`,
      "/usr/bin/ld: cannot find -lx",
      "/srv/app took 3:20",
      "it is 3 /srv/app a day",
      "/../srv/x.c:3",
      "\x1b]8;;https://h/usr/x.c\x1b\\x\x1b]8;;\x1b\\",
      "\x1b]0;root@c: /srv/x.c:3\x07",
      "/",
    ]
  ) assert.equal(mapped(`${line}\n`), `${line}\n`);
});

Deno.test("each shape of a path with a line is known, within quotes and brackets too", () => {
  for (
    const line of [
      "@/srv/x.c:1",
      "@/srv/x.c:1:2",
      "@/srv/x.c(1,2)",
      "@/srv/x.c(1)",
      'File "@/srv/x.py", line 3',
      "  --> @/srv/x.rs:1:2",
      "at f (@/srv/x.js:1:2)",
      "at @/srv/x.js:1:2",
      "@/srv/X.java:3: error: no",
      "#1 0x00 in f () at @/srv/x.c:3",
      "@/srv/x.c:(.text+0x1): undefined reference to `f'",
      "/usr/bin/ld: @/srv/x.o: undefined reference to `f'",
      "CMake Error at @/srv/CMakeLists.txt:3 (message):",
      "make: *** [@/srv/Makefile:3: all] Error 1",
      "make[1]: Entering directory '@/srv/sub'",
      "make[1]: Entering directory `@/srv/sub'",
      "ninja: Entering directory `@/srv/sub'",
      "make[1]: Leaving directory '@/'",
      utf8("make: Entering directory ‘@/srv/sub’"),
      utf8("in ‘@/srv/x.c:3’ and “@/srv/x.c:4”"),
      "'@/srv/x.c:3' `@/srv/x.c:4` \"@/srv/x.c:5\"",
      "PHP Warning: x in @/srv/x.php on line 3",
      "@/srv/app/(auth)/[id]/x.ts:3:1",
      "@/srv/app/x (1).c:3:1: error",
      "@/srv/app/one two three/x.c:3:1: error",
      utf8("@/srv/ä/日本.c:3:1: error"),
      "@/srv/\xff.c:3",
      "@/srv/a:b.c:3:1",
      "@/srv/x.ts(1,7): error TS2322: no",
      "@/srv/only/a/path.js",
      "file://@/srv/x.mjs:1",
      "x @/srv/a.c:1 @/srv/b.c:2, @/srv/c.c:3",
    ]
  ) {
    assert.equal(mapped(`${line.replaceAll("@", "")}\n`), `${line.replaceAll("@", MOUNT)}\n`);
  }
});

Deno.test("links and the working directory that a terminal is given are local, and name no other host", () => {
  assert.equal(
    mapped(
      "\x1b]8;id=1;file://web-1/srv/a%20b.c#L10\x07/srv/x\x1b]8;;\x07 \x1b]7;file://web-1/srv\x1b\\$ ",
    ),
    `\x1b]8;id=1;file://${MOUNT}/srv/a%20b.c#L10\x07/srv/x\x1b]8;;\x07 \x1b]7;file://${MOUNT}/srv\x1b\\$ `,
  );
});

Deno.test("a mount with a space is percent-encoded in URIs and nowhere else", () => {
  const one = new OutputMapper(new PathMap("/home/a b/container"), ROOTS);
  assert.equal(
    byteString(one.push(bytes("/srv/x.c:1\nat file:///srv/x.mjs:1\n"))),
    "/home/a b/container/srv/x.c:1\nat file:///home/a%20b/container/srv/x.mjs:1\n",
  );
});

Deno.test("what cannot become a path is not held, and what can is held until the line ends or nothing comes", () => {
  const one = mapper();
  const push = (text: string): string => byteString(one.push(bytes(text)));
  assert.equal(push("Continue? "), "Continue? ");
  assert.equal(push("y\r"), "y\r");
  assert.equal(push("50%\r"), "50%\r");
  assert.equal(push("in /srv/x"), "in ");
  assert.equal(one.holds, true);
  assert.equal(push(".c:1"), "");
  assert.equal(byteString(one.flush()), `${MOUNT}/srv/x.c:1`);
  assert.equal(push(" /srv/y.c:2\n"), ` ${MOUNT}/srv/y.c:2\n`);
  // The rest of a path that has been shown is no path of its own.
  assert.equal(push("/x"), "");
  assert.equal(byteString(one.flush()), "/x");
  assert.equal(push("/srv/x.c:3\r\n"), "/srv/x.c:3\r\n");
  // An escape sequence is never taken apart from its end.
  assert.equal(push("\x1b[3"), "");
  assert.equal(push("1m/srv/x.c:3\x1b[m\n"), `\x1b[31m${MOUNT}/srv/x.c:3\x1b[m\n`);
});

Deno.test("binary output and what draws on the whole screen pass as they are, for good", () => {
  for (
    const start of [
      "\x7fELF\0/usr/x.c:1\n",
      "\x1b[?1049h/srv/x.c:3\n",
      "a\n\x1b[12;1H/srv/x.c:3\n",
    ]
  ) {
    const text = `${start}/srv/x.c:3: error\n`;
    assert.equal(mapped(text), text);
    assert.equal(mapped(text, [start.length]), text);
  }
  // Clearing the screen is not drawing on it.
  assert.equal(mapped("\x1b[H\x1b[2J/srv/x.c:3\n"), `\x1b[H\x1b[2J${MOUNT}/srv/x.c:3\n`);
  assert.equal(mapped("\x01/srv/x.c:3\n"), "\x01/srv/x.c:3\n");
});

Deno.test("a line without end is not kept", () => {
  const one = mapper();
  const piece = bytes("/srv/x ".repeat(1000));
  let out = 0;
  for (let count = 0; count < 1000; count++) out += one.push(piece).length;
  assert.equal(out, piece.length * 1000);
  assert.equal(byteString(one.push(bytes("\n/srv/x.c:1\n"))), `\n${MOUNT}/srv/x.c:1\n`);
});

Deno.test("whatever is printed, nothing but the mount's path is added", () => {
  const word = fc.oneof(
    fc.constantFrom(
      ..."/srv/x.c /usr file:///srv/x : :1 ( ) ' \" \n \r \x1b[1m \x1b]8;;file:///srv/x\x07 \x1b line , 3 \xff"
        .split(" "),
      " ",
    ),
    fc.string({ unit: "binary-ascii", maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 40 }), fc.array(fc.nat(20)), (words, cuts) => {
      const text = words.join("");
      assert.equal(mapped(text, cuts).replaceAll(MOUNT, ""), text);
    }),
    { numRuns: 500 },
  );
});
