import { quoteAll, quoteForLogin } from "../quote.ts";
import type { Session } from "../session/session.ts";
import { type Destination, socketPath, sshConfigPath, sshTo } from "./argv.ts";

/** Where the container's sshd is: reached through docker, or listening on a port of the remote's loopback. */
export interface ContainerEndpoint {
  readonly containerId: string;
  readonly port?: number;
}

/** The overlay's starter in the container: makes what sshd needs, then becomes sshd. */
export const SSHD = "/etc/dockerdo/sshd";

/**
 * The text of the session's ssh_config: ours first, since the first value wins in ssh_config(5), then the
 * user's and the system's, so that a jump host or a key configured for the remote host goes on working.
 */
export function sshConfig(session: Session, endpoint: ContainerEndpoint | undefined): string {
  const blocks: string[] = [];
  if (session.remoteHost !== null) {
    const { name, user, port } = session.remoteHost;
    blocks.push(block(name, [
      ...(user === null ? [] : [`User ${user}`]),
      ...(port === null ? [] : [`Port ${port}`]),
      ...shared(session, "remote"),
    ]));
  }
  if (endpoint !== undefined) {
    blocks.push(block("container", [
      ...route(session, endpoint),
      `User ${session.user}`,
      ...shared(session, "container"),
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
      "PubkeyAuthentication yes",
      "PreferredAuthentications publickey",
      ...(session.identityFile === null ? [] : [
        `IdentityFile ${configValue(session.identityFile)}`,
        "IdentitiesOnly yes",
      ]),
      "ForwardAgent no",
      "ForwardX11 no",
      "SendEnv DODO_*",
    ]));
  }
  return [
    "# Written by dockerdo; the next `dockerdo run` writes it again.",
    "# Use it with any ssh tool: ssh -F THIS_FILE container",
    ...blocks,
    "Match all",
    "Include ~/.ssh/config",
    "Include /etc/ssh/ssh_config",
    "",
  ].join("\n");
}

function block(host: string, lines: readonly string[]): string {
  return [`Host ${host}`, ...lines.map((line) => `  ${line}`)].join("\n");
}

function shared(session: Session, destination: Destination): string[] {
  return [
    "ControlMaster auto",
    `ControlPath ${configValue(socketPath(session, destination))}`,
    "ControlPersist yes",
    "ServerAliveInterval 5",
    "ServerAliveCountMax 3",
    "ConnectTimeout 10",
    "RemoteCommand none",
    "RequestTTY auto",
    "SessionType default",
    "StdinNull no",
    "ForkAfterAuthentication no",
    "ProxyUseFdpass no",
    "PermitLocalCommand no",
    "LogLevel ERROR",
  ];
}

function route(session: Session, { containerId, port }: ContainerEndpoint): string[] {
  const remote = session.remoteHost?.name;
  if (port !== undefined) {
    return [
      "HostName 127.0.0.1",
      `Port ${port}`,
      remote === undefined ? "ProxyCommand none" : `ProxyJump ${remote}`,
    ];
  }
  const sshd = ["docker", "exec", "-i", "-u", "0", containerId, SSHD, "-i"];
  const proxy = remote === undefined
    ? sshd
    : sshTo(session, "remote", { line: quoteForLogin(sshd) });
  return ["HostName container", `ProxyCommand ${quoteAll(proxy).replaceAll("%", "%%")}`];
}

function configValue(path: string): string {
  const escaped = path.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%");
  return `"${escaped}"`;
}

/** Writes the session's ssh_config, with or without a container to reach. */
export async function writeSshConfig(
  session: Session,
  endpoint: ContainerEndpoint | undefined,
): Promise<void> {
  const path = sshConfigPath(session);
  await Deno.writeTextFile(`${path}~`, sshConfig(session, endpoint), { mode: 0o600 });
  await Deno.rename(`${path}~`, path);
}
