import { announce, endChild, finish, spawn, surroundings } from "./child.ts";
import type { Context } from "./context.ts";
import { quoteAll } from "../quote.ts";

/**
 * Runs a child and gives what it writes, piece by piece, to `onStdout`; where that returns false, nothing reads
 * more, and the child is ended. Its stdin stays open as long as we live, so that it can notice our end. Its
 * stderr is ours. Returns its exit code.
 */
export async function stream(
  context: Context,
  argv: readonly string[],
  { onStdout }: { readonly onStdout: (piece: Uint8Array) => boolean },
): Promise<number> {
  announce(context, () => quoteAll(argv));
  if (context.dryRun) return 0;
  const child = spawn(argv, {
    ...surroundings(context, {}),
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  });
  try {
    for await (const piece of child.stdout) {
      if (onStdout(piece)) continue;
      endChild(child, "SIGTERM");
      break;
    }
    return (await finish(child)).code;
  } finally {
    await child.stdin.close().catch(() => {});
  }
}

/** Writes to our stdout; false after the reader has ended. */
export function writeStdout(piece: Uint8Array): boolean {
  try {
    for (let rest = piece; rest.length > 0;) rest = rest.subarray(Deno.stdout.writeSync(rest));
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    return false;
  }
}
