/** Tests that have a server and a mount. */
import { type Mount, Server } from "./server.ts";

/** Runs a test with a server and a mount, and clears both away. */
export function live(
  name: string,
  options: Parameters<Server["mount"]>[0],
  action: (mount: Mount, server: Server) => Promise<void> | void,
): void {
  Deno.test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn(): Promise<void> {
      const server = await Server.start();
      try {
        await action(await server.mount(options), server);
      } finally {
        await server.stop();
      }
    },
  });
}

/** The error that an action on files ends with: its message, or "done". */
export async function outcome(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
    return "done";
  } catch (error) {
    return error instanceof Error ? error.message : "strange";
  }
}
