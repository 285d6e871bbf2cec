import assert from "node:assert/strict";
import { command, entry, evidence, sweep, tree } from "./session.ts";

const IMAGE = tree("/", "/etc/", "/etc/a", "/tmp/");

Deno.test("a path was changed last by the command during which its ctime lies", () => {
  const { last, verdicts, touched } = evidence({
    image: IMAGE,
    container: tree("/", "/etc/", ["/etc/a", 201], "/tmp/", ["/etc/b", 211]),
    commands: [command("first", [200, 2]), command("second", [210, 2])],
  });
  assert.deepEqual(Object.fromEntries(last), {
    "/etc/a": { by: "command", number: 0 },
    "/etc/b": { by: "command", number: 1 },
  });
  assert.deepEqual(verdicts, ["changed", "changed"]);
  assert.deepEqual(touched.map((paths) => [...paths]), [["/etc/a"], ["/etc/b"]]);
});

Deno.test("the kernel's stamp may be a tick before the command, and clocks wrong by the slack", () => {
  const story = (ctime: number, slack: number) =>
    evidence({
      image: IMAGE,
      container: tree("/", "/etc/", ["/etc/a", ctime], "/tmp/"),
      commands: [command("first", [200, 2])],
      slack,
    }).last.get("/etc/a")?.by;
  assert.equal(story(199.991, 0), "command");
  assert.equal(story(199.9, 0), "outside");
  assert.equal(story(199.9, 0.2), "command");
  assert.equal(story(202.1, 0.2), "command");
  assert.equal(story(202.3, 0.2), "outside");
});

Deno.test("within the slack of two commands the nearer one counts", () => {
  const { last } = evidence({
    image: IMAGE,
    container: tree("/", "/etc/", ["/etc/a", 202.4], "/tmp/"),
    commands: [command("first", [200, 2]), command("second", [202.6, 1])],
    slack: 0.5,
  });
  assert.deepEqual(last.get("/etc/a"), { by: "command", number: 1 });
});

Deno.test("of two commands at the same time both may have changed a path; the later one did last", () => {
  const { touched, last } = evidence({
    image: IMAGE,
    container: tree("/", "/etc/", ["/etc/a", 203], "/tmp/"),
    commands: [command("first", [200, 10]), command("second", [202, 2])],
    sweeps: [sweep([199, 213], { "/etc/a": 203 })],
  });
  assert.deepEqual(touched.map((paths) => [...paths]), [["/etc/a"], ["/etc/a"]]);
  assert.deepEqual(last.get("/etc/a"), { by: "command", number: 1 });
});

Deno.test("a look right after a command proves that it changed nothing; without one nobody knows", () => {
  const story = (sweeps: readonly ReturnType<typeof sweep>[]) =>
    evidence({ image: IMAGE, container: IMAGE, commands: [command("ls", [200, 1])], sweeps })
      .verdicts;
  assert.deepEqual(story([sweep([199, 201.5])]), ["nothing"]);
  assert.deepEqual(story([]), ["unknown"]);
  assert.deepEqual(
    story([sweep([200.5, 201.5])]),
    ["unknown"],
    "it began before what the look covers",
  );
  assert.deepEqual(story([sweep([199, 200.5])]), ["unknown"], "the look was too early");
});

Deno.test("a command in front of one that changed something is not known to have changed nothing", () => {
  const { verdicts } = evidence({
    image: IMAGE,
    container: tree("/", "/etc/", ["/etc/a", 202.5], "/tmp/"),
    commands: [command("ls", [200, 1]), command("edit", [202, 1])],
    sweeps: [sweep([199, 204], { "/etc/a": 202.5 })],
  });
  assert.deepEqual(verdicts, ["unknown", "changed"]);
});

Deno.test("what the running container says at the end is the look after the last commands, also before a sweep", () => {
  const story = (surveyed: boolean) =>
    evidence({
      image: IMAGE,
      container: tree("/", "/etc/", ["/etc/a", 202.5], "/tmp/"),
      commands: [command("ls", [200, 1]), command("edit", [202, 1]), command("cat", [204, 1])],
      surveyed,
    }).verdicts;
  assert.deepEqual(story(false), ["unknown", "changed", "unknown"]);
  assert.deepEqual(story(true), ["unknown", "changed", "nothing"]);
});

