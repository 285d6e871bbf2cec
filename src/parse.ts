import { buildApplication, type Command, help, run, text_en } from "@stricli/core";
import type { CliContext } from "./command.ts";
import { describeFailure, exitCodeOf } from "./error.ts";
import type { Context } from "./process.ts";

/**
 * Parses `words` for one command and runs it; returns the exit code. With `passesOptions` the words that are
 * not options of the command, and all after `--`, reach it as they are and in their order.
 */
export async function runCommand(
  context: Context,
  words: readonly string[],
  { name, command, passesOptions }: {
    readonly name: string;
    /** What a command file exports as `command`. */
    readonly command: unknown;
    readonly passesOptions: boolean;
  },
): Promise<number> {
  const target = command as Command<CliContext>;
  const debug = Boolean(context.env["DOCKERDO_DEBUG"]);
  const describe = (error: unknown): string => describeFailure(error, { debug });
  const application = buildApplication(target, {
    name,
    scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
    documentation: { disableAnsiColor: true },
    determineExitCode: exitCodeOf,
    localization: {
      text: {
        ...text_en,
        exceptionWhileRunningCommand: describe,
        commandErrorResult: describe,
        exceptionWhileParsingArguments: (error) =>
          `dockerdo: ${error instanceof Error ? error.message : String(error)}\n  ${name} --help`,
      },
    },
  }, {
    help: help<CliContext>({
      brief: "Print help and exit",
      formatting: {
        caseStyle: "convert-camel-to-kebab",
        useAliasInUsageLine: false,
        onlyRequiredInUsageLine: true,
      },
    }),
  });
  const process: CliContext["process"] & { exitCode?: number | string | null } = {
    stdout: { write: context.stdout },
    stderr: { write: context.stderr },
  };
  const inputs = passesOptions ? setPassedApart(words, target) : words;
  await run(application, inputs, { ...context, process });
  const code = Number(process.exitCode ?? 0);
  // The parser's own codes are negative: what was typed could not be understood.
  return code < 0 ? 2 : code;
}

function setPassedApart(words: readonly string[], command: Command<CliContext>): string[] {
  const own: string[] = [];
  const passed: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "--") {
      passed.push(...words.slice(i + 1));
      break;
    }
    const kind = word === "--help" ? "boolean" : ownFlag(word, command);
    if (kind === undefined) passed.push(word);
    else if (kind === "boolean" || word.includes("=")) own.push(word);
    else own.push(word, words[++i] ?? "");
  }
  return passed.length === 0 ? own : [...own, "--", ...passed];
}

/** The kind of the option that a word is for this command; undefined where it is none of its. */
function ownFlag(word: string, command: Command<CliContext>): string | undefined {
  const flags = new Map(Object.entries(command.parameters.flags ?? {}));
  const aliases = new Map(Object.entries(command.parameters.aliases ?? {}));
  const [option = ""] = word.split("=", 1);
  if (!option.startsWith("--")) {
    return /^-[A-Za-z]$/.test(option)
      ? flags.get(aliases.get(option.slice(1)) ?? "")?.kind
      : undefined;
  }
  const name = option.slice(2);
  const negated = name.startsWith("no-") ? flags.get(camelCase(name.slice(3))) : undefined;
  if (negated?.kind === "boolean" && negated.withNegated !== false) return negated.kind;
  return flags.get(camelCase(name))?.kind;
}

function camelCase(kebab: string): string {
  return kebab.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
