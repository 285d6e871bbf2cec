// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { main } from "../../../src/cli.ts";
import { judgeDocker, judgeSpace } from "../../../src/doctor/docker.ts";
import type { Finding } from "../../../src/doctor/finding.ts";
import {
  allowDocker,
  install,
  startDocker,
  type System,
  systemOf,
} from "../../../src/doctor/remedy.ts";
import {
  judgeClock,
  judgeConnection,
  judgeForwarding,
  judgeMaxSessions,
} from "../../../src/doctor/remote.ts";
import { fakes, system, temporaryDir, testContext, within } from "../fixture.ts";

const DEBIAN: System = { family: "debian", id: "debian", root: false, systemd: true, reach: [] };
const THERE: System = { ...DEBIAN, reach: ["ssh", "-t", "-p", "22", "me@h"] };

for (
  const [release, program, line] of [
    ["ID=debian", "sshfs", "sudo apt-get install sshfs"],
    ["ID=linuxmint\nID_LIKE='ubuntu debian'", "ssh", "sudo apt-get install openssh-client"],
    ["ID=fedora", "sshfs", "sudo dnf install fuse-sshfs"],
    ["ID=fedora", "docker", "sudo dnf install moby-engine"],
    [
      "ID=rocky\nID_LIKE='rhel centos fedora'",
      "docker",
      "sudo dnf config-manager --add-repo https://download.docker.com/linux/centos/docker-ce.repo && sudo dnf install docker-ce docker-ce-cli",
    ],
    ["ID=arch", "fuse", "sudo pacman -S fuse3"],
    ["ID=alpine", "docker", "sudo apk add docker"],
    ["ID=opensuse-leap", "ssh", "sudo zypper install openssh-clients"],
    ["ID=gentoo", "sshfs", "Install sshfs with the system's packages."],
  ] as const
) {
  Deno.test(`install() of ${program} on ${release.split("\n")[0]} is ${line}`, () => {
    const options = { os: "linux", release, root: false, systemd: true } as const;
    assert.equal(install(systemOf(options), program), line);
  });
}

Deno.test("remedies are for root without sudo, for macOS by brew, and for another host over ssh", () => {
  const mac = systemOf({ os: "macos", release: "", root: false, systemd: false });
  assert.deepEqual(
    [
      install({ ...DEBIAN, root: true }, "sshfs"),
      install(mac, "sshfs"),
      install(mac, "fuse"),
      startDocker(mac),
      startDocker(DEBIAN),
      startDocker({ ...DEBIAN, systemd: false }),
      startDocker(THERE),
      allowDocker(DEBIAN),
      allowDocker(THERE),
    ],
    [
      "apt-get install sshfs",
      "brew install gromgit/fuse/sshfs-mac",
      "brew install --cask macfuse",
      "open -a Docker",
      "sudo systemctl enable --now docker",
      "sudo service docker start",
      "ssh -t -p 22 me@h 'sudo systemctl enable --now docker'",
      'sudo usermod -aG docker "$USER"; then log in again',
      `ssh -t -p 22 me@h 'sudo usermod -aG docker "$USER"'`,
    ],
  );
});

const asked = (code: number, stderr = "", stdout = ""): Parameters<typeof judgeDocker>[0] => ({
  code,
  stdout,
  stderr,
});
const DF = "/dev/sda1 102400000 1 ";

for (
  const [what, finished, expected] of [
    ["an engine", asked(0, "", `20.10.24\n${DF}5000000 40% /\n/var/lib/docker\n`), [
      ["docker here", "ok", "engine 20.10.24", null],
      ["disk here", "ok", "5.12 GB free for /var/lib/docker", null],
    ]],
    ["an engine with little space", asked(0, "", `1\n${DF}1000000 99% /\n/d\n`), [
      ["docker here", "ok", "engine 1", null],
      ["disk here", "warning", "1.02 GB free for /d", "docker system df; docker system prune"],
    ]],
    ["an engine with no space", asked(0, "", `1\n${DF}1000 100% /\n/d\n`), [
      ["docker here", "ok", "engine 1", null],
      ["disk here", "missing", "1.02 MB free for /d", "docker system df; docker system prune"],
    ]],
    ["an engine whose disk nobody tells", asked(0, "", "1\n\n"), [
      ["docker here", "ok", "engine 1", null],
    ]],
    ["no docker", asked(127, "sh: 1: docker: not found"), [
      ["docker here", "missing", "not installed", "sudo apt-get install docker.io"],
    ]],
    [
      "a group that is not the user's",
      asked(1, "permission denied while trying to connect to the Docker daemon socket"),
      [
        [
          "docker here",
          "missing",
          "you may not use the engine",
          'sudo usermod -aG docker "$USER"; then log in again',
        ],
      ],
    ],
    ["no engine", asked(1, "Cannot connect to the Docker daemon at unix:///x."), [
      ["docker here", "missing", "the engine does not run", "sudo systemctl enable --now docker"],
    ]],
    ["an engine that hangs", asked(124), [
      ["docker here", "missing", "the engine has not answered within 5 s", "docker version"],
    ]],
  ] as const
) {
  Deno.test(`judgeDocker() of ${what}`, () => {
    const options = { system: DEBIAN, where: "here", needed: true, limitMs: 5000 } as const;
    assert.deepEqual(judgeDocker(finished, options).map((one) => Object.values(one)), expected);
  });
}

