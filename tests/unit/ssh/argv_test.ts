// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import type { Session } from "../../../src/session/session.ts";
import { hasSocketDir, onRemoteHost, sshTo } from "../../../src/ssh/argv.ts";
import {
  captureOnRemoteHost,
  connectionFailure,
  isMasterAlive,
  makeSocketDir,
  startMaster,
  stopMaster,
} from "../../../src/ssh/master.ts";
import { OUR_SETTINGS } from "../../../src/ssh/user_settings.ts";
import { containerConfig, remoteConfig, systemConfig } from "../../../src/ssh/config_file.ts";
import { quoteAll } from "../../../src/quote.ts";
import { assertGolden, fakes, system, temporaryDir, testContext, testSession } from "../fixture.ts";

const ID = "c49856ee5d5645999fbd089292cd1ec526f5a0721b34c4ba17a485334be11c52";
const REMOTE = testSession();
const LOCAL = testSession({ remoteHost: null });
const TO_H = testSession({ remoteHost: { name: "h", user: null, port: null } });
const ODD = testSession({
  dir: '/home/me/50% "off" it\'s/é',
  socketDir: "/run/user/1000/dock er%h",
  identityFile: "/home/me/my keys/100%d",
});

const SYSTEM = "Include /etc/ssh/ssh_config";
const TO_ME = { name: "h", user: "me", port: 2222 };

function remoteText(session: Session): string {
  assert.ok(session.remoteHost !== null);
  return remoteConfig(session.remoteHost, session, { system: SYSTEM });
}

for (
  const [name, text] of [
    ["ssh_config.remote", remoteText(REMOTE)],
    ["ssh_config.user-and-port", remoteText({ ...REMOTE, remoteHost: TO_ME })],
    ["ssh_config.none", containerConfig(REMOTE, undefined)],
    ["ssh_config.remote-exec", containerConfig(REMOTE, { containerId: ID })],
    ["ssh_config.remote-port", containerConfig(REMOTE, { containerId: ID, port: 32768 })],
    ["ssh_config.local-exec", containerConfig(LOCAL, { containerId: ID })],
    [
      "ssh_config.local-port",
      containerConfig(
        { ...LOCAL, identityFile: null },
        { containerId: ID, port: 32768 },
      ),
    ],
    ["ssh_config.odd-paths", containerConfig(ODD, { containerId: ID })],
  ] as const
) {
  Deno.test(`the ssh_config is as tests/golden/${name}`, () => {
    assertGolden(text, name);
  });
}

Deno.test("what the user's configuration says of the host reaches the container: its agent, and how long to wait", () => {
  const settings = {
    ...OUR_SETTINGS,
    identityAgent: "/home/me/a b%.sock",
    alive: { interval: 60, count: 3 },
    connectTimeout: 45,
  };
  const text = containerConfig(REMOTE, { containerId: ID }, { settings });
  for (
    const line of [
      'IdentityAgent "/home/me/a b%%.sock"',
      "ServerAliveInterval 60",
      "ServerAliveCountMax 3",
      "ConnectTimeout 45",
    ]
  ) assert.ok(text.includes(`\n  ${line}\n`), text);
  assert.match(text, / -i -o ClientAliveInterval=45 -o ClientAliveCountMax=2/);
  const remote = remoteConfig(TO_ME, REMOTE, { system: SYSTEM, settings });
  assert.match(remote, /\n {2}ServerAliveInterval 60\n/);
  assert.doesNotMatch(remote, /IdentityAgent/);
});

const HOSTILE_USER_CONFIG = `Host *
  ControlPath /tmp/other-%C
  ControlMaster no
  ControlPersist 3
  ProxyJump bastion
  ProxyCommand /bin/false
  RemoteCommand /bin/false
  RequestTTY force
  User somebody
  Port 4242
  HostName elsewhere.example
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  HostKeyAlias other
  IdentityFile /nonexistent
  IdentitiesOnly no
  ServerAliveInterval 0
  ConnectTimeout 99
  LogLevel DEBUG3
  PermitLocalCommand yes
  ForwardX11 yes
  ForwardAgent yes
  Tunnel yes
  SendEnv SECRET_*
  SetEnv SECRET=1
  CertificateFile /nonexistent-cert.pub
  LocalForward 4711 localhost:1
  RemoteForward 4712 localhost:1
  DynamicForward 4713
  Ciphers aes128-cbc
  KexAlgorithms diffie-hellman-group14-sha1
  CanonicalizeHostname always
  CanonicalDomains lan
  SessionType none
  StdinNull yes
  ForkAfterAuthentication yes
  PubkeyAuthentication no
  NoHostAuthenticationForLocalhost yes
`;

