import assert from "node:assert/strict";
import { decide } from "../../../src/dockerfile/decide.ts";
import { command, evidence, type Story, sweep, tree } from "./session.ts";

/** Of each command: whether it is kept, and why. */
function decided(story: Story, options: Partial<Parameters<typeof decide>[1]> = {}): string[] {
  return decide(evidence(story), { inputs: new Map(), ...options })
    .map(({ keep, reason }) => `${keep ? "kept" : "left"}: ${reason}`);
}

const IMAGE = tree("/", "/etc/", "/etc/a", "/srv/", "/tmp/");
const CHANGED = tree("/", "/etc/", ["/etc/a", 200.5], "/srv/", "/tmp/");

Deno.test("what changed something is kept, what is not known too; a name is never the reason", () => {
  const story = { image: IMAGE, container: CHANGED };
  const commands = [command("ls", [200, 1]), command("make install", [210, 1])];
  assert.deepEqual(decided({ ...story, commands }), ["kept: changed", "kept: unknown"]);
  assert.deepEqual(
    decided({
      ...story,
      commands,
      sweeps: [sweep([199, 202], { "/etc/a": 200.5 }), sweep([202, 212])],
    }),
    ["kept: changed", "left: nothing"],
  );
});

Deno.test("failed commands, shells and secrets are left out", () => {
  const story = {
    image: IMAGE,
    container: CHANGED,
    commands: [
      command("make", [200, 1], { exitCode: 2 }),
      command([], [210, 1], { terminal: true }),
      command("vim /etc/a", [220, 1], { terminal: true }),
      command("login --password=geheim123", [230, 1]),
      command("sh -c true", [240, 1], { env: { TOKEN: null } }),
    ],
  };
  assert.deepEqual(decided(story), [
    "left: failed",
    "left: shell",
    "left: shell",
    "left: secret",
    "left: secret",
  ]);
  assert.equal(
    decided(story, { choices: { allowed: ({ command: [name] }) => name === "login" } })[3],
    "kept: unknown",
  );
});

Deno.test("a person's choice counts more than the evidence", () => {
  const story = {
    image: IMAGE,
    container: CHANGED,
    commands: [command("a", [200, 1]), command("b", [210, 1], { exitCode: 1 })],
  };
  assert.deepEqual(decided(story, { choices: { leave: new Set([0]), keep: new Set([1]) } }), [
    "left: chosen",
    "kept: put back",
  ]);
});

Deno.test("what a pipe brought is copied; a file that is there as it was comes along", () => {
  const story = {
    image: IMAGE,
    container: CHANGED,
    commands: [command("tee /etc/a", [200, 1], { input: "m" })],
  };
  const file = { kind: "file", path: "/home/me/a", size: 1, mtime: 1 } as const;
  assert.deepEqual(decided(story, { inputs: new Map([["m", { kind: "pipe" }]]) }), ["left: stdin"]);
  assert.deepEqual(decided(story, { inputs: new Map([["m", file]]) }), ["left: stdin"]);
  assert.deepEqual(decided(story, { inputs: new Map([["m", file]]), isAsItWas: () => true }), [
    "kept: changed",
  ]);
});

Deno.test("a script's own stdin is not that of each of its commands", () => {
  const lines = ["mkdir /srv/a", "mkdir /srv/b", "touch /srv/c", "tee /srv/d"];
  const story = {
    image: IMAGE,
    container: tree(
      "/",
      "/etc/",
      "/etc/a",
      "/srv/",
      "/tmp/",
      ["/srv/a/", 200.5],
      ["/srv/b/", 210.5],
      ["/srv/c", 220.5],
      ["/srv/d", 230.5],
    ),
    commands: lines.map((line, at) => command(line, [200 + 10 * at, 1], { input: "m" })),
  };
  assert.deepEqual(decided(story, { inputs: new Map([["m", { kind: "pipe" }]]) }), [
    "kept: changed",
    "kept: changed",
    "kept: changed",
    "left: stdin",
  ]);
});

Deno.test("made and removed again, with nothing in between that could have used it: both are left out", () => {
  const story = {
    image: IMAGE,
    container: tree("/", "/etc/", "/etc/a", ["/srv/", 210.5], "/tmp/"),
    commands: [command("touch /srv/x", [200, 1]), command("rm /srv/x", [210, 1])],
    sweeps: [
      sweep([199, 202], { "/srv/": 200.5, "/srv/x": 200.5 }),
      sweep([202, 212], { "/srv/": 210.5 }),
    ],
  };
  assert.deepEqual(decided(story), ["left: undone", "left: undone"]);
});

Deno.test("what a command read is gone: it cannot be run again, nor need its remains be removed", () => {
  const image = tree("/", "/srv/", "/opt/");
  const story = (words: string, cwd = "/srv") => ({
    image,
    container: tree("/", ["/srv/", 211], "/opt/", ["/opt/out", 200.5]),
    commands: [
      command(words, [200, 1], { cwd }),
      command("rm -r wheels", [210, 2], { cwd: "/srv" }),
    ],
    steps: [
      { time: 190, kind: "created", path: "/srv/wheels" } as const,
      { time: 191, kind: "created", path: "/srv/wheels/a.whl" } as const,
    ],
    sweeps: [
      sweep([189, 202], { "/srv/wheels/": 191, "/srv/wheels/a.whl": 191, "/opt/out": 200.5 }),
      sweep([202, 213], { "/srv/": 211 }),
    ],
  });
  const goneInputs = [{ path: "/srv/wheels", first: 190, gone: 210 }];
  const left = ["left: input", "left: undone"];
  assert.deepEqual(decided(story("pip install -f wheels a"), { goneInputs }), left);
  assert.deepEqual(decided(story("pip install /srv/wheels/a.whl"), { goneInputs }), left);
  assert.deepEqual(decided(story("pip install ./wheels/a.whl"), { goneInputs }), left);
  assert.deepEqual(decided(story("make install", "/srv/wheels"), { goneInputs }), left);
  assert.equal(decided(story("pip install wheelsmith"), { goneInputs })[0], "kept: changed");
});

