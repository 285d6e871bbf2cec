import { buildCommand } from "@stricli/core";
import {
  type CliContext,
  commonAliases,
  type CommonFlags,
  commonFlags,
  contextOf,
} from "../command.ts";
import { reconnect } from "../connection.ts";
import { findSession } from "../session.ts";

export const command = buildCommand<CommonFlags, [], CliContext>({
  func: async function (this: CliContext, flags: CommonFlags): Promise<void> {
    const context = contextOf(this, flags);
    await reconnect(context, findSession(context), { interactive: true });
  },
  parameters: { flags: commonFlags, aliases: commonAliases },
  docs: {
    brief: "Bring the session's control masters and mounts back; the activate script calls it",
  },
});
