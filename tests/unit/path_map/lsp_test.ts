import assert from "node:assert/strict";
import { conversation, MOUNT } from "./conversation.ts";

const LOCAL = `file://${MOUNT}`;

/** A request to the server and its answer, as the editor gets it. */
function answered(method: string, result: unknown, params: unknown = {}): unknown {
  const { editor, server } = conversation();
  editor({ jsonrpc: "2.0", id: 1, method, params });
  return (JSON.parse(server({ jsonrpc: "2.0", id: 1, result })) as { result: unknown }).result;
}

function notified(method: string, params: unknown): unknown {
  const message = conversation().server({ jsonrpc: "2.0", method, params });
  return (JSON.parse(message) as { params: unknown }).params;
}

function sent(method: string, params: unknown): unknown {
  const message = conversation().editor({ jsonrpc: "2.0", method, params });
  return (JSON.parse(message) as { params: unknown }).params;
}

Deno.test("what the editor sends is mapped wherever it is below the mount", () => {
  assert.deepEqual(
    sent("initialize", {
      processId: 4711,
      rootPath: `${MOUNT}/srv`,
      rootUri: `${LOCAL}/srv`,
      initializationOptions: {
        compilationDatabasePath: `${MOUNT}/srv/build`,
        fallbackFlags: [`-I${MOUNT}/inc`, "-DX=1", `--sysroot=${MOUNT}`, `${MOUNT}/a:${MOUNT}/b`],
        [`${MOUNT}/srv/x.c`]: { workingDirectory: `${MOUNT}/srv` },
        data: `${MOUNT}/x`,
      },
      workspaceFolders: [{ uri: `${LOCAL}/srv`, name: "srv" }],
    }),
    {
      processId: null,
      rootPath: "/srv",
      rootUri: "file:///srv",
      initializationOptions: {
        compilationDatabasePath: "/srv/build",
        fallbackFlags: ["-I/inc", "-DX=1", "--sysroot=/", "/a:/b"],
        "/srv/x.c": { workingDirectory: "/srv" },
        data: `${MOUNT}/x`,
      },
      workspaceFolders: [{ uri: "file:///srv", name: "srv" }],
    },
  );
  assert.deepEqual(
    sent("workspace/didRenameFiles", { files: [{ oldUri: `${LOCAL}/a`, newUri: `${LOCAL}/b` }] }),
    {
      files: [{ oldUri: "file:///a", newUri: "file:///b" }],
    },
  );
  assert.deepEqual(
    sent("textDocument/switchSourceHeader", { uri: `${LOCAL}/x.c`, path: `${MOUNT}/y` }),
    {
      uri: "file:///x.c",
      path: "/y",
    },
  );
});

Deno.test("text is never mapped, in neither direction", () => {
  const text = `${LOCAL}/x ${MOUNT}`;
  for (
    const params of [
      { textDocument: { uri: "untitled:1", languageId: "c", version: 1, text: `${LOCAL}/x` } },
      { textDocument: { uri: "untitled:1" }, contentChanges: [{ text: `${LOCAL}/x` }] },
      { textDocument: { uri: "untitled:1" }, newName: `${MOUNT}/x` },
      { query: `${MOUNT}/x` },
      { data: { uri: `${LOCAL}/x` } },
      { arguments: [{ newText: `${LOCAL}/x`, text, data: `${LOCAL}` }] },
    ]
  ) {
    for (
      const method of [
        "textDocument/didChange",
        "workspace/symbol",
        "workspace/executeCommand",
        "x/own",
      ]
    ) {
      assert.deepEqual(sent(method, params), params);
    }
  }
  const completion = {
    isIncomplete: false,
    items: [{
      label: "file:///srv/x",
      insertText: "file:///srv/x",
      textEdit: { newText: "file:///srv/x" },
      documentation: { kind: "markdown", value: "file:///srv/x" },
      data: { uri: "file:///srv/x" },
    }],
  };
  assert.deepEqual(answered("textDocument/completion", completion), completion);
  const hover = { contents: ["file:///srv/x", { language: "c", value: "file:///x" }] };
  assert.deepEqual(answered("textDocument/hover", hover), hover);
  const log = { type: 3, message: "file:///srv/x" };
  assert.deepEqual(notified("window/logMessage", log), log);
  assert.deepEqual(notified("telemetry/event", { uri: "file:///x" }), { uri: "file:///x" });
});

