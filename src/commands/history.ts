import { sessionCommand } from "../command_line/command.ts";
import { switchFlag } from "../command_line/flags.ts";
import { type Edits, readEdits } from "../history/edits.ts";
import { type Edit, Story } from "../history/story.ts";
import { renderEdit, renderInsideChange } from "../history/render.ts";
import { type InsideChange, readInsideChanges } from "../history/inside_changes.ts";
import { Failure } from "../error.ts";
import { followLines } from "../history/tail.ts";
import {
  type Execution,
  executionRenderer,
  historyPath,
  parseExecution,
  readExecutions,
  renderEnvironment,
} from "../history/executions.ts";
import { interruption } from "../process/child.ts";
import { type Context } from "../process/context.ts";
import { parseStep } from "../relay/journal.ts";
import { journalPath, type Session } from "../session/session.ts";
import { isMasterAlive } from "../ssh/master.ts";

interface HistoryFlags {
  readonly json: boolean;
  readonly follow: boolean;
}

export const command = sessionCommand<HistoryFlags>({
  about:
    "Prints the session's variables, then every command that was run in the container, as lines of shell that a\n" +
    "Dockerfile's RUN can take. A command that failed is followed by its exit code. In comments below them: the files\n" +
    "that local programs edited through the mount (unless --no-record), and what else has changed in the\n" +
    "container, as docker diff reports it.\n\n  dockerdo history > steps.sh",
  flags: {
    json: switchFlag("Print JSON; with --follow, one object per line"),
    follow: switchFlag("Print new commands and edits until Ctrl-C"),
  },
  aliases: { f: "follow" },
  readOnly: true,
  action: history,
});

async function history(context: Context, session: Session, flags: HistoryFlags): Promise<void> {
  if (flags.follow) return await follow(context, session, flags);
  const recorded = await readEdits(context, session);
  const inside = await changesInside(context, session, recorded);
  hint(context, session, recorded);
  if (flags.json) {
    const commands = await Array.fromAsync(readExecutions(context, session));
    const { edits } = recorded;
    const all = { environment: session.env, commands, recording: session.record, edits, inside };
    context.stdout(`${JSON.stringify(all, null, 2)}\n`);
    return;
  }
  for (const line of renderEnvironment(session)) context.stdout(`${line}\n`);
  const render = executionRenderer();
  for await (const execution of readExecutions(context, session)) {
    context.stdout(`${render(execution).join("\n")}\n`);
  }
  section(context, "Edited through the mount", recorded.edits.map(renderEdit));
  section(
    context,
    "Changed in the container by its own programs (docker diff)",
    (inside ?? []).map(renderInsideChange),
  );
}

function section(context: Context, title: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  context.stdout(`# ${title}:\n${lines.map((line) => `#   ${line}\n`).join("")}`);
}

/** null: not known. What cannot be asked must not keep the rest of the history from being shown. */
async function changesInside(
  context: Context,
  session: Session,
  recorded: Edits,
): Promise<readonly InsideChange[] | null> {
  if (session.containerId === null) return [];
  try {
    if (session.remoteHost !== null && !await isMasterAlive(context, session, "remote")) {
      throw new Failure(`there is no connection to ${session.remoteHost.name}`);
    }
    return await readInsideChanges(context, session, recorded);
  } catch (error) {
    if (!(error instanceof Failure) || error.exitCode > 128) throw error;
    context.stderr(
      `dockerdo: cannot find out what has changed inside the container: ${error.message}\n`,
    );
    return null;
  }
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
    print(json ? JSON.stringify({ command: execution }) : render(execution).join("\n"));
  const tell = (): void => {
    for (const edit of story.tell()) {
      print(json ? JSON.stringify({ edit } satisfies { edit: Edit }) : `# ${renderEdit(edit)}`);
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
