import assert from "node:assert/strict";
import { addHost, BASE_IMAGE, london, poll, startLink } from "../lab/lab.ts";
import { newUser, storedSession, type User } from "./user.ts";

// What the container has for a server is perl: it answers each connection with its words, in a loop.
const SERVE = `use IO::Socket::IP; my ($host, $port, $words) = @ARGV;
my $s = IO::Socket::IP->new(LocalHost => $host, LocalPort => $port, Listen => 9, ReuseAddr => 1) or die $@;
while (my $c = $s->accept) { print $c "$words\\n"; close $c }`;

const WITH_IPV6 = "--sysctl net.ipv6.conf.all.disable_ipv6=0";

async function serves(user: User, host: string, port: number, words: string): Promise<void> {
  await user.does(`printf %s "$SERVE" | dodo -c 'cat >/tmp/serve.pl'`.replace(
    "$SERVE",
    SERVE
      .replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("$", "\\$"),
  ));
  await user.does(`dodo -c 'perl /tmp/serve.pl ${host} ${port} ${words} >/dev/null 2>&1 &'`);
}

async function asked(host: string, port: number): Promise<string> {
  const script = `exec 3<>/dev/tcp/${host}/${port} && timeout 5 cat <&3`;
  return (await london(["bash", "-c", script])).stdout.trim();
}

interface Listed {
  readonly direction: string;
  readonly containerPort: number;
  readonly localPort: number;
  readonly process: string | null;
  readonly open: boolean;
}

async function forwards(user: User): Promise<Listed[]> {
  return JSON.parse(await user.does("dockerdo forward --json"));
}

Deno.test("ports of a container without a network are reachable on both loopbacks, survive the link, and end with rm", async () => {
  await using link = await startLink({ to: "10.77.0.2:22", rttMs: 0 });
  await using _far = await addHost("reykjavik-ports", { port: link.port });
  await using user = await newUser();
  await user.runs(
    `ports --remote reykjavik-ports --image ${BASE_IMAGE}`,
    `--network none ${WITH_IPV6}`,
  );
  await serves(user, "127.0.0.1", 7101, "four");
  await serves(user, "::1", 7102, "six");

  // What is taken here, on either family, gets the next number; --exact refuses.
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 7101 });
  try {
    const moved = await user.types("dockerdo forward 7101 7102");
    assert.equal(moved.code, 0, moved.stderr);
    assert.match(moved.stderr, /7101 -> localhost:7103 \(7101 is taken here/);
    assert.match(moved.stderr, /7102 -> localhost:7102$/m);
    const exact = await user.types("dockerdo forward --exact 7101");
    assert.equal(exact.code, 1);
    assert.match(exact.stderr, /^dockerdo: port 7101 of the local host is taken\n/m);
  } finally {
    taken.close();
  }
  const answers = (): Promise<string[]> =>
    Promise.all([
      asked("127.0.0.1", 7103),
      asked("::1", 7103),
      asked("127.0.0.1", 7102),
      asked("::1", 7102),
    ]);
  assert.deepEqual(await answers(), ["four", "four", "six", "six"]);
  await user.does("dockerdo forward 7102 & dockerdo forward 7104:7101 & wait");
  assert.deepEqual((await forwards(user)).map(({ localPort, open }) => [localPort, open]), [
    [7103, true],
    [7102, true],
    [7104, true],
  ]);
  assert.match(await user.does("dockerdo status"), /^forward +7101 -> localhost:7103$/m);
  assert.match(await user.does("dockerdo list"), /7103 7102 7104/);
  await user.does("dockerdo forward --remove 7104");
  assert.equal(await asked("127.0.0.1", 7104), "");
  const none = await user.types("dockerdo forward --remove 7104");
  assert.deepEqual([none.code, none.stdout], [1, ""]);

  // The other way.
  const here = Deno.listen({ hostname: "127.0.0.1", port: 7105 });
  const served = (async () => {
    for await (const connection of here) {
      await connection.write(new TextEncoder().encode("from london\n"));
      connection.close();
    }
  })();
  await user.does("dockerdo forward --reverse 7106:7105");
  const back = (): Promise<string> =>
    user.does("dodo bash -c 'exec 3<>/dev/tcp/127.0.0.1/7106; cat <&3' 2>/dev/null || :");
  assert.equal(await back(), "from london\n");

  link.cut();
  await poll(async () => (await user.types("dodo true")).code === 0, {
    what: "the link",
    limitMs: 60_000,
  });
  assert.deepEqual(await answers(), ["four", "four", "six", "six"]);
  await poll(async () => await back() === "from london\n", {
    what: "the way back",
    limitMs: 60_000,
  });

  await user.does("dockerdo stop");
  assert.deepEqual((await forwards(user)).map(({ open }) => open), [false, false, false]);
  await user.does("dockerdo start");
  await serves(user, "127.0.0.1", 7101, "again");
  assert.equal(await poll(() => asked("::1", 7103), { what: "the forward after start" }), "again");
  here.close();
  await served;
  const { id } = await storedSession(user) as { id: string };
  await user.does("dockerdo rm --force");
  assert.deepEqual(await forwards(user), []);
  assert.equal(await asked("127.0.0.1", 7103), "");
  assert.notEqual(id, "");
});

