/**
 * A link with a round-trip time, a rate and faults: a TCP relay on loopback in front of a host of
 * the lab. Every chunk is delivered half a round trip after it arrived, with any number of chunks
 * in flight, so that latency does not limit bandwidth.
 *
 * Import {@link startLink}, or run it as a process of its own (`deno run --allow-net link.ts
 * [host:port [rtt]]`): the first line on stdout is the port, then each line on stdin is a command:
 * `rtt MS`, `rate BYTES_PER_SECOND`, `freeze`, `thaw`, `cut`, `refuse`, `accept`, `bytes`.
 */

import { Clock } from "./clock.ts";

export interface LinkOptions {
  /** Where the link leads, such as "10.77.0.2:22". */
  to: string;
  rttMs: number;
  /** In each direction; without it, as fast as it goes. */
  bytesPerSecond?: number;
}

export interface Link extends AsyncDisposable {
  /** The near end, on 127.0.0.1. */
  readonly port: number;
  /** Bytes delivered so far: `up` to the far end, `down` to the near one. */
  readonly bytes: Readonly<Record<Direction, number>>;
  setRtt(ms: number): void;
  /** Bytes per second; Infinity lifts the limit. */
  setRate(bytesPerSecond: number): void;
  /** Nothing arrives any more and no connection ends: a cable pulled, a laptop asleep. */
  freeze(): void;
  /** Ends a freeze; what was under way arrives. */
  thaw(): void;
  /** Ends every connection at both ends. New ones are welcome. */
  cut(): void;
  /** New connections are refused, those that exist stay. */
  refuse(): Promise<void>;
  /** Ends `refuse`. */
  accept(): void;
  /** Ends every connection and stops listening. */
  close(): Promise<void>;
}

type Direction = "up" | "down";

/** Without a rate there is no bandwidth-delay product to bound what is under way. */
const UNLIMITED_BUFFER = 64 * 2 ** 20;
const CHUNK = 64 * 1024;

