import { Failure, usageFailure } from "../error.ts";
import { execute } from "../exec/execute.ts";
import type { ExecOption, Needs, Request } from "../exec/needs.ts";
import type { Context } from "../process/context.ts";
import { findSession } from "../session/session.ts";

/** What `--help` says above and below the options. */
export const PROSE =
  `Runs COMMAND in the container and returns its exit code. Below the mount, COMMAND
runs in the current directory, elsewhere in the image's WORKDIR. Options after COMMAND are the command's.
Without COMMAND: a login shell.

  dodo make test
  cat local.sql | dodo psql app > result.txt
  dodo -c 'ps ax | grep python'`;

/** The options, and nothing else that a word may be before the command. */
export const OPTIONS: readonly ExecOption[] = [
  {
    names: ["-c"],
    value: "line",
    takes: "line",
    brief: "Run a line of shell; further arguments are $1, $2",
  },
  {
    names: ["-e", "--env"],
    value: "NAME[=VALUE]",
    takes: "env",
    brief: "Set a variable, or pass the local one",
  },
  {
    names: ["-w", "--workdir"],
    value: "directory",
    takes: "workdir",
    brief: "Run in this directory of the container",
  },
  { names: ["-u", "--user"], value: "user[:group]", takes: "user", brief: "Run as another user" },
  {
    names: ["-i", "-t", "--interactive", "--tty"],
    change: { terminal: true },
    brief: "Give the command a terminal (default: if stdin, stdout and stderr are terminals)",
  },
  { names: ["-T", "--no-tty"], change: { terminal: false }, brief: "Give the command no terminal" },
  {
    names: ["-N", "--no-stdin"],
    change: { stdin: false },
    brief: "Leave stdin alone, as ssh -n; without it a while read loop runs once",
  },
  {
    names: ["--no-map"],
    change: { map: false },
    brief: "Do not translate local paths below the mount",
  },
  {
    names: ["--lsp"],
    change: { through: "lsp" },
    brief: "Run a language server for a local editor",
  },
  {
    names: ["--dap"],
    change: { through: "dap" },
    brief: "Run a debug adapter for a local editor",
  },
  {
    names: ["-M", "--map-output"],
    change: { through: "output" },
    brief: "Translate the paths in compiler output to local ones",
  },
  {
    names: ["--session"],
    value: "name",
    takes: "session",
    brief: "Use the session of this name",
  },
  {
    names: ["-v", "--verbose"],
    change: { verbose: true },
    brief: "Print each child process as a line for the shell",
  },
  {
    names: ["-n", "--dry-run"],
    change: { dryRun: true },
    brief: "Only print what would be run",
  },
];

/**
 * Runs a command in the session's container and returns its exit code, 128+n after signal n. A failure of
 * our own has exit code 125.
 */
export async function exec(
  cli: Context,
  words: readonly string[],
  needs: Needs,
): Promise<number> {
  try {
    if (words[0] === "--help" || words[0] === "-h") {
      const { execHelp } = await needs.loadHelp();
      cli.stdout(execHelp(PROSE, OPTIONS));
      return 0;
    }
    const request = await parseWords({ ...cli, ...needs }, words);
    const context = { ...cli, ...needs, verbose: request.verbose, dryRun: request.dryRun };
    return await execute(context, findSession(context, request.session), request);
  } catch (error) {
    throw asOurs(error);
  }
}

// No library: the first argument that is not an option of ours, and all after it, must stay as typed.
async function parseWords(context: Context & Needs, words: readonly string[]): Promise<Request> {
  let request: Request = {
    verbose: context.verbose,
    dryRun: context.dryRun,
    map: true,
    through: undefined,
    terminal: undefined,
    stdin: true,
    workdir: undefined,
    user: undefined,
    session: undefined,
    env: {},
    command: [],
  };
  let line: string | undefined;
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") {
      at++;
      break;
    }
    if (!word.startsWith("-") || word === "-") break;
    const [option = "", inline] = word.startsWith("--") ? splitOnce(word) : [word];
    const { change, takes } = optionNamed(option);
    if (change !== undefined && inline === undefined) request = { ...request, ...change };
    else if (/^-[itTNMvn]{2,}$/.test(word)) {
      for (const letter of word.slice(1)) {
        request = { ...request, ...optionNamed(`-${letter}`).change };
      }
    } else if (takes !== undefined) {
      const value = inline ?? words[++at];
      if (value === undefined) {
        throw usageFailure(`exec's ${option} needs a value`, "dockerdo exec --help");
      }
      if (takes === "line") line = value;
      else if (takes === "env") {
        request = { ...request, env: { ...request.env, ...variable(context, value) } };
      } else request = { ...request, [takes]: value };
    } else {
      const { nearest } = await context.loadHelp();
      const near = nearest(option, OPTIONS.flatMap(({ names }) => names));
      throw usageFailure(
        `exec has no option ${word}${near === undefined ? "" : `; did you mean ${near}?`}`,
        "dockerdo exec --help lists them; put -- before a command whose name begins with a dash.",
      );
    }
  }
  const rest = words.slice(at);
  const command = line === undefined ? rest : ["/bin/sh", "-c", line, "dodo", ...rest];
  return { ...request, command };
}

/** What is thrown as a failure of exec itself, whose exit code no command has. */
function asOurs(error: unknown): Failure {
  if (error instanceof Failure && error.exitCode !== 1) return error;
  const message = error instanceof Error ? error.message : String(error);
  const hint = error instanceof Failure ? error.hint : "DOCKERDO_DEBUG=1 shows where.";
  return new Failure(error instanceof Failure ? message : `unexpected failure: ${message}`, {
    exitCode: 125,
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

function optionNamed(name: string): Partial<ExecOption> {
  return OPTIONS.find(({ names }) => names.includes(name)) ?? {};
}

function splitOnce(word: string): [string, string | undefined] {
  const equals = word.indexOf("=");
  return equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
}

function variable(context: Context, word: string): Record<string, string> {
  const [name, value = context.env[name]] = splitOnce(word);
  if (name === "") throw usageFailure(`${JSON.stringify(word)} has no name`, "Write -e NAME=VALUE");
  return value === undefined ? {} : { [name]: value };
}
