import { sessionArgumentsCommand } from "../command_line/command.ts";
import { type SessionFlags } from "../command_line/flags.ts";
import { usageFailure } from "../error.ts";
import { recordExecution } from "../history/executions.ts";
import type { Context } from "../process/context.ts";
import { quote } from "../quote.ts";
import { isSecretVariable } from "../secrets.ts";
import type { Session } from "../session/session.ts";
import { updateSession } from "../session/store.ts";

export const command = sessionArgumentsCommand({
  about:
    "Sets variables for every dodo of the session; an empty value removes one. Without arguments, prints them. " +
    "Do not export secrets.\n\n" +
    "  dockerdo export CFLAGS='-O2 -g' OMP_NUM_THREADS=8\n  dockerdo export CFLAGS=",
  argument: {
    brief: "Variable and value (empty: removes it), or the name of a local one to copy",
    placeholder: "KEY=VALUE",
  },
  action: exportVariables,
});

async function exportVariables(
  context: Context,
  session: Session,
  _flags: SessionFlags,
  ...words: string[]
): Promise<void> {
  const variables = words.map((word) => parseVariable(context, word));
  if (words.length === 0) {
    for (const [name, value] of Object.entries(session.env)) {
      context.stdout(`export ${name}=${quote(value)}\n`);
    }
    return;
  }
  if (context.dryRun) {
    for (const [name, value] of variables) {
      context.stderr(value === "" ? `unset ${name}\n` : `export ${name}=${quote(value)}\n`);
    }
    return;
  }
  const set = variables.filter(([, value]) => value !== "")
    .map(([name, value]) => [name, isSecretVariable(name, value) ? null : value]);
  await updateSession(session.dir, (stored) => {
    const env = { ...stored.env };
    for (const [name, value] of variables) {
      if (value === "") delete env[name];
      else env[name] = value;
    }
    return { ...stored, env };
  });
  recordExecution(session, {
    time: new Date().toISOString(),
    set: Object.fromEntries(set),
    unset: variables.filter(([, value]) => value === "").map(([name]) => name),
  });
}

function parseVariable(context: Context, word: string): readonly [name: string, value: string] {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word : word.slice(0, equals);
  const local = context.env[name];
  if (equals < 0 && local === undefined) {
    throw usageFailure(
      `${JSON.stringify(word)} has no =, and this shell exports no such variable`,
      `Write ${name}=VALUE, or ${name}= to remove it.`,
    );
  }
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw usageFailure(
      `${JSON.stringify(name)} cannot be a variable's name`,
      "Use letters, digits and underscores, and a digit must not be first.",
    );
  }
  return [name, equals < 0 ? local ?? "" : word.slice(equals + 1)];
}