/** What the real ssh makes of a session's ssh_config, with a file in the place of the user's own. */
async function understood(
  text: string,
  { host, user }: { readonly host: string; readonly user: string },
): Promise<Record<string, string>> {
  using dir = temporaryDir();
  // ssh takes ~ from the password database, so a variable cannot turn it elsewhere.
  Deno.writeTextFileSync(`${dir.path}/user`, user.replaceAll("DIR", dir.path));
  Deno.writeTextFileSync(
    `${dir.path}/config`,
    text.replace("Include ~/.ssh/config", `Include ${dir.path}/user`),
  );
  const { code, stdout, stderr } = await system(["ssh", "-G", "-F", `${dir.path}/config`, host]);
  assert.deepEqual({ code, stderr: stderr.replace(/^Pseudo-terminal .*\n/, "") }, {
    code: 0,
    stderr: "",
  });
  const found: Record<string, string> = {};
  for (const line of stdout.split("\n").filter(Boolean)) {
    const [key = "", ...value] = line.split(" ");
    found[key] = key in found ? `${found[key]} ${value.join(" ")}` : value.join(" ");
  }
  return found;
}

function pick(found: Record<string, string>, keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(keys.flatMap((key) => key in found ? [[key, found[key] ?? ""]] : []));
}

const MASTER = {
  controlmaster: "auto",
  controlpersist: "43200",
  serveraliveinterval: "5",
  serveralivecountmax: "3",
  connecttimeout: "10",
  requesttty: "auto",
  permitlocalcommand: "no",
  loglevel: "ERROR",
};
const PINNED = {
  hostkeyalias: "dockerdo-0a1b2c3d4e5f",
  userknownhostsfile: `${REMOTE.dir}/known_hosts`,
  globalknownhostsfile: "/dev/null",
  stricthostkeychecking: "true",
  hostkeyalgorithms: "ssh-ed25519",
  updatehostkeys: "false",
  verifyhostkeydns: "false",
  checkhostip: "no",
  preferredauthentications: "publickey",
  identitiesonly: "yes",
  forwardx11: "no",
  forwardagent: "no",
  tunnel: "false",
  canonicalizehostname: "false",
  sendenv: "DODO_? DODO_?? DODO_TOKEN",
  setenv: "SHLVL=1",
  identityfile: "/home/me/.ssh/id_ed25519",
  sessiontype: "default",
  stdinnull: "no",
  forkafterauthentication: "no",
  proxyusefdpass: "no",
  pubkeyauthentication: "true",
  nohostauthenticationforlocalhost: "no",
};
// What a user's file could add, and no value of ours takes away.
const ADDED = [
  "localforward",
  "remoteforward",
  "dynamicforward",
  "certificatefile",
  "remotecommand",
  "knownhostscommand",
  "proxyjump",
];

for (
  const [where, session, endpoint, expected] of [
    ["through docker exec", REMOTE, { containerId: ID }, {
      hostname: "container",
      port: "22",
      proxycommand:
        `ssh -F ${REMOTE.dir}/ssh_config.remote -o ClearAllForwardings=yes -T -- reykjavik 'echo; docker exec -i -u 0 -w / -e LD_LIBRARY_PATH= -e LD_PRELOAD= ${ID} /etc/dockerdo/sshd -i'`,
    }],
    ["on a port of the remote host", REMOTE, { containerId: ID, port: 32768 }, {
      hostname: "127.0.0.1",
      port: "32768",
      proxycommand: `ssh -F ${REMOTE.dir}/ssh_config.remote -W 127.0.0.1:32768 -- reykjavik`,
    }],
    ["on a port of the local host", LOCAL, { containerId: ID, port: 32768 }, {
      hostname: "127.0.0.1",
      port: "32768",
    }],
  ] as const
) {
  Deno.test(`ssh takes our values, and none of a user's, for the container ${where}`, async () => {
    const text = containerConfig(session, endpoint);
    assert.doesNotMatch(text, /^\s*(Include|Match)/m);
    const whole = {
      host: "container",
      user: "root",
      ...MASTER,
      ...PINNED,
      controlpath: `${REMOTE.socketDir}/container`,
      ...expected,
    };
    const found = await understood(text, { host: "container", user: "" });
    assert.deepEqual(pick(found, [...Object.keys(whole), "proxycommand", ...ADDED]), whole);
  });
}

