import { progress } from "../output.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { closeForwards, openForward } from "./forwarding.ts";
import type { Forward } from "./table.ts";
import type { ListeningPort } from "./watch.ts";

/** A server that restarts is gone for a moment: only after this long a port has ended. */
const ENDED_AFTER_MS = 5000;

/** Opens and closes forwards as ports come and go. */
export interface AutoForwards extends AsyncDisposable {
  /** To be called with all ports that are there, whenever they change. */
  readonly update: (ports: readonly ListeningPort[]) => Promise<void>;
}

/**
 * Keeps the ports of a container forwarded, says each that comes and goes, and never gives a port two local
 * numbers. Disposed of, it takes down those that it has made. A port that a person has asked for is left to them.
 */
export function autoForwards(context: Context, session: Session): AutoForwards {
  const numbers = new Map<number, number>();
  const opened = new Map<number, Forward>();
  const ending = new Map<number, ReturnType<typeof setTimeout>>();
  const close = async (port: number): Promise<void> => {
    opened.delete(port);
    await closeForwards(context, session, (one) => isAuto(one) && one.containerPort === port);
  };
  let isDone = false;
  return {
    update: async (ports) => {
      const there = new Set(ports.map(({ port }) => port));
      for (const { port, process } of ports) {
        clearTimeout(ending.get(port));
        ending.delete(port);
        if (isDone) return;
        if (opened.has(port)) continue;
        const forward = await openForward(context, session, {
          containerPort: port,
          localPort: numbers.get(port) ?? port,
          exact: false,
          process,
          avoid: [...there],
        });
        if (!isAuto(forward)) continue;
        numbers.set(port, forward.localPort);
        opened.set(port, forward);
        progress(context, "container", announcement(forward));
      }
      for (const port of opened.keys()) {
        if (there.has(port) || ending.has(port)) continue;
        ending.set(
          port,
          setTimeout(() => {
            ending.delete(port);
            progress(context, "container", `${port} has ended`);
            close(port).catch((error) => context.stderr(`dockerdo: ${error.message}\n`));
          }, ENDED_AFTER_MS),
        );
      }
    },
    [Symbol.asyncDispose]: async () => {
      isDone = true;
      for (const timer of ending.values()) clearTimeout(timer);
      await closeForwards(context, session, isAuto);
    },
  };
}

function isAuto({ direction, process }: Forward): boolean {
  return direction === "local" && process !== null;
}

/** `5173 node -> localhost:5173`, and why the number may differ. */
export function announcement({ containerPort, localPort, process }: Forward): string {
  const words = `${containerPort}${
    process === null ? "" : ` ${process}`
  } -> localhost:${localPort}`;
  return containerPort === localPort
    ? words
    : `${words} (${containerPort} is taken here; a server that names its own port may notice)`;
}
