import { sessionCommand } from "../command_line/command.ts";
import { switchFlag } from "../command_line/flags.ts";
import { type Change, listChanges } from "../dockerfile/change_list.ts";
import { packagePaths } from "../dockerfile/owned.ts";
import { gatherEvidence, type SessionEvidence } from "../dockerfile/session_evidence.ts";
import { Failure } from "../error.ts";
import { inUtc, parseAptLog } from "../history/apt_log.ts";
import { type Edits, readEdits } from "../history/edits.ts";
import {
  type Execution,
  type ExportEvent,
  historyPath,
  parseExecution,
  readHistory,
} from "../history/executions.ts";
import { fold } from "../history/fold.ts";
import { type InsideChange, insideChanges } from "../history/inside_changes.ts";
import { formatCount, renderEdit, renderFolded, renderInsideChange } from "../history/render.ts";
import {
  commandLine,
  comment,
  executionRenderer,
  isPackageCall,
  type Outcome,
  renderEnvironment,
  renderExport,
} from "../history/script.ts";
import { asText, type Edit, Story } from "../history/story.ts";
import { followLines } from "../history/tail.ts";
import { interruption } from "../process/child.ts";
import { type Context } from "../process/context.ts";
import { parseStep } from "../relay/journal.ts";
import { isSecretVariable, maskSecrets } from "../secrets.ts";
import { journalPath, type Session } from "../session/session.ts";
import { visible } from "../visible.ts";

interface HistoryFlags {
  readonly json: boolean;
  readonly follow: boolean;
  readonly all: boolean;
}

export const command = sessionCommand<HistoryFlags>({
  about:
    "Prints the session's variables, then the commands that were run in the container, as lines of shell that a\n" +
    "Dockerfile's RUN can take: one block for each container. Comments are the commands that failed, that are known\n" +
    "to have changed nothing, or that hold a secret; the files that local programs edited through the mount; and what\n" +
    "else has changed in the container, with a package manager's files on one line and directories folded.\n\n" +
    "  dockerdo history > steps.sh",
  flags: {
    json: switchFlag("Print JSON; with --follow, one object per line"),
    all: switchFlag("Print every changed path instead of folding directories"),
    follow: switchFlag("Print new commands and edits until Ctrl-C"),
  },
  aliases: { f: "follow" },
  readOnly: true,
  action: history,
});

type Event = Execution | ExportEvent;

async function history(context: Context, session: Session, flags: HistoryFlags): Promise<void> {
  if (flags.follow) return await follow(context, session, flags);
  const events = await Array.fromAsync(readHistory(context, session));
  const executions = events.flatMap((event) => "command" in event ? [event] : []);
  const recorded = await readEdits(context, session);
  const found = await gatherEvidence(context, session, executions);
  if (session.containerId !== null && found.diff === undefined) {
    context.stderr(
      `dockerdo: cannot find out what has changed inside the container: ${found.why}\n`,
    );
  }
  hint(context, session, recorded);
  if (flags.json) {
    context.stdout(`${JSON.stringify(asJson(session, { events, recorded, found }), null, 2)}\n`);
    return;
  }
  const edits = recorded.edits.map(renderEdit);
  const inside = await changedInside(context, session, { found, recorded, flags });
  const blocks = [
    renderEnvironment(session),
    ...containerBlocks(session, { events, found }),
    section("Edited through the mount", edits),
    section("Changed in the container by its own programs (docker diff)", inside),
  ].filter((lines) => lines.length > 0);
  if (blocks.length > 0) {
    context.stdout(`${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n`);
  }
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`# ${title}:`, ...lines.map((line) => `#   ${line}`)];
}