Deno.test("ssh takes our control master for the remote host, and the rest from the user's configuration", async () => {
  const expected = {
    user: "somebody",
    port: "4242",
    hostname: "elsewhere.example",
    proxyjump: "bastion",
    stricthostkeychecking: "false",
    ...MASTER,
    controlpath: `${REMOTE.socketDir}/remote`,
    forwardagent: "no",
    forwardx11: "no",
    tunnel: "false",
    ciphers: "aes128-cbc",
  };
  const found = await understood(remoteText(REMOTE), {
    host: "reykjavik",
    user: HOSTILE_USER_CONFIG,
  });
  assert.deepEqual(pick(found, [...Object.keys(expected), "remotecommand"]), expected);
});

Deno.test("ssh takes the user and the port that were named for the remote host", async () => {
  const text = remoteText({ ...REMOTE, remoteHost: TO_ME });
  const found = await understood(text, { host: "h", user: HOSTILE_USER_CONFIG });
  assert.deepEqual(pick(found, ["user", "port"]), { user: "me", port: "2222" });
});

Deno.test("systemConfig() includes the system's file where ssh may, and else stands in for it", async () => {
  using dir = temporaryDir();
  const path = `${dir.path}/ssh_config`;
  const text = "Include ssh_config.d/*.conf /abs/x ~/y\nHost *\n  SendEnv LANG\n";
  Deno.writeTextFileSync(path, text, { mode: 0o644 });
  assert.equal(await systemConfig([`${dir.path}/none`, path]), `Include ${path}`);
  Deno.chmodSync(path, 0o664);
  assert.equal(
    await systemConfig([path]),
    `Include ${dir.path}/ssh_config.d/*.conf /abs/x ~/y\nHost *\n  SendEnv LANG\n`,
  );
  assert.equal(await systemConfig([`${dir.path}/none`]), "");
});

Deno.test("ssh understands paths with blanks, quotes and percent signs", async () => {
  const found = await understood(containerConfig(ODD, { containerId: ID }), {
    host: "container",
    user: "",
  });
  const { controlpath, userknownhostsfile } = found;
  assert.deepEqual({ controlpath, userknownhostsfile }, {
    controlpath: "/run/user/1000/dock er%h/container",
    userknownhostsfile: '/home/me/50% "off" it\'s/é/known_hosts',
  });
});

for (
  const [where, remoteHost, expected] of [
    ["local", null, [
      ...[
        "docker",
        "exec",
        "-i",
        "-u",
        "0",
        "-w",
        "/",
        "-e",
        "LD_LIBRARY_PATH=",
        "-e",
        "LD_PRELOAD=",
      ],
      ...[ID, "/etc/dockerdo/sshd", "-i"],
    ]],
    ["remote", REMOTE.remoteHost, [
      ...[
        "ssh",
        "-F",
        "SESSION/ssh_config.remote",
        "-o",
        "ClearAllForwardings=yes",
        "-T",
        "--",
        "reykjavik",
      ],
      `echo; docker exec -i -u 0 -w / -e LD_LIBRARY_PATH= -e LD_PRELOAD= ${ID} /etc/dockerdo/sshd -i`,
    ]],
  ] as const
) {
  Deno.test(`the real ssh starts the ${where} ProxyCommand with its words intact`, async () => {
    using dir = temporaryDir();
    const own = `${dir.path}/50% it's "odd"`;
    Deno.mkdirSync(own);
    const session = { ...REMOTE, remoteHost, dir: own, socketDir: dir.path };
    Deno.writeTextFileSync(`${own}/ssh_config`, containerConfig(session, { containerId: ID }));
    using fake = fakes(dir.path, { FAKE_docker: "", FAKE_ssh: "" });
    const real = (await system(["sh", "-c", "command -v ssh"])).stdout.trim();
    const { code } = await system(
      [real, "-F", `${own}/ssh_config`, "-o", "BatchMode=yes", "container", "true"],
      { env: { ...fake.env, SHELL: "/bin/sh" } },
    );
    assert.equal(code, 255);
    assert.deepEqual(fake.calls(), [expected.map((word) => word.replace("SESSION", own))]);
  });
}