Deno.test("what the server says is a place is mapped, by the specification", () => {
  const range = { start: { line: 1, character: 2 }, end: { line: 1, character: 3 } };
  const cases: [method: string, result: unknown, mapped: unknown][] = [
    ["textDocument/definition", { uri: "file:///usr/include/stdio.h", range }, {
      uri: `${LOCAL}/usr/include/stdio.h`,
      range,
    }],
    ["textDocument/definition", [{ targetUri: "file:///x", targetRange: range }], [{
      targetUri: `${LOCAL}/x`,
      targetRange: range,
    }]],
    ["textDocument/definition", null, null],
    ["textDocument/rename", { changes: { "file:///a%20b.c": [{ range, newText: "file:///a" }] } }, {
      changes: { [`${LOCAL}/a%20b.c`]: [{ range, newText: "file:///a" }] },
    }],
    ["textDocument/rename", {
      documentChanges: [
        { textDocument: { uri: "file:///a", version: 1 }, edits: [] },
        { kind: "rename", oldUri: "file:///a", newUri: "file:///b" },
      ],
    }, {
      documentChanges: [
        { textDocument: { uri: `${LOCAL}/a`, version: 1 }, edits: [] },
        { kind: "rename", oldUri: `${LOCAL}/a`, newUri: `${LOCAL}/b` },
      ],
    }],
    ["textDocument/diagnostic", {
      kind: "full",
      items: [],
      relatedDocuments: { "file:///a": { kind: "full", items: [] } },
    }, {
      kind: "full",
      items: [],
      relatedDocuments: { [`${LOCAL}/a`]: { kind: "full", items: [] } },
    }],
    ["workspace/symbol", [{ name: "/srv/x", kind: 1, location: { uri: "file:///a" } }], [
      { name: "/srv/x", kind: 1, location: { uri: `${LOCAL}/a` } },
    ]],
    ["textDocument/codeAction", [{
      title: "t",
      command: {
        title: "t",
        command: "_typescript.organizeImports",
        arguments: ["/srv/x.ts", { URI: "file:///srv/x" }],
      },
      data: { uri: "file:///a" },
    }], [{
      title: "t",
      command: {
        title: "t",
        command: "_typescript.organizeImports",
        arguments: ["/srv/x.ts", { URI: `${LOCAL}/srv/x` }],
      },
      data: { uri: "file:///a" },
    }]],
    ["textDocument/switchSourceHeader", "file:///srv/x.h", `${LOCAL}/srv/x.h`],
    ["textDocument/switchSourceHeader", "", ""],
    ["experimental/runnables", [{
      label: "/x",
      args: { cwd: "/srv", workspaceRoot: "/srv", cargoArgs: ["/usr/bin/x"] },
    }], [
      {
        label: "/x",
        args: { cwd: `${MOUNT}/srv`, workspaceRoot: `${MOUNT}/srv`, cargoArgs: ["/usr/bin/x"] },
      },
    ]],
  ];
  for (const [method, result, mapped] of cases) {
    assert.deepEqual(answered(method, result), mapped, method);
  }
  assert.deepEqual(
    notified("textDocument/publishDiagnostics", {
      uri: "file:///a",
      diagnostics: [{
        message: "file:///a",
        data: "file:///a",
        relatedInformation: [{ location: { uri: "file:///b", range } }],
      }],
    }),
    {
      uri: `${LOCAL}/a`,
      diagnostics: [{
        message: "file:///a",
        data: "file:///a",
        relatedInformation: [{ location: { uri: `${LOCAL}/b`, range } }],
      }],
    },
  );
  assert.deepEqual(
    notified("textDocument/clangd.fileStatus", { uri: "file:///a", state: "idle" }),
    {
      uri: `${LOCAL}/a`,
      state: "idle",
    },
  );
});

