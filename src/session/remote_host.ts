import { usageFailure } from "../error.ts";

/** The remote host as ssh gets it. */
export interface RemoteHost {
  /** The name that the user's ssh configuration knows; also the name of the mount point. */
  readonly name: string;
  readonly user: string | null;
  readonly port: number | null;
}

// The session's container, and ProxyJump's word for no jump at all.
const RESERVED = /^(container|none)$/i;

/** Reads `host`, `user@host`, `[::1]` or `ssh://user@host:22` as a {@link RemoteHost}. */
export function parseRemoteHost(text: string): RemoteHost {
  const match =
    /^(?:ssh:\/\/)?(?:([^@\s/]+)@)?(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^@\s/:[\]]+))(?::(\d{1,5}))?\/?$/
      .exec(text);
  const name = match?.[2] ?? match?.[3] ?? "";
  const user = match?.[1] ?? null;
  const port = match?.[4] === undefined ? null : Number(match[4]);
  const usable = /^[A-Za-z0-9_:][A-Za-z0-9_.:%-]*$/.test(name) &&
    (user === null || /^[A-Za-z0-9_][A-Za-z0-9_.@+-]*$/.test(user)) &&
    (port === null || (port > 0 && port < 65536));
  if (!usable || RESERVED.test(name)) {
    throw usageFailure(
      `${JSON.stringify(text)} cannot be a remote host`,
      RESERVED.test(name)
        ? `The name ${name} is reserved: give the host another alias in ~/.ssh/config.`
        : "Write HOST, USER@HOST, [IPV6] or ssh://USER@HOST:PORT; for other options use ~/.ssh/config.",
    );
  }
  return { name, user, port };
}

/** Where the engine of a session is, as a line of progress names it. */
export function enginePlace(
  { remoteHost }: { readonly remoteHost: RemoteHost | null },
): "local" | "remote" {
  return remoteHost === null ? "local" : "remote";
}

/** A remote host as a user writes it: what {@link parseRemoteHost} reads. */
export function remoteHostText({ name, user, port }: RemoteHost): string {
  const plain = name.includes(":") ? `[${name}]` : name;
  return `${user === null ? "" : `${user}@`}${plain}${port === null ? "" : `:${port}`}`;
}

/** A remote host as ssh's words for it, for a line that a person is to type. */
export function remoteHostForSsh({ name, user, port }: RemoteHost): string {
  return `${port === null ? "" : `-p ${port} `}${user === null ? "" : `${user}@`}${name}`;
}
