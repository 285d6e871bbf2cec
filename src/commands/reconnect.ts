import { sessionCommand } from "../command_line/command.ts";
import { reconnect } from "../lifecycle/connection.ts";

export const command = sessionCommand({
  about: "Restores the session's control masters and mounts. The activate script calls it.",
  action: (context, session) => reconnect(context, session, { interactive: true }),
});
