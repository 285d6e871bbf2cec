import assert from "node:assert/strict";
import { findCopies } from "../../../src/dockerfile/copies.ts";
import { decide } from "../../../src/dockerfile/decide.ts";
import { type Command } from "../../../src/dockerfile/evidence.ts";
import { command, evidence, survey, sweep, tree } from "./session.ts";

/** No secret, no file as in the image, no user of the base's. */
const NOTHING_SPECIAL = {
  isSecret: () => false,
  isAllowed: () => false,
  hasSameContent: () => false,
  baseUsers: () => false,
};

/** The owners that COPY is given for a new file of dev's, after a command that added dev. */
function ownersAfter(adding: Command): (string | undefined)[] {
  const image = tree("/", "/etc/", "/etc/passwd", "/srv/");
  const container = tree(
    "/",
    "/etc/",
    ["/etc/passwd", 200.5],
    "/srv/",
    ["/srv/new", { ctime: 205, uid: 1000, gid: 1000 }],
  );
  const found = evidence({
    image,
    container,
    commands: [adding],
    steps: [{ time: 205, kind: "created", path: "/srv/new" }],
    sweeps: [sweep([199, 202], { "/etc/passwd": 200.5 })],
  });
  const { copies } = findCopies({
    evidence: found,
    decisions: decide(found, { inputs: new Map() }),
    survey: survey(container),
    image,
    ...NOTHING_SPECIAL,
  });
  return copies.filter(({ entry: { path } }) => path === "/srv/new").map(({ owner }) => owner);
}

Deno.test("a copy has its owner's name where a kept command adds it, and the ids where nothing does", () => {
  assert.deepEqual(ownersAfter(command("useradd dev", [200, 1])), ["dev:dev"]);
  assert.deepEqual(ownersAfter(command("./setup", [200, 1])), ["dev:dev"]);
  const ids = ["1000:1000"];
  assert.deepEqual(ownersAfter(command([], [200, 1], { terminal: true })), ids);
  assert.deepEqual(ownersAfter(command("useradd dev", [200, 1], { exitCode: 12 })), ids);
  assert.deepEqual(ownersAfter(command("apt-get install -y make", [200, 1])), ids);
});

Deno.test("what a directory held is not removed through the link that took its place", () => {
  const image = tree("/", "/opt/", "/opt/conf/", "/opt/conf/a", "/opt/gone/", "/opt/gone/b");
  const link = { type: "l", ctime: 200.5, target: "/srv/conf" } as const;
  const container = tree("/", "/opt/", ["/opt/conf", link], "/srv/", "/srv/conf/", "/srv/conf/a");
  const found = evidence({
    image,
    container,
    steps: [
      { time: 200, kind: "deleted", path: "/opt/conf/a" },
      { time: 200, kind: "deleted", path: "/opt/conf" },
      { time: 200, kind: "deleted", path: "/opt/gone/b" },
      { time: 200, kind: "deleted", path: "/opt/gone" },
      { time: 200.5, kind: "created", path: "/opt/conf" },
    ],
  });
  const { removals } = findCopies({
    evidence: found,
    decisions: [],
    survey: survey(container),
    image,
    ...NOTHING_SPECIAL,
  });
  assert.deepEqual(removals.map(({ path }) => path), ["/opt/gone"]);
});
