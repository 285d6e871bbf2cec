/**
 * What a start costs before anything is done: Deno itself, each import on the way, each entry.
 * deno task bench bench/start.ts [ROUNDS]
 * All candidates take turns in each round, so that a busy machine is busy for all of them; medians.
 */

import { temporaryDir } from "../tests/unit/fixture.ts";

const rounds = Number(Deno.args[0] ?? 30);
const root = new URL("../", import.meta.url);

interface Candidate {
  readonly name: string;
  readonly argv: readonly string[];
}

function denoRun(entry: string, ...words: string[]): string[] {
  const config = new URL("deno.json", root).pathname;
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-prompt",
    "--config",
    config,
    "-P",
    entry,
    ...words,
  ];
}

async function time({ argv: [program = "", ...args], name }: Candidate): Promise<number> {
  const began = performance.now();
  const { code } = await new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn().status;
  // `dodo` has no session here: that is where it ends.
  if (![0, 1, 125].includes(code)) throw new Error(`${name}: exit code ${code}`);
  return performance.now() - began;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

using dir = temporaryDir();
const nothing = `${dir.path}/nothing.ts`;
Deno.writeTextFileSync(nothing, "export {};\n");
const candidates: Candidate[] = [{ name: "nothing", argv: denoRun(nothing) }];
for (
  const module of [
    "npm:@stricli/core@1.3.0",
    "npm:valibot@1.5.0",
    "npm:js-yaml@5.5.0",
    ...[
      "session/session",
      "ssh/argv",
      "process/child",
      "config/config",
      "docker",
      "lifecycle/connection",
    ].map((name) => `${root.href}src/${name}.ts`),
  ]
) {
  const path = `${dir.path}/${candidates.length}.ts`;
  Deno.writeTextFileSync(path, `import ${JSON.stringify(module)};\n`);
  candidates.push({ name: `import ${module.replace(root.href, "")}`, argv: denoRun(path) });
}
const main = new URL("main.ts", root).pathname;
candidates.push(
  { name: "dodo (no session here)", argv: denoRun(new URL("dodo.ts", root).pathname, "true") },
  { name: "dockerdo --version", argv: denoRun(main, "--version") },
  { name: "dockerdo --help", argv: denoRun(main, "--help") },
  { name: "dockerdo run --help", argv: denoRun(main, "run", "--help") },
  { name: "dockerdo status --json (no session here)", argv: denoRun(main, "status", "--json") },
);

const times = new Map<string, number[]>(candidates.map(({ name }) => [name, []]));
for (let round = -2; round < rounds; round++) {
  for (const candidate of candidates) {
    const ms = await time(candidate);
    if (round >= 0) times.get(candidate.name)?.push(ms);
  }
}
const base = median(times.get("nothing") ?? []);
const lines = [...times].map(([name, values]) => {
  const ms = median(values);
  return `| ${name} | ${ms.toFixed(1)} | ${(ms - base).toFixed(1)} |`;
});
Deno.stdout.writeSync(
  new TextEncoder().encode(
    `medians of ${rounds}\n\n| | ms | more than nothing |\n| --- | ---: | ---: |\n${
      lines.join("\n")
    }\n`,
  ),
);
