import { plainCommand } from "../command_line/command.ts";
import { switchFlag } from "../command_line/flags.ts";
import { type Shell, SHELLS } from "../command_line/completions/script.ts";
import { type Completed } from "../command_line/describe.ts";
import { confirm } from "../confirm.ts";
import { Failure } from "../error.ts";
import { coloured } from "../output.ts";
import { applyChange, showChange } from "../install/file_change.ts";
import { type InstallStep, leftovers, planSteps, shellsOf } from "../install/plan.ts";
import type { Context } from "../process/context.ts";

interface InstallFlags {
  readonly yes: boolean;
  readonly uninstall: boolean;
  readonly shell?: readonly Shell[];
  readonly bashrc: boolean;
  readonly sshConfig: boolean;
}

/** The command, given what knows all commands. */
export function install(
  describeAll: () => Promise<readonly Completed[]>,
): { readonly command: unknown } {
  async function run(context: Context, flags: InstallFlags): Promise<void> {
    await installAll(context, await describeAll(), flags);
  }
  const command = plainCommand<InstallFlags>({
    about:
      "Writes a commented configuration file, the manual page, and for bash, zsh and fish the alias dodo, " +
      "a function by which init, up and attach activate their session, and completions: one marked block in ~/.bashrc and ~/.zshrc, files of their own for fish. One line in " +
      "~/.ssh/config makes ssh NAME.dockerdo reach a session's container. Launchers of " +
      "dockerdo and dodo are added to ~/.local/bin if dockerdo is not on the PATH. Shows each change and asks " +
      "before it is made. Can be repeated.\n\n" +
      "  dockerdo install --yes --shell zsh",
    flags: {
      shell: {
        kind: "enum",
        values: SHELLS,
        brief: "Only for these shells (default: those that you use)",
        optional: true,
        variadic: ",",
      },
      bashrc: { kind: "boolean", brief: "Leave ~/.bashrc as it is", default: true },
      sshConfig: { kind: "boolean", brief: "Leave ~/.ssh/config as it is", default: true },
      uninstall: switchFlag("Remove what install has added, and nothing else"),
      yes: switchFlag("Do not ask"),
    },
    aliases: { y: "yes" },
    action: run,
  });
  return { command };
}

async function installAll(
  context: Context,
  commands: readonly Completed[],
  flags: InstallFlags,
): Promise<void> {
  const shells = flags.shell ?? (flags.uninstall ? SHELLS : shellsOf(context));
  const failures: Failure[] = [];
  const outcomes = new Set<Outcome>();
  for (const plan of planSteps(context, commands, { ...flags, shells })) {
    try {
      outcomes.add(await perform(context, await plan(), flags));
    } catch (error) {
      // The other shells need not suffer from it.
      if (!(error instanceof Failure) || error.exitCode !== 1) throw error;
      failures.push(error);
    }
  }
  if (failures.length > 0) {
    throw new Failure(failures.map(({ message }) => message).join("\ndockerdo: "), {
      hint: failures.flatMap(({ hint }) => hint ?? []).join("\n"),
    });
  }
  if (!outcomes.has("done") && !outcomes.has("left")) {
    context.stderr(
      flags.uninstall ? "Nothing to remove.\n" : "Everything is installed; nothing was changed.\n",
    );
  } else if (!flags.uninstall && outcomes.has("done")) {
    context.stderr("Start a new shell to use dodo and the completions.\n");
  }
}

/** Whether there was nothing to do, or something that was done, or only shown. */
type Outcome = "nothing" | "left" | "done";

function colouredDiff(context: Context, diff: string): string {
  const colours = { "+": "green", "-": "red" } as const;
  return diff.replaceAll(
    /^([+-]).*$/gm,
    (line, sign: "+" | "-") => coloured(context, line, { colour: colours[sign], stream: "stderr" }),
  );
}

/** Shows, asks and does. */
async function perform(
  context: Context,
  { name, changes, notes }: InstallStep,
  { yes, uninstall }: InstallFlags,
): Promise<Outcome> {
  for (const note of notes) context.stderr(`[local] ${note}\n`);
  if (changes.length === 0) return "nothing";
  for (const change of changes) context.stderr(colouredDiff(context, showChange(change)));
  if (context.dryRun) return "left";
  const question = uninstall ? `Remove this (${name})?` : `Make these changes (${name})?`;
  if (!yes && !await confirm(context, question)) return "left";
  for (const change of changes) {
    await applyChange(change);
    if (change.after !== undefined) continue;
    for (const dir of leftovers(context, change.path)) {
      // One that holds something stays, and so do those above it.
      await Deno.remove(dir).catch(() => {});
    }
  }
  return "done";
}