/** One block of lines for each container, in their order. */
function containerBlocks(
  session: Session,
  { events, found }: { readonly events: readonly Event[]; readonly found: SessionEvidence },
): string[][] {
  const blocks: { readonly container: string | undefined; readonly events: Event[] }[] = [];
  for (const event of events) {
    const last = blocks.at(-1);
    const container = "command" in event ? event.container : last?.container;
    if (last === undefined || last.container !== container && last.events.some(isExecution)) {
      blocks.push({ container, events: [event] });
    } else {
      blocks.splice(-1, 1, { container, events: [...last.events, event] });
    }
  }
  // Without a command among them exports have no place but the beginning.
  return blocks.filter(({ events }) => events.some(isExecution)).map(({ container, events }) => {
    const render = executionRenderer();
    const title = blocks.length > 1 ? [titleOf(session, { container, events })] : [];
    return [
      ...title,
      ...events.flatMap((event) =>
        isExecution(event) ? render(event, outcomeOf(event, found)) : [renderExport(event)]
      ),
    ];
  });
}

function isExecution(event: Event): event is Execution {
  return "command" in event;
}

function titleOf(
  session: Session,
  { container, events }: {
    readonly container: string | undefined;
    readonly events: readonly Event[];
  },
): string {
  const time = (event: Event | undefined): string =>
    event?.time.slice(0, 16).replace("T", " ") ?? "";
  if (container !== undefined && container === session.containerId) {
    return `# The container ${session.containerName}, from ${time(events[0])} on:`;
  }
  const id = container === undefined ? "" : ` (${container.slice(0, 12)})`;
  return `# An earlier container${id}, ${time(events[0])} to ${time(events.at(-1))}:`;
}

function outcomeOf(execution: Execution, found: SessionEvidence): Outcome {
  const command = found.commandOf.get(execution);
  if (command === undefined) return {};
  const verdict = found.evidence.verdicts[command.number];
  const isShell = execution.command.length === 0;
  const changed = verdict === "nothing"
    ? false
    : verdict === "changed" || verdict === "volatile" && execution.exitCode === 0
    ? true
    : undefined;
  if (!isShell) return { changed };
  const log = inUtc(parseAptLog(found.apt), found.tree.get("/var/log/apt/history.log")?.mtime ?? 0);
  const inside = log.filter(({ began, ended }) =>
    began >= command.begin - 1 && ended <= command.end + 1
  ).map(({ line }) => visible(maskSecrets(line.split(" ")).join(" ")));
  return { changed, inside };
}

/** Lines for what has changed without a local program's doing, unless all are asked for. */
const MOST_LINES = 30;

async function changedInside(
  context: Context,
  session: Session,
  { found, recorded, flags }: {
    readonly found: SessionEvidence;
    readonly recorded: Edits;
    readonly flags: Pick<HistoryFlags, "all">;
  },
): Promise<string[]> {
  if (found.diff === undefined) return [];
  const asInside = ({ kind, path }: Change): InsideChange => ({ kind, path: asText(path) });
  const letters = { added: "A", changed: "C", deleted: "D" } as const;
  const isOthers = ({ kind, path }: Change): boolean =>
    !recorded.explains({ letter: letters[kind], path: asText(path) });
  const groups = listChanges(found).groups.filter(({ by }) => by !== "edit")
    .map((group) => ({ ...group, changes: group.changes.filter(isOthers) }));
  if (flags.all) {
    return groups.flatMap(({ changes }) => changes.map(asInside)).toSorted((a, b) =>
      a.path < b.path ? -1 : 1
    ).map(renderInsideChange);
  }
  const calls: string[] = [];
  const rest: Change[] = [];
  for (const { command, changes } of groups) {
    if (command !== undefined && isPackageCall(command) && changes.length > 1) {
      calls.push(`${commandLine(command)}: ${formatCount(changes.length)} paths`);
    } else rest.push(...changes);
  }
  const isOwned = await ownedBy(context, session, found);
  const owned = rest.filter(({ path }) => isOwned(path));
  if (owned.length > 0) calls.push(`other packages: ${formatCount(owned.length)} paths`);
  const others = rest.filter(({ path }) => !isOwned(path)).map(asInside);
  const folded = fold(others, MOST_LINES);
  const isCut = calls.length > 0 || folded.length < others.length;
  return [
    ...calls,
    ...folded.map(renderFolded),
    ...isCut ? ["dockerdo history --all names every path"] : [],
  ];
}

