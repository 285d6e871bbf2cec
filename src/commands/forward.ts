import { sessionArgumentsCommand } from "../command_line/command.ts";
import { switchFlag } from "../command_line/flags.ts";
import { Failure, usageFailure } from "../error.ts";
import { announcement, autoForwards } from "../forward/auto.ts";
import { claimAuto, stopAuto } from "../forward/background.ts";
import {
  closeForwards,
  forwardStates,
  forwardText,
  openForward,
  openReverse,
} from "../forward/forwarding.ts";
import { type Forward, parsePorts, type Ports } from "../forward/table.ts";
import { watchPorts } from "../forward/watch.ts";
import { loadConfig } from "../config/config.ts";
import { reconnect } from "../lifecycle/connection.ts";
import { progress } from "../output.ts";
import type { Context } from "../process/context.ts";
import { interruption } from "../process/child.ts";
import { pause } from "../process/pause.ts";
import type { Session } from "../session/session.ts";
import { updateSession } from "../session/store.ts";
import { isMasterAlive } from "../ssh/master.ts";

interface ForwardFlags {
  readonly auto: boolean;
  readonly all: boolean;
  readonly reverse: boolean;
  readonly exact: boolean;
  readonly remove: boolean;
  readonly json: boolean;
}

export const command = sessionArgumentsCommand<ForwardFlags>({
  about:
    "Makes ports of the container's localhost reachable on this host's localhost, over the open connection; nothing " +
    "is published. Forwards are restored after a lost link and by start. Without a port, lists them.\n\n" +
    "  dockerdo forward 5173 5433:5432\n  dockerdo forward --reverse 8080\n  dockerdo forward --auto",
  flags: {
    auto: switchFlag(
      "Forward the container's ports as they come and go, until Ctrl-C; run --forward auto does so in the background",
    ),
    all: switchFlag("With --auto: ephemeral ports and debuggers too"),
    reverse: switchFlag("Make local ports reachable in the container"),
    exact: switchFlag("Fail if the local port is taken, instead of using the next one"),
    remove: switchFlag("End these forwards, or with --auto the one in the background"),
    json: switchFlag("Print JSON"),
  },
  argument: {
    brief: "PORT of the container, or LOCAL:PORT; with --reverse PORT, or CONTAINER:LOCAL",
    placeholder: "port",
  },
  action: forward,
});

async function forward(
  context: Context,
  session: Session,
  flags: ForwardFlags,
  ...words: string[]
): Promise<void> {
  refuseClashes(flags, words);
  const ports = words.map(parsePorts);
  if (flags.auto && flags.remove) return await endAuto(context, session);
  if (flags.remove) return await remove(context, session, { flags, ports });
  if (flags.auto) return await forwardAll(context, session, flags);
  if (ports.length === 0) return await list(context, session, flags);
  const connected = await up(context, session);
  for (const one of ports) {
    if (flags.reverse) {
      const [containerPort, localPort] = [one.listening, one.connecting];
      await openReverse(context, connected, { containerPort, localPort });
      const there = `localhost:${containerPort} -> localhost:${localPort} of the local host`;
      progress(context, "container", there);
    } else {
      const made = await openForward(context, connected, {
        containerPort: one.connecting,
        localPort: one.listening,
        exact: flags.exact,
        process: null,
        avoid: ports.map(({ listening }) => listening),
      });
      const taken = made.localPort === one.listening
        ? ""
        : ` (${one.listening} is taken here; a server that names its own port may notice)`;
      progress(context, "local", `${made.containerPort} -> localhost:${made.localPort}${taken}`);
    }
  }
}

function refuseClashes(flags: ForwardFlags, words: readonly string[]): void {
  if (flags.auto && (words.length > 0 || flags.reverse || flags.exact)) {
    throw usageFailure("--auto finds the ports itself, and takes no option but --all and --remove");
  }
  if (flags.remove && !flags.auto && words.length === 0) {
    throw usageFailure("which forward is to be removed?", "dockerdo forward lists them.");
  }
}

async function up(context: Context, session: Session): Promise<Session> {
  if (session.containerId === null) {
    throw new Failure(`the session ${session.name} has no container`, { hint: "dockerdo run" });
  }
  return await reconnect(context, session, { interactive: Deno.stdin.isTerminal() });
}

async function list(
  context: Context,
  session: Session,
  { json }: { readonly json: boolean },
): Promise<void> {
  const masterUp = await isMasterAlive(context, session, "container");
  const states = await forwardStates(context, session, { masterUp });
  if (json) {
    context.stdout(`${JSON.stringify(states, null, 2)}\n`);
  } else if (states.length === 0) {
    context.stderr("No port is forwarded; dockerdo forward PORT forwards one.\n");
  } else {
    context.stdout(states.map((state) => `${forwardText(state)}\n`).join(""));
  }
}

/** Ends the one in the background or in another terminal, and starts no other with the container. */
async function endAuto(context: Context, session: Session): Promise<void> {
  if (!context.dryRun && session.forward === "auto") {
    await updateSession(session.dir, (stored) => ({ ...stored, forward: "none" }));
  }
  if (await stopAuto(context, session)) return;
  context.stderr("dockerdo: no forward --auto runs for this session\n");
}

async function remove(
  context: Context,
  session: Session,
  { flags, ports }: { readonly flags: ForwardFlags; readonly ports: readonly Ports[] },
): Promise<void> {
  const direction = flags.reverse ? "reverse" : "local";
  for (const { listening, connecting } of ports) {
    const isMeant = (one: Forward): boolean => {
      const [from, to] = flags.reverse
        ? [one.containerPort, one.localPort]
        : [one.localPort, one.containerPort];
      if (one.direction !== direction) return false;
      return listening === connecting
        ? from === listening || to === connecting
        : from === listening && to === connecting;
    };
    const closed = await closeForwards(context, session, isMeant);
    if (closed.length === 0 && !context.dryRun) {
      throw new Failure(`port ${connecting} is not forwarded`, {
        hint: "dockerdo forward lists what is.",
      });
    }
    for (const { forward, connections } of closed) {
      const left = connections === 0 ? "" : `; ${connections} open connections stay until they end`;
      progress(context, "local", `${announcement(forward)}: removed${left}`);
    }
  }
}

const AGAIN_AFTER_MS = 2000;

/** Watches until Ctrl-C, or until the container has ended: a lost link is brought back. */
async function forwardAll(
  context: Context,
  found: Session,
  { all }: { readonly all: boolean },
): Promise<void> {
  const { forward_ignore } = await loadConfig(context);
  using _claim = context.dryRun ? undefined : await claimAuto(found);
  await using forwards = autoForwards(context, found);
  // Asked for once: the signal must not be taken for the failure of a child that it has ended.
  const interrupted = interruption();
  for (let isFirst = true; true; isFirst = false) {
    if (!isFirst) await Promise.race([pause(AGAIN_AFTER_MS), interrupted]);
    let session: Session;
    try {
      session = await up(context, found);
    } catch (error) {
      const isAway = error instanceof Failure && error.message.startsWith("cannot connect");
      if (isFirst || !isAway) throw error;
      continue;
    }
    if (context.dryRun) return;
    const watched = watchPorts(context, session, {
      all,
      ignore: forward_ignore,
      onPorts: forwards.update,
    });
    await Promise.race([watched, interrupted]);
    progress(context, "local", "The connection to the container has ended");
  }
}