Deno.test("--auto forwards what begins to listen and names it, and leaves out what is nobody's business", async () => {
  await using user = await newUser();
  await user.runs(`auto --remote reykjavik --image ${BASE_IMAGE}`, WITH_IPV6);
  await serves(user, "0.0.0.0", 7201, "early");
  const running = user.types("exec dockerdo forward --auto 2>said");
  const said = (): Promise<string> => Deno.readTextFile(`${user.workDir}/said`);
  const line = (words: string): Promise<boolean> =>
    poll(async () => (await said().catch(() => "")).includes(words), { what: words });
  await line("[container] 7201 perl serve.pl -> localhost:7201\n");
  assert.equal(await asked("127.0.0.1", 7201), "early");
  await serves(user, "127.0.0.2", 7202, "elsewhere");
  await serves(user, "127.0.0.1", 40404, "ephemeral");
  await serves(user, "::", 7203, "both");
  await line("[container] 7203 perl serve.pl -> localhost:7203\n");
  assert.equal(await asked("::1", 7203), "both");
  assert.deepEqual((await forwards(user)).map(({ containerPort }) => containerPort), [7201, 7203]);

  // A restart is no end; an end is said after a while, and its number stays free for it.
  await user.does("dodo -c 'kill $(grep -l [7]203 /proc/[0-9]*/cmdline | cut -d/ -f3)'");
  await serves(user, "127.0.0.1", 7203, "restarted");
  await poll(async () => await asked("127.0.0.1", 7203) === "restarted", { what: "the restart" });
  await user.does("dodo -c 'kill $(grep -l [7]201 /proc/[0-9]*/cmdline | cut -d/ -f3)'");
  await line("[container] 7201 has ended\n");
  assert.equal((await said()).match(/7203/g)?.length, 2);
  assert.doesNotMatch(await said(), /7202|40404/);
  await user.does("pkill -INT -f 'main[.]ts forward --auto|/dockerdo forward --auto'");
  assert.equal((await running).code, 130);
  assert.deepEqual(await forwards(user), []);
  assert.equal(await asked("127.0.0.1", 7203), "");

  // In the background it lives as long as the container runs, comes back with it, and there is one of it.
  const there = (): Promise<boolean> =>
    poll(
      async () =>
        (await forwards(user)).some(({ containerPort, open }) => containerPort === 7203 && open),
      { what: "the forward of the background" },
    );
  const watchers = async (): Promise<string> =>
    (await london(["pgrep", "-f", "main[.]ts forward --auto|/dockerdo forward --auto"])).stdout;
  await user.does("DOCKERDO_FORWARD_IGNORE=7204-7209 dockerdo start --forward auto");
  await serves(user, "127.0.0.1", 7204, "ignored");
  await there();
  assert.equal(await asked("127.0.0.1", 7203), "restarted");
  const second = await user.types("dockerdo forward --auto");
  assert.equal(second.code, 1);
  assert.match(second.stderr, /^dockerdo: the ports of auto are forwarded as they come already\n/m);
  await user.does("dockerdo stop");
  assert.deepEqual([await watchers(), await forwards(user)], ["", []]);
  await user.does("dockerdo start");
  await serves(user, "127.0.0.1", 7203, "again");
  await there();
  assert.deepEqual((await forwards(user)).map(({ containerPort }) => containerPort), [7203]);
  await user.does("dockerdo forward --auto --remove");
  assert.deepEqual([await watchers(), await forwards(user)], ["", []]);
  const none = await user.types("dockerdo forward --auto --remove");
  assert.deepEqual([none.code, none.stderr], [
    0,
    "dockerdo: no forward --auto runs for this session\n",
  ]);
  // The mount stays as it is, be it in use.
  await user.does("cd container/etc && dockerdo start --forward auto && ls passwd");
  await there();
  await user.does("dockerdo start --forward none");
  assert.deepEqual([await watchers(), await forwards(user)], ["", []]);
  await user.does("dockerdo start --forward auto");
  await there();
  await user.does("dockerdo rm --force --delete");
  assert.equal(await watchers(), "");
});