Deno.test("judgeDocker() warns of what only dockerdo build needs", () => {
  const options = { system: DEBIAN, where: "here", needed: false, limitMs: 5000 } as const;
  const [finding] = judgeDocker(asked(127), options);
  assert.deepEqual([finding?.status, finding?.found], [
    "warning",
    "not installed (only dockerdo build needs it; build --remote does without)",
  ]);
});

Deno.test("judgeSpace() understands df's lines with blanks in the device's name", () => {
  const options = { check: "d", place: "p", remedy: "m", system: DEBIAN };
  assert.equal(judgeSpace("//nas/my share 100 50 9999999 50% /mnt\n", options)?.status, "ok");
  assert.equal(judgeSpace("df: no such file", options), undefined);
});

const TARGET = {
  host: { name: "h", user: "me", port: 2222 },
  sshConfig: null,
  forwards: false,
};

for (
  const [stderr, expected] of [
    ["ssh: Could not resolve hostname h: Name or service not known", [
      "remote host missing: Check the name, or add a Host block for h to ~/.ssh/config.",
    ]],
    ["ssh: connect to host h port 2222: Connection refused", [
      "remote host missing: ssh -v -p 2222 me@h true",
    ]],
    [
      "No ED25519 host key is known for h and you have requested strict checking.\nHost key verification failed.",
      [
        "remote host ok: null",
        "host key missing: ssh -p 2222 me@h true",
      ],
    ],
    ["@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.", [
      "remote host ok: null",
      "host key missing: ssh-keygen -R h, once its administrator has said why it changed",
    ]],
    ["me@h: Permission denied (publickey).", [
      "remote host ok: null",
      "host key ok: null",
      "login missing: ssh-copy-id -p 2222 me@h (or ssh-add, if the key has a passphrase)",
    ]],
    ["", ["remote host missing: ssh -v -p 2222 me@h true"]],
  ] as const
) {
  Deno.test(`judgeConnection() of ${JSON.stringify(stderr)}`, () => {
    assert.deepEqual(
      judgeConnection(asked(255, stderr), TARGET)
        .map(({ check, status, remedy }) => `${check} ${status}: ${remedy}`),
      expected,
    );
  });
}

Deno.test("judgeConnection() of an unknown name proposes the nearest one of ssh's configuration", () => {
  const host = { ...TARGET.host, name: "reykjavk" };
  const failed = asked(255, "ssh: Could not resolve hostname reykjavk: Name or service not known");
  const remedies = [["london", "reykjavik"], ["london"]].map((known) =>
    judgeConnection(failed, { ...TARGET, host }, known)[0]?.remedy
  );
  assert.deepEqual(remedies, [
    "Did you mean reykjavik? Else add a Host block for reykjavk to ~/.ssh/config.",
    "Check the name, or add a Host block for reykjavk to ~/.ssh/config.",
  ]);
});

Deno.test("judgeConnection() of a host that hangs names the limit", () => {
  assert.equal(judgeConnection(asked(124), TARGET)[0]?.found, "h has not answered within 12 s");
});

Deno.test("judgeForwarding() counts where sessions jump to a port, and only there", () => {
  const outputs = [
    "SSH-2.0-OpenSSH_9.2\r\n",
    "channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed",
    "channel 0: open failed: administratively prohibited: open failed\nstdio forwarding failed",
    "",
  ];
  const judged = (forwards: boolean): string[] =>
    outputs.map((output) => judgeForwarding(output, { forwards, system: DEBIAN }).status);
  assert.deepEqual(judged(false), ["ok", "ok", "ok", "ok"]);
  assert.deepEqual(judged(true), ["ok", "ok", "missing", "warning"]);
});

Deno.test("judgeMaxSessions() takes sshd's word, else its default", () => {
  assert.deepEqual(
    ["maxsessions 10\n", "  MaxSessions 2 # few\nMaxSessions 9\n", "1700000000\n"]
      .map((output) => {
        const { status, found } = judgeMaxSessions(output, DEBIAN);
        return [status, found];
      }),
    [["ok", "10"], ["missing", "2: a session needs 3"], ["ok", "10, sshd's default"]],
  );
});

Deno.test("judgeClock() allows for the time that the question took", () => {
  const began = 1_700_000_000_500;
  const judge = (there: number, ended = began + 1000): Finding =>
    judgeClock(`${there}\n0\n`, { began, ended, system: DEBIAN });
  assert.deepEqual(
    [
      judge(1_700_000_001),
      judge(1_700_000_009, began + 10_000),
      judge(1_699_999_995),
      judge(1_699_999_900),
      judge(1_700_000_102),
    ].map(({ status, found }) => [status, found.replace(/:.*/, "")]),
    [
      ["ok", "at most 1 s apart"],
      ["ok", "at most 1 s apart"],
      ["ok", "at most 5 s apart"],
      ["warning", "the host's is 100 s behind"],
      ["warning", "the host's is 100 s ahead"],
    ],
  );
  assert.equal(judgeClock("", { began, ended: began, system: DEBIAN }).status, "warning");
});

