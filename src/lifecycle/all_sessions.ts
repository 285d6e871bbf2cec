import {
  allSessionContainers,
  type EngineAnswer,
  isOtherEngine,
  otherEngineFailure,
  ownsContainer,
} from "../session_containers.ts";
import { Failure } from "../error.ts";
import { isAnswering, isInTable, type MountEntry, mountTable } from "../mount/table.ts";
import type { Context } from "../process/context.ts";
import { type KnownSession, knownSessions } from "../session/known.ts";
import { containerMount, type Session } from "../session/session.ts";
import { remoteHostText } from "../session/remote_host.ts";

/** For a host to answer, and for a mount. */
const LIMIT_MS = 5000;
const WORTH_A_TRY_MS = 1000;

/** A session as the world has it. */
export interface Surveyed {
  readonly dir: string;
  /** undefined where it is damaged or its directory is gone. */
  readonly session: Session | undefined;
  /** docker's word for the container; "none": no container; "unknown": the host has not answered. */
  readonly state: string;
  /** Whether the container's mount is in the mount table, and answers. */
  readonly mount: "mounted" | "dead" | "none";
  /** Why something is not known, as sentences. */
  readonly problem: string | null;
}

type Answer = EngineAnswer | Failure;
/** By host, as {@link hostOf} has it; null is the local engine, for a remote host may be called "local". */
type Answers = ReadonlyMap<string | null, Answer>;

/**
 * Looks at every session of this user: all hosts are asked at the same time, each for all of its sessions, and
 * none for much longer than five seconds. Starts nothing, and asks no question.
 */
export async function survey(cli: Context): Promise<Surveyed[]> {
  // A child that starts in a mount that is dead does not start.
  const context = { ...cli, cwd: "/" };
  const known = knownSessions(context);
  const table = await mountTable(context);
  const [answers, mounts] = await Promise.all([
    askHosts(context, known),
    Promise.all(known.map(({ session }) => mountState(context, session, table))),
  ]);
  return known.map((one, at) => judge(one, { answers, mount: mounts[at] ?? "none" }));
}

/** The host of a session's container, as the user writes it. */
export function hostOf({ remoteHost }: Session): string {
  return remoteHost === null ? "local" : remoteHostText(remoteHost);
}

function engineOf(session: Session): string | null {
  return session.remoteHost === null ? null : hostOf(session);
}

async function askHosts(
  context: Context,
  known: readonly KnownSession[],
): Promise<Answers> {
  const sessions = known.flatMap(({ session }) => session === undefined ? [] : [session]);
  const byHost = Map.groupBy(sessions, engineOf);
  const asked = [...byHost].map(async ([host, ofHost]) =>
    [host, await ask(context, ofHost)] as const
  );
  return new Map(await Promise.all(asked));
}

// Any of a host's sessions can be asked: that the files of one are damaged says nothing of the host.
async function ask(context: Context, sessions: readonly Session[]): Promise<Answer> {
  const end = Date.now() + LIMIT_MS;
  const targets = sessions.filter(({ attached }) => attached !== null)
    .flatMap(({ containerId, containerName }) => containerId ?? containerName);
  let failure = new Failure("nobody was asked");
  for (const session of sessions) {
    const limitMs = end - Date.now();
    if (limitMs < WORTH_A_TRY_MS) break;
    try {
      return await allSessionContainers(context, session, { limitMs, targets });
    } catch (error) {
      if (!(error instanceof Failure) || error.exitCode > 128) throw error;
      failure = error;
    }
  }
  return failure;
}

async function mountState(
  context: Context,
  session: Session | undefined,
  table: readonly MountEntry[],
): Promise<Surveyed["mount"]> {
  if (session === undefined || !isInTable(table, session, "container")) return "none";
  const answers = await isAnswering(context, containerMount(session), LIMIT_MS);
  return answers ? "mounted" : "dead";
}

function judge(
  { dir, session, problem }: KnownSession,
  { answers, mount }: {
    readonly answers: Answers;
    readonly mount: Surveyed["mount"];
  },
): Surveyed {
  if (session === undefined) {
    const gone = problem?.cause instanceof Deno.errors.NotFound;
    const state = gone ? "gone" : "damaged";
    return { dir, session, state, mount, problem: problem?.message ?? null };
  }
  const answer = answers.get(engineOf(session));
  if (answer === undefined || answer instanceof Failure) {
    return { dir, session, state: "unknown", mount, problem: answer?.message ?? null };
  }
  if (isOtherEngine(session, answer.engineId)) {
    const { message } = otherEngineFailure(session);
    return { dir, session, state: "unknown", mount, problem: message };
  }
  // A container that is not ours has no label to be found by; its helper has, and runs as long as it does.
  const own = answer.containers.filter((container) =>
    session.attached === null
      ? ownsContainer(session, container)
      : container.sessionId === session.id
  );
  const container = own.find(({ id }) => id === session.containerId) ?? own[0];
  const target = answer.containers.find((one) => ownsContainer(session, one));
  // Compose may have made it again under another name.
  const isGone = session.attached?.compose === null && target === undefined;
  const none = session.attached === null || isGone ? "none" : "detached";
  return { dir, session, state: container?.status ?? none, mount, problem: null };
}