Deno.test("what runs in a directory that is gone, and reads nothing there, is kept", () => {
  const story = (words: string) => ({
    image: tree("/", "/srv/", "/etc/", "/etc/passwd"),
    container: tree("/", ["/srv/", 211], "/etc/", ["/etc/passwd", 200.5]),
    commands: [
      command(words, [200, 1], { cwd: "/srv/src" }),
      command("rm -r src", [210, 2], { cwd: "/srv" }),
    ],
    steps: [
      { time: 190, kind: "created", path: "/srv/src" } as const,
      { time: 191, kind: "created", path: "/srv/src/a.deb" } as const,
    ],
    sweeps: [
      sweep([189, 202], { "/srv/src/": 191, "/srv/src/a.deb": 191, "/etc/passwd": 200.5 }),
      sweep([202, 213], { "/srv/": 211 }),
    ],
  });
  const goneInputs = [{ path: "/srv/src", first: 190, gone: 210 }];
  const first = (words: string): string | undefined => decided(story(words), { goneInputs })[0];
  assert.equal(first("useradd app"), "kept: changed");
  assert.equal(first("chsh -s /bin/sh app"), "kept: changed");
  assert.equal(first("sudo apt-get install -y make"), "kept: changed");
  assert.equal(first("apt-get install -y ./a.deb"), "left: input");
  assert.equal(first("make install"), "left: input");
});

Deno.test("what changes files that a command made of a gone input goes with it; what only stands beside them does not", () => {
  const story = {
    image: tree("/", "/srv/", "/opt/"),
    container: tree("/", ["/srv/", 231], "/opt/", "/opt/c/", ["/opt/c/HEAD", 210.5], [
      "/opt/n",
      220.5,
    ]),
    commands: [
      command("git clone /srv/src /opt/c", [200, 1]),
      command("git checkout -b mine", [210, 1], { cwd: "/opt/c" }),
      command("sh -c 'wc HEAD > /opt/n'", [220, 1], { cwd: "/opt/c" }),
    ],
    steps: [{ time: 190, kind: "created", path: "/srv/src" } as const],
    sweeps: [
      sweep([189, 202], { "/opt/": 200.5, "/opt/c/": 200.5, "/opt/c/HEAD": 200.5 }),
      sweep([202, 212], { "/opt/c/": 210.5, "/opt/c/HEAD": 210.5 }),
      sweep([212, 222], { "/opt/": 220.5, "/opt/n": 220.5 }),
    ],
  };
  const goneInputs = [{ path: "/srv/src", first: 190, gone: 230 }];
  assert.deepEqual(decided(story, { goneInputs }), ["left: input", "left: input", "kept: changed"]);
});

Deno.test("what was brought in and then moved by a command is copied from where it is", () => {
  const story = (words: string) => ({
    image: tree("/", "/srv/", "/etc/"),
    container: tree("/", ["/srv/", 201], ["/etc/", 201], ["/etc/a", 200.5]),
    commands: [command(words, [200, 2], { cwd: "/srv" })],
    steps: [{ time: 190, kind: "created", path: "/srv/a" } as const],
    sweeps: [
      sweep([189, 195], { "/srv/a": 190, "/srv/": 190 }),
      sweep([195, 203], { "/srv/": 201, "/etc/": 201, "/etc/a": 200.5 }),
    ],
  });
  const goneInputs = [{ path: "/srv/a", first: 190, gone: 200 }];
  assert.deepEqual(decided(story("mv a /etc/"), { goneInputs }), ["left: input"]);
});

Deno.test("the same command again after an edit is kept once", () => {
  const story = {
    image: IMAGE,
    container: tree("/", "/etc/", ["/etc/a", 205], "/srv/", "/tmp/", ["/srv/out", 210.5]),
    commands: [command("make", [200, 1]), command("make", [210, 1])],
    steps: [{ time: 205, kind: "changed", path: "/etc/a" } as const],
    sweeps: [
      sweep([199, 202], { "/srv/out": 200.5 }),
      sweep([202, 212], { "/srv/out": 210.5, "/etc/a": 205 }),
    ],
  };
  assert.deepEqual(decided(story), ["kept: changed", "left: repeated"]);
  assert.deepEqual(decided({ ...story, steps: [] }), ["kept: changed", "kept: changed"]);
});

Deno.test("a download to /tmp is kept for the command that reads it", () => {
  const story = {
    image: IMAGE,
    container: tree("/", "/etc/", "/etc/a", "/srv/", "/tmp/", ["/srv/out", 210.5]),
    commands: [
      command("curl -o /tmp/x.tgz http://h/x.tgz", [200, 1]),
      command("tar -xf /tmp/x.tgz -C /srv", [210, 1]),
      command("wget -O /tmp/y u", [220, 1]),
    ],
    sweeps: [
      sweep([199, 202], { "/tmp/x.tgz": 200.5 }),
      sweep([202, 212], { "/srv/out": 210.5 }),
      sweep([212, 222], { "/tmp/y": 220.5 }),
    ],
  };
  assert.deepEqual(decided(story), ["kept: needed", "kept: changed", "left: volatile"]);
});
