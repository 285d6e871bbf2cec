/**
 * Debian's docker-registry on loopback: one for london and one for reykjavik, whose loopbacks are two. They
 * share their storage, so that what one engine pushes the other can pull.
 */

import { freshDirectory, poll } from "../lab/lab.ts";

export interface Registry extends AsyncDisposable {
  /** What stands in front of an image's name. */
  readonly address: string;
}

/** Starts it; on london alone where `onReykjavik` is false. */
export async function startRegistry(
  { onReykjavik = true }: { readonly onReykjavik?: boolean } = {},
): Promise<Registry> {
  const directory = await freshDirectory();
  const address = `127.0.0.1:${20_000 + Math.floor(Math.random() * 10_000)}`;
  const config = `${directory.path}/config.yml`;
  await Deno.writeTextFile(
    config,
    `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: "${directory.path}" }, delete: { enabled: true } }
http: { addr: "${address}" }
`,
  );
  const pid = (await Deno.readTextFile("/var/lib/dockerdo-lab/reykjavik.pid")).trim();
  const serve = ["docker-registry", "serve", config];
  const networks = [[], ...onReykjavik ? [["nsenter", "--target", pid, "--net"]] : []];
  const processes = networks.map((network) => {
    const [program = "", ...args] = [...network, ...serve];
    return new Deno.Command(program, { args, stdout: "null", stderr: "null" }).spawn();
  });
  const answers = async (network: readonly string[]): Promise<boolean> => {
    const port = address.split(":")[1];
    const argv = [...network, "bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/${port}`];
    const [program = "", ...args] = argv;
    return (await new Deno.Command(program, { args, stderr: "null" }).output()).success;
  };
  for (const network of networks) {
    await poll(() => answers(network), { what: "the registry" });
  }
  return {
    address,
    async [Symbol.asyncDispose](): Promise<void> {
      for (const child of processes) {
        child.kill("SIGKILL");
        await child.status;
      }
      await directory[Symbol.asyncDispose]();
    },
  };
}
