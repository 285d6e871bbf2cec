/**
 * The one `forward --auto` of a session, in a terminal or in the background. A lock file holds its process id: it is
 * locked for as long as the process lives, so the number is never another program's.
 */
import { Failure } from "../error.ts";
import { capture } from "../process/child.ts";
import type { Context } from "../process/context.ts";
import { selfCommand } from "../process/own_command.ts";
import type { Session } from "../session/session.ts";
import START from "./background.sh" with { type: "text" };

/** How long it may take to end its forwards, ms. */
const ENDING_MS = 5000;
const ASK_AGAIN_MS = 50;

function lockPath(session: Session): string {
  return `${session.dir}/forward-auto.lock`;
}

/** What `forward --auto` prints in the background, of its last start. */
export function autoLogPath(session: Session): string {
  return `${session.dir}/forward-auto.log`;
}

/** Makes this process the session's `forward --auto` until disposed of; fails where there is one already. */
export async function claimAuto(session: Session): Promise<Disposable> {
  const file = await Deno.open(lockPath(session), { create: true, write: true, mode: 0o600 });
  if (!await file.tryLock(true)) {
    file.close();
    throw new Failure(`the ports of ${session.name} are forwarded as they come already`, {
      hint: "dockerdo forward lists them; dockerdo forward --auto --remove ends it.",
    });
  }
  await file.truncate();
  await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  return { [Symbol.dispose]: () => file.close() };
}

/** Starts `forward --auto` in the background where the session is to have it and has none. */
export async function startAuto(context: Context, session: Session): Promise<void> {
  if (session.forward !== "auto" || context.dryRun || await holder(session) !== undefined) return;
  const self = [...selfCommand(), "forward", "--auto"];
  const words = ["sh", "-c", START, "sh", autoLogPath(session), session.dir, ...self];
  await capture({ ...context, verbose: false }, words);
}

/** Ends the session's `forward --auto`, and waits until it has. Returns whether there was one. */
export async function stopAuto(context: Context, session: Session): Promise<boolean> {
  if (context.dryRun) return false;
  const limit = Date.now() + ENDING_MS;
  let isThere = false;
  for (let asked = false; true; asked = true) {
    const pid = await holder(session);
    if (pid === undefined || pid === Deno.pid) return isThere;
    isThere = true;
    const isLate = Date.now() > limit;
    if (!asked || isLate) {
      await capture(context, ["kill", isLate ? "-KILL" : "-TERM", String(pid)]);
    }
    if (isLate) return true;
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}

/** The process id of the session's `forward --auto`; undefined: there is none. */
async function holder(session: Session): Promise<number | undefined> {
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
