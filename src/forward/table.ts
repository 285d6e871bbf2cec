import { Failure, usageFailure } from "../error.ts";
import { lockFile } from "../session/lock.ts";
import type { Session } from "../session/session.ts";

/** A port of one side that is reachable on the loopback of the other, over the container's control master. */
export interface Forward {
  /** local: the container's port is reachable here; reverse: the local host's is reachable there. */
  readonly direction: "local" | "reverse";
  readonly containerPort: number;
  readonly localPort: number;
  /** Of direction local: the loopback addresses that listen here. */
  readonly addresses: readonly string[];
  /** The process in the container, where `--auto` has found the port; null: a person has asked for it. */
  readonly process: string | null;
}

/** The two ports of a forward as a person writes them; without a first one it is to be the same. */
export interface Ports {
  readonly listening: number;
  readonly connecting: number;
}

/** Reads `PORT` or `LISTENING:CONNECTING`. */
export function parsePorts(text: string): Ports {
  const match = /^(?:(\d{1,5}):)?(\d{1,5})(?:\/tcp)?$/.exec(text);
  const connecting = Number(match?.[2] ?? 0);
  const listening = Number(match?.[1] ?? connecting);
  const isPort = (port: number): boolean => port > 0 && port < 65536;
  if (isPort(listening) && isPort(connecting)) return { listening, connecting };
  throw usageFailure(
    `${JSON.stringify(text)} is no port that can be forwarded`,
    /\/udp$/.test(text)
      ? "ssh forwards TCP only."
      : "Write PORT or LOCAL:PORT, each from 1 to 65535; with --reverse PORT or CONTAINER:LOCAL.",
  );
}

function tablePath(session: Session): string {
  return `${session.dir}/forwards.json`;
}

/** The forwards that a session is to have, whether its master is up or not. */
export async function readForwards(session: Session): Promise<readonly Forward[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(tablePath(session));
  } catch {
    return [];
  }
  try {
    const found: unknown = JSON.parse(text);
    if (Array.isArray(found) && found.every(isForward)) return found;
  } catch {
    // Said below, with the other ways in which the file can be wrong.
  }
  throw new Failure(`${tablePath(session)} is damaged`, {
    hint: "Remove it, and ask for the forwards again: dockerdo forward PORT",
  });
}

function isForward(value: unknown): value is Forward {
  if (value === null || typeof value !== "object") return false;
  const { direction, containerPort, localPort, addresses, process } = value as Record<
    keyof Forward,
    unknown
  >;
  return (direction === "local" || direction === "reverse") && Number.isInteger(containerPort) &&
    Number.isInteger(localPort) && Array.isArray(addresses) &&
    addresses.every((address) => typeof address === "string") &&
    (process === null || typeof process === "string");
}

/**
 * Changes the table under a lock, which is held while `change` opens and closes what it says: two commands at
 * once never ask the master for the same.
 */
export async function changeForwards(
  session: Session,
  change: (forwards: readonly Forward[]) => Promise<readonly Forward[]>,
): Promise<void> {
  using _lock = await lockFile(`${session.dir}/forwards.lock`);
  const before = await readForwards(session);
  const after = await change(before);
  if (after === before) return;
  const path = tablePath(session);
  await Deno.writeTextFile(`${path}~`, `${JSON.stringify(after, null, 2)}\n`, { mode: 0o600 });
  await Deno.rename(`${path}~`, path);
}

/** Forgets every forward of a session whose master is gone. Does nothing without forwards. */
export async function dropForwards(session: Session): Promise<void> {
  await Deno.remove(tablePath(session)).catch(() => {});
}
