/**
 * How long `dodo` takes beside what it is made of and what it competes with. Runs in the lab:
 * deno task bench bench/exec.ts [ROUNDS]
 * All candidates take turns in each round, so that a busy machine is busy for all of them; medians.
 */

import { addHost, BASE_IMAGE, london, startLink } from "../tests/lab/lab.ts";
import { newUser, storedSession } from "../tests/e2e/user.ts";

const rounds = Number(Deno.args[0] ?? 30);
const RTTS = [0, 20];
/** The directory of an executable, which is measured too; and the Deno that it was made with, if it was another. */
const compiled = Deno.env.get("DOCKERDO_BIN");
const compiledBy = Deno.env.get("COMPILED_BY");

const BARE = "bare Deno child";
const OTHER_BARE = "bare child of the executable's Deno";
const RAW_SSH = "raw ssh over the master";
const DODO = "dodo true";
const COMPILED_DODO = "dodo true, compiled";

interface Candidate {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env?: Record<string, string>;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function time({ argv, env }: Candidate): Promise<number> {
  const [program = "", ...args] = argv;
  const began = performance.now();
  const options = { args, stdin: "null", stdout: "null", stderr: "null" } as const;
  const { code } = await new Deno.Command(
    program,
    env === undefined ? options : { ...options, env },
  )
    .spawn().status;
  if (code !== 0) throw new Error(`exit code ${code}: ${argv.join(" ")}`);
  return performance.now() - began;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

async function measure(candidates: readonly Candidate[]): Promise<Map<string, number>> {
  const times = new Map<string, number[]>(candidates.map(({ name }) => [name, []]));
  for (let round = -2; round < rounds; round++) {
    for (const candidate of candidates) {
      const ms = await time(candidate);
      if (round >= 0) times.get(candidate.name)?.push(ms);
    }
  }
  return new Map([...times].map(([name, values]) => [name, median(values)]));
}

/** A Deno program that does nothing but start one child: the least that a tool of this kind can cost. */
async function bareChild(dir: string): Promise<string> {
  const path = `${dir}/bare.ts`;
  await Deno.writeTextFile(
    path,
    `const { code } = await new Deno.Command("true", { stdin: "inherit", stdout: "inherit", stderr: "inherit" }).spawn().status;
Deno.exit(code);
`,
  );
  return path;
}

async function throughput(
  name: string,
  command: string,
  env: Record<string, string>,
): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    times.push(
      await time({ name, argv: ["bash", "-c", `head -c 500000000 /dev/zero | ${command}`], env }),
    );
  }
  say(`| ${name} | ${(500 / (median(times) / 1000)).toFixed(0)} MB/s |`);
}

async function installed(program: string): Promise<boolean> {
  return (await london(["sh", "-c", `command -v ${program}`])).code === 0;
}

for (const rttMs of RTTS) {
  await using link = await startLink({ to: "10.77.0.2:22", rttMs });
  await using _host = await addHost(`bench-${rttMs}`, { port: link.port });
  await using user = await newUser();
  await user.runs(`bench-${rttMs} --remote bench-${rttMs} --image ${BASE_IMAGE}`);
  await using here = await newUser();
  await here.runs(`bench-here-${rttMs} --local --image ${BASE_IMAGE}`);
  const { containerId: there } = await storedSession(user) as { containerId: string };
  const { containerId: local } = await storedSession(here) as { containerId: string };
  const config = `${user.sessionDir()}/ssh_config`;
  const bare = await bareChild(user.home);
  const asDevcontainer = JSON.stringify({ workspaceFolder: "/" });
  await Deno.writeTextFile(`${here.workDir}/.devcontainer.json`, asDevcontainer);
  const env = user.env();
  // As it is installed: the launcher in bin/ is one more shell, and for checkouts only.
  const program = (name: string): string[] => {
    const path = new URL(`../${name}`, import.meta.url).pathname;
    return [Deno.execPath(), "run", "--quiet", "--no-prompt", "-P", path];
  };
  const candidates: Candidate[] = [
    { name: BARE, argv: [Deno.execPath(), "run", "--quiet", "--allow-run", bare] },
    ...compiledBy === undefined ? [] : [{
      name: OTHER_BARE,
      argv: [compiledBy, "run", "--quiet", "--allow-run", bare],
      // One version throws away what another one has compiled.
      env: { DENO_DIR: `${user.home}/deno` },
    }],
    { name: RAW_SSH, argv: ["ssh", "-F", config, "container", "true"] },
    { name: DODO, argv: [...program("dodo.ts"), "true"], env },
    ...compiled === undefined
      ? []
      : [{ name: COMPILED_DODO, argv: [`${compiled}/dockerdo`, "exec", "true"], env }],
    { name: "docker exec, local engine", argv: ["docker", "exec", local, "true"] },
    {
      name: "docker -H ssh:// exec",
      argv: ["docker", "-H", `ssh://bench-${rttMs}`, "exec", there, "true"],
    },
    ...await installed("devcontainer")
      ? [{
        name: "devcontainer exec, local",
        argv: [
          "devcontainer",
          "exec",
          "--container-id",
          local,
          "--workspace-folder",
          here.workDir,
          "true",
        ],
      }]
      : [],
    { name: "dockerdo --help", argv: [...program("main.ts"), "--help"], env },
    { name: "dockerdo status --json", argv: [...program("main.ts"), "status", "--json"], env },
  ];
  const medians = await measure(candidates);
  say(`\n### ${rttMs} ms round trip, medians of ${rounds}\n\n| | ms |\n| --- | ---: |`);
  for (const [name, ms] of medians) say(`| ${name} | ${ms.toFixed(1)} |`);
  const ms = (name: string): number => medians.get(name) ?? NaN;
  const compare = (dodo: string, bare: string): void =>
    say(`\n${dodo} is ${(ms(dodo) / (ms(bare) + ms(RAW_SSH))).toFixed(2)} × (${bare} + raw ssh).`);
  compare(DODO, BARE);
  if (compiled !== undefined) {
    compare(COMPILED_DODO, compiledBy === undefined ? BARE : OTHER_BARE);
  }
  if (rttMs > 0) continue;
  say(`\n500 MB through cat, medians of 5\n\n| | |\n| --- | ---: |`);
  await throughput("raw ssh", `ssh -F ${config} container cat >/dev/null`, env);
  await throughput("dodo cat", `dodo cat >/dev/null`, env);
}
