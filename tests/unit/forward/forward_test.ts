import assert from "node:assert/strict";
import { candidates } from "../../../src/forward/forwarding.ts";
import { isLocal, parseSockets } from "../../../src/forward/sockets.ts";
import { changeForwards, parsePorts, readForwards } from "../../../src/forward/table.ts";
import { isLeftOut, matchesPort, parseHolders, processName } from "../../../src/forward/watch.ts";
import { temporaryDir, testSession } from "../fixture.ts";

const TABLE =
  `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000 100 0 0 10 0
   1: 0B00007F:A2C3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000 100 0 0 10 0
   2: 0100007F:1538 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 0 1 0000 100 0 0 10 0
   3: 0100007F:9999 0100007F:1538 06 00000000:00000000 00:00000000 00000000     0        0 0 1 0000 100 0 0 10 0
`;

Deno.test("parseSockets() reads the kernel's table, and nothing out of its heading", () => {
  assert.deepEqual(parseSockets(TABLE), [
    { address: "0100007F", port: 5432, listens: true, inode: 4711 },
    { address: "0B00007F", port: 41667, listens: true, inode: 4712 },
    { address: "0100007F", port: 5432, listens: false, inode: 0 },
  ]);
});

Deno.test("localhost reaches loopback and any address in both families and byte orders, and no other", () => {
  const zeros = "0".repeat(24);
  const reached = ["0100007F", "7F000001", "00000000", `${zeros}00000000`];
  reached.push(`${zeros}01000000`, `${zeros}00000001`, "0000000000000000FFFF00000100007F");
  const others = [
    "0B00007F",
    "0200007F",
    "0300A8C0",
    `${zeros}02000000`,
    "000080FE000000000000000001",
  ];
  assert.deepEqual([reached.map(isLocal), others.map(isLocal)], [
    reached.map(() => true),
    others.map(() => false),
  ]);
});

Deno.test("parsePorts() takes PORT and LISTENING:CONNECTING, and refuses what is no TCP port", () => {
  assert.deepEqual(["80", "8080:80", "80/tcp"].map(parsePorts), [
    { listening: 80, connecting: 80 },
    { listening: 8080, connecting: 80 },
    { listening: 80, connecting: 80 },
  ]);
  for (
    const text of ["0", "65536", "", "a", "1:2:3", "-1", "53/udp", ":80", "80:", "0x50", "1:0"]
  ) {
    assert.throws(() => parsePorts(text), /no port that can be forwarded/, text);
  }
});

Deno.test("a taken port gets one of the next, one of root's the same with 8000 more first", () => {
  assert.deepEqual(candidates(5173).slice(0, 3), [5173, 5174, 5175]);
  assert.deepEqual(candidates(80).slice(0, 3), [80, 8080, 8081]);
  assert.deepEqual(candidates(65535), [65535]);
});

Deno.test("a process is named by what a person would look for", () => {
  const name = (...words: string[]): string => processName(words.join("\x01"));
  assert.deepEqual([
    name("/usr/bin/node", "--inspect", "/srv/app/server.js"),
    name("python3", "-m", "http.server"),
    name("nginx: master process /usr/sbin/nginx"),
    name("postgres"),
    name("/opt/\x1b[31mred\x07"),
    name(""),
    name("node"),
  ], ["node server.js", "python3 http.server", "nginx", "postgres", "31mred", "?", "node"]);
});

Deno.test("debuggers, editors and dockerdo's own sshd are left out; --all brings all but the last", () => {
  const judge = (port: number, command: string): boolean[] =>
    [false, true].map((all) => isLeftOut(command.replaceAll(" ", "\x01"), { port, all }));
  assert.deepEqual(judge(9229, "node --inspect server.js"), [true, false]);
  assert.deepEqual(judge(3000, "node --inspect server.js"), [false, false]);
  assert.deepEqual(judge(5678, "python3 -m debugpy --listen 5678 app.py"), [true, false]);
  assert.deepEqual(judge(22, "sshd: /usr/sbin/sshd -f /etc/dockerdo/sshd_config -D"), [true, true]);
  assert.deepEqual(judge(22, "/usr/sbin/sshd -D"), [false, false]);
});

Deno.test("forward_ignore names ports, ranges, programs, and a program with what it runs", () => {
  const judge = (port: number, name: string): boolean[] =>
    ["3000", "8000-8100", "node", "node server.js", "-", "80"].map((entry) =>
      matchesPort(entry, { port, name })
    );
  assert.deepEqual(judge(3000, "ruby"), [true, false, false, false, false, false]);
  assert.deepEqual(judge(8100, "node server.js"), [false, true, true, true, false, false]);
  assert.deepEqual(judge(8101, "nodejs"), [false, false, false, false, false, false]);
});

Deno.test("of several processes with a socket the lowest number counts", () => {
  assert.deepEqual(
    parseHolders("7 20 worker\n7 9 master\x01-x\nnonsense\n8 30 other\n"),
    new Map([[7, "master\x01-x"], [8, "other"]]),
  );
});

Deno.test("two changes of the table at once are both in it; a damaged one is said", async () => {
  using dir = temporaryDir();
  const session = testSession({ dir: dir.path });
  assert.deepEqual(await readForwards(session), []);
  const add = (containerPort: number): Promise<void> =>
    changeForwards(session, async (forwards) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const addresses = ["127.0.0.1"];
      const made = {
        direction: "local",
        containerPort,
        localPort: containerPort,
        addresses,
      } as const;
      return [...forwards, { ...made, process: null }];
    });
  await Promise.all([add(1), add(2), add(3)]);
  const ports = (await readForwards(session)).map(({ containerPort }) => containerPort);
  assert.deepEqual(ports.sort(), [1, 2, 3]);
  assert.equal((await Deno.lstat(`${dir.path}/forwards.json`)).mode ?? 0 & 0o777, 0o100600);
  await Deno.writeTextFile(`${dir.path}/forwards.json`, '[{"direction": "up"}]');
  await assert.rejects(readForwards(session), /forwards\.json is damaged/);
});
