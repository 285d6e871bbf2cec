import { capture } from "../process/child.ts";
import type { Context } from "../process/context.ts";

/** A TCP socket in the table of a network namespace. */
export interface Socket {
  /** In hexadecimal digits, as the kernel writes it. */
  readonly address: string;
  readonly port: number;
  readonly listens: boolean;
  /** Of a socket that listens, the number by which its process can be found. */
  readonly inode: number;
}

const LISTEN = "0A";
const ESTABLISHED = "01";

// Words of 32 bits in the byte order of the machine: both are here, and neither is an address in the other.
const LOOPBACK =
  /^(0100007F|7F000001|0{24}(01000000|00000001)|0{16}(FFFF0000|0000FFFF)(0100007F|7F000001))$/;

/** Whether `localhost` reaches what listens on this address: loopback itself, or every address. */
export function isLocal(address: string): boolean {
  return LOOPBACK.test(address) || /^0+$/.test(address);
}

/** The sockets in the text of /proc/net/tcp and tcp6 (proc(5)) that listen or are connected. */
export function parseSockets(text: string): Socket[] {
  return text.split("\n").flatMap((line) => {
    const [, own = "", , state, , , , , , inode] = line.trim().split(/\s+/);
    const [address = "", port = ""] = own.split(":");
    if (!/^[0-9A-F]{4}$/.test(port) || (state !== LISTEN && state !== ESTABLISHED)) return [];
    const listens = state === LISTEN;
    return [{ address, port: parseInt(port, 16), listens, inode: Number(inode) }];
  });
}

/** The local host's sockets; undefined where there is no /proc to ask. */
export async function localSockets(context: Context): Promise<readonly Socket[] | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  // Deno itself opens nothing below /proc without all permissions. A kernel without IPv6 has one file only.
  const { stdout } = await capture(context, ["cat", "/proc/net/tcp", "/proc/net/tcp6"], {
    readOnly: true,
  });
  return parseSockets(stdout);
}

/** The addresses of the local host that `localhost` can be. */
export async function loopbackAddresses(context: Context): Promise<readonly string[]> {
  if (Deno.build.os !== "linux") return ["127.0.0.1", "::1"];
  const { stdout } = await capture(context, ["cat", "/proc/net/if_inet6"], { readOnly: true });
  return /^0{31}1 /m.test(stdout) ? ["127.0.0.1", "::1"] : ["127.0.0.1"];
}
