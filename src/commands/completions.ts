import { plainCommand } from "../command_line/command.ts";
import { type CommonFlags } from "../command_line/flags.ts";
import { completionScript, type Shell, SHELLS } from "../command_line/completions/script.ts";
import { type Completed } from "../command_line/describe.ts";
import { usageFailure } from "../error.ts";
import type { Context } from "../process/context.ts";
import { nearest } from "../nearest.ts";

/** The command, given what knows all commands. */
export function completions(
  describeAll: () => Promise<readonly Completed[]>,
): { readonly command: unknown } {
  async function print(context: Context, _flags: CommonFlags, shell: Shell): Promise<void> {
    context.stdout(completionScript(shell, await describeAll()));
  }
  const command = plainCommand<object, [Shell]>({
    about:
      "Prints a script that lets a shell complete dockerdo and dodo: commands, options, hosts, sessions, " +
      "images, and paths in the container. dockerdo install installs it.\n\n" +
      "  source <(dockerdo completions bash)\n  dockerdo completions fish | source",
    positional: {
      kind: "tuple",
      parameters: [{
        brief: "Shell that reads the script",
        placeholder: SHELLS.join("|"),
        parse: parseShell,
      }],
    },
    readOnly: true,
    action: print,
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
