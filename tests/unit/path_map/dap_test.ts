import assert from "node:assert/strict";
import fc from "fast-check";
import { DapTranslator } from "../../../src/path_map/dap.ts";
import type { Translated } from "../../../src/path_map/translator.ts";
import { PathMap } from "../../../src/path_map/paths.ts";
import { MOUNT } from "./conversation.ts";

interface Session {
  /** The arguments of an editor's request, as the adapter gets them. */
  request(command: string, of: unknown): unknown;
  /** The body of the adapter's answer, as the editor gets it. */
  answer(command: string, body: unknown): unknown;
  event(event: string, body: unknown): unknown;
  /** The arguments of a request of the adapter's. */
  reverse(command: string, of: unknown): unknown;
  /** The body of the editor's answer to it. */
  answered(command: string, body: unknown): unknown;
  readonly notices: string[];
}

const TERMINAL = { command: ["dodo"], env: { DOCKERDO_SESSION_DIR: "/s" } };

function session(realPath: (path: string) => string | undefined = () => undefined): Session {
  const notices: string[] = [];
  const translator = new DapTranslator(new PathMap(MOUNT), {
    notice: (text) => void notices.push(text),
    filesWritten: () => {},
    realPath,
    terminal: TERMINAL,
  });
  const bytes = (message: unknown): Uint8Array<ArrayBuffer> =>
    new TextEncoder().encode(JSON.stringify(message));
  const parse = ({ body }: Translated): { arguments?: unknown; body?: unknown } =>
    JSON.parse(new TextDecoder().decode(body));
  return {
    request: (command, of) =>
      parse(translator.fromEditor(bytes({ seq: 1, type: "request", command, arguments: of })))
        .arguments,
    answer: (command, body) =>
      parse(translator.fromServer(
        bytes({ seq: 1, type: "response", request_seq: 1, success: true, command, body }),
      )).body,
    event: (event, body) =>
      parse(translator.fromServer(bytes({ seq: 1, type: "event", event, body }))).body,
    reverse: (command, of) =>
      parse(translator.fromServer(bytes({ seq: 1, type: "request", command, arguments: of })))
        .arguments,
    answered: (command, body) =>
      parse(translator.fromEditor(
        bytes({ seq: 1, type: "response", request_seq: 1, success: true, command, body }),
      )).body,
    notices,
  };
}

Deno.test("the arguments of launch and attach are words of a command line", () => {
  assert.deepEqual(
    session().request("launch", {
      program: `${MOUNT}/srv/x.py`,
      cwd: `${MOUNT}/srv`,
      python: ["/usr/bin/python3", "-X", "dev"],
      args: [`--data=${MOUNT}/data`, "/srv/y", `-I${MOUNT}/inc`, `print("${MOUNT}x")`],
      env: { PATH: `${MOUNT}/bin:/usr/bin`, [`${MOUNT}/k`]: "v", text: `${MOUNT}/srv` },
      pathMappings: [{ localRoot: `${MOUNT}/srv`, remoteRoot: "/srv" }],
      outFiles: [`${MOUNT}/srv/**/*.js`],
      __restart: { path: `${MOUNT}/x` },
    }),
    {
      program: "/srv/x.py",
      cwd: "/srv",
      python: ["/usr/bin/python3", "-X", "dev"],
      args: ["--data=/data", "/srv/y", "-I/inc", `print("${MOUNT}x")`],
      env: { PATH: "/bin:/usr/bin", "/k": "v", text: `${MOUNT}/srv` },
      pathMappings: [{ localRoot: "/srv", remoteRoot: "/srv" }],
      outFiles: ["/srv/**/*.js"],
      __restart: { path: `${MOUNT}/x` },
    },
  );
});

Deno.test("sources are local for the editor and the container's for the adapter, and text stays", () => {
  const { request, answer, event } = session();
  const source = { path: `${MOUNT}/srv/x.py`, adapterData: { path: `${MOUNT}/srv/x.py` } };
  assert.deepEqual(request("setBreakpoints", { source, breakpoints: [{ condition: MOUNT }] }), {
    source: { ...source, path: "/srv/x.py" },
    breakpoints: [{ condition: MOUNT }],
  });
  const frame = {
    id: 1,
    name: "/srv/f",
    source: {
      name: "/srv/x.py",
      path: "/usr/lib/x.py",
      sourceReference: 7,
      origin: "/srv",
      sources: [{ path: "/srv/y" }],
    },
  };
  assert.deepEqual(answer("stackTrace", { stackFrames: [frame] }), {
    stackFrames: [{
      ...frame,
      source: {
        ...frame.source,
        path: `${MOUNT}/usr/lib/x.py`,
        sources: [{ path: `${MOUNT}/srv/y` }],
      },
    }],
  });
  assert.deepEqual(
    event("output", { output: "/srv/x.py:3 file:///srv/x", source: { path: "/a" } }),
    {
      output: "/srv/x.py:3 file:///srv/x",
      source: { path: `${MOUNT}/a` },
    },
  );
  assert.deepEqual(event("module", { module: { path: "/a", symbolFilePath: "/b", name: "/c" } }), {
    module: { path: `${MOUNT}/a`, symbolFilePath: `${MOUNT}/b`, name: "/c" },
  });
  assert.deepEqual(event("process", { name: "/srv/x.py" }), { name: `${MOUNT}/srv/x.py` });
  assert.deepEqual(event("process", { name: "python3" }), { name: "python3" });
  const values = { result: "'/srv/x'", value: "file:///srv/x", variables: [{ value: "/srv" }] };
  for (const command of ["evaluate", "variables", "ours/own"]) {
    assert.deepEqual(answer(command, values), values);
  }
  assert.deepEqual(request("evaluate", { expression: `open("${MOUNT}/x")` }), {
    expression: `open("${MOUNT}/x")`,
  });
});

