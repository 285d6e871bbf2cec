import { Failure } from "../error.ts";
import { userDirectory } from "../paths.ts";
import type { Context } from "../process/context.ts";
import { indexDir, loadSession, namesIn, type Session } from "./session.ts";

/** What is known of a session: itself, or why it cannot be read. */
export interface KnownSession {
  readonly dir: string;
  readonly session: Session | undefined;
  /** Why there is no session: the directory is gone, or its file is damaged. */
  readonly problem: Failure | undefined;
}

/** Every session of this user, named and unnamed, also those that are damaged or gone; by their directory. */
export function knownSessions(context: Context): KnownSession[] {
  const indexed = namesIn(indexDir(context)).flatMap((id) => {
    try {
      return [Deno.readTextFileSync(`${indexDir(context)}/${id}`)];
    } catch {
      return [];
    }
  });
  // A named session is one also where the index was lost.
  const data = userDirectory(context, "DATA");
  const named = namesIn(data).map((name) => `${data}/${name}`).filter((dir) =>
    namesIn(dir).includes("session.json")
  );
  return [...new Set([...indexed, ...named])].sort().map((dir) => {
    try {
      return { dir, session: loadSession(dir), problem: undefined };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return { dir, session: undefined, problem: error };
    }
  });
}

/** Takes every entry of a directory out of the index, where no session is any more. */
export async function forgetDirectory(context: Context, dir: string): Promise<void> {
  for (const id of namesIn(indexDir(context))) {
    const entry = `${indexDir(context)}/${id}`;
    const found = await Deno.readTextFile(entry).catch(() => undefined);
    if (found === dir) await Deno.remove(entry).catch(() => {});
  }
}
