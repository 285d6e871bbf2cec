/**
 * The evidence of a session without its image: of what docker says to have changed, of the container's times where
 * it runs, and else of what the looks after each command saw.
 */
import { type ContainerChange, diffContainer, inspectContainer } from "../docker.ts";
import { Failure } from "../error.ts";
import { type Execution, linesOf } from "../history/executions.ts";
import { readSweeps, type Sweep } from "../history/sweeps.ts";
import type { Context } from "../process/context.ts";
import { type JournalStep, parseStep } from "../relay/journal.ts";
import { askEngineId, isOtherEngine, otherEngineFailure } from "../session_containers.ts";
import { journalPath, type Session } from "../session/session.ts";
import { isMasterAlive } from "../ssh/master.ts";
import { clockOffset, runInside, survey } from "./engine.ts";
import { type Command, type Evidence, weigh } from "./evidence.ts";
import PROCESSES from "./processes.sh" with { type: "text" };
import { volatileBy } from "./rules.ts";
import { type Entry, parentOf, type Tree } from "./tree.ts";

/** What can be had of a container. */
export type Reach =
  /** It runs: each path's times are known. */
  | "running"
  /** docker tells what has changed, and nothing of when. */
  | "stopped"
  /** Only what was written down is left. */
  | "gone"
  | "unreachable";

export interface SessionEvidence {
  readonly reach: Reach;
  /** Why it is no more than that. */
  readonly why: string;
  readonly evidence: Evidence;
  /** By execution: its command. */
  readonly commandOf: ReadonlyMap<Execution, Command>;
  /** What differs from the image, as docker says; undefined where it cannot be asked. Paths are binary strings. */
  readonly diff: readonly ContainerChange[] | undefined;
  readonly tree: Tree;
  /** apt's own history, where the container runs. */
  readonly apt: string;
  /** Processes that run there now. */
  readonly processes: readonly Process[];
  /** Seconds by which the container's clock is ahead of ours. */
  readonly offset: number;
}

/** A process of the container. */
export interface Process {
  readonly name: string;
  /** When it began, in whole seconds of the container's clock. */
  readonly began: number;
}

/** Asks the engine, the container and the session's files. No new connection is made. */
export async function gatherEvidence(
  context: Context,
  session: Session,
  executions: readonly Execution[],
): Promise<SessionEvidence> {
  const id = session.containerId ?? executions.findLast(({ container }) => container !== undefined)
    ?.container ??
    "";
  const asked = await ask(context, session);
  const sweeps = await readSweeps(session, id);
  const clock = asked.clock ?? clockOf(session, sweeps);
  const steps = (await readSteps(session, id)).map((step) => ({
    ...step,
    time: step.time / 1000 + clock.offset,
  }));
  const tree = asked.tree ?? treeOf(sweeps, { steps, diff: asked.diff });
  const own = executions.filter(({ container }) => container === undefined || container === id);
  const commandOf = numbered(own, clock.offset);
  const { diff } = asked;
  const image = new Map<string, Entry>();
  for (const { letter, path } of diff ?? []) if (letter !== "A") image.set(path, entryOf(path, 0));
  const counted = (diff ?? [...tree.keys()].map((path): ContainerChange => ({ letter: "A", path })))
    .filter(({ path }) => volatileBy(path) === undefined);
  const parents = new Set(counted.map(({ path }) => parentOf(path)));
  const changed = counted.filter(({ letter, path }) =>
    letter === "A" || letter === "C" && !parents.has(path)
  ).flatMap(({ path }) => tree.get(path) ?? []).filter(({ ctime }) => ctime > 0);
  const evidence = weigh({
    commands: [...commandOf.values()].sort((a, b) => a.number - b.number),
    steps,
    sweeps,
    changed,
    removed: counted.flatMap(({ letter, path }) => letter === "D" ? [path] : []),
    container: tree,
    image,
    slack: clock.slack + 0.005,
    surveyed: asked.reach === "running",
  });
  return {
    reach: asked.reach,
    why: asked.why,
    evidence,
    commandOf,
    diff,
    tree,
    apt: asked.apt,
    processes: asked.processes,
    offset: clock.offset,
  };
}

interface Asked {
  readonly reach: Reach;
  readonly why: string;
  readonly diff: readonly ContainerChange[] | undefined;
  readonly tree?: Tree;
  readonly apt: string;
  readonly processes: readonly Process[];
  readonly clock?: { readonly offset: number; readonly slack: number };
}

/** What the engine says; where it cannot be asked, why. */
async function ask(context: Context, session: Session): Promise<Asked> {
  const nothing = { diff: undefined, apt: "", processes: [] };
  const id = session.containerId;
  if (id === null) return { ...nothing, reach: "gone", why: "the session has no container" };
  try {
    if (session.remoteHost !== null && !await isMasterAlive(context, session, "remote")) {
      throw new Failure(`there is no connection to ${session.remoteHost.name}`);
    }
    const container = await inspectContainer(context, session, id);
    if (container === undefined) {
      const engine = session.engineId === null ? null : await askEngineId(context, session);
      if (isOtherEngine(session, engine)) throw otherEngineFailure(session);
      return { ...nothing, reach: "gone", why: `the container ${session.containerName} is gone` };
    }
    const diff = (await diffContainer(context, session, id))
      .map(({ letter, path }) => ({ letter, path: binary(path) }));
    if (container.status !== "running") {
      const why = `the container ${session.containerName} does not run (${container.status})`;
      return { diff, apt: "", processes: [], reach: "stopped", why };
    }
    return { diff, ...await askInside(context, session, id) };
  } catch (error) {
    if (!(error instanceof Failure) || error.exitCode > 128) throw error;
    return { ...nothing, reach: "unreachable", why: error.message };
  }
}

