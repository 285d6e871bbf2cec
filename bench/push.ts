/**
 * Brings an image to the remote host in four ways, over three links: how long it takes, and what goes over the
 * wire in both directions. Prints a table for docs/performance.md.
 *
 *   deno task bench bench/push.ts [ROUNDS [LINK [MEGABYTES]]]
 *
 * MEGABYTES of noise make the image bigger or smaller; without them 20.
 */

import { newUser, storedSession, type User } from "../tests/e2e/user.ts";
import { startRegistry } from "../tests/e2e/registry.ts";
import { addHost, BASE_IMAGE, type Link, poll, reykjavik, startLink } from "../tests/lab/lab.ts";

const LINKS = [
  { name: "0 ms", rttMs: 0, bytesPerSecond: Infinity },
  { name: "20 ms", rttMs: 20, bytesPerSecond: Infinity },
  { name: "20 ms, 100 Mbit/s", rttMs: 20, bytesPerSecond: 12.5e6 },
];
const STEPS = ["first push", "one small layer changed", "nothing changed"] as const;
const LABEL = "dockerdo.bench=push";
/** The name that keeps the images on the local engine. */
const LOCAL = "lab/bench-push";

interface Bench {
  readonly user: User;
  readonly link: Link;
  /** The image's name in the session and at the registry. */
  readonly tag: string;
}

/** A way to bring the image that has the bench's tag to the remote host. */
interface Way {
  readonly name: string;
  prepare?(bench: Bench): Promise<{ readonly tag: string } & AsyncDisposable>;
  push(bench: Bench): string;
}

const WAYS: readonly Way[] = [
  { name: "dockerdo push", push: () => "dockerdo push" },
  {
    name: "docker save \\| ssh docker load",
    push: ({ tag }) => `docker save ${tag} | ssh bench-push docker load -q`,
  },
  {
    name: "docker save, pigz, scp, docker load",
    push: ({ tag }) =>
      `docker save ${tag} | pigz > image.tar.gz && scp -q image.tar.gz bench-push: &&
       ssh bench-push 'docker load -q -i image.tar.gz && rm image.tar.gz' && rm image.tar.gz`,
  },
  {
    name: "docker push and docker pull",
    prepare: throughRegistry,
    push: ({ tag }) => `docker push -q ${tag} && ssh bench-push docker pull -q ${tag}`,
  },
];

/** A registry on london; the remote engine reaches it over the same link. */
async function throughRegistry(
  { tag, user }: Bench,
): Promise<{ readonly tag: string } & AsyncDisposable> {
  const registry = await startRegistry({ onReykjavik: false });
  const forward = `${registry.address}:${registry.address}`;
  await user.does(`ssh -f -N -M -S ${user.workDir}/forward -R ${forward} bench-push-forward`);
  return {
    tag: `${registry.address}/${tag}`,
    async [Symbol.asyncDispose](): Promise<void> {
      await user.types(`ssh -S ${user.workDir}/forward -O exit bench-push-forward`);
      await registry[Symbol.asyncDispose]();
    },
  };
}

/** An image of three layers, 160 MB and noise, and others with one layer more, each different. */
async function makeImages(
  user: User,
  { rounds, noise }: { readonly rounds: number; readonly noise: number },
): Promise<string[]> {
  const random = (bytes: number): string => `head -c ${bytes} /dev/urandom`;
  const build = async (...lines: string[]): Promise<string> =>
    (await user.does(`docker build -q -t ${LOCAL}:${++made} -`, { stdin: lines.join("\n") }))
      .trim();
  let made = 0;
  const imported = (await user.does(
    `id=$(docker create ${BASE_IMAGE} true); docker export $id | docker import - ; docker rm $id >/dev/null`,
  )).trim();
  const first = await build(
    `FROM ${imported}`,
    `LABEL dockerdo.lab=1 ${LABEL}`,
    "RUN cp -a /usr /opt/usr",
    `RUN ${random(noise)} > /opt/random`,
  );
  const images = [first];
  for (let round = 0; round < rounds; round++) {
    images.push(await build(`FROM ${first}`, `RUN ${random(3e5)} | base64 > /changed`));
  }
  return images;
}

