import assert from "node:assert/strict";
import type { Instruction, Run } from "../../../src/dockerfile/instructions.ts";
import { dockerfileText } from "../../../src/dockerfile/text.ts";

function text(
  instructions: readonly Instruction[],
  base: { readonly user?: string; readonly workdir?: string } = {},
): string {
  return dockerfileText(instructions, {
    base: { reference: "debian:12", user: "", workdir: "/srv", ...base },
    heading: [],
    remarks: [],
    withoutRecommends: () => true,
    excluded: [],
    pinned: (name) => name,
  });
}

function run(lines: readonly string[], fields: Partial<Run> = {}): Run {
  return {
    kind: "run",
    user: "",
    cwd: undefined,
    lines: lines.map((line) => ({ text: line, isSimple: true })),
    apt: [],
    commands: [],
    notes: [],
    ...fields,
  };
}

const copy = { kind: "copy", owner: undefined, paths: [] } as const;

Deno.test("the base's USER and WORKDIR come back at the end", () => {
  assert.equal(
    text([run(["a"]), run(["b"], { user: "dev", cwd: "/opt" })], { user: "1000" }),
    "FROM debian:12\n\nUSER root\nRUN a\n\nUSER dev\nWORKDIR /opt\nRUN b\n\nUSER 1000\nWORKDIR /srv\n",
  );
  assert.equal(
    text([run(["b"], { user: "dev" })]),
    "FROM debian:12\n\nUSER dev\nRUN b\n\n# hadolint ignore=DL3002 # as in the base image\nUSER root\n",
  );
});

Deno.test("lines are joined; with a newline in one the whole is JSON, for the builder would end RUN there", () => {
  assert.equal(text([run(["a", "b"])]), "FROM debian:12\n\nRUN a \\\n && b\n");
  assert.equal(
    text([run(["printf '%s' 'a\nb'", 'c "d"'])]),
    'FROM debian:12\n\nRUN ["/bin/sh","-c","printf \'%s\' \'a\\nb\' && c \\"d\\""]\n',
  );
});

Deno.test("COPY of names with spaces, dollars and quotes is JSON, in UTF-8", () => {
  const copied = (path: string): string =>
    text([{ ...copy, sources: [path], destination: `/${path}` }]).split("\n")[2] ?? "";
  assert.equal(copied("etc/x"), "COPY files/etc/x /etc/x");
  assert.equal(copied("a b"), 'COPY ["files/a b","/a b"]');
  assert.equal(copied('a"b'), 'COPY ["files/a\\"b","/a\\"b"]');
  assert.equal(copied("a$b"), 'COPY ["files/a\\\\$b","/a\\\\$b"]');
  const bytes = String.fromCharCode(...new TextEncoder().encode("ü"));
  assert.equal(copied(bytes), 'COPY ["files/ü","/ü"]');
});

Deno.test("ENV keeps quotes, backslashes and dollars as they are", () => {
  assert.equal(
    text([{ kind: "env", set: { A: "1", B: 'say "hi" $USER \\o/', C: "" } }]),
    'FROM debian:12\n\nENV A=1 \\\n    B="say \\"hi\\" \\$USER \\\\o/" \\\n    C=""\n',
  );
});

Deno.test("what a linter would ask is answered above the instruction, with a reason", () => {
  const comment = (line: string): string => text([run([line])]).split("\n")[2] ?? "";
  assert.equal(comment("a | b"), "# hadolint ignore=DL4006 # the session had no pipefail");
  assert.equal(comment("echo 'a | b'"), "RUN echo 'a | b'");
  assert.equal(comment("service x start"), "# hadolint ignore=DL3001 # as in the session");
  assert.equal(
    comment("pip install --no-cache-dir x"),
    "# hadolint ignore=DL3013 # as in the session",
  );
});
