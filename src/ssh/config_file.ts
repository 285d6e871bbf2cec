import type { Context } from "../process/context.ts";
import { quoteAll, quoteForLogin } from "../quote.ts";
import type { RemoteHost } from "../session/remote_host.ts";
import type { Session } from "../session/session.ts";
import { OUR_SETTINGS, type UserSettings, userSettings } from "./user_settings.ts";
import { type Destination, ENGINE, socketPath, sshConfigPath, sshTo } from "./argv.ts";

/** Where the container's sshd is: reached through docker, or listening on a port of the remote's loopback. */
export interface ContainerEndpoint {
  readonly containerId: string;
  readonly port?: number;
}

/** The overlay's starter in the container: makes what sshd needs, then becomes sshd. */
export const SSHD = "/etc/dockerdo/sshd";

/**
 * The words after `docker` that run a program of ours in a container as root: in a directory that is there, whatever
 * became of the image's WORKDIR, and with no library that its variables name.
 */
export function execAsRoot(containerId: string, words: readonly string[]): string[] {
  const clean = ["LD_LIBRARY_PATH", "LD_PRELOAD"].flatMap((name) => ["-e", `${name}=`]);
  return ["exec", "-i", "-u", "0", "-w", "/", ...clean, containerId, ...words];
}

/**
 * The text of the container's ssh_config, complete by itself: nothing of the user's and the system's files reaches
 * the container, where they would offer keys, variables and forwards to whoever is in it. (`Match exec` in a file
 * that is included is run even below a `Host` that does not match.)
 */
export function containerConfig(
  session: Session,
  endpoint: ContainerEndpoint | undefined,
  { settings = OUR_SETTINGS }: { readonly settings?: UserSettings } = {},
): string {
  const lines = endpoint === undefined ? [] : [block("container", [
    ...routeLines(session, endpoint, { settings }),
    `User ${session.user}`,
    ...shared(session, "container", { settings }),
    `HostKeyAlias dockerdo-${session.id}`,
    `UserKnownHostsFile ${configValue(`${session.dir}/known_hosts`)}`,
    "GlobalKnownHostsFile /dev/null",
    "StrictHostKeyChecking yes",
    "HostKeyAlgorithms ssh-ed25519",
    "UpdateHostKeys no",
    "VerifyHostKeyDNS no",
    "CheckHostIP no",
    "KnownHostsCommand none",
    "NoHostAuthenticationForLocalhost no",
    "CanonicalizeHostname no",
    "PubkeyAuthentication yes",
    "PreferredAuthentications publickey",
    ...agentLines(settings),
    ...(session.identityFile === null ? [] : [
      `IdentityFile ${configValue(session.identityFile)}`,
      "IdentitiesOnly yes",
    ]),
    "SendEnv DODO_? DODO_?? DODO_TOKEN",
    "SetEnv SHLVL=1",
  ])];
  return [
    "# Written by dockerdo; the next `dockerdo run` writes it again.",
    "# Use it with any ssh tool: ssh -F THIS_FILE container",
    ...lines,
    "",
  ].join("\n");
}

/**
 * The text of the remote host's ssh_config: ours first, since the first value wins in ssh_config(5), then the user's
 * and the system's, so that a jump host or a key configured for the remote host still works. `system` is the
 * line or the text that stands for the system's.
 */
export function remoteConfig(
  { name, user, port }: RemoteHost,
  session: Session,
  { system, settings = OUR_SETTINGS }: {
    readonly system: string;
    readonly settings?: UserSettings;
  },
): string {
  return [
    "# Written by dockerdo. The container's configuration is ssh_config, beside this file.",
    block(name, [
      ...(user === null ? [] : [`User ${user}`]),
      ...(port === null ? [] : [`Port ${port}`]),
      ...shared(session, "remote", { settings }),
    ]),
    "Match all",
    "Include ~/.ssh/config",
    system,
    "",
  ].join("\n");
}

const SYSTEM_CONFIGS = ["/etc/ssh/ssh_config", "/usr/etc/ssh/ssh_config"];

/**
 * What stands for the system's ssh_config: an Include of it; or its text, where ssh would refuse to include it for
 * its owner or mode, which it does not look at in the system's own place.
 */
