// deno-lint-ignore-file no-console
/** A real sshd on loopback with keys of its own, and real sshfs mounts of a directory that it serves. */
import { until } from "../poll.ts";
import { dropCaches, type Dropped } from "../../src/relay/drop.ts";

const here = new URL(".", import.meta.url).pathname;

/** Runs a program to its end and returns its output; throws with its stderr when it fails. */
export async function run(program: string, ...args: string[]): Promise<string> {
  const command = new Deno.Command(program, { args, stdout: "piped", stderr: "piped" });
  const { success, stdout, stderr } = await command.output();
  if (!success) {
    throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
  return new TextDecoder().decode(stdout);
}

/** A file of /proc, which Deno itself opens only with all permissions; undefined where it is gone. */
export async function proc(path: string): Promise<string | undefined> {
  return await run("cat", `/proc/${path}`).catch(() => undefined);
}

/** Resident memory of a process in MiB, now and at its highest. */
export async function memoryOf(pid: number): Promise<{ now: number; highest: number }> {
  const status = await proc(`${pid}/status`) ?? "";
  const field = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
  return { now: field("VmRSS"), highest: field("VmHWM") };
}

export { until };

export interface MountOptions {
  /** `coherent` is plain sshfs without its caches: the only one that shows what is. */
  kind?: "relay" | "plain" | "coherent";
  /** Milliseconds of round trip; a link that can be frozen and cut stands between if given. */
  roundTrip?: number;
  record?: boolean;
  /** The directory to mount; the served one if not given. */
  base?: string;
}

export class Mount {
  constructor(
    readonly point: string,
    readonly state: string,
    private readonly sshfs: Deno.ChildProcess,
    private readonly between: Deno.ChildProcess | undefined,
    /** The port that leads to the server by way of this mount's link. */
    readonly port: string,
  ) {}

  /** What `dodo` does after each command. */
  drop(): Dropped {
    return dropCaches(this.state);
  }

  async link(command: "freeze" | "thaw" | "cut"): Promise<void> {
    const input = this.between?.stdin.getWriter();
    await input?.write(new TextEncoder().encode(command + "\n"));
    input?.releaseLock();
  }

  log(): string {
    try {
      return Deno.readTextFileSync(`${this.state}/relay.log`);
    } catch {
      return "";
    }
  }

  get relayPid(): number {
    return Number(Deno.readTextFileSync(`${this.state}/relay.pid`));
  }

  /** Resident memory of the relay in MiB, now and at its highest. */
  memory(): Promise<{ now: number; highest: number }> {
    return memoryOf(this.relayPid);
  }

  async close(): Promise<void> {
    await run("fusermount3", "-u", "-z", this.point);
    await until(async () => await Promise.race([this.sshfs.status.then(() => true), tick()]), 5000)
      .catch(() => this.sshfs.kill("SIGKILL"));
    if (this.between) {
      await this.between.stdin.close();
      await this.between.status;
    }
  }
}

async function tick(): Promise<boolean> {
  await new Promise((resolve) => setTimeout(resolve, 10));
  return false;
}

/** Words of the launcher of the relay that stand before its own arguments. */
export const RELAY = [
  Deno.execPath(),
  "run",
  "--quiet",
  "--no-prompt",
  "--v8-flags=--max-semi-space-size=1,--optimize-for-size",
  "--allow-run=ssh",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys=uid",
  `${here}entry.ts`,
];

export class Server {
  private mounts: Mount[] = [];
  private count = 0;

  private constructor(
    readonly directory: string,
    private readonly daemon: Deno.ChildProcess,
    private readonly port: number,
  ) {}

  /** What the server's programs see and change directly. */
  get served(): string {
    return `${this.directory}/served`;
  }

  static async start(): Promise<Server> {
    const directory = await Deno.makeTempDir({ prefix: "relay-test-" });
    await Deno.mkdir(`${directory}/served`);
    await Deno.mkdir("/run/sshd", { recursive: true });
    for (const key of ["host", "user"]) {
      await run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", `${directory}/${key}`);
    }
    const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const port = probe.addr.port;
    probe.close();
    await Deno.writeTextFile(
      `${directory}/sshd_config`,
      [
        `Port ${port}`,
        "ListenAddress 127.0.0.1",
        `HostKey ${directory}/host`,
        `AuthorizedKeysFile ${directory}/user.pub`,
        "StrictModes no",
        "UsePAM no",
        "PidFile none",
        "Subsystem sftp internal-sftp",
        "PermitRootLogin yes",
      ].join("\n") + "\n",
    );
    const daemon = new Deno.Command("/usr/sbin/sshd", {
      args: ["-D", "-e", "-f", `${directory}/sshd_config`],
      stderr: "null",
      stdout: "null",
    }).spawn();
    const server = new Server(directory, daemon, port);
    await until(async () => {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return true;
      } catch {
        return false;
      }
    });
    return server;
  }

  async mount(options: MountOptions = {}): Promise<Mount> {
    const number = ++this.count;
    const point = `${this.directory}/mount${number}`;
    const state = `${this.directory}/state${number}`;
    await Deno.mkdir(point);
    await Deno.mkdir(state, { mode: 0o700 });
    const between = options.roundTrip === undefined
      ? undefined
      : new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--quiet",
          "--allow-net=127.0.0.1",
          `${here}wire_between.ts`,
          `${this.port}`,
          `${options.roundTrip}`,
        ],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
    const port = between ? await firstLine(between) : `${this.port}`;
    const base = options.base ?? this.served;
    const ssh = this.ssh(port);
    const wrapper = `${state}/relay`;
    const words = [
      ...RELAY,
      state,
      point,
      base,
      options.record === false ? "silent" : "record",
      "30",
      ...ssh,
    ];
    const relayed = options.kind === undefined || options.kind === "relay";
    const command = relayed ? words : ssh;
    await Deno.writeTextFile(
      wrapper,
      `#!/bin/sh\nMALLOC_ARENA_MAX=1 exec ${command.map(quote).join(" ")} "$@"\n`,
      {
        mode: 0o700,
      },
    );
    const settings = options.kind === "plain"
      ? "no_contain_symlinks"
      : options.kind === "coherent"
      ? "dir_cache=no,attr_timeout=0,entry_timeout=0,no_contain_symlinks"
      : "reconnect,sync_readdir,workaround=renamexdev,dir_cache=no,attr_timeout=0.03,entry_timeout=0.03,no_contain_symlinks";
    const sshfs = new Deno.Command("sshfs", {
      args: ["-f", "-o", `ssh_command=${wrapper},${settings}`, `localhost:${base}`, point],
      stdin: "null",
      stdout: "null",
    }).spawn();
    const mount = new Mount(point, state, sshfs, between, port);
    this.mounts.push(mount);
    await until(async () => (await proc("self/mountinfo"))?.includes(` ${point} `) === true);
    await Deno.stat(point);
    return mount;
  }

  /** The words of ssh for a port of this server. */
  ssh(port = `${this.port}`): string[] {
    return [
      "ssh",
      "-F",
      "none",
      "-p",
      port,
      "-i",
      `${this.directory}/user`,
      "-oUserKnownHostsFile=/dev/null",
      "-oStrictHostKeyChecking=no",
      "-oLogLevel=ERROR",
      "-oServerAliveInterval=5",
      "-oServerAliveCountMax=2",
      "-oConnectTimeout=10",
    ];
  }

  /** The processes that serve SFTP, one for each mount. */
  async sessions(): Promise<number[]> {
    const lines = (await run("ps", "-eo", "pid=,ppid=,args=")).trim().split("\n");
    const rows = lines.map((line) => /^ *(\d+) +(\d+) (.*)$/.exec(line)?.slice(1) ?? []);
    const ours = new Set([this.daemon.pid]);
    const found = [];
    for (let size = 0; size < ours.size;) {
      size = ours.size;
      for (const [pid, parent] of rows) if (ours.has(Number(parent))) ours.add(Number(pid));
    }
    for (const [pid, , args] of rows) {
      if (ours.has(Number(pid)) && args?.includes("@internal-sftp")) found.push(Number(pid));
    }
    return found;
  }

  async stop(): Promise<void> {
    for (const mount of this.mounts) {
      await mount.close().catch(() => {});
      if (Deno.env.get("RELAY_LOG")) console.log(mount.log());
    }
    this.daemon.kill("SIGTERM");
    await this.daemon.status;
    await Deno.remove(this.directory, { recursive: true });
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

async function firstLine(child: Deno.ChildProcess): Promise<string> {
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  return new TextDecoder().decode(value).trim();
}
