import { loadConfig } from "../config/config.ts";
import { configPath } from "../config/yaml_file.ts";
import { type UserConfig } from "../config/schema.ts";
import { Failure } from "../error.ts";
import { readPrivateKey } from "../ssh/private_key.ts";
import { findPublicKey } from "../ssh/public_key.ts";
import { userDirectory } from "../paths.ts";
import { capture, type Finished } from "../process/child.ts";
import { isOnPath } from "../process/search_path.ts";
import { type Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { quote } from "../quote.ts";
import { LONGEST_SOCKET_PATH, socketPlace } from "../ssh/master.ts";
import { ASK_DOCKER, judgeDocker, judgeSpace } from "./docker.ts";
import { type Finding, missing, ok, warning } from "./finding.ts";
import { asAdmin, install, type System, systemOf } from "./remedy.ts";
import { ENGINE } from "../ssh/argv.ts";

const LOOK_LIMIT_MS = 5000;
// The session's ssh_config has SessionType, StdinNull and ForkAfterAuthentication.
const OLDEST_SSH = 8.7;

/** What kind of system this one is. */
export async function localSystem(context: Context): Promise<System> {
  const script = "id -u; [ -d /run/systemd/system ] && echo systemd; cat /etc/os-release";
  const { stdout } = await look(context, ["sh", "-c", script]);
  return systemOf({
    os: Deno.build.os === "darwin" ? "macos" : "linux",
    release: stdout,
    root: /^0$/m.test(stdout.split("\n", 1)[0] ?? ""),
    systemd: /^systemd$/m.test(stdout),
  });
}

function look(context: Context, argv: readonly string[]): Promise<Finished> {
  return capture(context, argv, { readOnly: true, limitMs: LOOK_LIMIT_MS, detached: true });
}

/** Whether the user's configuration is as it should be; and the configuration, if it is. */
export async function checkConfig(
  context: Context,
): Promise<{ readonly config: UserConfig | undefined; readonly findings: Finding[] }> {
  const path = configPath(context);
  let warnings = "";
  try {
    const config = await loadConfig({ ...context, stderr: (text) => void (warnings += text) });
    const there = await Deno.lstat(path).then(() => path, () => `no ${path}: the defaults apply`);
    const said = warnings.trim().replaceAll(/^dockerdo: /gm, "");
    const finding = said === ""
      ? ok("configuration", there)
      : warning("configuration", said, "dockerdo config");
    return { config, findings: [finding] };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const remedy = `\${EDITOR:-vi} ${quote(path)}`;
    return { config: undefined, findings: [missing("configuration", error.message, remedy)] };
  }
}

export async function checkSsh(context: Context, system: System): Promise<Finding[]> {
  if (!await isOnPath(context, "ssh")) {
    return [missing("ssh", "not installed", install(system, "ssh"))];
  }
  const { stdout, stderr } = await look(context, ["ssh", "-V"]);
  const version = (stderr + stdout).trim().split(/[,\n]/, 1)[0] ?? "";
  const number = Number(/OpenSSH_(?:for_Windows_)?(\d+\.\d+)/.exec(version)?.[1]);
  if (!(number < OLDEST_SSH)) return [ok("ssh", version)];
  return [
    missing("ssh", `${version} is too old: it must be ${OLDEST_SSH}`, install(system, "ssh")),
  ];
}

/** The key that opens host and container, and the agent that may hold it. */
export async function checkKey(
  context: Context,
  config: UserConfig | undefined,
  session: Pick<Session, "remoteHost">,
): Promise<Finding[]> {
  const agent = await look(context, ["ssh-add", "-l"]).catch(() => undefined);
  const held = agent?.code === 0 ? agent.stdout.trim().split("\n").length : 0;
  let said = "";
  const quiet = { ...context, stderr: (text: string) => void (said += text) };
  try {
    const { line, file } = await findPublicKey(quiet, config?.ssh_key_path ?? null, session);
    const name = file ?? `the agent's ${line.split(" ", 1)[0]}`;
    const key = said === ""
      ? ok("ssh key", name)
      : warning("ssh key", `${said.trim().replace(/^dockerdo: /, "")}: ${name}`, "dockerdo config");
    return [key, await judgeAgent({ file, held, runs: agent !== undefined && agent.code !== 2 })];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const remedy = error.message.startsWith("no ssh key")
      ? "ssh-keygen -t ed25519"
      : error.hint ?? "ssh-keygen -t ed25519";
    return [missing("ssh key", error.message, remedy)];
  }
}

async function judgeAgent(
  { file, held, runs }: {
    readonly file: string | null;
    readonly held: number;
    readonly runs: boolean;
  },
): Promise<Finding> {
  if (held > 0) return ok("ssh agent", `holds ${held} ${held === 1 ? "key" : "keys"}`);
  const state = runs ? "holds no key" : "none";
  const text = file === null ? "" : await Deno.readTextFile(file).catch(() => "");
  if (readPrivateKey(text)?.encrypted !== true) {
    return ok("ssh agent", `${state}; ${file} needs none`);
  }
  const start = runs ? "" : 'eval "$(ssh-agent)" && ';
  const why = `${state}, and ${file} has a passphrase, which only a terminal can be asked for`;
  return warning("ssh agent", why, `${start}ssh-add ${quote(file ?? "")}`);
}

export async function checkSshfs(context: Context, system: System): Promise<Finding[]> {
  if (!await isOnPath(context, "sshfs")) {
    return [missing("sshfs", "not installed", install(system, "sshfs"))];
  }
  const { stdout, stderr } = await look(context, ["sshfs", "--version"]);
  const lines = (stdout + stderr).trim().split("\n");
  return [ok("sshfs", lines.find((line) => /^sshfs/i.test(line)) ?? lines[0] ?? "")];
}

/** The kernel's side of a mount, and the user's permission to make one. */
export async function checkFuse(context: Context, system: System): Promise<Finding[]> {
  if (system.family === "macos") return [await checkMacFuse(system)];
  const { code, stderr } = await look(context, ["sh", "-c", "exec 3<>/dev/fuse"]);
  return [
    code === 0 ? ok("FUSE", "/dev/fuse can be opened") : judgeFuse(stderr, system),
    await checkFusermount(context, system),
  ];
}

function judgeFuse(words: string, system: System): Finding {
  if (/operation not permitted/i.test(words)) {
    const remedy = "In a container: docker run --device /dev/fuse --cap-add SYS_ADMIN …";
    return missing("FUSE", "/dev/fuse is not open to this container", remedy);
  }
  if (/permission denied/i.test(words)) {
    const remedy = asAdmin(system, ["chmod 666 /dev/fuse"]);
    return missing("FUSE", "you may not open /dev/fuse", remedy);
  }
  return missing("FUSE", "the kernel has no /dev/fuse", asAdmin(system, ["modprobe fuse"]));
}

async function checkFusermount(context: Context, system: System): Promise<Finding> {
  if (!await isOnPath(context, "fusermount3")) {
    return missing("fusermount3", "not installed", install(system, "fuse"));
  }
  const setuid = await look(context, ["sh", "-c", '[ -u "$(command -v fusermount3)" ]']);
  if (system.root || setuid.code === 0) return ok("fusermount3", "may mount for you");
  const remedy = asAdmin(system, ['chmod u+s "$(command -v fusermount3)"']);
  return warning("fusermount3", "is not setuid root, so it may not mount for you", remedy);
}

const MAC_FUSE = [
  ["macFUSE", "/Library/Filesystems/macfuse.fs"],
  ["FUSE-T", "/Library/Application Support/fuse-t"],
] as const;

async function checkMacFuse(system: System): Promise<Finding> {
  for (const [name, path] of MAC_FUSE) {
    if (await Deno.lstat(path).then(() => true, () => false)) return ok("FUSE", name);
  }
  return missing("FUSE", "neither macFUSE nor FUSE-T is installed", install(system, "fuse"));
}

/** The engine of this host, on which `needed` says whether a session depends. */
export async function checkDocker(
  context: Context,
  { system, needed }: { readonly system: System; readonly needed: boolean },
): Promise<Finding[]> {
  const asked = await isOnPath(context, ENGINE.program)
    ? await look(context, ["sh", "-c", ASK_DOCKER])
    : { code: 127, stdout: "", stderr: "" };
  return judgeDocker(asked, { system, where: "here", needed, limitMs: LOOK_LIMIT_MS });
}

/** Where sessions and control sockets are kept. */
export async function checkPlaces(context: Context, system: System): Promise<Finding[]> {
  const data = userDirectory(context, "DATA");
  const id = "0".repeat(12);
  const runtime = socketPlace(context, id);
  const base = runtime === undefined ? "/tmp" : runtime.slice(0, -`/${id}`.length);
  const writable =
    'd=$1; while [ ! -e "$d" ]; do d=$(dirname "$d"); done; [ -d "$d" ] && [ -w "$d" ]';
  const check = (dir: string): Promise<Finished> =>
    look(context, ["sh", "-c", writable, "sh", dir]);
  const [sessions, sockets, disk] = await Promise.all([
    check(data),
    check(base),
    look(context, ["sh", "-c", 'df -Pk "$HOME" | tail -n 1']),
  ]);
  const space = judgeSpace(disk.stdout, {
    check: "disk here",
    place: context.env["HOME"] ?? "",
    remedy: 'du -xhd1 "$HOME" | sort -h | tail',
    system,
  });
  const longest = `${runtime ?? `/tmp/dockerdo-${id}`}/container`;
  const bytes = new TextEncoder().encode(longest).length;
  const length = `${bytes} of ${LONGEST_SOCKET_PATH} bytes`;
  const wanted = context.env["XDG_RUNTIME_DIR"];
  const instead = wanted !== undefined && wanted !== "" && !runtime?.startsWith(`${wanted}/`)
    ? `, since ${wanted} is not there, not yours alone, or too long`
    : "";
  return [
    sessions.code === 0 ? ok("sessions", data) : missing(
      "sessions",
      `${data} cannot be written`,
      `mkdir -p ${quote(data)} && chmod u+w ${quote(data)}`,
    ),
    ...space === undefined ? [] : [space],
    sockets.code === 0
      ? ok("sockets", `in ${base}${instead}, ${length}`)
      : missing("sockets", `${base} cannot be written`, `ls -ld ${quote(base)}`),
  ];
}
