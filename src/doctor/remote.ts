import { VALUES } from "../command_line/completions/values.ts";
import { nearest } from "../nearest.ts";
import { capture, type Finished } from "../process/child.ts";
import { type Context } from "../process/context.ts";
import { quote } from "../quote.ts";
import type { RemoteHost } from "../session/remote_host.ts";
import { probeOptions } from "../ssh/argv.ts";
import { afterMark, markedLine } from "../ssh/master.ts";
import { ASK_DOCKER, judgeDocker, judgeSpace } from "./docker.ts";
import { type Finding, missing, ok, warning } from "./finding.ts";
import { asAdmin, type System, systemOf } from "./remedy.ts";

const CONNECT_LIMIT_MS = 5000;
const LOOK_LIMIT_MS = 12_000;
const SKEW_LIMIT_S = 5;
/** The build dir's mount, the way into the container, and a command of ours. */
const FEWEST_SESSIONS = 3;
const DEFAULT_MAX_SESSIONS = 10;

/** The remote host that is examined, and how. */
export interface RemoteTarget {
  readonly host: RemoteHost;
  /** The session's ssh_config, where the host is the session's; else the user's own counts. */
  readonly sshConfig: string | null;
  /** Whether sessions are to jump to a published port. */
  readonly forwards: boolean;
}

// One line, for csh's sake. Root may ask sshd itself; for everybody else the first value in the files that can
// be read counts.
const ASK_HOST = [
  "date +%s",
  "id -u",
  "df -Pk . | tail -n 1",
  "[ -d /run/systemd/system ] && echo systemd",
  "PATH=$PATH:/usr/sbin:/sbin",
  'sshd -T -C "user=$(id -un),host=localhost,addr=127.0.0.1" 2>/dev/null | grep -i "^maxsessions " || ' +
  "cat /etc/ssh/sshd_config.d/*.conf /etc/ssh/sshd_config 2>/dev/null | " +
  'grep -iE "^[[:space:]]*maxsessions[[:space:]]"',
  "cat /etc/os-release",
  "true",
].join("; ");

/** Everything that a session needs of its remote host, in the order in which it would fail. */
export async function checkRemote(context: Context, target: RemoteTarget): Promise<Finding[]> {
  const began = Date.now();
  const asked = await ask(context, target, ASK_HOST);
  const ended = Date.now();
  const output = afterMark(asked.stdout);
  if (output === undefined) {
    const known = isUnresolved(asked) ? await knownHosts(context) : [];
    return judgeConnection(asked, target, known);
  }
  const system = remoteSystem(target, output);
  const [docker, forwarding] = await Promise.all([
    askDocker(context, target, system),
    checkForwarding(context, { target, system }),
  ]);
  const [engine, ...disks] = docker;
  return [
    ok("remote host", `${target.host.name} answers`),
    ok("host key", "known"),
    ok("login", "accepted without a question"),
    forwarding,
    judgeMaxSessions(output, system),
    ...engine === undefined ? [] : [engine],
    judgeClock(output, { began, ended, system }),
    ...disks,
    ...homeSpace(output, system),
  ];
}

function probeArgv(
  { host, sshConfig }: RemoteTarget,
  options: readonly string[],
  line?: string,
): string[] {
  return [
    "ssh",
    ...sshConfig === null ? [] : ["-F", sshConfig],
    ...["-o", "ControlMaster=no", "-o", "ControlPath=none"],
    ...probeOptions(CONNECT_LIMIT_MS),
    ...options,
    ...host.user === null ? [] : ["-l", host.user],
    ...host.port === null ? [] : ["-p", String(host.port)],
    "--",
    host.name,
    ...line === undefined ? [] : [line],
  ];
}

function ask(context: Context, target: RemoteTarget, script: string): Promise<Finished> {
  const options = ["-T", "-o", "ClearAllForwardings=yes"];
  return look(context, probeArgv(target, options, markedLine(["sh", "-c", script])));
}

function look(context: Context, argv: readonly string[]): Promise<Finished> {
  return capture(context, argv, { readOnly: true, limitMs: LOOK_LIMIT_MS, detached: true });
}

/** `ssh HOST` as a user types it. */
function typed({ host }: RemoteTarget): string[] {
  return [
    "ssh",
    ...host.port === null ? [] : ["-p", String(host.port)],
    host.user === null ? host.name : `${host.user}@${host.name}`,
  ];
}

function remoteSystem(target: RemoteTarget, output: string): System {
  const [ssh = "", ...words] = typed(target);
  return systemOf({
    os: "linux",
    release: output,
    root: output.split("\n")[1]?.trim() === "0",
    systemd: /^systemd$/m.test(output),
    reach: [ssh, "-t", ...words],
  });
}

function isUnresolved({ stderr }: Finished): boolean {
  return /could not resolve/i.test(stderr);
}

/** The hosts of the user's and the system's ssh configuration, as completions offer them. */
async function knownHosts(context: Context): Promise<string[]> {
  const { stdout } = await capture(context, ["sh", "-c", VALUES, "dockerdo", "hosts"], {
    readOnly: true,
  });
  return stdout.split("\n").filter(Boolean);
}