Deno.test("a message that needs no change keeps its bytes, and one that does keeps all others", () => {
  const odd =
    '{"b":1,"10":2,"2":3, "n":12345678901234567890,"f":1.0,"e":1e400,"b":2,"\\u0061":"\\u002f"}';
  const { editor, server } = conversation();
  assert.equal(editor(`{"method":"x","params":${odd}}`), `{"method":"x","params":${odd}}`);
  assert.equal(
    server(
      ` {"params" : {"odd":${odd},"uri":"\\u0066ile:\\/\\/\\/s%72v\\/\\u00e4 x"}\n, "method":"x"} `,
    ),
    ` {"params" : {"odd":${odd},"uri":"\\u0066ile:\\/\\/${MOUNT}\\/s%72v\\/\\u00e4 x"}\n, "method":"x"} `,
  );
  assert.equal(
    editor(
      `{"method":"x","params":{"uri":"file:\\/\\/\\/home\\/%61da\\/work\\/container\\/a%2Bb"}}`,
    ),
    `{"method":"x","params":{"uri":"file:\\/\\/\\/a%2Bb"}}`,
  );
});

Deno.test("what is no message of the protocol passes as it is, and is reported once", () => {
  const { editor, server, notices } = conversation();
  for (
    const text of [
      "[1,2]",
      '[{"method":"x","params":"file:///x"}]',
      "",
      "{",
      '{"a":tru}',
      '{"uri":"file:///x"}}',
      '{"a" 1}',
      "[1,]",
      '"file:///x"',
    ]
  ) {
    assert.equal(server(text), text);
    assert.equal(editor(text), text);
  }
  assert.equal(notices.length, 2);
});

Deno.test("id and method may come after what they belong to, and ids of the two sides are apart", () => {
  const { editor, server } = conversation();
  editor('{"params":{},"method":"textDocument/hover","id":1}');
  editor('{"params":{},"method":"textDocument/definition","id":"1"}');
  server(
    '{"params":{"items":[{"scopeUri":"file:///a"}]},"method":"workspace/configuration","id":1}',
  );
  assert.equal(
    editor(`{"result":[{"path":"${MOUNT}/x","label":"${MOUNT}/x"}],"id":1}`),
    '{"result":[{"path":"/x","label":"/x"}],"id":1}',
  );
  assert.equal(
    server('{"result":{"contents":"file:///x"},"id":1}'),
    '{"result":{"contents":"file:///x"},"id":1}',
  );
  assert.equal(
    server('{"result":{"uri":"file:///x"},"id":"1"}'),
    `{"result":{"uri":"${LOCAL}/x"},"id":"1"}`,
  );
});

Deno.test("partial results are what their request's are, as long as it is under way", () => {
  const { editor, server } = conversation();
  editor({ id: 7, method: "textDocument/references", params: { partialResultToken: 3 } });
  editor({ id: 8, method: "textDocument/completion", params: { partialResultToken: "3" } });
  const progress = (token: unknown, value: unknown): unknown =>
    (JSON.parse(server({ method: "$/progress", params: { token, value } })) as {
      params: { value: unknown };
    }).params.value;
  assert.deepEqual(progress(3, [{ uri: "file:///x" }]), [{ uri: `${LOCAL}/x` }]);
  assert.deepEqual(progress("3", [{ label: "file:///x" }]), [{ label: "file:///x" }]);
  assert.deepEqual(progress(9, { kind: "report", message: "file:///x" }), {
    kind: "report",
    message: "file:///x",
  });
});

