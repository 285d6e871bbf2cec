/**
 * How long the commands that ask the remote host take, with a quick login shell there and with one whose start-up
 * files take 0.6 s, at two round trips. Runs in the lab: deno task bench bench/run.ts [ROUNDS]
 * In each round the least that a user could do takes its turn: `docker run` by ssh, then the first ssh into the
 * container. Medians.
 */

import { addHost, BASE_IMAGE, london, startLink } from "../tests/lab/lab.ts";
import { newUser, type User } from "../tests/e2e/user.ts";

const rounds = Number(Deno.args[0] ?? 5);

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

async function timed(user: User, script: string): Promise<number> {
  const began = performance.now();
  await user.does(script);
  return performance.now() - began;
}

async function bench(host: string, shell: string, rttMs: number): Promise<void> {
  await using user = await newUser();
  const times = new Map<string, number[]>();
  const note = (name: string, ms: number): void =>
    void times.set(name, [...times.get(name) ?? [], ms]);
  await user.begins(`bench --remote ${host} --image ${BASE_IMAGE}`);
  await user.does("dockerdo build --remote");
  const { imageTag } = JSON.parse(await user.does("dockerdo status --json")).session;
  const ssh = `ssh ${host}`;
  for (let round = 0; round < rounds; round++) {
    const id = "bench-least";
    note(
      "docker run by ssh and the first ssh",
      await timed(
        user,
        `${ssh} docker run -d --init --name ${id} ${imageTag} sleep 1000 && ${ssh} docker exec ${id} true`,
      ),
    );
    await user.does(`${ssh} docker rm -f ${id}`);
    for (const verb of ["run", "status", "list", "stop", "start", "rm --force"]) {
      note(verb, await timed(user, `dockerdo ${verb}`));
    }
  }
  const least = median(times.get("docker run by ssh and the first ssh") ?? []);
  say(`\n${shell} login shell, ${rttMs} ms`);
  for (const [name, values] of times) {
    const ms = median(values);
    say(`${name.padEnd(38)} ${(ms / 1000).toFixed(2)} s  ${(ms / least).toFixed(2)} ×`);
  }
}

for (const rttMs of [0, 20]) {
  await using link = await startLink({ to: "10.77.0.2:22", rttMs });
  for (const [shell, user] of [["quick", "root"], ["slow", "hedy"]] as const) {
    const name = `reykjavik-bench-${shell}-${rttMs}`;
    await using _host = await addHost(name, { port: link.port, user });
    await london(["ssh", name, "true"]);
    await bench(name, shell, rttMs);
  }
}
