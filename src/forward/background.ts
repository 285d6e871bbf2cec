/**
 * The one `forward --auto` of a session, in a terminal or in the background. A lock file holds its process id: it is
 * locked for as long as the process lives, so the number is never another program's.
 */
import { Failure } from "../error.ts";
import { capture } from "../process/child.ts";
import type { Context } from "../process/context.ts";
import { pause } from "../process/pause.ts";
import { selfCommand } from "../process/own_command.ts";
import type { Session } from "../session/session.ts";
import START from "./background.sh" with { type: "text" };

/** Milliseconds that it may take to end its forwards. */
const ENDING_MS = 5000;
const CLAIM_MS = 1000;
const ASK_AGAIN_MS = 50;

function lockPath(session: Session): string {
  return `${session.dir}/forward-auto.lock`;
}

/** What `forward --auto` prints in the background, of its last start. */
export function autoLogPath(session: Session): string {
  return `${session.dir}/forward-auto.log`;
}

/** Makes this process the session's `forward --auto` until disposed of; fails where another process is. */
export async function claimAuto(session: Session): Promise<Disposable> {
  const file = await Deno.open(lockPath(session), { create: true, write: true, mode: 0o600 });
  const limit = Date.now() + CLAIM_MS;
  // Whoever only looks holds the lock for a moment too.
  while (!await file.tryLock(true)) {
    if (Date.now() > limit) {
      file.close();
      throw new Failure(`the ports of ${session.name} are forwarded as they come already`, {
        hint: "dockerdo forward lists them; dockerdo forward --auto --remove ends it.",
      });
    }
    await pause(ASK_AGAIN_MS);
  }
  await file.truncate();
  await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  return { [Symbol.dispose]: () => file.close() };
}

/** Starts `forward --auto` in the background, unless the session does without it or one runs. */
export async function startAuto(context: Context, session: Session): Promise<void> {
  if (session.forward !== "auto" || context.dryRun || await processOf(session) !== undefined) {
    return;
  }
  const self = [...selfCommand(), "forward", "--auto"];
  const words = ["sh", "-c", START, "sh", autoLogPath(session), session.dir, ...self];
  await capture({ ...context, verbose: false }, words);
}

/** Ends the session's `forward --auto`, and waits until it has ended. Returns whether one ran. */
export async function stopAuto(context: Context, session: Session): Promise<boolean> {
  const pid = context.dryRun ? undefined : await processOf(session);
  if (pid === undefined) return false;
  await capture(context, ["kill", "-TERM", String(pid)]);
  const limit = Date.now() + ENDING_MS;
  while (await processOf(session) === pid) {
    if (Date.now() > limit) {
      await capture(context, ["kill", "-KILL", String(pid)]);
      break;
    }
    await pause(ASK_AGAIN_MS);
  }
  return true;
}

/** The process id of the session's `forward --auto`; undefined where none runs. */
async function processOf(session: Session): Promise<number | undefined> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(lockPath(session), { read: true, write: true });
  } catch {
    return undefined;
  }
  using _file = file;
  if (await file.tryLock(true)) return undefined;
  const pid = Number((await Deno.readTextFile(lockPath(session))).trim());
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}