Deno.test("a document that the editor opened is published under the very name it has there", () => {
  for (
    const name of [
      "a%3Ab",
      "a:b",
      "a%2Bb.c",
      "%5Bx%5D",
      "[x]",
      "(auth)",
      "a@b",
      "a%20b",
      "%C3%A4",
      "ä",
      "a%cc%88",
      "%FF",
      "%zz",
    ]
  ) {
    const { editor, server } = conversation();
    const uri = `${LOCAL.replace("ada", "%61da")}/srv/${name}`;
    editor({ method: "textDocument/didOpen", params: { textDocument: { uri, text: "" } } });
    for (const again of respelled(name)) {
      const out = server({
        method: "textDocument/publishDiagnostics",
        params: { uri: `file:///srv/${again}`, diagnostics: [] },
      });
      assert.equal((JSON.parse(out) as { params: { uri: string } }).params.uri, uri, again);
    }
    const other = server({
      method: "textDocument/publishDiagnostics",
      params: { uri: "file:///other" },
    });
    assert.equal(
      (JSON.parse(other) as { params: { uri: string } }).params.uri,
      `${LOCAL.replace("ada", "%61da")}/other`,
    );
  }
});

function respelled(name: string): string[] {
  try {
    const text = decodeURIComponent(name);
    return [name, encodeURI(text), encodeURIComponent(text)];
  } catch {
    return [name, name.toLowerCase()];
  }
}

Deno.test("a file outside of the mount passes both ways while the editor has it open, said once", () => {
  const { editor, server, notices } = conversation();
  const publish = (uri: string): string =>
    (JSON.parse(server({ method: "textDocument/publishDiagnostics", params: { uri } })) as {
      params: { uri: string };
    }).params.uri;
  const define = (uri: string): unknown => {
    editor({ id: 1, method: "textDocument/definition", params: {} });
    return (JSON.parse(server({ id: 1, result: { uri } })) as { result: { uri: string } }).result
      .uri;
  };
  assert.equal(define("file:///home/ada/notes.md"), `${LOCAL}/home/ada/notes.md`);
  for (const name of ["notes.md", "n%6ftes.txt"]) {
    const message = JSON.stringify({
      method: "textDocument/didOpen",
      params: { textDocument: { uri: `file:///home/ada/${name}` } },
    });
    assert.equal(editor(message), message);
  }
  assert.equal(define("file:///home/ada/notes.md"), "file:///home/ada/notes.md");
  assert.equal(publish("file:///home/ada/notes.txt"), "file:///home/ada/notes.txt");
  assert.deepEqual(notices, [
    "file:///home/ada/notes.md is not below the mount; the server gets this name as it is",
  ]);
  editor({
    method: "textDocument/didClose",
    params: { textDocument: { uri: "file:///home/ada/notes.md" } },
  });
  assert.equal(publish("file:///home/ada/notes.md"), "file:///home/ada/notes.md");
  assert.equal(define("file:///home/ada/notes.md"), `${LOCAL}/home/ada/notes.md`);
});

Deno.test("only what is the mount or below it is mapped, and nothing leads out of it", () => {
  const editorUris: [string, string][] = [
    [LOCAL, "file:///"],
    [`${LOCAL}/`, "file:///"],
    [`${LOCAL}2/x`, `${LOCAL}2/x`],
    [`${LOCAL}/../x`, `${LOCAL}/../x`],
    [`${LOCAL}/a/%2e%2e/%2E./x`, `${LOCAL}/a/%2e%2e/%2E./x`],
    [`${LOCAL}/a/../x`, "file:///a/../x"],
    [`FILE://localhost${MOUNT}/x#L10`, "FILE://localhost/x#L10"],
    [`file:${MOUNT}/x?q`, "file:/x?q"],
    [`file://elsewhere${MOUNT}/x`, `file://elsewhere${MOUNT}/x`],
    [`jar:file://${MOUNT}/x!/y`, `jar:file://${MOUNT}/x!/y`],
    [`vscode-notebook-cell:${MOUNT}/x.ipynb#W0s`, "vscode-notebook-cell:/x.ipynb#W0s"],
    [`git:${MOUNT}/x`, `git:${MOUNT}/x`],
  ];
  for (const [local, there] of editorUris) {
    assert.deepEqual(sent("textDocument/didOpen", { textDocument: { uri: local } }), {
      textDocument: { uri: there },
    });
  }
  const serverUris: [string, string][] = [
    ["file:///", `${LOCAL}/`],
    ["file:/x", `file:${MOUNT}/x`],
    ["file://localhost/x", `file://localhost${MOUNT}/x`],
    ["file:///../../x", `${LOCAL}/x`],
    ["file:///a/%2e%2e/../etc", `${LOCAL}/etc`],
    ["file:///usr/lib/../include", `${LOCAL}/usr/lib/../include`],
    ["file://", "file://"],
    ["jdt://contents/x?=p/%5C/home", "jdt://contents/x?=p/%5C/home"],
    ["/srv/x", `${MOUNT}/srv/x`],
    ["https://x/y", "https://x/y"],
    ["", ""],
  ];
  for (const [there, local] of serverUris) {
    assert.deepEqual(notified("textDocument/publishDiagnostics", { uri: there }), { uri: local });
  }
});