const ANSWERS = {
  FAKE_ssh__T__G: "",
  FAKE_ssh__V: "",
  FAKE_ssh__V_stderr: "OpenSSH_9.2p1 Debian-2, OpenSSL 3\n",
  FAKE_ssh_add: "256 SHA256:x me (ED25519)\n",
  FAKE_ssh_add__L: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHc5nHn0 me\n",
  FAKE_sshfs: "SSHFS version 3.7.3\nFUSE library version 3.14.0\n",
  FAKE_docker_version: "20.10.24\n",
  FAKE_docker_info: "/\n",
};

async function doctor(
  argv: readonly string[],
  { answers = ANSWERS, env = {} }: {
    readonly answers?: Readonly<Record<string, string>>;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<{ code: number; findings: Finding[]; stdout: string; stderr: string }> {
  using dir = temporaryDir();
  using fake = fakes(dir.path, answers);
  const context = testContext({
    cwd: dir.path,
    env: { HOME: dir.path, SSH_AUTH_SOCK: "/agent", ...fake.env, ...env },
  });
  const code = await within(40_000, main(["doctor", ...argv], context));
  const { stdout, stderr } = context.written;
  return { code, findings: argv.includes("--json") ? JSON.parse(stdout) : [], stdout, stderr };
}

Deno.test("doctor goes through it all in the order in which it would fail, and then over ssh", async () => {
  const host = [
    String(Math.floor(Date.now() / 1000)),
    "1000",
    `${DF}9000000 1% /home`,
    "systemd",
    "maxsessions 2",
    "ID=debian",
  ];
  const { code, findings, stderr } = await doctor(["--json", "--remote", "me@h:22"], {
    answers: { ...ANSWERS, FAKE_ssh: `noise\n\x1e${host.join("\n")}\n` },
  });
  // What this machine has of FUSE and of disk is its own affair.
  const here = findings.filter(({ check }) => !/^(FUSE|fusermount3|disk here)$/.test(check))
    .map(({ check, status }) => `${check} ${status}`);
  assert.deepEqual(here, [
    "configuration ok",
    "ssh ok",
    "ssh key ok",
    "ssh agent ok",
    "sshfs ok",
    "docker here ok",
    "sessions ok",
    "sockets ok",
    "remote host ok",
    "host key ok",
    "login ok",
    "forwarding ok",
    "MaxSessions missing",
    "docker there ok",
    "clock ok",
    "disk there ok",
  ]);
  assert.equal(code, 1);
  assert.match(stderr, /missing: .*MaxSessions\n/);
  assert.deepEqual(
    findings.find(({ check }) => check === "MaxSessions")?.remedy,
    `ssh -t -p 22 me@h 'sudo sh -c '\\''echo MaxSessions 10 > /etc/ssh/sshd_config.d/dockerdo.conf'\\'' && sudo systemctl reload ssh'`,
  );
});

Deno.test("doctor names what is not installed with the command of this system, as lines for people", async () => {
  using dir = temporaryDir();
  // A PATH with the system's tools and none of those that are looked for.
  for (const name of ["sh", "id", "cat", "df", "tail", "dirname"]) {
    const { stdout } = await system(["sh", "-c", `command -v ${name}`]);
    Deno.symlinkSync(stdout.trim(), `${dir.path}/${name}`);
  }
  const { code, stdout } = await doctor([], { answers: {}, env: { PATH: dir.path } });
  assert.equal(code, 1);
  for (const check of ["ssh", "ssh key", "sshfs", "docker here"]) {
    assert.match(stdout, new RegExp(`^missing  ${check} +[^\n]+\n {9}\\S`, "m"));
  }
  assert.match(stdout, /^ok {7}configuration {2}no .*dockerdo.yaml: the defaults apply$/m);
});

Deno.test("doctor tells of a broken configuration and an ssh that is too old, and goes on", async () => {
  const { findings, code } = await doctor(["--json"], {
    answers: { ...ANSWERS, FAKE_ssh__V_stderr: "OpenSSH_8.4p1 Debian-5\n" },
    env: { DOCKERDO_DEFAULT_CONNECT: "tcp" },
  });
  assert.equal(code, 1);
  assert.deepEqual(
    findings.slice(0, 2).map(({ check, status, found }) => [check, status, found]),
    [
      [
        "configuration",
        "missing",
        'DOCKERDO_DEFAULT_CONNECT: expected exec or port, found "tcp"',
      ],
      ["ssh", "missing", "OpenSSH_8.4p1 Debian-5 is too old: it must be 8.7"],
    ],
  );
  assert.ok(findings.length > 8);
});

Deno.test("doctor of a session that is not there, or of a host that cannot be one, is refused at once", async () => {
  const session = await doctor(["nope"], { answers: {} });
  assert.deepEqual([session.code, session.stdout], [1, ""]);
  assert.match(session.stderr, /there is no session nope/);
  assert.equal((await doctor(["--remote=-oProxyCommand=id"], { answers: {} })).code, 2);
});
