import { buildCommand } from "@stricli/core";
import {
  type CliContext,
  commonAliases,
  type CommonFlags,
  commonFlags,
  contextOf,
  passedArguments,
} from "../command.ts";
import { loadConfig } from "../config.ts";
import { connectContainer, connectRemoteHost, findContainer } from "../connection.ts";
import { docker } from "../docker.ts";
import { Failure } from "../error.ts";
import { findPublicKey } from "../key.ts";
import { progress } from "../output.ts";
import { containerMount, findSession, lockLifecycle } from "../session.ts";
import { stopMaster } from "../ssh.ts";

export const command = buildCommand<CommonFlags, string[], CliContext>({
  func: start,
  parameters: {
    flags: commonFlags,
    aliases: commonAliases,
    positional: passedArguments("docker start"),
  },
  docs: {
    brief: "Start the session's stopped container and mount its filesystem",
    fullDescription:
      "Starts a stopped or paused container again and mounts its filesystem. Fine to repeat.\n\n  dockerdo stop; dockerdo start",
  },
});

async function start(this: CliContext, flags: CommonFlags, ...words: string[]): Promise<void> {
  const context = contextOf(this, flags);
  const config = await loadConfig(context);
  const found = findSession(context);
  using _lock = await lockLifecycle(context, found);
  const session = await connectRemoteHost(context, found, { interactive: true });
  const container = await findContainer(context, session);
  if (container === undefined) {
    throw new Failure(`the session ${session.name} has no container`, { hint: "dockerdo run" });
  }
  const key = await findPublicKey(context, config.ssh_key_path);
  if (container.status !== "running") {
    progress(context, "remote", `Starting the container ${container.name}`);
    const verb = container.status === "paused" ? ["unpause"] : ["start", ...words];
    await docker(context, session, {
      words: [...verb, container.id],
      doing: "Starting the container",
    });
    // What is left of a master belongs to the container's earlier life.
    await stopMaster(context, session, "container");
  }
  await connectContainer(context, session, { containerId: container.id, key });
  progress(context, "container", `Ready: ${containerMount(session)}`);
}
