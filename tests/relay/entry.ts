/** Runs the relay alone: `entry.ts STATE MOUNT_POINT BASE RECORD KERNEL_MS ssh words…`. */
import { runRelay } from "../../src/relay/relay.ts";

const [state = "", mountPoint = "", base = "/", record = "", kernel = "100", ...command] =
  Deno.args;
const code = await runRelay({
  command,
  state,
  mountPoint,
  base,
  record: record === "record"
    ? { journal: `${state}/changes.jsonl`, container: "test" }
    : undefined,
  kernelTimeout: Number(kernel),
});
Deno.exit(code);
