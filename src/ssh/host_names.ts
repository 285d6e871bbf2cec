import { userDirectory } from "../paths.ts";
import type { Context } from "../process/context.ts";
import { quoteForLogin } from "../quote.ts";
import { lockFile } from "../session/lock.ts";
import { listSessions, type Session } from "../session/session.ts";
import { socketPath } from "./argv.ts";
import { OUR_SETTINGS, type UserSettings, userSettings } from "./user_settings.ts";
import {
  agentLines,
  configValue,
  type ContainerEndpoint,
  replaceFile,
  route,
} from "./config_file.ts";

/** The end of a session's host name: `ssh demo.dockerdo`. */
export const HOST_SUFFIX = ".dockerdo";

/** The file with the host names of all sessions, which one line of `~/.ssh/config` includes. */
export function hostNamesPath(context: Context): string {
  return `${userDirectory(context, "STATE")}/ssh_hosts`;
}

/** The part of {@link hostNamesPath} that is a session's: a file of its directory. */
export function hostBlockPath(session: Session): string {
  return `${session.dir}/ssh_host`;
}

// Runs its arguments, and reports in one sentence why they could not reach the container. $0 is the session's name.
const REACH = 'exec 3>&1; why=$("$@" 2>&1 >&3 3>&-); code=$?; ' +
  'if [ $code = 0 ] || [ -z "$why" ]; then exit $code; fi; case $why in ' +
  '*"not running"*|*"o such container"*|*paused*|*restarting*) ' +
  'why="its container does not run, or has been started again" ;; ' +
  '*) why=$(printf "%s\\n" "$why" | tr -d "\\r" | tail -n 1) ;; esac; ' +
  'echo "dockerdo: cannot connect to the session $0: $why; dockerdo start $0 brings it up" >&2; exit 255';

const REFUSE = 'echo "dockerdo: the session $0 has no container that runs: $1" >&2; exit 255';

/**
 * A session's block for `~/.ssh/config`. There it is read for every host of the user's, so it has only what any ssh
 * of the last years knows and can read, whatever the names; undefined where that is not possible. Whatever a
 * `Host *` of the user's could set is set here; only what ssh adds up (IdentityFile, SendEnv, LocalForward) is not.
 */
export function hostBlock(
  session: Session,
  endpoint: ContainerEndpoint | undefined,
  { settings = OUR_SETTINGS }: { readonly settings?: UserSettings } = {},
): string | undefined {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(session.name)) return undefined;
  const name = session.name + HOST_SUFFIX;
  const lines = [
    ...reach(session, endpoint),
    `User ${session.user}`,
    ...agentLines(settings),
    ...keys(session),
    ...shared(session),
    ...OPTIONS,
  ];
  // ssh knows no such byte in a value, older ones no escape; a variable would be expanded, or be an error.
  if (lines.some((line) => /[\0\r\n]/.test(line))) return undefined;
  const values = lines.filter((line) => !line.startsWith("ProxyCommand "));
  if (values.some((line) => /[\\$]/.test(line))) return undefined;
  return [`Host ${name}`, ...lines.map((line) => `  ${line}`), ""].join("\n");
}

function reach(session: Session, endpoint: ContainerEndpoint | undefined): string[] {
  const through = (script: string, words: readonly string[]): string =>
    `ProxyCommand ${
      quoteForLogin(["sh", "-c", script, session.name, ...words]).replaceAll("%", "%%")
    }`;
  const anyHost = ["HostName container", "Port 22"];
  if (endpoint === undefined) {
    const next = session.containerId === null ? "dockerdo run" : `dockerdo start ${session.name}`;
    return [...anyHost, through(REFUSE, [next]), "LogLevel FATAL"];
  }
  const { words, hostName, port } = route(session, endpoint, {
    // A master that it left behind would keep ssh's stderr open; and nobody answers a question.
    options: ["-o", "ControlMaster=no", "-o", "BatchMode=yes"],
  });
  // Without a program between, ssh itself reports what fails, in one line.
  if (words === undefined) {
    return [`HostName ${hostName}`, `Port ${port}`, "ProxyCommand none", "LogLevel ERROR"];
  }
  return [...anyHost, through(REACH, words), "LogLevel FATAL"];
}

