/** Links of a server that lies, as a real sshfs and the kernel of this machine follow them. */
import assert from "node:assert/strict";
import { outcome } from "./live.ts";
import { proc, RELAY, run, until } from "./server.ts";

const here = new URL(".", import.meta.url).pathname;

/** Calls the action with a mount of `base` on a server that has these links and nothing else. */
async function linked(
  base: string,
  links: Readonly<Record<string, string>>,
  action: (point: string, secret: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "relay-links-" });
  const [point, state, secret] = [`${directory}/m`, `${directory}/state`, `${directory}/secret`];
  await Deno.mkdir(point);
  await Deno.mkdir(state, { mode: 0o700 });
  await Deno.writeTextFile(secret, "local");
  const server = [Deno.execPath(), "run", "--quiet", `${here}hostile_server.ts`, "0"];
  const table = Object.entries(links).flat().map((word) => word.replaceAll("SECRET", secret));
  const relay = RELAY.map((word) => word.startsWith("--allow-run") ? "--allow-run" : word);
  const words = [...relay, state, point, base, "silent", "0", ...server, ...table, "--"];
  const quoted = words.map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(`${state}/relay`, `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o700 });
  const options = `ssh_command=${state}/relay,dir_cache=no,attr_timeout=0,entry_timeout=0,` +
    "no_contain_symlinks";
  const sshfs = new Deno.Command("sshfs", {
    args: ["-f", "-o", options, `localhost:${base}`, point],
    stdin: "null",
    stdout: "null",
  }).spawn();
  try {
    await until(async () => (await proc("self/mountinfo"))?.includes(` ${point} `) === true);
    await action(point, secret);
  } finally {
    await run("fusermount3", "-u", "-z", point);
    await sshfs.status;
    await Deno.remove(directory, { recursive: true });
  }
}

for (const base of ["/", "/srv/build"]) {
  const at = base === "/" ? "" : base;
  Deno.test({
    name: `no answer about a link leads out of a mount of ${base}`,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn(): Promise<void> {
      const climb = "../".repeat(12);
      const links = {
        [`${at}/direct`]: "SECRET",
        [`${at}/nul`]: "..\\0",
        [`${at}/absolute`]: "/..\\0",
        [`${at}/w1`]: "..\\0",
        [`${at}/w2`]: "w1/..\\0",
        [`${at}/pwn`]: `${climb}SECRET`,
        [`${at}/cut`]: `${climb}SECRET\\0/x`,
        [`${at}/empty`]: "",
        [`${at}/long`]: `${"x/".repeat(2048)}../../SECRET`,
        [`${at}/asked`]: "a/../b",
        [`real ${at}/a/../b`]: "..\\0",
        [`${at}/asked2`]: "a/../c",
        [`real ${at}/a/../c`]: `${climb}SECRET`,
      };
      await linked(base, links, async (point) => {
        for (const path of Object.keys(links).filter((path) => path.startsWith("/"))) {
          const name = path.slice(at.length + 1);
          assert.equal((await Deno.lstat(`${point}/${name}`)).isSymlink, true, name);
          assert.notEqual(await outcome(() => Deno.readTextFile(`${point}/${name}`)), "done", name);
          assert.notEqual(
            await outcome(() => Deno.writeTextFile(`${point}/${name}`, "", { append: true })),
            "done",
          );
          const target = await Deno.readLink(`${point}/${name}`).catch(() => undefined);
          const inside = target === undefined || target === point ||
            (target.startsWith(`${point}/`) && !target.split("/").includes(".."));
          assert.ok(inside, `${name} leads to ${target}`);
        }
      });
    },
  });
}

Deno.test({
  name: "a link out of the build dir dangles, also where the build dir has that path",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(): Promise<void> {
    // To this server every other name is a directory: also BASE/etc, and BASE/.dockerdo-outside.
    const links = { "/srv/build/l": "/etc", "/srv/build/up": "../../etc" };
    await linked("/srv/build", links, async (point) => {
      assert.equal((await Deno.stat(`${point}/etc`)).isDirectory, true);
      for (const name of ["l", "up"]) {
        await assert.rejects(Deno.stat(`${point}/${name}`), Deno.errors.NotFound);
      }
      await assert.rejects(Deno.mkdir(`${point}/.dockerdo-outside`), Deno.errors.NotFound);
    });
  },
});
