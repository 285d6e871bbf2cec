import assert from "node:assert/strict";
import { type Change, Journal } from "../../../src/relay/journal.ts";

/** What the journal tells about some steps, without the times. */
function told(steps: (journal: Journal) => void): Partial<Change>[] {
  let lines = "";
  const journal = new Journal((text) => lines += text);
  steps(journal);
  journal.flush();
  return lines.split("\n").filter((line) => line !== "").map((line) => {
    const { time, ...rest } = JSON.parse(line) as Change;
    assert.match(time, /^\d{4}-\d\d-\d\dT.*Z$/);
    return rest;
  });
}

Deno.test("each plain step is one line", () => {
  assert.deepEqual(told((j) => j.created("/a")), [{ kind: "created", path: "/a" }]);
  assert.deepEqual(told((j) => j.changed("/a")), [{ kind: "changed", path: "/a" }]);
  assert.deepEqual(told((j) => j.deleted("/a")), [{ kind: "deleted", path: "/a" }]);
  assert.deepEqual(told((j) => j.chmodded("/a")), [{ kind: "chmodded", path: "/a" }]);
  assert.deepEqual(told((j) => j.linked("/a")), [{ kind: "linked", path: "/a" }]);
  assert.deepEqual(told((j) => j.renamed("/a", "/b", false)), [{
    kind: "renamed",
    path: "/b",
    from: "/a",
  }]);
});

Deno.test("many steps on one file are one line", () => {
  assert.deepEqual(
    told((j) => {
      j.created("/a");
      j.changed("/a");
      j.chmodded("/a");
      j.changed("/a");
    }),
    [{ kind: "created", path: "/a" }],
  );
});

Deno.test("a save by way of a temporary file is a change of the file", () => {
  assert.deepEqual(
    told((j) => {
      j.created("/d/sedXYZ");
      j.changed("/d/sedXYZ");
      j.renamed("/d/sedXYZ", "/d/file", true);
    }),
    [{ kind: "changed", path: "/d/file" }],
  );
});

Deno.test("a save by way of a backup is a change of the file", () => {
  assert.deepEqual(
    told((j) => {
      j.renamed("/file", "/file~", false);
      j.created("/file");
      j.changed("/file");
      j.deleted("/file~");
    }),
    [{ kind: "changed", path: "/file" }],
  );
});

Deno.test("a backup that stays is a file of its own", () => {
  assert.deepEqual(
    told((j) => {
      j.renamed("/file", "/file~", false);
      j.created("/file");
    }),
    [{ kind: "created", path: "/file~" }, { kind: "changed", path: "/file" }],
  );
});

Deno.test("a new file saved by way of a temporary one is created", () => {
  assert.deepEqual(
    told((j) => {
      j.created("/.goutputstream-ABC");
      j.renamed("/.goutputstream-ABC", "/new", false);
    }),
    [{ kind: "created", path: "/new" }],
  );
});

Deno.test("what comes and goes leaves no line, nor do an editor's own files", () => {
  assert.deepEqual(
    told((j) => {
      j.created("/x");
      j.deleted("/x");
      j.created("/.file.swp");
      j.changed("/.file.swp");
      j.linked("/.#file");
      j.created("/#file#");
      j.renamed("/open", "/.fuse_hidden0000000a00000001", false);
      j.deleted("/.fuse_hidden0000000a00000001");
    }),
    [{ kind: "deleted", path: "/open" }],
  );
});

Deno.test("a name that is not UTF-8 keeps its bytes", () => {
  assert.deepEqual(told((j) => j.changed("/\xc3\xbc")), [{ kind: "changed", path: "/ü" }]);
  assert.deepEqual(told((j) => j.changed("/\xff")), [{
    kind: "changed",
    path: "/\uFFFD",
    bytes: "L/8=",
  }]);
});
