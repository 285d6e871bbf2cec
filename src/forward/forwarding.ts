import { Failure } from "../error.ts";
import { progress } from "../output.ts";
import { capture } from "../process/child.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { socketPath } from "../ssh/argv.ts";
import { startAuto, stopAuto } from "./background.ts";
import { isLocal, localSockets, loopbackAddresses, type Socket } from "./sockets.ts";
import { changeForwards, type Forward, readForwards } from "./table.ts";

const LIMIT_MS = 10_000;
/** How many local ports after a taken one are tried. */
const TRIES = 100;

/** A forward of direction local as it is asked for. */
export interface ForwardRequest {
  readonly containerPort: number;
  readonly localPort: number;
  /** Fail where the local port is taken. */
  readonly exact: boolean;
  readonly process: string | null;
  /** Local ports that others are to have, so they do not take the place of a taken one. */
  readonly avoid: readonly number[];
}

/**
 * Makes a port of the container reachable on the local host's loopback, and returns the forward. A port that is taken here gets the next free one, unless `exact`. What is forwarded already stays.
 */
export async function openForward(
  context: Context,
  session: Session,
  wanted: ForwardRequest,
): Promise<Forward> {
  const { containerPort, localPort, process } = wanted;
  let made: Forward | undefined;
  await changeForwards(session, async (forwards) => {
    const same = forwards.find((one) =>
      one.direction === "local" && one.containerPort === containerPort &&
      (one.localPort === localPort || process !== null)
    );
    if (same !== undefined) {
      made = same;
      await open(context, session, same);
      return forwards;
    }
    made = await openSomewhere(context, session, wanted);
    return [...forwards, made];
  });
  if (made === undefined) throw new Error("the table was not changed");
  return made;
}

async function openSomewhere(
  context: Context,
  session: Session,
  wanted: ForwardRequest,
): Promise<Forward> {
  const { containerPort, localPort, exact, process, avoid } = wanted;
  const addresses = await loopbackAddresses(context);
  const taken = await localSockets(context);
  for (const candidate of exact ? [localPort] : candidates(localPort)) {
    if (taken !== undefined && listensHere(taken, candidate)) continue;
    if (candidate !== localPort && avoid.includes(candidate)) continue;
    const forward: Forward = {
      direction: "local",
      containerPort,
      localPort: candidate,
      addresses,
      process,
    };
    if (await open(context, session, forward) === undefined) return forward;
  }
  throw new Failure(`port ${localPort} of the local host is taken`, {
    hint: exact
      ? `Without --exact the next free port is used; or choose one: dockerdo forward LOCAL:${containerPort}`
      : `Choose another one: dockerdo forward LOCAL:${containerPort}`,
  });
}

/** The port itself, then those after it; those below 1024 are root's, so for them 80 becomes 8080. */
export function candidates(port: number): number[] {
  const first = port < 1024 ? [port, port + 8000] : [port];
  const last = first.at(-1) ?? port;
  const further = Array.from({ length: TRIES }, (_, at) => last + 1 + at);
  return [...first, ...further].filter((candidate) => candidate < 65536);
}

function listensHere(sockets: readonly Socket[], port: number): boolean {
  return sockets.some((socket) =>
    socket.listens && socket.port === port && isLocal(socket.address)
  );
}

/** Makes a port of the local host's loopback reachable on the container's. */
export async function openReverse(
  context: Context,
  session: Session,
  { containerPort, localPort }: { readonly containerPort: number; readonly localPort: number },
): Promise<void> {
  const forward: Forward = {
    direction: "reverse",
    containerPort,
    localPort,
    addresses: [],
    process: null,
  };
  await changeForwards(session, async (forwards) => {
    const other = forwards.find((one) =>
      one.direction === "reverse" && one.containerPort === containerPort
    );
    if (other !== undefined && other.localPort !== localPort) {
      throw new Failure(
        `port ${containerPort} of the container leads to ${other.localPort} here already`,
        { hint: `dockerdo forward --reverse --remove ${containerPort}` },
      );
    }
    const problem = await open(context, session, forward);
    if (problem !== undefined) {
      throw new Failure(`port ${containerPort} of the container cannot be used: ${problem}`, {
        hint:
          `Is it taken in the container? Choose another one: dockerdo forward --reverse PORT:${localPort}`,
      });
    }
    return other === undefined ? [...forwards, forward] : forwards;
  });
}

