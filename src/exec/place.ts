import { PLACES, type Session } from "../session/session.ts";

/** A person does not wait for commands that run for hours, nor for a script's that come one after another. */
const TERMINAL_LIMIT_MS = 1000;

/** When nothing has got a place for so long, those who have one keep it. */
const STANDSTILL_MS = 5000;

const ASK_AGAIN_MS = 25;

/** sshd drops logins when more than a few (MaxStartups) are under way: one begins, and the next this much later. */
const BETWEEN_LOGINS_MS = 500;

/**
 * Waits for a place in the session's connection to the remote host, where sshd allows ten sessions (MaxSessions) and
 * the mount, the way into the container and what dockerdo asks need some. The place is kept until this process ends.
 * "own": there is none in time, and it is this command's turn to make a connection of its own.
 */
export async function takePlace(
  { dir }: Pick<Session, "dir">,
  { terminal }: { readonly terminal: boolean },
): Promise<"shared" | "own"> {
  try {
    return terminal ? await takeSoon(dir) : await takeInTurn(dir);
  } catch {
    // Where nothing can be written nothing is counted.
    return "shared";
  }
}

async function takeSoon(dir: string): Promise<"shared" | "own"> {
  const limit = Date.now() + TERMINAL_LIMIT_MS;
  while (!await lockPlace(dir)) {
    if (Date.now() > limit) return "own";
    await askAgain();
  }
  return "shared";
}

// Only the first of the queue asks for places; the others sleep in the lock.
async function takeInTurn(dir: string): Promise<"shared" | "own"> {
  const began = Date.now();
  const turn = await openLock(`${dir}/place-turn`);
  await turn.lock(true);
  while (!await lockPlace(dir)) {
    const moved = (await turn.stat()).mtime?.getTime() ?? 0;
    if (Date.now() > Math.max(began, moved) + STANDSTILL_MS) {
      Deno.unrefTimer(setTimeout(() => turn.close(), BETWEEN_LOGINS_MS));
      return "own";
    }
    await askAgain();
  }
  const now = new Date();
  await turn.utime(now, now);
  turn.close();
  return "shared";
}

/** Locks one of the places until this process ends; false: others have them all. */
async function lockPlace(dir: string): Promise<boolean> {
  for (const name of PLACES) {
    const file = await openLock(`${dir}/${name}`);
    if (await file.tryLock(true)) return true;
    file.close();
  }
  return false;
}

function openLock(path: string): Promise<Deno.FsFile> {
  return Deno.open(path, { write: true, create: true, mode: 0o600 });
}

function askAgain(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
}
