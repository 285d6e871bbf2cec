import { Failure } from "../error.ts";
import type { Context } from "../process/context.ts";
import { lockFile } from "./lock.ts";
import { loadSession, type Session } from "./session.ts";

/** Writes a session whole: a reader sees the old file or the new one, never a half. */
export async function saveSession({ dir, ...stored }: Session): Promise<void> {
  const path = `${dir}/session.json`;
  const temporary = `${path}.${crypto.randomUUID()}`;
  try {
    await Deno.writeTextFile(temporary, JSON.stringify(stored, null, 2) + "\n", { mode: 0o600 });
    await Deno.copyFile(path, `${path}~`).catch(() => {});
    await Deno.rename(temporary, path);
  } catch (cause) {
    await Deno.remove(temporary).catch(() => {});
    throw new Failure(`the session cannot be saved in ${dir}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/**
 * Changes the stored session: read, changed and written under a lock, so that no other command's change is
 * lost. Returns the new one. The lock ends with its process.
 */
export async function updateSession(
  dir: string,
  change: (session: Session) => Session | Promise<Session>,
): Promise<Session> {
  using _lock = await lockFile(`${dir}/session.lock`);
  const session = await change(loadSession(dir));
  await saveSession(session);
  return session;
}

/** Keeps other lifecycle commands (run, start, stop, rm) of the same session out until disposed of. */
export async function lockLifecycle(
  context: Context,
  session: Session,
): Promise<Disposable> {
  if (context.dryRun) return { [Symbol.dispose]: () => {} };
  const notice = setTimeout(
    () => context.stderr(`[local] Waiting for another dockerdo command in ${session.name}\n`),
    500,
  );
  try {
    return await lockFile(`${session.dir}/lifecycle.lock`);
  } finally {
    clearTimeout(notice);
  }
}
