import { Failure, usageFailure } from "./error.ts";
import type { Context } from "./process/context.ts";

/**
 * Asks on the terminal whether to continue; anything but y or yes is a no. If stdin is not a terminal
 * this is a usage failure, which names `--yes`.
 */
export async function confirm(context: Context, question: string): Promise<boolean> {
  if (!Deno.stdin.isTerminal()) {
    throw usageFailure(
      "cannot ask: stdin is not a terminal",
      "Use --yes to continue without asking.",
    );
  }
  context.stderr(`${question} [y/N] `);
  const interrupted = Promise.withResolvers<never>();
  const listener = (): void => {
    interrupted.reject(new Failure("interrupted by SIGINT", { exitCode: 130 }));
  };
  Deno.addSignalListener("SIGINT", listener);
  try {
    return /^y(es)?$/i.test((await Promise.race([readLine(), interrupted.promise])).trim());
  } finally {
    Deno.removeSignalListener("SIGINT", listener);
  }
}

async function readLine(): Promise<string> {
  const decoder = new TextDecoder();
  let line = "";
  while (!line.includes("\n")) {
    const buffer = new Uint8Array(256);
    const length = await Deno.stdin.read(buffer);
    if (length === null) break;
    line += decoder.decode(buffer.subarray(0, length), { stream: true });
  }
  return line;
}
