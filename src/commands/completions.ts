import { buildCommand } from "@stricli/core";
import {
  type CliContext,
  commonAliases,
  type CommonFlags,
  commonFlags,
  contextOf,
} from "../command_line/flags.ts";
import { completionScript, type Shell, SHELLS } from "../command_line/completions/script.ts";
import { type Completed } from "../command_line/describe.ts";
import { usageFailure } from "../error.ts";
import { nearest } from "../nearest.ts";

/** The command, given what knows all commands. */
export function completions(
  describeAll: () => Promise<readonly Completed[]>,
): { readonly command: unknown } {
  async function print(this: CliContext, flags: CommonFlags, shell: Shell): Promise<void> {
    contextOf(this, flags).stdout(completionScript(shell, await describeAll()));
  }
  const command = buildCommand<CommonFlags, [Shell], CliContext>({
    func: print,
    parameters: {
      flags: commonFlags,
      aliases: commonAliases,
      positional: {
        kind: "tuple",
        parameters: [{
          brief: "The shell that is to read them",
          placeholder: SHELLS.join("|"),
          parse: parseShell,
        }],
      },
    },
    docs: {
      brief: "Print the completions of dockerdo and dodo for a shell",
      fullDescription:
        "Prints a script that teaches a shell to complete dockerdo and dodo: commands, options, hosts, sessions, " +
        "images, and paths in the container. dockerdo install puts it into place..\n\n" +
        "  source <(dockerdo completions bash)\n  dockerdo completions fish | source",
    },
  });
  return { command };
}

/** The shell of this name; a failure where there are no completions for it. */
export function parseShell(word: string): Shell {
  const shell = SHELLS.find((name) => name === word);
  if (shell !== undefined) return shell;
  const near = nearest(word, SHELLS);
  throw usageFailure(
    `there are no completions for ${JSON.stringify(word)}${near ? `; did you mean ${near}?` : ""}`,
    `There are for ${SHELLS.join(", ")}.`,
  );
}