Deno.test("a local link to the mount is the mount, and answers use the name of the root", () => {
  const realPath = (path: string): string | undefined =>
    path.startsWith("/data/")
      ? path.replace("/data", "/home/ada/work")
      : path.startsWith("/short")
      ? path.replace("/short", `${MOUNT}/srv/app`)
      : undefined;
  const first = conversation({ realPath });
  assert.match(
    first.editor({
      id: 1,
      method: "initialize",
      params: { rootUri: "file:///data/container/srv" },
    }),
    /"file:\/\/\/srv"/,
  );
  assert.match(
    first.server({ method: "x", params: { uri: "file:///srv/x" } }),
    /"file:\/\/\/data\/container\/srv\/x"/,
  );
  assert.match(first.editor({ method: "x", params: { uri: `${LOCAL}/x` } }), /"file:\/\/\/x"/);
  const second = conversation({ realPath });
  assert.match(
    second.editor({ id: 1, method: "initialize", params: { rootUri: "file:///short" } }),
    /"file:\/\/\/srv\/app"/,
  );
  assert.match(
    second.server({ method: "x", params: { uri: "file:///srv/app/x" } }),
    /"file:\/\/\/short\/x"/,
  );
  assert.match(
    second.server({ method: "x", params: { uri: "file:///usr/x" } }),
    new RegExp(`"${LOCAL}/usr/x"`),
  );
});

Deno.test("a root outside of the mount is refused in one sentence; none at all, and the root of all, are not", () => {
  const refused = conversation();
  const answer = JSON.parse(
    refused.editor({
      id: "a",
      method: "initialize",
      params: { rootUri: "file:///home/ada/other", workspaceFolders: null },
    }),
  ) as { id: string; error: { message: string } };
  assert.equal(answer.id, "a");
  assert.match(
    answer.error.message,
    /^the editor's root file:\/\/\/home\/ada\/other is not below the mount/,
  );
  for (
    const params of [{}, { rootUri: null, rootPath: null, workspaceFolders: null, processId: null }]
  ) {
    const { editor, notices } = conversation();
    assert.equal(
      editor({ id: 1, method: "initialize", params }),
      JSON.stringify({ id: 1, method: "initialize", params }),
    );
    assert.deepEqual(notices, []);
  }
  const whole = conversation();
  assert.match(
    whole.editor({ id: 1, method: "initialize", params: { rootUri: LOCAL } }),
    /"file:\/\/\/"/,
  );
  assert.deepEqual(whole.notices, [
    "the editor's root is the container's /, all of which the server may index",
  ]);
});

