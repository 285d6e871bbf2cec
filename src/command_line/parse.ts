import {
  AliasNotFoundError,
  ArgumentParseError,
  buildApplication,
  type Command,
  FlagNotFoundError,
  run,
  text_en,
} from "@stricli/core";
import type { CliContext } from "./flags.ts";
import { describeFailure, exitCodeOf, Failure } from "../error.ts";
import type { Context } from "../process/context.ts";

/**
 * Parses `words` for one command and runs it; returns the exit code. With `passesOptions` the words that are
 * not options of the command, and all after `--`, reach it as they are and in their order.
 */
export async function runCommand(
  context: Context,
  words: readonly string[],
  { name, command, passesOptions }: {
    /** The argument after `dockerdo`. */
    readonly name: string;
    /** What a command file exports as `command`. */
    readonly command: unknown;
    readonly passesOptions: boolean;
  },
): Promise<number> {
  const target = command as Command<CliContext>;
  const { own, passed } = passesOptions ? setPassedApart(words, target) : asOwn(words);
  if (own.includes("--help") || (own.includes("-h") && !passesOptions)) {
    const { describeCommand, helpText } = await import("./describe.ts");
    context.stdout(helpText(describeCommand(name, target, { passesOptions })));
    return 0;
  }
  const debug = Boolean(context.env["DOCKERDO_DEBUG"]);
  const describe = (error: unknown): string => describeFailure(error, { debug });
  const application = buildApplication(target, {
    name: `dockerdo ${name}`,
    scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
    documentation: { disableAnsiColor: true },
    determineExitCode: exitCodeOf,
    localization: {
      text: {
        ...text_en,
        exceptionWhileRunningCommand: describe,
        commandErrorResult: describe,
        exceptionWhileParsingArguments: (error) =>
          `dockerdo: ${misunderstood(error, name)}\n  dockerdo ${name} --help`,
      },
    },
  });
  const process: CliContext["process"] & { exitCode?: number | string | null } = {
    stdout: { write: context.stdout },
    stderr: { write: context.stderr },
  };
  await run(application, passed.length === 0 ? own : [...own, "--", ...passed], {
    ...context,
    process,
  });
  const code = Number(process.exitCode ?? 0);
  if (code !== 0 && passesOptions) await explainPassed(context, passed, target);
  // The parser's own codes are negative: what was typed could not be understood.
  return code < 0 ? 2 : code;
}

/** A command line's words: those that are the command's, and those that it passes on. */
interface Parted {
  readonly own: readonly string[];
  readonly passed: readonly string[];
}

function asOwn(words: readonly string[]): Parted {
  const end = words.indexOf("--");
  return end < 0
    ? { own: words, passed: [] }
    : { own: words.slice(0, end), passed: words.slice(end + 1) };
}

function setPassedApart(words: readonly string[], command: Command<CliContext>): Parted {
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
  return { own, passed };
}

function misunderstood(error: unknown, name: string): string {
  if (error instanceof FlagNotFoundError) {
    const [near] = error.corrections;
    const proposal = near === undefined ? "" : `; did you mean --${near.replace(/^--/, "")}?`;
    return `${name} has no option --${error.input.replace(/^--/, "")}${proposal}`;
  }
  if (error instanceof AliasNotFoundError) return `${name} has no option -${error.input}`;
  if (error instanceof ArgumentParseError && error.exception instanceof Failure) {
    return error.exception.message;
  }
  return error instanceof Error ? error.message : String(error);
}

// Docker has said that it does not know the option; that ours has nearly the same name, only we know.
async function explainPassed(
  context: Context,
  passed: readonly string[],
  command: Command<CliContext>,
): Promise<void> {
  const { nearest } = await import("../nearest.ts");
  const own = Object.keys(command.parameters.flags ?? {}).map((key) => `--${kebabCase(key)}`);
  for (const word of passed.filter((word) => word.startsWith("--"))) {
    const option = word.split("=", 1)[0] ?? "";
    const near = nearest(option, own);
    if (near === undefined || near === option) continue;
    context.stderr(`dockerdo: ${option} was passed to docker; dockerdo has ${near}\n`);
  }
}

/** The kind of the option that a word is for this command; undefined where the command has no such option. */
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

function kebabCase(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function camelCase(kebab: string): string {
  return kebab.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
