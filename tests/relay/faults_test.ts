/** The relay over a link and a server that fail in every way that a laptop, a host and a container know. */
import assert from "node:assert/strict";
import { live, outcome } from "./live.ts";
import { type Mount, run, until } from "./server.ts";

const IO = /Input\/output error/;
/** What every operation on a mount has to end in, with room for a busy machine. */
const LIMIT = 10_000;
/** Milliseconds. SLEEP in the environment lengthens it: 30000 is worth the wait. */
const SLEEP = Number(Deno.env.get("SLEEP") ?? 12_000);

/** The relay's ssh. */
async function sshOf(mount: Mount): Promise<number> {
  return Number((await run("pgrep", "-P", `${mount.relayPid}`)).trim().split("\n")[0]);
}

live(
  "a server that stands still, as in a paused container, fails nobody later than in 10 s",
  { roundTrip: 0 },
  async (mount, server) => {
    const { point } = mount;
    await Deno.writeTextFile(`${server.served}/file`, "before");
    mount.drop();
    const pids = await server.sessions();
    assert.equal(pids.length, 1);
    for (const pid of pids) Deno.kill(pid, "SIGSTOP");
    const start = performance.now();
    const results = await Promise.all([
      outcome(() => Deno.readTextFile(`${point}/file`)),
      outcome(() => Deno.writeTextFile(`${point}/new`, "x")),
    ]);
    assert.ok(performance.now() - start < LIMIT);
    for (const result of results) assert.match(result, IO);
    const quick = performance.now();
    assert.match(await outcome(() => Deno.mkdir(`${point}/d`)), IO);
    assert.ok(performance.now() - quick < 2000, "who comes later does not wait again");
    for (const pid of pids) Deno.kill(pid, "SIGCONT");
    await until(async () => await outcome(() => Deno.stat(`${point}/file`)) === "done", LIMIT);
    await Deno.writeTextFile(`${point}/after`, "x");
    assert.equal(await Deno.readTextFile(`${server.served}/after`), "x");
  },
);

live(
  `a machine that slept for ${SLEEP / 1000} s finds its mount and its open files as they were`,
  { roundTrip: 5 },
  async (mount, server) => {
    const { point } = mount;
    using file = await Deno.open(`${point}/written`, { write: true, create: true });
    await file.write(new TextEncoder().encode("before "));
    await file.syncData();
    const ssh = await sshOf(mount);
    for (const pid of [ssh, mount.relayPid]) Deno.kill(pid, "SIGSTOP");
    const asleep = outcome(() => Deno.stat(`${point}/nothing`));
    await new Promise((resolve) => setTimeout(resolve, SLEEP));
    for (const pid of [mount.relayPid, ssh]) Deno.kill(pid, "SIGCONT");
    const start = performance.now();
    assert.match(await asleep, /No such file|Input\/output/);
    assert.ok(performance.now() - start < LIMIT);
    await file.write(new TextEncoder().encode("after"));
    await file.syncData();
    assert.equal(await Deno.readTextFile(`${server.served}/written`), "before after");
    assert.equal(await Deno.readTextFile(`${point}/written`), "before after");
  },
);

live(
  "a link that freezes and is then cut comes back, and no write that was reported done is lost",
  { roundTrip: 20 },
  async (mount, server) => {
    const { point } = mount;
    const done = new Map<string, string>();
    let stop = false;
    const writing = (async () => {
      for (let i = 0; !stop; i++) {
        const text = `${i} `.repeat(3000);
        const result = await outcome(() => Deno.writeTextFile(`${point}/n${i}`, text));
        if (result === "done") done.set(`n${i}`, text);
      }
    })();
    for (let round = 0; round < 2; round++) {
      const before = done.size;
      await until(() => done.size > before + 3, LIMIT);
      await mount.link("freeze");
      await new Promise((resolve) => setTimeout(resolve, 3000));
      await mount.link("cut");
      await mount.link("thaw");
    }
    const before = done.size;
    await until(() => done.size > before + 3, 20_000);
    stop = true;
    await writing;
    for (const [name, text] of done) {
      assert.equal(await Deno.readTextFile(`${server.served}/${name}`), text);
    }
  },
);

live(
  "ssh that is killed again and again fails nobody for long",
  { roundTrip: 5 },
  async (mount) => {
    const { point } = mount;
    for (let round = 0; round < 5; round++) {
      const ssh = await sshOf(mount);
      Deno.kill(ssh, "SIGKILL");
      const start = performance.now();
      await outcome(() => Deno.writeTextFile(`${point}/n${round}`, "x"));
      assert.ok(performance.now() - start < LIMIT);
      await until(async () => await outcome(() => Deno.stat(point)) === "done", LIMIT);
      assert.equal(await outcome(() => Deno.writeTextFile(`${point}/m${round}`, "x")), "done");
    }
  },
);
