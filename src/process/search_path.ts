import type { Context } from "./context.ts";

/** Whether a program is on the context's PATH. */
export async function isOnPath(context: Context, program: string): Promise<boolean> {
  for (const dir of (context.env["PATH"] ?? "").split(":")) {
    const found = await Deno.stat(`${dir || "."}/${program}`).catch(() => undefined);
    if (found?.isFile === true) return true;
  }
  return false;
}
