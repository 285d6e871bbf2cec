import { buildCommand } from "@stricli/core";
import {
  type CliContext,
  commonAliases,
  contextOf,
  type SessionFlags,
  sessionFlags,
  sessionName,
  sessionOf,
  textFlag,
} from "../command_line/flags.ts";
import { compose } from "../dockerfile/compose.ts";
import { checkContextDir, writeContext } from "../dockerfile/context_dir.ts";
import { gatherFacts } from "../dockerfile/facts.ts";
import { reachRemoteHost } from "../lifecycle/connection.ts";
import { progress } from "../output.ts";

interface DockerfileFlags extends SessionFlags {
  readonly output?: string;
}

export const command = buildCommand<DockerfileFlags, [string?], CliContext>({
  func: dockerfile,
  parameters: {
    flags: {
      ...sessionFlags,
      output: textFlag(
        "Write the Dockerfile and its build context there: a new or empty directory",
        "dir",
      ),
    },
    aliases: { ...commonAliases, o: "output" },
    positional: sessionName,
  },
  docs: {
    brief: "Write a Dockerfile that gives what the session's container has become",
    fullDescription:
      "Commands that changed something become RUN, in the order in which they ran; what no command explains is copied\n" +
      "out of the container. Without -o the Dockerfile is printed; with it, it is written with its build context.\n\n" +
      "  dockerdo dockerfile -o image && docker build image",
  },
});

async function dockerfile(this: CliContext, flags: DockerfileFlags, name?: string): Promise<void> {
  const context = contextOf(this, flags);
  const dir = flags.output;
  if (dir !== undefined) await checkContextDir(dir);
  const session = await reachRemoteHost(context, sessionOf(context, flags, name), {
    interactive: true,
  });
  progress(context, "container", "Asking what has changed");
  const facts = await gatherFacts(context, session);
  const made = compose(facts);
  if (dir === undefined) {
    context.stdout(made.text);
    return;
  }
  await writeContext(context, session, {
    dir,
    text: made.text,
    files: made.files,
    tree: facts.survey.tree,
    containerId: facts.containerId,
  });
  progress(context, "local", `Written: ${dir}/Dockerfile`);
}