/** What a running container says itself: one without a shell, say, says nothing. */
async function askInside(
  context: Context,
  session: Session,
  id: string,
): Promise<Omit<Asked, "diff">> {
  try {
    const clock = await clockOffset(context, session);
    const { tree, apt } = await survey(context, session, id);
    const processes = parseProcesses(
      await runInside(context, session, { id, script: PROCESSES, doing: "Asking for processes" }),
    );
    return { tree, apt, clock, processes, reach: "running", why: "" };
  } catch (error) {
    if (!(error instanceof Failure) || error.exitCode > 128) throw error;
    return { apt: "", processes: [], reach: "stopped", why: error.message };
  }
}

/** The commands in the order of their beginnings, with times of the container's clock. */
function numbered(executions: readonly Execution[], offset: number): Map<Execution, Command> {
  const timed = executions.map((execution) => ({
    execution,
    begin: Date.parse(execution.time) / 1000 + offset,
  })).sort((a, b) => a.begin - b.begin);
  return new Map(timed.map(({ execution, begin }, number) => [execution, {
    ...execution,
    number,
    begin,
    end: begin + execution.durationMs / 1000,
  }]));
}

/**
 * The clocks as the sweeps saw them: a sweep began after it was sent and had ended when its answer came, so that the
 * container's clock is ahead by something between the two.
 */
function clockOf(
  session: Session,
  sweeps: readonly Sweep[],
): { readonly offset: number; readonly slack: number } {
  if (session.remoteHost === null) return { offset: 0, slack: 0.005 };
  const most = Math.min(...sweeps.map(({ begin, local }) => begin - local));
  const least = Math.max(
    ...sweeps.flatMap(({ end, localEnd }) => localEnd === undefined ? [] : [end - localEnd]),
  );
  if (!Number.isFinite(most)) return { offset: 0, slack: 1 };
  if (!Number.isFinite(least) || least > most) return { offset: most, slack: 0.3 };
  return { offset: (most + least) / 2, slack: (most - least) / 2 };
}

/** What is known of a container's files without asking it. */
function treeOf(
  sweeps: readonly Sweep[],
  { steps, diff }: {
    readonly steps: readonly JournalStep[];
    readonly diff: readonly ContainerChange[] | undefined;
  },
): Tree {
  const tree = new Map<string, Entry>();
  for (const { path } of diff ?? []) tree.set(path, entryOf(path, 0));
  for (const { entries } of sweeps) {
    for (const { path, ctime, mtime, isDirectory } of entries) {
      tree.set(path, { ...entryOf(path, ctime), mtime, type: isDirectory ? "d" : "f" });
    }
  }
  for (const { kind, path, from, time } of steps) {
    if (kind === "lost") continue;
    if (kind === "renamed" && from !== undefined) tree.delete(from);
    if (kind === "deleted") tree.delete(path);
    else if (time > (tree.get(path)?.ctime ?? 0)) tree.set(path, entryOf(path, time));
  }
  // A directory is in a sweep for what has changed in it.
  if (diff === undefined) {
    for (const path of [...tree.keys()]) {
      if (tree.get(path)?.type === "d") tree.set(path, { ...entryOf(path, 0), type: "d" });
    }
  }
  const there = new Set(diff?.flatMap(({ letter, path }) => letter === "D" ? [] : [path]));
  for (const path of diff === undefined ? [] : [...tree.keys()]) {
    if (!there.has(path)) tree.delete(path);
  }
  return tree;
}

function entryOf(path: string, ctime: number): Entry {
  return {
    path,
    type: "f",
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    inode: "",
    ctime,
    mtime: ctime,
    target: "",
  };
}

function parseProcesses(text: string): Process[] {
  const [boot = "", ...lines] = text.split("\n");
  return lines.flatMap((line) => {
    const [, ticks, name] = /^(\d+) (.*)$/.exec(line) ?? [];
    // A tick that user programs see is a hundredth of a second, on every Linux.
    return name === undefined ? [] : [{ name, began: Number(boot) + Number(ticks) / 100 }];
  });
}

/** The steps of the journal that are about one container. */
export async function readSteps(session: Session, container: string): Promise<JournalStep[]> {
  const steps: JournalStep[] = [];
  let present = true;
  for await (const line of linesOf(journalPath(session))) {
    const step = parseStep(line);
    if (step?.kind === "mounted") present = step.container === container;
    else if (step !== undefined && present) steps.push(step);
  }
  return steps;
}

function binary(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}