Deno.test("watchers outside of the workspace are taken out, and the rest is mapped by its method", () => {
  const register = {
    id: 5,
    method: "client/registerCapability",
    params: {
      registrations: [
        {
          registerOptions: {
            watchers: [
              { globPattern: "**/*.py" },
              { globPattern: "/usr/lib/**" },
              { globPattern: { baseUri: "file:///srv/app", pattern: "**" } },
              {
                globPattern: {
                  baseUri: { uri: "file:///usr/lib/python3", name: "x" },
                  pattern: "**",
                },
              },
              { globPattern: "/srv/app/x.py", kind: 7 },
            ],
          },
          id: "/a",
          method: "workspace/didChangeWatchedFiles",
        },
        {
          id: "b",
          method: "textDocument/didSave",
          registerOptions: { documentSelector: [{ scheme: "file", pattern: "/srv/**" }] },
        },
      ],
    },
  };
  const registered = (watchAll: boolean): unknown[] => {
    const { editor, server } = conversation({ watchAll });
    editor({ id: 1, method: "initialize", params: { rootUri: `${LOCAL}/srv/app` } });
    const { params } = JSON.parse(server(register)) as typeof register;
    assert.deepEqual(params.registrations[1]?.registerOptions.documentSelector, [{
      scheme: "file",
      pattern: `${MOUNT}/srv/**`,
    }]);
    assert.equal(params.registrations[0]?.id, "/a");
    return params.registrations[0]?.registerOptions.watchers ?? [];
  };
  assert.deepEqual(registered(false), [
    { globPattern: "**/*.py" },
    { globPattern: { baseUri: `${LOCAL}/srv/app`, pattern: "**" } },
    { globPattern: `${MOUNT}/srv/app/x.py`, kind: 7 },
  ]);
  assert.equal(registered(true).length, 5);
});

Deno.test("arguments of a command come back to the server as it sent them", () => {
  const { editor, server } = conversation();
  editor({
    method: "textDocument/didOpen",
    params: { textDocument: { uri: `${LOCAL}/srv/a+b.go` } },
  });
  editor({ id: 1, method: "textDocument/codeLens", params: {} });
  const command =
    '{"title":"t","command":"gopls.test","arguments":[{"URI":"file:///srv/a%2Bb.go","Tests":["/srv"]},"file:/x"]}';
  const lens = (JSON.parse(server(`{"id":1,"result":[{"command":${command}}]}`)) as {
    result: [{ command: { arguments: unknown } }];
  }).result[0];
  assert.deepEqual(lens.command.arguments, [
    { URI: `${LOCAL}/srv/a%2Bb.go`, Tests: ["/srv"] },
    `file:${MOUNT}/x`,
  ]);
  const back = editor({ id: 2, method: "workspace/executeCommand", params: lens.command });
  assert.equal(back, `{"id":2,"method":"workspace/executeCommand","params":${command}}`);
});

Deno.test("files may have been written where the server asks for an edit or to show a file", () => {
  const { server, editor, written, notices } = conversation();
  server({ id: 1, method: "workspace/applyEdit", params: { edit: { changes: {} } } });
  server({ id: 2, method: "window/showDocument", params: { uri: "file:///x" } });
  editor({ id: 3, method: "workspace/executeCommand", params: { command: "x" } });
  server({ id: 3, result: null });
  assert.equal(written(), 3);
  const show = {
    id: 4,
    method: "window/showDocument",
    params: { uri: "http://localhost:8080/x", external: true },
  };
  assert.equal(server(show), JSON.stringify(show));
  assert.deepEqual(notices, [
    "the server asks to show http://localhost:8080/x, which is a port of the container",
  ]);
});

Deno.test("a mount whose name has odd bytes is found in every spelling", () => {
  const mount = '/home/ä b"c/container';
  const { editor, server } = conversation({}, mount);
  for (
    const uri of [
      encodeURI(`file://${mount}/x`),
      `file://${mount}/x`,
      `file://${encodeURIComponent(mount).replaceAll("%2F", "/")}/x`,
    ]
  ) {
    assert.equal(
      editor({ method: "x", params: { uri } }),
      '{"method":"x","params":{"uri":"file:///x"}}',
    );
  }
  const path = JSON.parse(
    server({ method: "textDocument/publishDiagnostics", params: { uri: "/x" } }),
  ) as { params: unknown };
  assert.deepEqual(path.params, { uri: `${mount}/x` });
});
