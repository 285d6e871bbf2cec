import assert from "node:assert/strict";
import { addHost, BASE_IMAGE, reykjavik } from "../lab/lab.ts";
import { lives } from "./life.ts";
import { newUser, type User } from "./user.ts";

/** A remote host that real people have: a login at reykjavik, or a way to it. */
interface Host {
  readonly name: string;
  /** What is done there as root; $1 is the user of this row, $2 the user's home. */
  readonly there?: string;
  /** What undoes it, but for the user. */
  readonly undo?: string;
  readonly shell?: string;
  readonly home?: string;
  readonly groups?: string;
  /** The name in the ssh configuration, and further lines of its block. */
  readonly alias?: string;
  readonly ssh?: readonly string[];
  /** Lines of a sshd_config; that sshd is started for each connection, or on a port of reykjavik's loopback. */
  readonly sshd?: readonly string[];
  readonly port?: number;
  readonly remote?: string;
  /** On london. */
  readonly before?: (user: User) => Promise<unknown>;
  readonly after?: (user: User) => Promise<unknown>;
  /** What is special about it, while the container runs. */
  readonly check?: (user: User) => Promise<unknown>;
  /** What its login shell writes before the output of dodo -u, which goes through it. */
  readonly noise?: string;
  /** What says why it cannot work, or not all of it, and the sentence. */
  readonly refused?: { readonly typed: string; readonly code?: number; readonly says: RegExp };
}

// $1 the user, $2 the shell, $3 the home, $4 the groups.
const ADD_USER = `set -e
useradd --create-home --home-dir "$3" --shell "$2" --password '*' \${4:+--groups "$4"} "$1"
install -d -m 700 -o "$1" -g "$1" "$3/.ssh"
install -m 600 -o "$1" -g "$1" /root/.ssh/authorized_keys "$3/.ssh/"`;

const BUILDS =
  `export DOCKERDO_SESSION_DIR=$(dirname "$(dockerdo init --remote HOST)"); dockerdo overlay --force; ` +
  "dockerdo run";

const HOSTS: readonly Host[] = [
  {
    name:
      "noise without a newline and a window title, DOCKER_HOST, a bashrc that ends with 1, a HOME of odd characters, /tmp that runs nothing",
    home: `/home/my "home's $x`,
    there:
      `echo 'export DOCKER_HOST=unix:///var/run/docker.sock; exit 1' >> "$2/.bashrc"; sed -i '1i printf "\\\\033]0;title\\\\007hi "' "$2/.bashrc"; mount -t tmpfs -o noexec tmpfs /tmp`,
    undo: "umount -l /tmp",
    noise: "\x1b]0;title\x07hi ",
  },
  {
    name:
      "one session for each connection, and a banner; an ssh that is to wait longer than by default",
    sshd: ["MaxSessions 1", "Banner /etc/passwd", "PrintMotd yes"],
    ssh: ["ServerAliveInterval 60", "ConnectTimeout 40"],
    check: async (user) => {
      assert.equal(
        await user.does(
          'ssh -F "$DOCKERDO_SESSION_DIR/ssh_config" -G container 2>/dev/null | grep -E "alive(interval|count)|connectt"',
        ),
        "serveralivecountmax 3\nserveraliveinterval 60\nconnecttimeout 40\n",
      );
      assert.deepEqual(
        await user.types(
          "seq 20 | xargs -P 20 -I{} dodo -u daemon -w / echo {} | sort -n | tail -1",
        ),
        { code: 0, stdout: "20\n", stderr: "" },
      );
    },
  },
  {
    name: "MaxStartups 2, behind a jump host with a RemoteCommand",
    sshd: ["MaxStartups 2"],
    port: 2222,
    ssh: ["ProxyJump reykjavik-jump"],
  },
  {
    name:
      "an IPv6 address; a system's ssh_config that a group may write; sockets where nothing may be run",
    alias: "fd00::7",
    ssh: ["HostName 10.77.0.2"],
    remote: "[fd00::7]",
    before: async (user) => {
      await user.does(
        `cp /etc/ssh/ssh_config $TMPDIR/ssh_config && chmod g+w $TMPDIR/ssh_config &&
         mount --bind $TMPDIR/ssh_config /etc/ssh/ssh_config && mount -t tmpfs -o noexec,mode=700 tmpfs $XDG_RUNTIME_DIR`,
      );
    },
    after: (user) => user.does("umount /etc/ssh/ssh_config; umount -l $XDG_RUNTIME_DIR"),
  },
  {
    name: "a login shell of elvish",
    shell: "/usr/bin/elvish",
    refused: {
      typed: "dockerdo init --remote HOST",
      says: /the login shell of \S+, \/usr\/bin\/elvish, does not run commands as they are given: /,
    },
  },
  {
    name: "a login shell of xonsh",
    shell: "/usr/bin/xonsh",
    refused: {
      typed: "dockerdo init --remote HOST",
      says:
        /the login shell of \S+, \/usr\/bin\/xonsh, does not run commands as they are given: .*\n {2}Give that login another shell/,
    },
  },
  {
    name: "a login shell of rbash",
    shell: "/usr/bin/rbash",
    refused: {
      typed: "dockerdo init --remote HOST",
      says:
        /the login shell of \S+, \/usr\/bin\/rbash, does not run commands as they are given: rbash: .*restricted/,
    },
  },
  {
    name: "a host that lets a login wait",
    sshd: [
      "AuthorizedKeysCommandUser root",
      "AuthorizedKeysFile none",
      `AuthorizedKeysCommand /usr/bin/bash -c "sleep 3; cat /root/.ssh/authorized_keys"`,
    ],
    refused: {
      typed: "dockerdo init --remote HOST",
      code: 0,
      says: /still waiting for \S+; what it waits for, a login by hand may show: ssh /,
    },
  },
  {
    name: "docker on a login shell's PATH alone",
    there: `cd "$2" && mkdir bin && for name in /usr/bin/*; do
        case \${name##*/} in docker*) ;; *) ln -s "$name" bin/ ;; esac
      done; echo "PATH=$2/bin" > .bashrc; echo "PATH=\\$PATH:/usr/bin" > .profile`,
    refused: {
      typed: BUILDS,
      says:
        /docker: not found\n {2}Install docker on \S+\. If it is there, a shell that is no login shell/,
    },
  },
  {
    name: "docker that needs sudo",
    groups: "",
    refused: {
      typed: BUILDS,
      says: /permission denied .*\n {2}Your user there may not use docker/,
    },
  },
  {
    name: "DOCKER_HOST that leads nowhere",
    there: `sed -i '1i export DOCKER_HOST=tcp://127.0.0.1:1' "$2/.bashrc"`,
    refused: {
      typed: BUILDS,
      says: /Cannot connect to the Docker daemon at tcp:.*\n {2}Start the engine/,
    },
  },
  {
    name: "ForceCommand internal-sftp",
    sshd: ["ForceCommand internal-sftp"],
    refused: {
      typed: "dockerdo init --remote HOST",
      says: /does not run commands as they are given: .*sftp connections only/,
    },
  },
  {
    name: "no SFTP",
    sshd: ["Subsystem sftp /no/such"],
    refused: {
      typed: "dockerdo init --remote HOST",
      says: /remote host has disconnected\n {2}The host may serve no SFTP/,
    },
  },
];

