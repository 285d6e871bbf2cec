import { sessionCommand } from "../command_line/command.ts";
import { switchFlag } from "../command_line/flags.ts";
import { type Change, type ChangeGroup, listChanges } from "../dockerfile/change_list.ts";
import { gatherEvidence, type SessionEvidence } from "../dockerfile/session_evidence.ts";
import { readExecutions } from "../history/executions.ts";
import { fold } from "../history/fold.ts";
import { formatCount, renderFolded, renderInsideChange } from "../history/render.ts";
import { commandLine, isPackageCall } from "../history/script.ts";
import { asText } from "../history/story.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { visible } from "../visible.ts";

interface ChangesFlags {
  readonly json: boolean;
  readonly all: boolean;
}

export const command = sessionCommand<ChangesFlags>({
  about:
    "Prints what differs from the image, by who changed it last: you, through the mount; a command of dodo; processes\n" +
    "that commands left running; or something outside the session. What differs in every run (logs, caches, temporary\n" +
    "files) is a count. Of a container that does not run, only what was seen in time has a cause.\n\n" +
    "  dockerdo changes --all",
  flags: {
    json: switchFlag("Print JSON, with every path"),
    all: switchFlag("Print every path instead of folding directories"),
  },
  readOnly: true,
  action: changes,
});

/** Lines below one cause, unless all are asked for. */
const MOST_LINES = 12;

async function changes(context: Context, session: Session, flags: ChangesFlags): Promise<void> {
  const executions = await Array.fromAsync(readExecutions(context, session));
  const found = await gatherEvidence(context, session, executions);
  const { groups, volatile } = listChanges(found);
  for (const sentence of limitsOf(session, found)) context.stderr(`dockerdo: ${sentence}\n`);
  if (flags.json) {
    const all = { container: found.reach, why: found.why, groups: groups.map(asJson), volatile };
    context.stdout(`${JSON.stringify(all, null, 2)}\n`);
    return;
  }
  const blocks = groups.map((group) => [titleOf(group), ...linesOf(group, flags)].join("\n"));
  const count = Object.values(volatile).reduce((sum, of) => sum + of, 0);
  if (count > 0) {
    const rules = Object.entries(volatile).map(([rule, of]) => `${rule} ${formatCount(of)}`);
    blocks.push(`Differs in every run: ${formatCount(count)} paths (${rules.join(", ")})`);
  }
  if (blocks.length > 0) context.stdout(`${blocks.join("\n\n")}\n`);
}

/** What the list lacks, and why. */
function limitsOf(session: Session, { reach, why, evidence }: SessionEvidence): string[] {
  const says: Readonly<Record<SessionEvidence["reach"], string | undefined>> = {
    running: undefined,
    stopped: `${why}: causes are known only of what was seen when it changed`,
    gone: `${why}: this is what was seen when it changed, and may have changed since`,
    unreachable: `${why}; this is what was seen when it changed, and may have changed since`,
  };
  const limits = [says[reach] ?? []].flat();
  if (!evidence.swept && evidence.commands.length > 0) {
    limits.push(
      "nobody looked at the container between commands: only the last change of each path has a cause",
    );
  }
  if (!session.record) {
    limits.push(
      "edits through the mount are not recorded, so they are among what came from outside",
    );
  }
  return limits;
}

function titleOf(group: ChangeGroup): string {
  const { by, command, processes = [] } = group;
  switch (by) {
    case "edit":
      return "By you, through the mount:";
    case "command": {
      if (command === undefined) return "By a command:";
      const code = command.exitCode === 0 ? "" : `, exit code ${command.exitCode}`;
      return `By a command, ${command.time.slice(0, 16).replace("T", " ")}${code}: ${
        commandLine(command)
      }`;
    }
    case "process":
      return `While no command ran, but processes that commands had left (${
        visible(processes.join(", "))
      }):`;
    case "outside":
      return "Outside the session (docker exec, or docker itself):";
    case "unknown":
      return "By whom is not known:";
  }
}

function linesOf(group: ChangeGroup, { all }: ChangesFlags): string[] {
  const shown = group.changes.map(({ kind, path }) => ({ kind, path: asText(path) }));
  if (all) return shown.map((change) => `  ${renderInsideChange(change)}`);
  if (group.command !== undefined && isPackageCall(group.command) && shown.length > MOST_LINES) {
    return [`  ${formatCount(shown.length)} paths; dockerdo changes --all names each`];
  }
  return fold(shown, MOST_LINES).map((line) => `  ${renderFolded(line)}`);
}

function asJson(group: ChangeGroup): Readonly<Record<string, unknown>> {
  const { by, command, processes, changes } = group;
  return {
    by,
    ...command && {
      command: {
        line: commandLine(command),
        time: command.time,
        cwd: command.cwd,
        exitCode: command.exitCode,
      },
    },
    ...processes && { processes },
    changes: changes.map(nameOf),
  };
}

function nameOf({ kind, path }: Change): Readonly<Record<string, string>> {
  const text = asText(path);
  const isText = !text.includes("\uFFFD");
  const bytes = (): string => Uint8Array.from(path, (char) => char.charCodeAt(0)).toBase64();
  return { kind, path: text, ...!isText && { pathBytes: bytes() } };
}