function keys(session: Session): string[] {
  return [
    `HostKeyAlias dockerdo-${session.id}`,
    `UserKnownHostsFile ${configValue(`${session.dir}/known_hosts`)}`,
    "GlobalKnownHostsFile /dev/null",
    "StrictHostKeyChecking yes",
    "HostKeyAlgorithms ssh-ed25519",
    ...session.identityFile === null ? [] : [
      `IdentityFile ${configValue(session.identityFile)}`,
      "IdentitiesOnly yes",
    ],
  ];
}

// The master is the session's to make. In /tmp another user may have taken the socket's name.
function shared(session: Session): string[] {
  const path = session.socketDir === "" || session.socketDir.startsWith("/tmp/")
    ? "none"
    : configValue(socketPath(session, "container"));
  return ["ControlMaster no", `ControlPath ${path}`, "ControlPersist no"];
}

// A "+" of what every ssh has is the default: a list of the user's own would be tried here too.
const OPTIONS = [
  "AddKeysToAgent no",
  "AddressFamily any",
  "BatchMode no",
  "CanonicalizeHostname no",
  "CheckHostIP no",
  "Ciphers +aes128-ctr",
  "Compression no",
  "ConnectTimeout 30",
  "ConnectionAttempts 1",
  "EnableSSHKeysign no",
  "EscapeChar ~",
  "ExitOnForwardFailure no",
  "ForwardAgent no",
  "ForwardX11 no",
  "ForwardX11Trusted no",
  "GSSAPIAuthentication no",
  "GatewayPorts no",
  "HashKnownHosts no",
  "HostbasedAuthentication no",
  "KexAlgorithms +ecdh-sha2-nistp256",
  "MACs +hmac-sha2-256",
  "NoHostAuthenticationForLocalhost no",
  "PasswordAuthentication no",
  "PermitLocalCommand no",
  "PreferredAuthentications publickey",
  "ProxyUseFdpass no",
  "PubkeyAuthentication yes",
  "RemoteCommand none",
  "RequestTTY auto",
  "ServerAliveCountMax 3",
  "ServerAliveInterval 5",
  // With it bash takes no start-up file for a command.
  "SetEnv SHLVL=1",
  "StreamLocalBindUnlink no",
  "TCPKeepAlive yes",
  "Tunnel no",
  "UpdateHostKeys no",
  "VerifyHostKeyDNS no",
  "VisualHostKey no",
];

/** Writes a session's own part of the host names; {@link publishHostNames} brings it to where ssh reads it. */
export async function writeHostBlock(
  context: Context,
  session: Session,
  { endpoint }: { readonly endpoint: ContainerEndpoint | undefined },
): Promise<void> {
  const settings = endpoint === undefined
    ? OUR_SETTINGS
    : await userSettings(context, session.remoteHost);
  await replaceFile(hostBlockPath(session), hostBlock(session, endpoint, { settings }) ?? "");
}

/**
 * Brings {@link hostNamesPath} up to date with the sessions there are; without one there is no file. A failure is one line on stderr: what needs
 * no host name goes on.
 */
export async function publishHostNames(context: Context): Promise<void> {
  if (context.dryRun) return;
  const path = hostNamesPath(context);
  try {
    await Deno.mkdir(userDirectory(context, "STATE"), { recursive: true, mode: 0o700 });
    using _lock = await lockFile(`${path}.lock`);
    const blocks = await Promise.all(
      listSessions(context).sort((a, b) => a.name < b.name ? -1 : 1).map((session) =>
        Deno.readTextFile(hostBlockPath(session)).catch(() => "")
      ),
    );
    if (blocks.every((block) => block === "")) {
      for (const left of [path, `${path}.lock`]) await Deno.remove(left).catch(() => {});
      return;
    }
    const text = [
      "# Written by dockerdo, for each of its sessions; ~/.ssh/config includes it (dockerdo install).\n",
      ...blocks.filter(Boolean),
    ].join("\n");
    if (text !== await Deno.readTextFile(path).catch(() => undefined)) {
      await replaceFile(path, text);
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    context.stderr(`dockerdo: ssh NAME${HOST_SUFFIX} is not up to date: ${why}\n`);
  }
}
