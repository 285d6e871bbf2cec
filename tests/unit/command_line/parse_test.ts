import assert from "node:assert/strict";
import { buildCommand } from "@stricli/core";
import {
  type CliContext,
  commonAliases,
  type CommonFlags,
  commonFlags,
  contextOf,
  passedArguments,
  textFlag,
} from "../../../src/command_line/flags.ts";
import { Failure } from "../../../src/error.ts";
import { runCommand } from "../../../src/command_line/parse.ts";
import { type TestContext, testContext } from "../fixture.ts";

interface Flags extends CommonFlags {
  readonly imageTag?: string;
  readonly connect?: "exec" | "port";
  readonly defaultArgs: boolean;
}

interface Seen {
  readonly code: number;
  readonly flags?: Flags;
  readonly words?: readonly string[];
  readonly context: TestContext;
}

async function parsed(
  words: readonly string[],
  { passesOptions = true, failure, env = {} }: {
    readonly passesOptions?: boolean;
    readonly failure?: unknown;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<Seen> {
  const context = testContext({ env });
  const seen: { flags?: Flags; words?: readonly string[] } = {};
  const command = buildCommand<Flags, string[], CliContext>({
    func(this: CliContext, flags: Flags, ...rest: string[]): void {
      if (failure !== undefined) throw failure;
      const { verbose, dryRun } = contextOf(this, flags);
      assert.deepEqual({ verbose, dryRun }, { verbose: flags.verbose, dryRun: flags.dryRun });
      Object.assign(seen, { flags, words: rest });
    },
    parameters: {
      flags: {
        ...commonFlags,
        imageTag: textFlag("A tag", "tag"),
        connect: { kind: "enum", values: ["exec", "port"], brief: "A way", optional: true },
        defaultArgs: { kind: "boolean", brief: "Take the defaults", default: true },
      },
      aliases: { ...commonAliases, t: "imageTag" },
      positional: passedArguments("docker"),
    },
    docs: { brief: "A command" },
  });
  const code = await runCommand(context, words, { name: "x", command, passesOptions });
  return { ...seen, code, context };
}

const OFF = {
  verbose: false,
  dryRun: false,
  defaultArgs: true,
  imageTag: undefined,
  connect: undefined,
};

for (
  const [words, passed, flags] of [
    [[], [], {}],
    [["--gpus", "all", "-e", "X=1"], ["--gpus", "all", "-e", "X=1"], {}],
    [["-p", "127.0.0.1::80", "--rm=false"], ["-p", "127.0.0.1::80", "--rm=false"], {}],
    [["-e", "A=x y\n'\"", "", "é"], ["-e", "A=x y\n'\"", "", "é"], {}],
    [["-v", "--gpus", "all"], ["--gpus", "all"], { verbose: true }],
    [["--gpus", "all", "-n"], ["--gpus", "all"], { dryRun: true }],
    [["--pull", "--dry-run", "--verbose"], ["--pull"], { dryRun: true, verbose: true }],
    [["--connect", "port", "-e", "A=1"], ["-e", "A=1"], { connect: "port" }],
    [["--connect=port", "a"], ["a"], { connect: "port" }],
    [["-t", "a:b", "--image-tag=c:d=e"], [], undefined],
    [["--image-tag=c:d=e", "."], ["."], { imageTag: "c:d=e" }],
    [["--", "-v", "-n"], ["-v", "-n"], {}],
    [["a", "--", "--connect", "--", "b"], ["a", "--connect", "--", "b"], {}],
    [["--no-default-args", "--gpus", "all"], ["--gpus", "all"], { defaultArgs: false }],
    [["--no-cache"], ["--no-cache"], {}],
    [["--default-args"], [], {}],
    [["--constructor"], ["--constructor"], {}],
    [["-tv"], ["-tv"], {}],
    [["-"], ["-"], {}],
  ] as const
) {
  Deno.test(`options that are docker's pass in order: ${JSON.stringify(words)}`, async () => {
    const { code, flags: found, words: rest, context } = await parsed(words);
    if (flags === undefined) {
      assert.equal(code, 2);
    } else {
      assert.deepEqual({ code, found, rest, ...context.written }, {
        code: 0,
        found: { ...OFF, ...flags },
        rest: passed,
        stdout: "",
        stderr: "",
      });
    }
  });
}

Deno.test("-h with a value is docker run's host name", async () => {
  assert.deepEqual((await parsed(["-h", "web", "--gpus", "all"])).words, [
    "-h",
    "web",
    "--gpus",
    "all",
  ]);
});

Deno.test("--help prints help on stdout and gives 0", async () => {
  for (const passesOptions of [true, false]) {
    const { code, flags, context } = await parsed(["--help"], { passesOptions });
    assert.deepEqual({ code, flags, stderr: context.written.stderr }, {
      code: 0,
      flags: undefined,
      stderr: "",
    });
    assert.match(context.written.stdout, /dockerdo x/);
    assert.match(context.written.stdout, /--dry-run/);
    assert.equal(context.written.stdout.includes("\x1b"), false);
  }
});

for (
  const words of [["--unknown"], ["--connect"], ["--connect", "tcp"], ["-z"], ["--verbose=maybe"]]
) {
  Deno.test(`${JSON.stringify(words)} is a usage error: one sentence on stderr, and 2`, async () => {
    const { code, flags, context } = await parsed(words, { passesOptions: false });
    assert.deepEqual({ code, flags, stdout: context.written.stdout }, {
      code: 2,
      flags: undefined,
      stdout: "",
    });
    assert.match(context.written.stderr, /^dockerdo: [^\n]+\n {2}dockerdo x --help\n$/);
  });
}

Deno.test("a failure is its sentence and its hint on stderr, with its exit code", async () => {
  const failure = new Failure("it is broken", { hint: "Mend it.\nThen go on.", exitCode: 42 });
  const { code, context } = await parsed([], { failure });
  assert.deepEqual({ code, ...context.written }, {
    code: 42,
    stdout: "",
    stderr: "dockerdo: it is broken\n  Mend it.\n  Then go on.\n",
  });
});

Deno.test("a defect says how to see more, and no stack", async () => {
  const { code, context } = await parsed([], { failure: new TypeError("x is undefined") });
  assert.deepEqual({ code, ...context.written }, {
    code: 1,
    stdout: "",
    stderr: "dockerdo: unexpected failure: x is undefined\n  DOCKERDO_DEBUG=1 shows where.\n",
  });
});

Deno.test("DOCKERDO_DEBUG shows the stack, and that of the cause", async () => {
  const failure = new Failure("it is broken", { cause: new Error("below") });
  const { code, context } = await parsed([], { failure, env: { DOCKERDO_DEBUG: "1" } });
  assert.equal(code, 1);
  assert.match(
    context.written.stderr,
    /^dockerdo: it is broken\n.*it is broken\n +at .*caused by .*below\n +at /s,
  );
});
