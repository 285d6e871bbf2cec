import { buildCommand } from "@stricli/core";
import {
  type CliContext,
  commonAliases,
  contextOf,
  type SessionFlags,
  sessionFlags,
  sessionName,
  sessionOf,
} from "../command_line/flags.ts";
import { reconnect } from "../lifecycle/connection.ts";

export const command = buildCommand<SessionFlags, [string?], CliContext>({
  func: async function (this: CliContext, flags: SessionFlags, name?: string): Promise<void> {
    const context = contextOf(this, flags);
    await reconnect(context, sessionOf(context, flags, name), { interactive: true });
  },
  parameters: { flags: sessionFlags, aliases: commonAliases, positional: sessionName },
  docs: {
    brief: "Bring the session's control masters and mounts back; the activate script calls it",
  },
});
