import { sessionCommand } from "../command_line/command.ts";
import { switchFlag, textFlag } from "../command_line/flags.ts";
import type { Container } from "../docker.ts";
import { Failure, usageFailure } from "../error.ts";
import { findContainer, reachRemoteHost } from "../lifecycle/connection.ts";
import { progress } from "../output.ts";
import { formatAge } from "../units.ts";
import type { Context } from "../process/context.ts";
import { writeStdout } from "../process/stream.ts";
import type { Session } from "../session/session.ts";
import { streamFrom } from "../ssh/stream.ts";
import { ENGINE } from "../ssh/argv.ts";

interface LogsFlags {
  readonly follow: boolean;
  readonly tail?: string;
  readonly since?: string;
}

export const command = sessionCommand<LogsFlags>({
  about:
    "Prints the log of the container: what its main process wrote to stdout and stderr, each on its own stream. " +
    "Where it has ended, the last line on stderr says when and with which exit code. Commands run by dodo are " +
    "not in it, and a session's own container runs only sleep unless --connect port makes it run sshd.\n\n" +
    "  dockerdo logs -f --tail 20",
  flags: {
    follow: switchFlag("Also print what is logged later, until Ctrl-C"),
    tail: textFlag("Print only the last N lines", "n"),
    since: textFlag(
      "Print only what is newer: 10m, 2h or a time as in 2025-01-02T03:04:05",
      "time",
    ),
  },
  aliases: { f: "follow" },
  readOnly: true,
  action: logs,
});

async function logs(context: Context, found: Session, flags: LogsFlags): Promise<void> {
  // docker takes anything else for all.
  if (flags.tail !== undefined && !/^(\d+|all)$/.test(flags.tail)) {
    throw usageFailure(`--tail needs a number of lines, not ${JSON.stringify(flags.tail)}`);
  }
  const session = await reachRemoteHost(context, found, {
    interactive: true,
  });
  const container = await findContainer(context, session);
  if (container === undefined) {
    throw new Failure(`the session ${session.name} has no container`, { hint: "dockerdo run" });
  }
  const code = await streamFrom(context, session, {
    destination: "remote",
    words: [
      ENGINE.program,
      "logs",
      ...flags.follow ? ["--follow"] : [],
      ...flags.tail === undefined ? [] : [`--tail=${flags.tail}`],
      ...flags.since === undefined ? [] : [`--since=${flags.since}`],
      container.id,
    ],
    onStdout: writeStdout,
  });
  if (code !== 0 && code !== 143) throw new Failure(`docker logs failed with exit code ${code}`);
  if (context.dryRun) return;
  const after = await findContainer(context, session);
  if (after === undefined) progress(context, "container", `${container.name} has been removed`);
  else if (hasEnded(after)) progress(context, "container", ending(after, Date.now()));
}

function hasEnded({ status }: Container): boolean {
  return status === "exited" || status === "dead";
}

/** How and when a container that does not run has ended, as a sentence. */
export function ending(
  { name, exitCode, finishedAt, outOfMemory }: Pick<
    Container,
    "name" | "exitCode" | "finishedAt" | "outOfMemory"
  >,
  now: number,
): string {
  const time = Date.parse(finishedAt);
  const when = Number.isNaN(time)
    ? ""
    : ` at ${new Date(time).toISOString()}, ${formatAge(now - time)} ago`;
  return `${name} ended with exit code ${exitCode}${outOfMemory ? " (out of memory)" : ""}${when}`;
}
