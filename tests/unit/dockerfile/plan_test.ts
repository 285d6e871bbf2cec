import assert from "node:assert/strict";
import { decide } from "../../../src/dockerfile/decide.ts";
import type { Instruction } from "../../../src/dockerfile/instructions.ts";
import { arrange } from "../../../src/dockerfile/plan.ts";
import { command, evidence, tree } from "./session.ts";

/** The directory and the lines of each RUN for commands, given with where they ran. */
function runs(...commands: readonly (readonly [line: string, cwd: string])[]): string[] {
  const image = tree("/", "/srv/", "/opt/");
  const found = evidence({
    image,
    container: image,
    commands: commands.map(([line, cwd], at) => command(line, [200 + 10 * at, 1], { cwd })),
  });
  const { instructions } = arrange({
    evidence: found,
    decisions: decide(found, { inputs: new Map() }),
    copies: { copies: [], removals: [], omissions: [] },
    exports: [],
    container: image,
    image,
    user: "root",
  });
  return instructions.flatMap((one: Instruction) =>
    one.kind === "run"
      ? [`${one.cwd ?? "anywhere"}: ${one.lines.map(({ text }) => text).join(" && ")}`]
      : []
  );
}

Deno.test("each command runs in its directory again, the base's among them; the others join their neighbours", () => {
  assert.deepEqual(
    runs(
      ["truncate -s 1 a", "/srv"],
      ["useradd app", "/opt"],
      ["mkdir /var/x", "/opt"],
      ["make", "/opt"],
      ["make", "/srv"],
    ),
    [
      "/srv: truncate -s 1 a && useradd app && mkdir /var/x",
      "/opt: make",
      "/srv: make",
    ],
  );
});

for (
  const [line, cwd] of [
    ["install -m 755 tool /usr/bin/tool", "/srv"],
    ["install -d -o app -g app -m 700 /opt/app", "anywhere"],
    ["ln -s target /opt/link", "anywhere"],
    ["ln -s /opt/target link", "/srv"],
    ["ln a /opt/b", "/srv"],
    ["chown app:app /opt", "anywhere"],
    ["chown app:app opt", "/srv"],
    ["sed -i s/a/b/ /etc/x", "anywhere"],
    ["mkdir -p -m 700 /opt/x", "anywhere"],
    ["cp -r lib /opt", "/srv"],
    ["tee out", "/srv"],
    ["chsh -s /bin/sh app", "anywhere"],
    ["python3 -m venv /opt/venv", "/srv"],
  ] as const
) {
  Deno.test(`arrange() runs "${line}" in ${cwd}`, () => {
    assert.deepEqual(runs([line, "/srv"]), [`${cwd}: ${line}`]);
  });
}

Deno.test("what a command names that is not known to have changed anything is copied before it", () => {
  const image = tree("/", "/srv/");
  const container = tree(
    "/",
    ["/srv/", 190],
    ["/srv/site/", { ctime: 215, uid: 1000, gid: 1000 }],
    ["/srv/site/run", { ctime: 215, uid: 1000, gid: 1000 }],
  );
  const found = evidence({
    image,
    container,
    commands: [
      command("chown -R dev /srv/site", [200, 1]),
      command("chmod -R g+w /srv/site", [214, 2]),
    ],
    steps: [
      { time: 190, kind: "created", path: "/srv/site" },
      { time: 191, kind: "created", path: "/srv/site/run" },
    ],
  });
  const owner = "dev:dev";
  const copies = ["/srv/site", "/srv/site/run"].flatMap((path) => {
    const entry = container.get(path);
    return entry === undefined ? [] : [{ entry, whole: true, time: 215, owner }];
  });
  const { instructions } = arrange({
    evidence: found,
    decisions: decide(found, { inputs: new Map() }),
    copies: { copies, removals: [], omissions: [] },
    exports: [],
    container,
    image,
    user: "root",
  });
  assert.equal(instructions[0]?.kind, "copy");
});
