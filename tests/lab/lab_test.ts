/** Is the lab honest? Run as `lab.ts` says. */
import assert from "node:assert/strict";
import {
  addHost,
  BASE_IMAGE,
  ENTRYPOINT_IMAGE,
  freshDirectory,
  london,
  type Outcome,
  poll,
  REYKJAVIK,
  reykjavik,
  startLink,
} from "./lab.ts";

const DIRECT = `${REYKJAVIK}:22`;

function ok(stdout: string): Outcome {
  return { code: 0, stdout, stderr: "" };
}

Deno.test("ssh reykjavik reaches another machine: its name, its processes, its files", async () => {
  assert.deepEqual(await london(["ssh", "reykjavik", "hostname"]), ok("reykjavik\n"));
  assert.deepEqual(
    await london(["ssh", "reykjavik", "cat /proc/1/cmdline | tr '\\0' '\\n' | tail -1"]),
    ok("hold-reykjavik\n"),
  );
  await using here = await freshDirectory();
  assert.equal((await london(["ssh", "reykjavik", "test -e", here.path])).code, 1);
  assert.equal((await london(["test", "-e", here.path])).code, 0);
});

Deno.test("the home on london is a private one with a key that reykjavik knows", async () => {
  const home = Deno.env.get("HOME");
  for (const name of ["config", "id_ed25519", "known_hosts"]) {
    assert.equal(((await Deno.stat(`${home}/.ssh/${name}`)).mode ?? 0) & 0o777, 0o600);
  }
  const { stdout } = await london(["findmnt", "--noheadings", "--output", "FSROOT", `${home}`]);
  assert.match(stdout, /\/dockerdo-lab\/london\/home\n$/);
});

Deno.test("london and reykjavik have two engines, and neither sees the other's containers", async () => {
  const id = ["docker", "info", "--format", "{{.ID}}"];
  const [here, there, overSsh] = await Promise.all([
    london(id),
    reykjavik(id),
    london(["ssh", "reykjavik", ...id.slice(0, 3), "'{{.ID}}'"]),
  ]);
  assert.equal(here.code + there.code, 0);
  assert.notEqual(here.stdout, there.stdout);
  assert.equal(overSsh.stdout, there.stdout);

  const name = `lab-test-${crypto.randomUUID()}`;
  const created = await reykjavik(["docker", "create", "--name", name, BASE_IMAGE, "true"]);
  try {
    assert.equal(created.code, 0, created.stderr);
    assert.equal((await reykjavik(["docker", "container", "inspect", name])).code, 0);
    assert.equal((await london(["docker", "container", "inspect", name])).code, 1);
  } finally {
    await reykjavik(["docker", "rm", name]);
  }
});

for (const [where, machine] of Object.entries({ london, reykjavik })) {
  Deno.test(`${where}'s engine runs the base image, with its ENV and its WORKDIR`, async () => {
    const script = 'echo "$GREETING"; pwd; tool works';
    assert.deepEqual(
      await machine(["docker", "run", "--rm", BASE_IMAGE, "sh", "-c", script]),
      ok("hello world $x\n/srv/app\nthe tool says works\n"),
    );
    assert.deepEqual(
      await machine(["docker", "run", "--rm", "-i", ENTRYPOINT_IMAGE], { stdin: "through cat" }),
      ok("through cat"),
    );
  });

  Deno.test(`a container of ${where}'s engine reaches Debian's packages`, async () => {
    const update = ["apt-get", "update", "-q", "--error-on=any"];
    const { code, stdout, stderr } = await machine([
      "docker",
      "run",
      "--rm",
      BASE_IMAGE,
      ...update,
    ]);
    assert.equal(code, 0, stdout + stderr);
  });
}

Deno.test("the firewall leaves port 22 open and hides a published port", async () => {
  const name = `lab-test-${crypto.randomUUID()}`;
  const started = await reykjavik(
    ["docker", "run", "-d", "--init", "--name", name, "-p", "8080:80", BASE_IMAGE, "sleep", "1000"],
  );
  try {
    assert.equal(started.code, 0, started.stderr);
    assert.equal((await reykjavik(["bash", "-c", "</dev/tcp/127.0.0.1/8080"])).code, 0);
    assert.equal(await reachable(8080), false);
    assert.equal(await reachable(22), true);
  } finally {
    await reykjavik(["docker", "rm", "-f", name]);
  }
});

/** A dropped packet brings no answer at all: a second without one means no. */
async function reachable(port: number): Promise<boolean> {
  const connect = `</dev/tcp/${REYKJAVIK}/${port}`;
  return (await london(["timeout", "1", "bash", "-c", connect])).code === 0;
}

Deno.test("sshd forbids forwarding to root and allows it to ada", async () => {
  const root = await london(["ssh", "-W", "127.0.0.1:22", "reykjavik"]);
  assert.equal(root.code, 255);
  assert.match(root.stderr, /administratively prohibited/);
  const ada = await london(["ssh", "-W", "127.0.0.1:22", "reykjavik-forward"]);
  assert.match(ada.stdout, /^SSH-2\.0-/);
  assert.equal((await london(["ssh", "reykjavik-forward", "docker ps -q"])).code, 0);
});

