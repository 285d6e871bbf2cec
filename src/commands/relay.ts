import { usageFailure } from "../error.ts";
import { runRelay } from "../relay/relay.ts";

/**
 * `STATE MOUNT_POINT BASE KERNEL_TIMEOUT -- SSH…`, as `mount.ts` writes it (ms; see `RelayOptions`).
 * Serves sshfs on our stdin and stdout until it hangs up. Returns the exit code: ssh's own where it never
 * connected.
 */
export async function relay(words: readonly string[]): Promise<number> {
  const [state, mountPoint, base, timeout, separator, ...command] = words;
  const kernelTimeout = Number(timeout);
  if (
    state === undefined || mountPoint === undefined || base === undefined ||
    !Number.isInteger(kernelTimeout) || separator !== "--" || command.length === 0
  ) {
    throw usageFailure("relay is for sshfs to call", "dockerdo init --mount relay");
  }
  return await runRelay({ command, state, mountPoint, base, kernelTimeout, record: false });
}