Deno.test("sshTo() puts options before the destination, and the words behind it as one", () => {
  assert.deepEqual(
    sshTo(REMOTE, "remote", {
      line: quoteAll(["printf", "%s", "a  b", "it's", "$HOME", "", "-n"]),
    }),
    [
      "ssh",
      "-F",
      "/home/me/.local/share/dockerdo/demo/ssh_config.remote",
      "-o",
      "ClearAllForwardings=yes",
      "-T",
      "--",
      "reykjavik",
      `printf '%s' 'a  b' 'it'\\''s' '$HOME' '' -n`,
    ],
  );
});

Deno.test("sshTo() of the container goes to the host container", () => {
  assert.deepEqual(
    sshTo(LOCAL, "container", { line: "git checkout -- file", terminal: true }),
    [
      "ssh",
      "-F",
      "/home/me/.local/share/dockerdo/demo/ssh_config",
      "-o",
      "ClearAllForwardings=yes",
      "-tt",
      "-e",
      "none",
      "--",
      "container",
      "git checkout -- file",
    ],
  );
});

Deno.test("onRemoteHost() leaves the words as they are where the remote host is the local one", () => {
  assert.deepEqual(onRemoteHost(LOCAL, ["docker", "a b"]), ["docker", "a b"]);
  assert.equal(onRemoteHost(REMOTE, ["docker", "a b"]).at(-1), "docker 'a b'");
});

for (
  const [words, hint] of [
    [
      "channel 0: open failed: administratively prohibited: open failed\nConnection closed by UNKNOWN port 65535",
      "The remote host's sshd forbids forwarding: dockerdo run --connect exec does without.",
    ],
    [
      "Host key verification failed.",
      "Log in once by hand to check and accept its key: ssh h",
    ],
    [
      "me@h: Permission denied (publickey,password).",
      "Check that this works without a password: ssh h true",
    ],
    [
      "ssh: Could not resolve hostname h: Name or service not known",
      "Check the name, or add a Host block for h to ~/.ssh/config.",
    ],
    [
      "ssh: connect to host h port 22: Connection refused",
      "Check that the host is up and that this works: ssh h true",
    ],
    [
      "ssh: connect to host h port 22: Connection timed out",
      "Check that the host is up and that this works: ssh h true",
    ],
    [
      "ssh: connect to host h port 22: No route to host",
      "Check that the host is up and that this works: ssh h true",
    ],
    [
      "ssh: connect to host h port 22: Network is unreachable",
      "Check that the host is up and that this works: ssh h true",
    ],
    [
      "kex_exchange_identification: read: Connection reset by peer",
      "Check that the host is up and that this works: ssh h true",
    ],
    ["Bad configuration option: foo", undefined],
  ] as const
) {
  Deno.test(`connectionFailure() of "${words}"`, () => {
    const stderr = `\n${words}\r\n\n`;
    const failure = connectionFailure(TO_H, { destination: "remote", stderr });
    assert.deepEqual(
      { message: failure.message, hint: failure.hint, exitCode: failure.exitCode },
      {
        message: `cannot connect to h: ${words}`,
        hint: hint && `${hint}\ndockerdo doctor --remote h looks for the cause.`,
        exitCode: 1,
      },
    );
  });
}

Deno.test("connectionFailure() without a word of ssh is a whole sentence still", () => {
  const { message } = connectionFailure(TO_H, { destination: "remote", stderr: " \n" });
  assert.equal(message, "cannot connect to h");
});

Deno.test("connectionFailure() gives a line to type that takes the same way: user, port, the session's ssh_config", () => {
  const remoteHost = { name: "h", user: "ada", port: 2222 };
  const session = testSession({ remoteHost, dir: "/my sessions/s" });
  const hints = (["remote", "container"] as const).map((destination) =>
    connectionFailure(session, { destination, stderr: "Permission denied (publickey)." }).hint
  );
  assert.deepEqual(hints, [
    "Check that this works without a password: ssh -p 2222 ada@h true\n" +
    "dockerdo doctor --remote ada@h:2222 looks for the cause.",
    "Check that this works without a password: ssh -F '/my sessions/s/ssh_config' container true\n" +
    "dockerdo doctor looks for the cause.",
  ]);
});