/** Ends forwards and takes them off the table. Returns how many connections through them are still open. */
export async function closeForwards(
  context: Context,
  session: Session,
  isMeant: (forward: Forward) => boolean,
): Promise<readonly { readonly forward: Forward; readonly connections: number }[]> {
  const closed: { forward: Forward; connections: number }[] = [];
  await changeForwards(session, async (forwards) => {
    const meant = forwards.filter(isMeant);
    if (meant.length === 0) return forwards;
    const sockets = await localSockets(context) ?? [];
    for (const forward of meant) {
      for (const words of argumentsOf(forward)) {
        await control(context, session, { verb: "cancel", words });
      }
      const connections = sockets.filter(({ listens, port, address }) =>
        !listens && forward.direction === "local" && port === forward.localPort && isLocal(address)
      ).length;
      closed.push({ forward, connections });
    }
    return forwards.filter((forward) => !isMeant(forward));
  });
  return closed;
}

// $@ the ssh that asks for it. After a lost link the sshd of before listens on the port until it notices.
const RETRY = `{
  i=0
  until "$@"; do i=$((i + 1)); [ "$i" -lt 30 ] || exit; sleep 2; done
} </dev/null >/dev/null 2>&1 &`;

/**
 * Asks a new master for everything that the table has, and starts the `forward --auto` that the session is to have.
 * What cannot be had again is said on stderr.
 */
export async function restoreForwards(context: Context, session: Session): Promise<void> {
  await restoreTable(context, session);
  await startAuto(context, session);
}

/** To be called before the master ends: what `forward --auto` made is closed; the rest of the table is for the next master. */
export async function suspendForwards(context: Context, session: Session): Promise<void> {
  await stopAuto(context, session);
}

async function restoreTable(context: Context, session: Session): Promise<void> {
  if (context.dryRun || (await readForwards(session)).length === 0) return;
  await changeForwards(session, async (forwards) => {
    for (const forward of forwards) {
      const problem = await open(context, session, forward);
      if (problem === undefined) continue;
      if (forward.direction === "reverse") {
        for (const words of argumentsOf(forward)) {
          const argv = controlArgv(session, { verb: "forward", words });
          await capture(context, ["sh", "-c", RETRY, "sh", ...argv], { detached: true });
        }
      } else {
        progress(context, "local", `Port ${forward.localPort} is not forwarded: ${problem}`);
      }
    }
    return forwards;
  });
}

/** Asks the master for a forward, for all of it or nothing; returns what was wrong. */
async function open(
  context: Context,
  session: Session,
  forward: Forward,
): Promise<string | undefined> {
  const opened: string[][] = [];
  for (const words of argumentsOf(forward)) {
    const { code, stderr } = await control(context, session, { verb: "forward", words });
    if (code === 0) {
      opened.push(words);
      continue;
    }
    for (const words of opened) await control(context, session, { verb: "cancel", words });
    return stderr.trim().split("\n").at(-1)?.replace(/^.*request failed: /, "") || "ssh refused it";
  }
  return undefined;
}

// One request each: of several in one call ssh may do some and fail. They are cancelled by the same words.
function argumentsOf(
  { direction, containerPort, localPort, addresses }: Forward,
): string[][] {
  if (direction === "reverse") {
    return [["-R", `localhost:${containerPort}:localhost:${localPort}`]];
  }
  return addresses.map((address) => ["-L", `[${address}]:${localPort}:localhost:${containerPort}`]);
}

function control(
  context: Context,
  session: Session,
  request: { readonly verb: "forward" | "cancel"; readonly words: readonly string[] },
): ReturnType<typeof capture> {
  return capture(context, controlArgv(session, request), { limitMs: LIMIT_MS });
}

// Not by the session's ssh_config, where the user's own forwards of `Host *` would be asked for as well.
function controlArgv(
  session: Session,
  { verb, words }: { readonly verb: "forward" | "cancel"; readonly words: readonly string[] },
): string[] {
  const socket = socketPath(session, "container").replaceAll("%", "%%");
  return ["ssh", "-F", "/dev/null", "-S", socket, "-O", verb, ...words, "container"];
}

/** A forward, and whether something listens for it. */
export interface ForwardState extends Forward {
  readonly open: boolean;
}

/** What the table has, and what of it is there; a master cannot be asked. */
export async function forwardStates(
  context: Context,
  session: Session,
  { masterUp }: { readonly masterUp: boolean },
): Promise<ForwardState[]> {
  const forwards = await readForwards(session);
  const sockets = forwards.length > 0 && masterUp ? await localSockets(context) : undefined;
  return forwards.map((forward) => ({
    ...forward,
    open: masterUp && (forward.direction === "reverse" || sockets === undefined ||
      listensHere(sockets, forward.localPort)),
  }));
}

/** A forward as a person reads it: `localhost:5173 <- 5173 node`. */
export function forwardText(
  { direction, containerPort, localPort, process, open }: ForwardState,
): string {
  const text = direction === "reverse"
    ? `container localhost:${containerPort} -> local ${localPort}`
    : `${
      [String(containerPort), ...process === null ? [] : [process]].join(" ")
    } -> localhost:${localPort}`;
  return open ? text : `${text} (down)`;
}
