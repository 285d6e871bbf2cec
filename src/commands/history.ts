import { buildCommand } from "@stricli/core";
import {
  type CliContext,
  commonAliases,
  contextOf,
  type SessionFlags,
  sessionFlags,
  sessionName,
  sessionOf,
  switchFlag,
} from "../command.ts";
import {
  type Execution,
  executionRenderer,
  readExecutions,
  renderEnvironment,
} from "../history.ts";

interface HistoryFlags extends SessionFlags {
  readonly json: boolean;
}

export const command = buildCommand<HistoryFlags, [string?], CliContext>({
  func: history,
  parameters: {
    flags: { ...sessionFlags, json: switchFlag("Print JSON") },
    aliases: commonAliases,
    positional: sessionName,
  },
  docs: {
    brief: "Print the session's variables and commands as lines of shell",
    fullDescription:
      "Prints the session's variables, then every command that was run in the container, as lines of shell that a\n" +
      "Dockerfile's RUN can take. A command that failed has its exit code behind it.\n\n  dockerdo history > steps.sh",
  },
});

async function history(this: CliContext, flags: HistoryFlags, name?: string): Promise<void> {
  const context = contextOf(this, flags);
  const session = sessionOf(context, flags, name);
  if (flags.json) {
    const commands: Execution[] = [];
    for await (const execution of readExecutions(context, session)) commands.push(execution);
    context.stdout(`${JSON.stringify({ environment: session.env, commands }, null, 2)}\n`);
    return;
  }
  for (const line of renderEnvironment(session)) context.stdout(`${line}\n`);
  const render = executionRenderer();
  for await (const execution of readExecutions(context, session)) {
    context.stdout(`${render(execution).join("\n")}\n`);
  }
}