Deno.test("nor is one after which another changed something while the look went on", () => {
  const { verdicts } = evidence({
    image: IMAGE,
    container: tree("/", "/etc/", ["/etc/a", 201.6], "/tmp/"),
    commands: [command("chown", [200, 1]), command("setcap", [201.55, 0.3])],
    sweeps: [sweep([199, 201.5], { "/etc/a": 201.6 }), sweep([201.5, 203])],
  });
  assert.deepEqual(verdicts, ["unknown", "changed"]);
});

Deno.test("a look remembers what a later command removed, and who did", () => {
  const { removes, touched, verdicts } = evidence({
    image: tree("/", "/srv/"),
    container: tree("/", ["/srv/", 212]),
    commands: [command("make", [200, 2]), command("ls", [205, 1]), command("rm /srv/x", [211, 2])],
    sweeps: [
      sweep([199, 203], { "/srv/": 201, "/srv/x": 201 }),
      sweep([203, 207]),
      sweep([207, 214], { "/srv/": 212 }),
    ],
  });
  assert.deepEqual(touched.map((paths) => [...paths]), [["/srv/x"], [], ["/srv/x"]]);
  assert.deepEqual(removes.map((paths) => [...paths]), [[], [], ["/srv/x"]]);
  assert.deepEqual(verdicts, ["changed", "nothing", "changed"]);
});

Deno.test("a deletion of the image's is the command's that changed the directory, if it names the path above all", () => {
  const { last } = evidence({
    image: IMAGE,
    container: tree("/", ["/etc/", 211], "/tmp/"),
    commands: [command("rm /etc/a", [200, 1]), command("touch /etc/x", [210, 2])],
    sweeps: [sweep([199, 202], { "/etc/": 200.5 }), sweep([202, 213], { "/etc/": 211 })],
  });
  assert.deepEqual(last.get("/etc/a"), { by: "command", number: 0 });
});

Deno.test("only what a rule leaves out: volatile; in /tmp: temporary", () => {
  const { verdicts, temporary } = evidence({
    image: IMAGE,
    container: tree("/", "/etc/", "/etc/a", "/tmp/", ["/tmp/x", 200.5]),
    commands: [command("download", [200, 1])],
    sweeps: [sweep([199, 202], { "/tmp/x": 200.5, "/var/log/y": 200.6 })],
  });
  assert.deepEqual(verdicts, ["volatile"]);
  assert.deepEqual(temporary.map((paths) => [...paths]), [["/tmp/x"]]);
});

Deno.test("an edit through the mount is followed by its name, and wins where no command ran since", () => {
  const step = (
    time: number,
    kind: "created" | "renamed" | "deleted",
    path: string,
    from?: string,
  ) => ({
    time,
    kind,
    path,
    ...from !== undefined && { from },
  });
  const { last, edited, deleted, brought } = evidence({
    image: IMAGE,
    container: tree("/", "/etc/", "/tmp/", ["/etc/a", 200.5], ["/etc/new", 205]),
    commands: [command("sed /etc/a", [200, 1])],
    steps: [
      step(190, "created", "/etc/a"),
      step(204, "created", "/etc/old"),
      step(205, "renamed", "/etc/new", "/etc/old"),
      step(206, "created", "/etc/gone"),
      step(207, "deleted", "/etc/gone"),
    ],
  });
  assert.deepEqual(last.get("/etc/a"), { by: "command", number: 0 });
  assert.deepEqual(last.get("/etc/new"), { by: "edit", time: 205 });
  assert.deepEqual([...edited], [["/etc/a", { first: 190, last: 190 }], ["/etc/new", {
    first: 204,
    last: 205,
  }]]);
  assert.deepEqual([...deleted], [["/etc/old", 205], ["/etc/gone", 207]]);
  assert.deepEqual([...brought], [["/etc/old", 204], ["/etc/gone", 206]]);
});

Deno.test("a directory that was copied up for what changed below it was not changed itself", () => {
  const copied = { path: "/etc", ctime: 200.5, mtime: 50, isDirectory: true };
  const { touched } = evidence({
    image: IMAGE,
    container: tree("/", ["/etc/", { ctime: 200.5, mtime: 50 }], ["/etc/a", 200.5], "/tmp/"),
    commands: [command("edit", [200, 1])],
    sweeps: [{
      ...sweep([199, 202], { "/etc/a": 200.5 }),
      entries: [copied, { ...entry("/etc/a", { ctime: 200.5 }), isDirectory: false }],
    }],
  });
  assert.deepEqual(touched.map((paths) => [...paths]), [["/etc/a"]]);
});