Deno.test("captureOnRemoteHost() cuts off what the login shell printed", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, { FAKE_ssh: "Welcome!\nto h\n\x1eanswer\n\x1emore\n" });
  const finished = await captureOnRemoteHost(testContext({ env: fake.env }), REMOTE, {
    words: ["printf", "a b"],
  });
  assert.deepEqual(finished, { code: 0, stdout: "answer\n\x1emore\n", stderr: "" });
  assert.deepEqual(fake.calls(), [[
    ...[
      "ssh",
      "-F",
      `${REMOTE.dir}/ssh_config.remote`,
      "-o",
      "ClearAllForwardings=yes",
      "-T",
      "--",
    ],
    ...["reykjavik", "printf '\\036'; printf 'a b'"],
  ]]);
});

Deno.test("captureOnRemoteHost() tells a broken connection from a command that returns 255", async () => {
  using dir = temporaryDir();
  using down = fakes(dir.path, {
    FAKE_ssh: "",
    FAKE_ssh_code: "255",
    FAKE_ssh_stderr: "ssh: connect to host h port 22: Connection refused\n",
  });
  await assert.rejects(
    captureOnRemoteHost(testContext({ env: down.env }), REMOTE, { words: ["x"] }),
    {
      message: "cannot connect to reykjavik: ssh: connect to host h port 22: Connection refused",
    },
  );
  using up = fakes(dir.path, { FAKE_ssh: "\x1eout", FAKE_ssh_code: "255" });
  assert.deepEqual(
    await captureOnRemoteHost(testContext({ env: up.env }), REMOTE, { words: ["x"] }),
    { code: 255, stdout: "out", stderr: "" },
  );
});

Deno.test("makeSocketDir() is private and below XDG_RUNTIME_DIR where that is short enough", async () => {
  using dir = temporaryDir();
  const context = testContext({ env: { XDG_RUNTIME_DIR: dir.path } });
  const made = await makeSocketDir(context, "0a1b2c3d4e5f");
  assert.equal(made, `${dir.path}/dockerdo/0a1b2c3d4e5f`);
  assert.equal((Deno.statSync(made).mode ?? 0) & 0o777, 0o700);
  assert.equal(hasSocketDir(testSession({ socketDir: made, dir: dir.path })), true);
});

Deno.test("makeSocketDir() takes the state directory where XDG_RUNTIME_DIR is not the user's alone", async () => {
  using dir = temporaryDir();
  Deno.mkdirSync(`${dir.path}/run/dockerdo`, { recursive: true });
  const env = { HOME: dir.path, XDG_RUNTIME_DIR: `${dir.path}/run` };
  const place = `${dir.path}/.local/state/dockerdo/sockets/0a1b2c3d4e5f`;
  for (const open of [`${dir.path}/run`, `${dir.path}/run/dockerdo`]) {
    Deno.chmodSync(open, 0o777);
    assert.equal(await makeSocketDir(testContext({ env }), "0a1b2c3d4e5f"), place);
    assert.equal((Deno.statSync(place).mode ?? 0) & 0o777, 0o700);
    Deno.chmodSync(open, 0o755);
  }
  assert.equal(
    await makeSocketDir(testContext({ env }), "0a1b2c3d4e5f"),
    `${dir.path}/run/dockerdo/0a1b2c3d4e5f`,
  );
});

for (
  const [what, runtime] of [
    ["is not set", () => ({})],
    ["is not there", (dir: string) => ({ XDG_RUNTIME_DIR: `${dir}/none` })],
    ["is relative", () => ({ XDG_RUNTIME_DIR: "run" })],
    ["is too long for a socket", (dir: string) => {
      const long = `${dir}/${"x".repeat(80)}`;
      Deno.mkdirSync(long);
      return { XDG_RUNTIME_DIR: long };
    }],
    ["has a blank, which sshfs cannot be told", (dir: string) => {
      Deno.mkdirSync(`${dir}/a b`);
      return { XDG_RUNTIME_DIR: `${dir}/a b` };
    }],
  ] as const
) {
  Deno.test(`makeSocketDir() takes /tmp where XDG_RUNTIME_DIR ${what}`, async () => {
    using dir = temporaryDir();
    const env: Record<string, string> = runtime(dir.path);
    const made = await makeSocketDir(testContext({ env }), "0a1b2c3d4e5f");
    try {
      assert.match(made, /^\/tmp\/dockerdo-[^/]+$/);
      assert.equal((Deno.statSync(made).mode ?? 0) & 0o777, 0o700);
    } finally {
      Deno.removeSync(made);
    }
  });
}