Deno.test("a noisy login puts its noise in front of what a command prints", async () => {
  const { code, stdout, stderr } = await london(["ssh", "reykjavik-noisy", "echo data"]);
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "grace: you have new mail\ndata\n" });
  assert.match(stderr, /Authorized use only/);
});

Deno.test("sshfs mounts on london", async () => {
  await using here = await freshDirectory();
  const mounted = await london(["sshfs", "reykjavik:/etc", here.path]);
  assert.equal(mounted.code, 0, mounted.stderr);
  try {
    assert.equal(await Deno.readTextFile(`${here.path}/hostname`), "reykjavik\n");
  } finally {
    assert.deepEqual(await london(["fusermount3", "-u", here.path]), ok(""));
  }
});

Deno.test("a link has the round-trip time that it says", async () => {
  await using link = startLink({ to: DIRECT, rttMs: 0 });
  // A round trip is from a banner sent to the key exchange that answers it, without a new process.
  const without = await medianRoundTrip(link.port);
  link.setRtt(20);
  const extra = await medianRoundTrip(link.port) - without;
  assert.ok(extra > 19 && extra < 24, `${extra} ms more at 20 ms`);
});

/** From the client's banner to the server's key exchange, in ms. */
async function medianRoundTrip(port: number): Promise<number> {
  const times: number[] = [];
  const buffer = new Uint8Array(4096);
  while (times.length < 9) {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.read(buffer);
    const sent = performance.now();
    await connection.write(new TextEncoder().encode("SSH-2.0-lab\r\n"));
    await connection.read(buffer);
    times.push(performance.now() - sent);
  }
  return times.sort((a, b) => a - b)[4] ?? NaN;
}

Deno.test("a link carries no more than its rate, and every byte", async () => {
  await using link = startLink({ to: DIRECT, rttMs: 20, bytesPerSecond: 1_000_000 });
  await using _host = await addHost("reykjavik-narrow", { port: link.port });
  const started = performance.now();
  const { code, stdout } = await london(["ssh", "reykjavik-narrow", "head -c 1000000 /dev/zero"]);
  assert.deepEqual({ code, length: stdout.length }, { code: 0, length: 1_000_000 });
  assert.ok(performance.now() - started > 1000);
  assert.ok(link.bytes.down > 1_000_000);
});

Deno.test("a frozen link delivers nothing until it thaws, and loses nothing", async () => {
  await using link = startLink({ to: DIRECT, rttMs: 2 });
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: link.port });
  const buffer = new Uint8Array(4096);
  await connection.read(buffer);
  link.freeze();
  await connection.write(new TextEncoder().encode("SSH-2.0-lab\r\n"));
  const answer = connection.read(buffer);
  assert.equal(await Promise.race([answer, after(300)]), "nothing");
  link.thaw();
  assert.ok((await answer ?? 0) > 100);
});

/** The proof that nothing comes is that it has not come by then. */
function after(ms: number): Promise<"nothing"> {
  const { promise, resolve } = Promise.withResolvers<"nothing">();
  setTimeout(() => resolve("nothing"), ms);
  return promise;
}

Deno.test("a cut ends an ssh at once, and the next one connects", async () => {
  await using link = startLink({ to: DIRECT, rttMs: 0 });
  await using _host = await addHost("reykjavik-cut", { port: link.port });
  const before = link.bytes.down;
  const running = london(["ssh", "reykjavik-cut", "sleep 30"]);
  await poll(() => link.bytes.down > before + 3000, { what: "the login" });
  link.cut();
  assert.equal((await running).code, 255);
  assert.deepEqual(await london(["ssh", "reykjavik-cut", "echo again"]), ok("again\n"));
});

Deno.test("a link refuses new connections until it accepts again", async () => {
  await using link = startLink({ to: DIRECT, rttMs: 0 });
  await link.refuse();
  const connect = (): Promise<Deno.TcpConn> =>
    Deno.connect({ hostname: "127.0.0.1", port: link.port });
  await assert.rejects(connect, Deno.errors.ConnectionRefused);
  link.accept();
  (await connect()).close();
});

Deno.test("addHost leaves the ssh config as it was", async () => {
  const config = `${Deno.env.get("HOME")}/.ssh/config`;
  const before = await Deno.readTextFile(config);
  {
    await using _host = await addHost("reykjavik-other", { port: 22, hostName: REYKJAVIK });
    assert.deepEqual(await london(["ssh", "reykjavik-other", "hostname"]), ok("reykjavik\n"));
  }
  assert.equal(await Deno.readTextFile(config), before);
});

Deno.test("a poll in vain says what it waited for", async () => {
  await assert.rejects(poll(() => false, { what: "Godot", limitMs: 1 }), {
    message: "waited 1 ms in vain for Godot",
  });
});
