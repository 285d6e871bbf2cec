import { capture } from "./child.ts";
import type { Context } from "./context.ts";

/** A process as ps(1) shows it. */
export interface Process {
  readonly pid: number;
  /** Its arguments, or the title that it has given itself. */
  readonly args: string;
}

/** All processes of this host, of every user. */
export async function processes(context: Context): Promise<Process[]> {
  const { stdout } = await capture(context, ["ps", "-axo", "pid=,args="], { readOnly: true });
  return stdout.split("\n").flatMap((line) => {
    const match = /^\s*(\d+) (.*)$/.exec(line);
    return match ? [{ pid: Number(match[1]), args: match[2] ?? "" }] : [];
  });
}