async function onReykjavik(script: string, ...words: string[]): Promise<void> {
  const { code, stdout, stderr } = await reykjavik(["bash", "-c", script, "sh", ...words]);
  assert.equal(code, 0, `${script}\n${stdout}${stderr}`);
}

/** Makes the login of a row; dispose of it to take it away. */
async function makeHost(host: Host): Promise<AsyncDisposable & { readonly remote: string }> {
  const name = `zoo${crypto.randomUUID().slice(0, 6)}`;
  const home = host.home ?? `/home/${name}`;
  const config = `/etc/ssh/sshd_${name}`;
  const alias = host.alias ?? `reykjavik-${name}`;
  await using undo = new AsyncDisposableStack();
  undo.defer(() =>
    onReykjavik(
      'pkill -KILL -u "$1"; userdel -r "$1" 2>/dev/null; rm -f "$2" "$2.pid"; :',
      name,
      config,
    )
  );
  await onReykjavik(ADD_USER, name, host.shell ?? "/bin/bash", home, host.groups ?? "docker");
  if (host.undo !== undefined) undo.defer(() => onReykjavik(host.undo ?? "", name, home));
  if (host.there !== undefined) await onReykjavik(host.there, name, home);
  const ssh = [...host.ssh ?? []];
  if (host.sshd !== undefined) {
    const own = ["HostKey /etc/ssh/ssh_host_ed25519_key", `PidFile ${config}.pid`, ...host.sshd];
    if (!own.some((line) => line.startsWith("Subsystem"))) own.push("Subsystem sftp internal-sftp");
    await onReykjavik('file=$1; shift; printf "%s\\n" "$@" > "$file"', config, ...own);
    if (host.port === undefined) {
      const lab = Deno.env.get("DOCKERDO_LAB") ?? "";
      ssh.push(`ProxyCommand ${lab} reykjavik /usr/sbin/sshd -i -f ${config}`);
    } else {
      await onReykjavik(
        '/usr/sbin/sshd -f "$1" -p "$2" -o ListenAddress=127.0.0.1',
        config,
        String(host.port),
      );
      undo.defer(() => onReykjavik('kill "$(cat "$1.pid")"', config));
    }
  }
  undo.use(
    await addHost(alias, {
      port: host.port ?? 22,
      hostName: host.port === undefined ? "10.77.0.2" : "127.0.0.1",
      user: name,
      also: ssh,
    }),
  );
  const made = undo.move();
  return { remote: host.remote ?? alias, [Symbol.asyncDispose]: () => made.disposeAsync() };
}

Deno.test("remote hosts, each through a session's whole life, or a sentence", async (t) => {
  await using _jump = await addHost("reykjavik-jump", {
    port: 22,
    hostName: "10.77.0.2",
    user: "ada",
    also: ["RemoteCommand echo jumped", "RequestTTY force"],
  });
  for (const host of HOSTS) {
    await t.step(host.name, async () => {
      await using made = await makeHost(host);
      await using user = await newUser();
      await host.before?.(user);
      try {
        if (host.refused !== undefined) {
          const { typed, says, code: expected = 1 } = host.refused;
          const { code, stderr } = await user.types(
            typed.replace("HOST", `${made.remote} --image ${BASE_IMAGE}`),
          );
          assert.equal(code, expected, stderr);
          assert.match(stderr, says);
          return;
        }
        await lives(user, {
          init: `zoo --remote '${made.remote}' --image ${BASE_IMAGE}`,
          build: "dockerdo build --remote",
          run: "dockerdo run",
          loginShell: "bash",
          quiet: true,
          noise: host.noise ?? "",
          who: "root",
          check: host.check,
        });
      } finally {
        await host.after?.(user);
      }
    });
  }
});