Deno.test("hasSocketDir() does not trust a directory that is gone, open to others, or a link to such", () => {
  using dir = temporaryDir();
  const socketDir = `${dir.path}/s`;
  const session = testSession({ dir: dir.path, socketDir });
  assert.equal(hasSocketDir(session), false);
  Deno.mkdirSync(socketDir, { mode: 0o700 });
  assert.equal(hasSocketDir(session), true);
  Deno.chmodSync(socketDir, 0o750);
  assert.equal(hasSocketDir(session), false);
  Deno.removeSync(socketDir);
  Deno.mkdirSync(`${dir.path}/open`, { mode: 0o755 });
  Deno.symlinkSync(`${dir.path}/open`, socketDir);
  assert.equal(hasSocketDir(session), false);
});

Deno.test("isMasterAlive() asks ssh only where there is a socket", async () => {
  using dir = temporaryDir();
  const session = testSession({ socketDir: dir.path });
  using fake = fakes(dir.path, { FAKE_ssh: "", FAKE_ssh_code: "255" });
  const context = testContext({ env: fake.env });
  assert.equal(await isMasterAlive(context, session, "remote"), false);
  assert.deepEqual(fake.calls(), []);
  Deno.writeTextFileSync(`${dir.path}/remote`, "");
  assert.equal(await isMasterAlive(context, session, "remote"), false);
  assert.deepEqual(fake.calls(), [
    ["ssh", "-F", `${session.dir}/ssh_config.remote`, "-O", "check", "reykjavik"],
  ]);
});

Deno.test("stopMaster() ends a master that lives and removes a stale socket; fine to repeat", async () => {
  using dir = temporaryDir();
  const session = testSession({ socketDir: dir.path });
  using fake = fakes(dir.path, { FAKE_ssh: "" });
  const context = testContext({ env: fake.env });
  Deno.writeTextFileSync(`${dir.path}/container`, "");
  await stopMaster(context, session, "container");
  await stopMaster(context, session, "container");
  const control = ["ssh", "-F", `${session.dir}/ssh_config`, "-O"];
  assert.deepEqual(fake.calls(), [
    [...control, "check", "container"],
    [...control, "exit", "container"],
  ]);
  assert.throws(() => Deno.lstatSync(`${dir.path}/container`), Deno.errors.NotFound);
});

Deno.test("stopMaster() of a dry run only asks", async () => {
  using dir = temporaryDir();
  const session = testSession({ socketDir: dir.path });
  using fake = fakes(dir.path, { FAKE_ssh: "" });
  Deno.writeTextFileSync(`${dir.path}/remote`, "");
  const context = testContext({ env: fake.env, dryRun: true });
  await stopMaster(context, session, "remote");
  assert.deepEqual(fake.calls().map((call) => call[4]), ["check"]);
  assert.equal(Deno.lstatSync(`${dir.path}/remote`).isFile, true);
  assert.equal(
    context.written.stderr,
    `ssh -F ${session.dir}/ssh_config.remote -O exit reykjavik\n`,
  );
});

Deno.test("startMaster() asks nobody where it must not, and shows ssh's own words", async () => {
  using dir = temporaryDir();
  const session = testSession({ socketDir: dir.path });
  using fake = fakes(dir.path, {
    FAKE_ssh: "",
    FAKE_ssh_code: "255",
    FAKE_ssh_stderr: "me@h: Permission denied (publickey).\n",
  });
  await assert.rejects(
    startMaster(testContext({ env: fake.env }), session, {
      destination: "remote",
      interactive: false,
    }),
    { message: "cannot connect to reykjavik: me@h: Permission denied (publickey)." },
  );
  const base = [
    "ssh",
    "-F",
    `${session.dir}/ssh_config.remote`,
    "-o",
    "ClearAllForwardings=yes",
    "-fN",
  ];
  assert.deepEqual(fake.calls(), [[...base, "-o", "BatchMode=yes", "--", "reykjavik"]]);
});