Deno.test("with pathFormat uri a source's path is a URI", () => {
  const { request, answer } = session();
  const source = { path: `file://${MOUNT}/srv/a%2Db.py` };
  assert.deepEqual(request("setBreakpoints", { source }), {
    source: { path: "file:///srv/a%2Db.py" },
  });
  // A file with a breakpoint is given back in its own spelling.
  assert.deepEqual(
    answer("setBreakpoints", { breakpoints: [{ source: { path: "file:///srv/a-b.py" } }] }),
    { breakpoints: [{ source }] },
  );
});

Deno.test("a file outside the mount passes as it is, both ways, and this is said once", () => {
  const { request, answer, notices } = session();
  const source = { path: "/home/ada/notes.py" };
  for (let twice = 0; twice < 2; twice++) {
    assert.deepEqual(request("setBreakpoints", { source }), { source });
  }
  assert.deepEqual(answer("setBreakpoints", { breakpoints: [{ source }] }), {
    breakpoints: [{ source }],
  });
  assert.deepEqual(notices, [
    "/home/ada/notes.py is not below the mount; the debug adapter gets this name as it is",
  ]);
});

Deno.test("a breakpoint in a file that the editor reaches by a link is given back by that name", () => {
  const { request, answer } = session((path) =>
    path.startsWith("/home/ada/link/") ? path.replace("/home/ada/link", `${MOUNT}/srv`) : undefined
  );
  const source = { path: "/home/ada/link/x.py" };
  assert.deepEqual(request("setBreakpoints", { source }), { source: { path: "/srv/x.py" } });
  assert.deepEqual(answer("stackTrace", { stackFrames: [{ source: { path: "/srv/x.py" } }] }), {
    stackFrames: [{ source }],
  });
});

Deno.test("every place of the table is mapped there and back, and all else is the same bytes", () => {
  const path = fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 5 }), {
    minLength: 1,
    maxLength: 3,
  }).map((names) =>
    `/${names.map((name) => name.replaceAll(/[/\0]/g, "_").replace(/^\.+$/, "dots")).join("/")}`
  ).filter((path) => path.isWellFormed());
  fc.assert(
    fc.property(path, fc.json().map((text) => text.replaceAll("-0", "0")), (path, json) => {
      const anything: unknown = JSON.parse(json);
      const source = { path, adapterData: anything, sources: [{ path, name: path }] };
      const body = { stackFrames: [{ id: 1, name: path, source }], data: anything };
      const { answer, request } = session();
      const local = answer("stackTrace", body) as typeof body;
      assert.equal(local.stackFrames[0]?.source.path, MOUNT + path);
      assert.deepEqual(local.stackFrames[0]?.source.adapterData, source.adapterData);
      const back = request("setBreakpoints", { source: local.stackFrames[0]?.source });
      assert.deepEqual(back, { source });
    }),
    { numRuns: 200 },
  );
});

Deno.test("a program that the adapter starts in the editor's terminal runs in the container", () => {
  const { reverse, answered } = session();
  assert.deepEqual(
    reverse("runInTerminal", {
      kind: "integrated",
      title: "x",
      cwd: "/srv/a b",
      args: ["/usr/bin/python3", "/srv/x.py", "file:///srv/x"],
      env: { A: "1 2", B: null, C: "file:///srv/x" },
    }),
    {
      kind: "integrated",
      title: "x",
      cwd: `${MOUNT}/srv/a b`,
      args: [
        ...[
          "dodo",
          "-w",
          "/srv/a b",
          "-e",
          "A=1 2",
          "-e",
          "C=file:///srv/x",
          "--",
          "env",
          "-u",
          "B",
        ],
        ...["/usr/bin/python3", "/srv/x.py", "file:///srv/x"],
      ],
      env: TERMINAL.env,
    },
  );
  const forShell = { args: ["cat", "<x"], cwd: "/srv/a b", argsCanBeInterpretedByShell: true };
  assert.deepEqual(reverse("runInTerminal", forShell), {
    args: ["dodo", "-w", "'/srv/a b'", "--", "cat", "<x"],
    cwd: `${MOUNT}/srv/a b`,
    argsCanBeInterpretedByShell: true,
    env: TERMINAL.env,
  });
  // Without a directory it is the one that the editor is in.
  assert.deepEqual(reverse("runInTerminal", { args: ["x"] }), {
    args: ["dodo", "--", "x"],
    env: TERMINAL.env,
  });
  // A process of this host is none that the adapter sees.
  assert.deepEqual(answered("runInTerminal", { processId: 7, shellProcessId: 8 }), {});
});

Deno.test("a request for a terminal with variables that are no JSON passes as it is, and is reported once", () => {
  const notices: string[] = [];
  const translator = new DapTranslator(new PathMap("/home/ada/work/container"), {
    notice: (text) => void notices.push(text),
    filesWritten: () => {},
    realPath: () => undefined,
    terminal: { command: ["dodo"], env: {} },
  });
  for (const value of ['"x\ny"', '"\\q"']) {
    const message =
      `{"type":"request","command":"runInTerminal","arguments":{"cwd":"/srv","args":["p"],"env":{"A":${value}}}}`;
    const { body } = translator.fromServer(new TextEncoder().encode(message));
    assert.equal(new TextDecoder().decode(body), message);
  }
  assert.equal(notices.length, 1);
});
