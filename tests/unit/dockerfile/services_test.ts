import assert from "node:assert/strict";
import { decide } from "../../../src/dockerfile/decide.ts";
import { asOneRun, keepServices, serviceSpans } from "../../../src/dockerfile/services.ts";
import { command, evidence, type Story, sweep, tree } from "./session.ts";

const DATA = "/var/lib/redis/dump";
const IMAGE = tree("/", "/var/lib/redis/");
const MADE = tree("/", "/var/lib/redis/", [DATA, 210.5]);
const START = command("service redis start", [200, 1]);
const CLIENT = command("redis-cli set a b", [210, 1], { user: "app" });
const SWEEPS = [sweep([199, 202]), sweep([202, 212], { [DATA]: 210.5 }), sweep([212, 222])];

function planned(story: Story): unknown {
  const found = evidence(story);
  const decisions = decide(found, { inputs: new Map() });
  const spans = serviceSpans(decisions, found);
  return {
    spans,
    kept: keepServices(decisions, spans).map(({ keep, reason }) => keep ? reason : "left"),
  };
}

Deno.test("a client that changed a server's data needs the server from its start to its stop", () => {
  const commands = [START, CLIENT, command("service redis stop", [220, 1])];
  assert.deepEqual(planned({ image: IMAGE, container: MADE, commands, sweeps: SWEEPS }), {
    spans: [{ first: 0, last: 2, stop: undefined }],
    kept: ["needed", "changed", "needed"],
  });
});

Deno.test("a server that the session did not stop is stopped; one that nobody used is not started", () => {
  assert.deepEqual(
    planned({ image: IMAGE, container: MADE, commands: [START, CLIENT], sweeps: SWEEPS }),
    {
      spans: [{ first: 0, last: 1, stop: "service redis stop" }],
      kept: ["needed", "changed"],
    },
  );
  const unused = [START, command("ls", [210, 1])];
  assert.deepEqual(
    planned({
      image: IMAGE,
      container: IMAGE,
      commands: unused,
      sweeps: [sweep([199, 202]), sweep([202, 212])],
    }),
    {
      spans: [],
      kept: ["left", "left"],
    },
  );
});

Deno.test("a span is one RUN of root's, in which others are su's", () => {
  const run = (text: string, fields = {}) => ({
    kind: "run" as const,
    user: "",
    cwd: undefined,
    lines: [{ text, isSimple: true }],
    apt: [],
    commands: [],
    notes: [],
    ...fields,
  });
  const runs = [
    run("service x start"),
    run("a", { user: "app" }),
    run("b 'c'", { user: "app", cwd: "/srv" }),
  ];
  assert.deepEqual(
    asOneRun(runs, { first: 0, last: 2, stop: "service x stop" })?.lines.map(({ text }) => text),
    [
      "service x start",
      `su -s /bin/sh app -c "a && ( cd /srv && b 'c' )"`,
      "service x stop",
    ],
  );
  const apt = [{ action: "install" as const, packages: ["x"], options: [] }];
  assert.equal(asOneRun([run("a", { apt })], { first: 0, last: 0, stop: undefined }), undefined);
});