/** What the topmost layer takes when zstd compresses it as dockerdo does. */
async function compressedLayer(user: User, image: string): Promise<number> {
  const layers = await user.does(
    `docker save ${image} | tar -xOf - manifest.json | grep -o '[0-9a-f]*/layer.tar' | tail -n 1`,
  );
  return Number(
    await user.does(`docker save ${image} | tar -xOf - ${layers.trim()} | zstd -3 | wc -c`),
  );
}

async function forgetThere(): Promise<void> {
  await poll(async () => {
    const list = `docker images -aq --filter label=${LABEL} | sort -u`;
    const script = `ids=$(${list}); [ -z "$ids" ] || docker rmi -f $ids >/dev/null 2>&1; ${list}`;
    return (await reykjavik(["sh", "-c", script])).stdout === "";
  }, { what: "an engine without the image", limitMs: 60_000 });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2
    ? sorted[middle] ?? 0
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function shown(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

async function main(
  rounds: number,
  { only, noise }: { readonly only: string | undefined; readonly noise: number },
): Promise<void> {
  const links = LINKS.filter(({ name }) => only === undefined || name === only);
  await using user = await newUser();
  const images = await makeImages(user, {
    rounds: rounds * WAYS.length * links.length,
    noise,
  });
  const [first = ""] = images.splice(0, 1);
  const size = Number(await user.does(`docker image inspect --format '{{.Size}}' ${first}`));
  const layer = await compressedLayer(user, images[0] ?? "");
  say(`image: ${shown(size)}; the changed layer, compressed: ${shown(layer)}\n`);
  say(`| link | way | ${STEPS.join(" | ")} |\n|---|---|${"---|".repeat(STEPS.length)}`);
  for (const profile of links) {
    await using link = startLink({ to: "10.77.0.2:22", rttMs: 0 });
    await using _host = await addHost("bench-push", { port: link.port });
    await using _forward = await addHost("bench-push-forward", { port: link.port, user: "ada" });
    await user.begins(`bench-push --remote bench-push --image ${BASE_IMAGE}`);
    const tag = (await storedSession(user))["imageTag"] as string;
    link.setRtt(profile.rttMs);
    link.setRate(profile.bytesPerSecond);
    const results = new Map(
      WAYS.map(({ name }) => [name, STEPS.map(() => ({ ms: [0], bytes: [0] }))]),
    );
    for (let round = 0; round < rounds; round++) {
      for (const way of WAYS) {
        await forgetThere();
        await using prepared = await way.prepare?.({ user, link, tag }) ??
          { tag, [Symbol.asyncDispose]: () => Promise.resolve() };
        const changed = images.pop() ?? "";
        for (const [step, image] of [first, changed, changed].entries()) {
          await user.does(`docker tag ${image} ${prepared.tag}`);
          const before = link.bytes.up + link.bytes.down;
          const began = performance.now();
          await user.does(way.push({ user, link, tag: prepared.tag }));
          const ms = performance.now() - began;
          const there = await reykjavik([
            "docker",
            "image",
            "inspect",
            "--format",
            "{{.Id}}",
            prepared.tag,
          ]);
          if (there.stdout.trim() !== image) throw new Error(`${way.name}: ${there.stdout}`);
          const result = results.get(way.name)?.[step];
          if (round === 0) result?.ms.pop(), result?.bytes.pop();
          result?.ms.push(ms);
          result?.bytes.push(link.bytes.up + link.bytes.down - before);
        }
        await user.types(`docker rmi ${prepared.tag}`);
      }
    }
    for (const [name, steps] of results) {
      const cells = steps.map(({ ms, bytes }) =>
        `${(median(ms) / 1000).toFixed(2)} s, ${shown(median(bytes))}`
      );
      say(`| ${profile.name} | ${name} | ${cells.join(" | ")} |`);
    }
    await user.does("dockerdo rm --force --delete");
  }
  await forgetThere();
  await user.types(`docker rmi -f $(docker images -q ${LOCAL})`);
}

await main(Number(Deno.args[0] ?? 3), {
  only: Deno.args[1],
  noise: Number(Deno.args[2] ?? 20) * 1e6,
});
