import { pause } from "../process/pause.ts";
import { type Session, SLOTS } from "../session/session.ts";

/** A person does not wait for commands that run for hours, nor for a script's that come one after another. */
const TERMINAL_LIMIT_MS = 1000;

/** After so long without a free slot those who have one keep it. */
const STANDSTILL_MS = 5000;

const ASK_AGAIN_MS = 25;

/** sshd drops logins when more than a few (MaxStartups) are under way: one begins, and the next this much later. */
const BETWEEN_LOGINS_MS = 500;

/**
 * Waits for a slot in the connection to the session's remote host, where sshd allows ten sessions (MaxSessions) and
 * the mount, the way into the container and what dockerdo asks need some. The slot is kept until this process ends.
 * "own": no slot was free in time, and it is this command's turn to make a connection of its own.
 */
export async function takeSlot(
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
  while (!await lockSlot(dir)) {
    if (Date.now() > limit) return "own";
    await pause(ASK_AGAIN_MS);
  }
  return "shared";
}

// Only the first of the queue asks for slots; the others sleep in the lock.
async function takeInTurn(dir: string): Promise<"shared" | "own"> {
  const began = Date.now();
  const turn = await openLock(`${dir}/slot-turn`);
  await turn.lock(true);
  while (!await lockSlot(dir)) {
    const moved = (await turn.stat()).mtime?.getTime() ?? 0;
    if (Date.now() > Math.max(began, moved) + STANDSTILL_MS) {
      Deno.unrefTimer(setTimeout(() => turn.close(), BETWEEN_LOGINS_MS));
      return "own";
    }
    await pause(ASK_AGAIN_MS);
  }
  const now = new Date();
  await turn.utime(now, now);
  turn.close();
  return "shared";
}

/** Locks one of the slots until this process ends; false: others have them all. */
async function lockSlot(dir: string): Promise<boolean> {
  for (const name of SLOTS) {
    const file = await openLock(`${dir}/${name}`);
    if (await file.tryLock(true)) return true;
    file.close();
  }
  return false;
}

function openLock(path: string): Promise<Deno.FsFile> {
  return Deno.open(path, { write: true, create: true, mode: 0o600 });
}
