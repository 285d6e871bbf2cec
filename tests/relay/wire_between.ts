// deno-lint-ignore-file no-console
/**
 * A byte relay for tests: `wire_between.ts TARGET_PORT MILLISECONDS` prints the port it listens on and gives every
 * connection a round trip. Lines on stdin: `freeze` holds all bytes back, `thaw` lets them go, `cut` ends every connection.
 */
const [target = "22", roundTrip = "0"] = Deno.args;
const half = Number(roundTrip) / 2;
let frozen: PromiseWithResolvers<void> | undefined;
let connections = new Set<Deno.TcpConn>();

async function pump(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  let last = Promise.resolve();
  try {
    while (true) {
      const buffer = new Uint8Array(1 << 17);
      const length = await from.read(buffer);
      const due = performance.now() + half;
      last = last.then(async () => {
        const wait = due - performance.now();
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        while (frozen) await frozen.promise;
        if (length === null) return to.closeWrite();
        for (let at = 0; at < length;) at += await to.write(buffer.subarray(at, length));
      });
      last.catch(() => {});
      if (length === null) return await last;
    }
  } catch {
    // Cut, or one side has gone.
  }
}

async function serve(listener: Deno.TcpListener): Promise<void> {
  for await (const near of listener) {
    void (async () => {
      const far = await Deno.connect({ hostname: "127.0.0.1", port: Number(target) });
      for (const connection of [near, far]) {
        connection.setNoDelay(true);
        connections.add(connection);
      }
      await Promise.all([pump(near, far), pump(far, near)]);
      for (const connection of [near, far]) {
        if (connections.delete(connection)) connection.close();
      }
    })().catch(() => near.close());
  }
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(listener.addr.port);
void serve(listener);
for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  for (const command of chunk.trim().split("\n")) {
    if (command === "freeze") frozen ??= Promise.withResolvers();
    if (command === "thaw") {
      frozen?.resolve();
      frozen = undefined;
    }
    if (command === "cut") {
      for (const connection of connections) connection.close();
      connections = new Set();
    }
  }
}
Deno.exit(0);
