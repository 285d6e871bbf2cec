import { sessionCommand } from "../command_line/command.ts";
import { textFlag } from "../command_line/flags.ts";
import { compose } from "../dockerfile/compose.ts";
import { checkContextDir, writeContext } from "../dockerfile/context_dir.ts";
import { gatherFacts } from "../dockerfile/facts.ts";
import { reachRemoteHost } from "../lifecycle/connection.ts";
import { progress } from "../output.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";

interface DockerfileFlags {
  readonly output?: string;
}

export const command = sessionCommand<DockerfileFlags>({
  about:
    "Commands that changed something become RUN, in the order in which they ran; what no command explains is copied\n" +
    "out of the container. Without -o the Dockerfile is printed; with it, it is written with its build context.\n\n" +
    "  dockerdo dockerfile -o image && docker build image",
  flags: {
    output: textFlag(
      "Write the Dockerfile and its build context there: a new or empty directory",
      "dir",
    ),
  },
  aliases: { o: "output" },
  action: dockerfile,
});

async function dockerfile(
  context: Context,
  found: Session,
  flags: DockerfileFlags,
): Promise<void> {
  const dir = flags.output;
  if (dir !== undefined) await checkContextDir(dir);
  const session = await reachRemoteHost(context, found, {
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