export async function systemConfig(paths: readonly string[] = SYSTEM_CONFIGS): Promise<string> {
  for (const path of paths) {
    try {
      const { uid, mode } = await Deno.stat(path);
      if ((uid === 0 || uid === Deno.uid()) && ((mode ?? 0) & 0o022) === 0) {
        return `Include ${path}`;
      }
      const text = await Deno.readTextFile(path);
      // Relative to the directory of the file that includes, which for the system's is not ~/.ssh.
      return text.replaceAll(
        /^(\s*Include[\s=]+)(.*)$/gim,
        (_, word: string, names: string) =>
          word + names.replaceAll(/(^|\s)(?![~/"\s])(\S+)/g, `$1${path.replace(/[^/]*$/, "")}$2`),
      );
    } catch {
      // Not there, or not for us to read: then ssh would not read it either.
    }
  }
  return "";
}

function block(host: string, lines: readonly string[]): string {
  return [`Host ${host}`, ...lines.map((line) => `  ${line}`)].join("\n");
}

/** The agent by which ssh finds keys, where the user's configuration names one. */
export function agentLines({ identityAgent }: UserSettings): string[] {
  if (identityAgent === undefined) return [];
  const isPath = identityAgent.startsWith("/");
  return [`IdentityAgent ${isPath ? configValue(identityAgent) : identityAgent}`];
}

function shared(
  session: Session,
  destination: Destination,
  { settings: { alive, connectTimeout } }: { readonly settings: UserSettings },
): string[] {
  return [
    "ControlMaster auto",
    `ControlPath ${configValue(socketPath(session, destination))}`,
    // A mount and a command keep it; an unused master ends after half a day.
    "ControlPersist 12h",
    `ServerAliveInterval ${alive.interval}`,
    `ServerAliveCountMax ${alive.count}`,
    `ConnectTimeout ${connectTimeout}`,
    "RemoteCommand none",
    "RequestTTY auto",
    "SessionType default",
    "StdinNull no",
    "ForkAfterAuthentication no",
    "ProxyUseFdpass no",
    "PermitLocalCommand no",
    "ForwardAgent no",
    "ForwardX11 no",
    "ForwardX11Trusted no",
    "Tunnel no",
    "LogLevel ERROR",
  ];
}

/**
 * How ssh gets to the container's sshd: through a program whose `words` these are, or without one. `options` are of the
 * ssh to the remote host.
 */
export function route(
  session: Session,
  { containerId, port }: ContainerEndpoint,
  { options = [], settings = OUR_SETTINGS }: {
    readonly options?: readonly string[];
    readonly settings?: UserSettings;
  } = {},
): {
  readonly hostName: string;
  readonly port?: number;
  readonly words: readonly string[] | undefined;
} {
  const remote = session.remoteHost?.name;
  if (port !== undefined) {
    const config = sshConfigPath(session, "remote");
    // By hand: of ProxyJump ssh makes a line of shell in which it quotes nothing.
    const words = remote === undefined
      ? undefined
      : ["ssh", "-F", config, ...options, "-W", `127.0.0.1:${port}`, "--", remote];
    return { hostName: "127.0.0.1", port, words };
  }
  return {
    hostName: "container",
    words: dockerWords(session, containerId, { options, ofSshd: aliveOptions(settings) }),
  };
}

// Where ssh is to wait longer, so is the container's sshd; yet it gives up first, as its sshd_config has it.
function aliveOptions({ alive }: UserSettings): string[] {
  if (alive === OUR_SETTINGS.alive) return [];
  const interval = Math.floor(alive.interval * alive.count / 4);
  return ["-o", `ClientAliveInterval=${interval}`, "-o", "ClientAliveCountMax=2"];
}

function dockerWords(
  session: Session,
  containerId: string,
  { options = [], ofSshd = [] }: {
    readonly options?: readonly string[];
    readonly ofSshd?: readonly string[];
  },
): string[] {
  const sshd = [ENGINE.program, ...execAsRoot(containerId, [SSHD, "-i", ...ofSshd])];
  // ssh skips whole lines before the server's first one: noise of a login shell need not end its line.
  return session.remoteHost === null
    ? sshd
    : sshTo(session, "remote", { line: `echo; ${quoteForLogin(sshd)}`, options });
}

/** The ProxyCommand that starts sshd in a container by docker exec, with its log on stderr. */
export function loggingProxy(session: Session, containerId: string): string {
  return proxyLine(dockerWords(session, containerId, { ofSshd: ["-e"] }));
}

function routeLines(
  session: Session,
  endpoint: ContainerEndpoint,
  options: { readonly settings: UserSettings },
): string[] {
  const { hostName, port, words } = route(session, endpoint, options);
  return [
    `HostName ${hostName}`,
    ...port === undefined ? [] : [`Port ${port}`],
    `ProxyCommand ${words === undefined ? "none" : proxyLine(words)}`,
  ];
}

function proxyLine(argv: readonly string[]): string {
  return quoteAll(argv).replaceAll("%", "%%");
}

/** A path as a value of ssh_config. */
export function configValue(path: string): string {
  const escaped = path.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%");
  return `"${escaped}"`;
}

/** Writes the session's ssh_config files, with or without a container to reach. */
export async function writeSshConfig(
  context: Context,
  session: Session,
  { endpoint }: { readonly endpoint: ContainerEndpoint | undefined },
): Promise<void> {
  const settings = session.remoteHost === null && endpoint === undefined
    ? OUR_SETTINGS
    : await userSettings(context, session.remoteHost);
  if (session.remoteHost !== null) {
    const system = await systemConfig();
    const text = remoteConfig(session.remoteHost, session, { system, settings });
    await replaceFile(sshConfigPath(session, "remote"), text);
  }
  await replaceFile(
    sshConfigPath(session, "container"),
    containerConfig(session, endpoint, { settings }),
  );
}

/** Writes a file of this user's alone whole: a reader sees the old one or the new one. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(`${path}~`, text, { mode: 0o600 });
  await Deno.rename(`${path}~`, path);
}