/** What is only for fewer lines must not keep the rest from being shown. */
async function ownedBy(
  context: Context,
  session: Session,
  found: SessionEvidence,
): Promise<(path: string) => boolean> {
  try {
    return await packagePaths(context, session, found);
  } catch (error) {
    if (!(error instanceof Failure) || error.exitCode > 128) throw error;
    return () => false;
  }
}

function asJson(
  session: Session,
  { events, recorded, found }: {
    readonly events: readonly Event[];
    readonly recorded: Edits;
    readonly found: SessionEvidence;
  },
): Readonly<Record<string, unknown>> {
  const inside = found.diff === undefined
    ? session.containerId === null ? [] : null
    : insideChanges(
      found.diff.map(({ letter, path }) => ({ letter, path: asText(path) })),
      recorded,
    );
  return {
    environment: withoutSecrets(session.env),
    commands: events.filter(isExecution).map((execution) => {
      const number = found.commandOf.get(execution)?.number;
      return {
        ...masked(execution),
        ...number !== undefined && { verdict: found.evidence.verdicts[number] },
      };
    }),
    exports: events.flatMap((event) =>
      isExecution(event) ? [] : [{ ...event, set: withoutSecrets(event.set) }]
    ),
    recording: session.record,
    edits: recorded.edits,
    inside,
  };
}

/** An execution without its secrets. */
function masked(execution: Execution): Execution {
  const { command, env } = execution;
  return {
    ...execution,
    command: maskSecrets(command),
    ...env && { env: withoutSecrets(env) },
  };
}

function withoutSecrets(
  variables: Readonly<Record<string, string | null>>,
): Record<string, string | null> {
  return Object.fromEntries(
    Object.entries(variables).map((
      [name, value],
    ) => [name, value === null || isSecretVariable(name, value) ? null : value]),
  );
}

function hint(context: Context, session: Session, { lost }: { readonly lost: number }): void {
  if (lost > 0) {
    context.stderr(`dockerdo: ${lost} edits were not recorded; was the disk full?\n`);
  }
  if (session.record) return;
  const verb = session.containerId === null ? "run" : "start";
  const options = session.mount === "plain" ? "--mount relay --record" : "--record";
  context.stderr(
    `Edits through the mount are not recorded. To record them: dockerdo ${verb} ${options}\n`,
  );
}

/** Milliseconds of quiet after which edits are printed, and the longest time that they are held back. */
const QUIET_MS = 700;
const LONGEST_MS = 3000;

async function follow(
  context: Context,
  session: Session,
  { json }: { readonly json: boolean },
): Promise<void> {
  hint(context, session, { lost: 0 });
  const render = executionRenderer();
  const story = new Story();
  let heardAt = 0;
  let began = 0;
  let isThere = true;
  const print = (text: string): void => {
    isThere = context.stdout(`${text}\n`) !== false && isThere;
  };
  const show = (execution: Execution): void =>
    print(
      json ? JSON.stringify({ command: masked(execution) }) : render(execution).join("\n"),
    );
  const tell = (): void => {
    for (const edit of story.tell()) {
      print(json ? JSON.stringify({ edit } satisfies { edit: Edit }) : comment(renderEdit(edit)));
    }
  };
  if (!json) { for (const line of renderEnvironment(session)) print(line); }
  const files = [historyPath(session), journalPath(session)]
    .map((path) => path.slice(session.dir.length + 1));
  let isFirst = true;
  for await (const batch of followLines(session.dir, files, { until: interruption() })) {
    for (const { name, line } of batch) {
      if (name === files[0]) {
        const execution = parseExecution(line);
        if (execution !== undefined) show(execution);
        continue;
      }
      const step = parseStep(line);
      if (step === undefined || step.kind === "mounted" || step.kind === "lost") continue;
      heardAt = Date.now();
      if (story.isEmpty) began = heardAt;
      story.add(step);
    }
    const now = Date.now();
    if (isFirst || now - heardAt > QUIET_MS || now - began > LONGEST_MS) tell();
    isFirst = false;
    if (!isThere) return;
  }
  tell();
}