export function startLink(options: LinkOptions): Link {
  const [hostname, farPort] = splitAddress(options.to);
  let rtt = options.rttMs;
  let rate = options.bytesPerSecond ?? Infinity;
  let frozen: PromiseWithResolvers<void> | undefined;
  const bytes = { up: 0, down: 0 };
  /** When the last byte sent so far has left the sender: connections share the rate. */
  const busyUntil = { up: 0, down: 0 };
  const clock = new Clock();
  const connections = new Set<Deno.TcpConn>();
  let listener: Deno.TcpListener | undefined = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let listening = serve(listener);
  const port = listener.addr.port;

  async function serve(listener: Deno.TcpListener): Promise<void> {
    for await (const near of listener) void connect(near).catch(ignoreEnd);
  }

  /** A handshake takes its time: the near end may speak after 1 round trip, the far one after 1.5. */
  async function connect(near: Deno.TcpConn): Promise<void> {
    const dialled = performance.now();
    const up = new Lane("up");
    const down = new Lane("down");
    let far: Deno.TcpConn | undefined;
    adopt(near);
    try {
      await clock.until(dialled + rtt);
      await Promise.all([up.fill(near), reachFarEnd()]);
    } finally {
      drop(near);
      if (far) drop(far);
    }

    async function reachFarEnd(): Promise<void> {
      await clock.until(dialled + 1.5 * rtt);
      await frozen?.promise;
      far = await Deno.connect({ hostname, port: farPort });
      adopt(far);
      if (!connections.has(near)) return drop(far);
      await Promise.all([up.empty(far), down.fill(far), down.empty(near)]);
    }
  }

  function adopt(connection: Deno.TcpConn): void {
    connection.setNoDelay(true);
    connections.add(connection);
  }

  function drop(connection: Deno.TcpConn): void {
    if (connections.delete(connection)) connection.close();
  }

  /** One direction of one connection: chunks under way, each with the time at which it arrives. */
  class Lane {
    #queue: { due: number; chunk: Uint8Array | null }[] = [];
    #queuedBytes = 0;
    #changed = Promise.withResolvers<void>();

    constructor(private readonly direction: Direction) {}

    async fill(from: Deno.TcpConn): Promise<void> {
      for (;;) {
        while (this.#queuedBytes >= capacity()) await this.#changed.promise;
        await frozen?.promise;
        const buffer = new Uint8Array(CHUNK);
        const length = await from.read(buffer);
        const chunk = length === null ? null : buffer.subarray(0, length);
        const sent = Math.max(performance.now(), busyUntil[this.direction]) +
          (length ?? 0) / rate * 1000;
        busyUntil[this.direction] = sent;
        this.#queue.push({ due: sent + rtt / 2, chunk });
        this.#queuedBytes += length ?? 0;
        this.#notify();
        if (chunk === null) return;
      }
    }

    async empty(to: Deno.TcpConn): Promise<void> {
      for (;;) {
        const next = this.#queue.shift();
        if (next === undefined) {
          await this.#changed.promise;
          continue;
        }
        await clock.until(next.due);
        while (frozen) await frozen.promise;
        if (next.chunk === null) return await to.closeWrite();
        for (let rest = next.chunk; rest.length > 0;) {
          rest = rest.subarray(await to.write(rest));
        }
        bytes[this.direction] += next.chunk.length;
        this.#queuedBytes -= next.chunk.length;
        this.#notify();
      }
    }

    #notify(): void {
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
  }

  /** The bandwidth-delay product and a router's buffer of 50 ms. */
  function capacity(): number {
    return Math.min(UNLIMITED_BUFFER, CHUNK + rate * (rtt + 50) / 1000);
  }

  return {
    port,
    bytes,
    setRtt(ms): void {
      rtt = ms;
    },
    setRate(bytesPerSecond): void {
      rate = bytesPerSecond;
    },
    freeze(): void {
      frozen ??= Promise.withResolvers();
    },
    thaw(): void {
      frozen?.resolve();
      frozen = undefined;
    },
    cut(): void {
      connections.forEach(drop);
    },
    async refuse(): Promise<void> {
      listener?.close();
      listener = undefined;
      await listening;
    },
    accept(): void {
      if (listener) return;
      listener = Deno.listen({ hostname: "127.0.0.1", port });
      listening = serve(listener);
    },
    async close(): Promise<void> {
      await this.refuse();
      this.thaw();
      this.cut();
      clock.stop();
    },
    [Symbol.asyncDispose](): Promise<void> {
      return this.close();
    },
  };
}

/** Connections end as they please: reset, closed by `cut`, or refused by the far end. */
function ignoreEnd(reason: unknown): void {
  const ends = [
    Deno.errors.BadResource,
    Deno.errors.Interrupted,
    Deno.errors.ConnectionReset,
    Deno.errors.ConnectionRefused,
    Deno.errors.BrokenPipe,
    Deno.errors.NotConnected,
  ];
  if (!ends.some((end) => reason instanceof end)) throw reason;
}

function splitAddress(address: string): [hostname: string, port: number] {
  const colon = address.lastIndexOf(":");
  return [address.slice(0, colon), Number(address.slice(colon + 1))];
}

async function serveCommands(): Promise<void> {
  const link = startLink({ to: Deno.args[0] ?? "10.77.0.2:22", rttMs: Number(Deno.args[1] ?? 0) });
  const actions: Record<string, (value: number) => void | Promise<void>> = {
    rtt: link.setRtt,
    rate: link.setRate,
    freeze: link.freeze,
    thaw: link.thaw,
    cut: link.cut,
    refuse: link.refuse,
    accept: link.accept,
    bytes: () => {},
  };
  const say = (line: string): number =>
    Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
  say(`${link.port}`);
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [command = "", value] = line.trim().split(" ");
      await actions[command]?.(Number(value));
      say(command in actions ? `ok ${link.bytes.up} ${link.bytes.down}` : `unknown: ${line}`);
    }
  }
  await link.close();
}

if (import.meta.main) await serveCommands();
