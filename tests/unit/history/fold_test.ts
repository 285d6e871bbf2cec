import assert from "node:assert/strict";
import { fold } from "../../../src/history/fold.ts";
import { renderFolded } from "../../../src/history/render.ts";

type Changes = Parameters<typeof fold>[0];

function folded(changes: Changes, most: number): string[] {
  return fold(changes, most).map(renderFolded);
}

const many: Changes = Array.from(
  { length: 1200 },
  (_, i) => ({ kind: "added", path: `/usr/share/man/man1/${i}.gz` }),
);

Deno.test("fold() names each path where there is room", () => {
  const changes: Changes = [
    { kind: "changed", path: "/etc/b" },
    { kind: "added", path: "/etc/a" },
    { kind: "deleted", path: "/srv/x\ny" },
  ];
  assert.deepEqual(folded(changes, 10), [
    "added    /etc/a",
    "changed  /etc/b",
    "deleted  $'/srv/x\\x0ay'",
  ]);
});

Deno.test("fold() keeps big directories shut, and opens small ones", () => {
  const changes: Changes = [
    ...many,
    { kind: "changed", path: "/usr/share/man/man1/passwd.gz" },
    { kind: "added", path: "/usr/local/bin/hello" },
    { kind: "changed", path: "/etc/passwd" },
    { kind: "deleted", path: "/etc/motd" },
  ];
  assert.deepEqual(folded(changes, 6), [
    "deleted  /etc/motd",
    "changed  /etc/passwd",
    "added    /usr/local/bin/hello",
    "/usr/share/man/man1/  1,200 added, 1 changed",
  ]);
  assert.deepEqual(folded(changes, 2), [
    "/etc/  1 changed, 1 deleted",
    "/usr/  1,201 added, 1 changed",
  ]);
});

Deno.test("fold() lets an added directory stand for all below it", () => {
  const changes: Changes = [
    { kind: "added", path: "/opt/venv" },
    { kind: "added", path: "/opt/venv/bin" },
    { kind: "added", path: "/opt/venv/bin/python" },
    { kind: "deleted", path: "/srv/old" },
    { kind: "changed", path: "/srv" },
  ];
  assert.deepEqual(folded(changes, 10), [
    "added    /opt/venv/  (3 paths)",
    "changed  /srv",
    "deleted  /srv/old",
  ]);
});
