import assert from "node:assert/strict";
import { hostBlock } from "../../../src/ssh/host_names.ts";
import type { Session } from "../../../src/session/session.ts";
import { system, temporaryDir } from "../fixture.ts";

const SESSION: Session = {
  version: 1,
  id: "0a1b2c3d4e5f",
  name: "demo",
  created: "2026-01-01T00:00:00.000Z",
  workDir: "/work/demo",
  socketDir: "/run/user/1000/dockerdo/0a1b2c3d4e5f",
  remoteHost: { name: "reykjavik", user: null, port: null },
  buildDir: ".",
  distro: null,
  baseImage: "debian",
  imageTag: "debian:demo",
  registry: null,
  containerName: "dockerdo-demo",
  user: "root",
  connect: "exec",
  forward: "none",
  mount: "plain",
  record: false,
  identityFile: "/home/me/.ssh/id_ed25519",
  containerId: "c49856ee",
  engineId: null,
  image: { env: {}, workdir: "/", loginShell: "/bin/sh" },
  env: {},
  attached: null,
  dir: "/home/me/.local/share/dockerdo/demo",
};

// What a user may have for every host, and each of it would be wrong for a container.
const HOSTILE = `Host *
  User nobody
  Port 2222
  ProxyCommand nc %h %p
  ProxyJump jump
  HostName elsewhere
  RemoteCommand tmux
  RequestTTY force
  ForwardAgent yes
  ForwardX11 yes
  ForwardX11Trusted yes
  PermitLocalCommand yes
  CanonicalizeHostname always
  Ciphers aes256-cbc
  KexAlgorithms diffie-hellman-group14-sha256
  MACs hmac-sha1
  HostKeyAlgorithms rsa-sha2-512
  UserKnownHostsFile /dev/null
  GlobalKnownHostsFile /etc/x
  StrictHostKeyChecking no
  ControlMaster auto
  ControlPath ~/.ssh/%C
  ControlPersist yes
  LogLevel DEBUG3
  Tunnel yes
  VisualHostKey yes
  PreferredAuthentications password
  PubkeyAuthentication no
  ExitOnForwardFailure yes
  GSSAPIAuthentication yes
  EscapeChar none
  ConnectTimeout 1
  BatchMode yes
  HostKeyAlias other
  SetEnv SECRET=1
`;

async function effective(text: string, host: string): Promise<Record<string, string>> {
  using dir = temporaryDir();
  await Deno.writeTextFile(`${dir.path}/config`, text, { mode: 0o600 });
  const { code, stdout, stderr } = await system(
    ["ssh", "-G", "-F", `${dir.path}/config`, host],
  );
  assert.equal(code, 0, stderr);
  return Object.fromEntries(
    stdout.trim().split("\n").map((line) => [line.split(" ", 1)[0] ?? "", line]),
  );
}

for (
  const [what, endpoint] of [
    ["reached by docker exec", { containerId: "c49856ee" }],
    ["reached by a port", { containerId: "c49856ee", port: 32768 }],
    ["not connected", undefined],
  ] as const
) {
  Deno.test(`a session's host name is the same to ssh with a hostile Host * (${what})`, async () => {
    const block = hostBlock(SESSION, endpoint) ?? "";
    const alone = await effective(block, "demo.dockerdo");
    assert.deepEqual(await effective(`${block}\n${HOSTILE}`, "demo.dockerdo"), alone);
    assert.equal(alone["proxyjump"], undefined);
    const foreign = "Host example\n  Port 77\n";
    assert.deepEqual(
      await effective(`${block}\n${foreign}`, "example"),
      await effective(foreign, "example"),
    );
  });
}

Deno.test("a host block has no word that another ssh could refuse, whatever is called how", () => {
  for (
    const change of [
      { dir: "/home/a\nb" },
      { dir: '/home/a"b' },
      { dir: "/home/a\\b" },
      { dir: "/home/${x}" },
      { name: "a b" },
      { name: "*" },
      { name: "x\nHost *" },
      { identityFile: "/home/me/$KEY" },
    ]
  ) {
    assert.equal(hostBlock({ ...SESSION, ...change }, { containerId: "c" }), undefined);
  }
  const blank = hostBlock({ ...SESSION, dir: "/home/a b%c" }, { containerId: "c" }) ?? "";
  assert.match(blank, /^ {2}UserKnownHostsFile "\/home\/a b%%c\/known_hosts"$/m);
  assert.match(blank, /^ {2}ProxyCommand .*\/home\/a b%%c\/ssh_config\.remote/m);
});