/** How far a connection came that failed. `known` are the hosts that a misspelt name may stand for. */
export function judgeConnection(
  asked: Finished,
  target: RemoteTarget,
  known: readonly string[] = [],
): Finding[] {
  const { name } = target.host;
  const by = typed(target).map(quote).join(" ");
  const words = asked.stderr.trim().split("\n").filter((line) => line.trim() !== "");
  const last = words.at(-1)?.trim() ?? "";
  const said = words.join("\n");
  if (asked.code === 124) {
    const limit = `${name} has not answered within ${LOOK_LIMIT_MS / 1000} s`;
    return [missing("remote host", limit, `${by.replace(/^ssh/, "ssh -v")} true`)];
  }
  const reached = ok("remote host", `${name} answers`);
  if (/host key verification failed|identification has changed/i.test(said)) {
    const changed = /identification has changed/i.test(said);
    return [
      reached,
      changed
        ? missing(
          "host key",
          `is not the one that is known for ${name}`,
          `ssh-keygen -R ${quote(name)}, once its administrator has said why it changed`,
        )
        : missing("host key", `that of ${name} is not known here yet`, `${by} true`),
    ];
  }
  if (/permission denied|too many authentication failures/i.test(said)) {
    const copy = by.replace(/^ssh/, "ssh-copy-id");
    return [
      reached,
      ok("host key", "known"),
      missing(
        "login",
        `${name} refuses: ${last}`,
        `${copy} (or ssh-add, if the key has a passphrase)`,
      ),
    ];
  }
  const near = nearest(name, known);
  const remedy = isUnresolved(asked)
    ? near === undefined
      ? `Check the name, or add a Host block for ${name} to ~/.ssh/config.`
      : `Did you mean ${near}? Else add a Host block for ${name} to ~/.ssh/config.`
    : `${by.replace(/^ssh/, "ssh -v")} true`;
  return [missing("remote host", last === "" ? `${name} does not answer` : last, remedy)];
}

async function askDocker(
  context: Context,
  target: RemoteTarget,
  system: System,
): Promise<Finding[]> {
  const asked = await ask(context, target, ASK_DOCKER);
  const stdout = afterMark(asked.stdout) ?? "";
  return judgeDocker({ ...asked, stdout }, {
    system,
    where: "there",
    needed: true,
    limitMs: LOOK_LIMIT_MS,
  });
}

// Asked by doing it: what sshd_config says may be changed for one user or address.
async function checkForwarding(
  context: Context,
  { target, system }: { readonly target: RemoteTarget; readonly system: System },
): Promise<Finding> {
  const argv = probeArgv(target, ["-o", "LogLevel=INFO", "-W", "127.0.0.1:22"]);
  const { stdout, stderr } = await look(context, argv);
  return judgeForwarding(stdout + stderr, { forwards: target.forwards, system });
}

/** What became of a connection to the host's own port 22 through it, as a finding. */
export function judgeForwarding(
  output: string,
  { forwards, system }: { readonly forwards: boolean; readonly system: System },
): Finding {
  if (/administratively prohibited/i.test(output)) {
    const found = "sshd forbids it";
    if (!forwards) return ok("forwarding", `${found}, and only --connect port needs it`);
    const remedy = "dockerdo run --connect exec does without";
    return missing("forwarding", found, remedy);
  }
  if (/^SSH-|connection refused/im.test(output)) return ok("forwarding", "sshd allows it");
  const found = "not known: sshd has not answered";
  return forwards
    ? warning("forwarding", found, asAdmin(system, ["sshd -T | grep -i forwarding"]))
    : ok("forwarding", `${found}; only --connect port needs it`);
}

/** sshd's limit of sessions in one connection. */
export function judgeMaxSessions(output: string, system: System): Finding {
  const given = /^\s*maxsessions\s+(\d+)/im.exec(output)?.[1];
  const sessions = given === undefined ? DEFAULT_MAX_SESSIONS : Number(given);
  const found = given === undefined ? `${sessions}, sshd's default` : String(sessions);
  if (sessions >= FEWEST_SESSIONS) return ok("MaxSessions", found);
  const file = "/etc/ssh/sshd_config.d/dockerdo.conf";
  const service = system.family === "debian" ? "ssh" : "sshd";
  const words = [`sh -c 'echo MaxSessions 10 > ${file}'`, `systemctl reload ${service}`];
  return missing(
    "MaxSessions",
    `${found}: a session needs ${FEWEST_SESSIONS}`,
    asAdmin(system, words),
  );
}

/** How far the clocks are apart; the time that the question took says how well that is known. */
export function judgeClock(
  output: string,
  { began, ended, system }: {
    /** Milliseconds since the epoch. */
    readonly began: number;
    readonly ended: number;
    readonly system: System;
  },
): Finding {
  const there = Number(/^\d{9,}$/m.exec(output)?.[0]);
  if (!Number.isFinite(there)) {
    return warning("clock", "the host did not report its time", asAdmin(system, ["date"]));
  }
  // date(1) cuts the second's fraction off.
  const early = Math.floor(began / 1000) - there;
  const late = there - Math.ceil(ended / 1000);
  const skew = Math.max(early, late, 0);
  if (skew <= SKEW_LIMIT_S) return ok("clock", `at most ${Math.max(1, skew)} s apart`);
  const found = `the host's is ${skew} s ${
    early > 0 ? "behind" : "ahead"
  }: make and the like go by times`;
  return warning("clock", found, asAdmin(system, ["timedatectl set-ntp true"]));
}

function homeSpace(output: string, system: System): Finding[] {
  const line = output.split("\n")[2] ?? "";
  const place = "the home there";
  const remedy = "df -h; du -xhd1 | sort -h | tail";
  const space = judgeSpace(line, { check: "disk there", place, remedy, system });
  return space === undefined ? [] : [space];
}
