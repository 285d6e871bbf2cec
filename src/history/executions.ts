import type { Context } from "../process/context.ts";
import { quote } from "../quote.ts";
import type { Session } from "../session/session.ts";

/** One command that was run in the container. */
export interface Execution {
  /** ISO 8601, UTC, when it began. */
  readonly time: string;
  /** The directory in the container. */
  readonly cwd: string;
  readonly command: readonly string[];
  readonly exitCode: number;
  readonly durationMs: number;
}

/** The file that holds a session's executions, one JSON object a line. */
export function historyPath(session: Session): string {
  return `${session.dir}/history.jsonl`;
}

/** Adds an execution to the session's history: one write of one line, so that parallel ones never mix. */
export function recordExecution(session: Session, execution: Execution): void {
  Deno.writeTextFileSync(historyPath(session), `${JSON.stringify(execution)}\n`, {
    append: true,
    mode: 0o600,
  });
}

/** The session's executions in the order of their end. A line that is none is skipped with a note on stderr. */
export async function* readExecutions(
  context: Context,
  session: Session,
): AsyncGenerator<Execution> {
  let number = 0;
  for await (const line of linesOf(historyPath(session))) {
    number++;
    const execution = parseExecution(line);
    if (execution !== undefined) {
      yield execution;
      continue;
    }
    context.stderr(`dockerdo: ${historyPath(session)}:${number} is damaged and left out\n`);
    // A record that broke off has no end of line: the next one stands behind it.
    const next = parseExecution(line.slice(Math.max(0, line.lastIndexOf('{"time":'))));
    if (next !== undefined) yield next;
  }
}

/** The lines of a file, none where there is no file. */
export async function* linesOf(path: string): AsyncGenerator<string> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  let rest = "";
  for await (const chunk of file.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** The execution in a line of the history; undefined where it is none. */
export function parseExecution(line: string): Execution | undefined {
  try {
    const { time, cwd, command, exitCode, durationMs } = JSON.parse(line) as Partial<Execution>;
    const valid = typeof time === "string" && typeof cwd === "string" && Array.isArray(command) &&
      command.every((word) => typeof word === "string") && typeof exitCode === "number" &&
      typeof durationMs === "number";
    return valid ? { time, cwd, command, exitCode, durationMs } : undefined;
  } catch {
    return undefined;
  }
}

/** The session's variables as lines of shell. */
export function renderEnvironment(session: Session): string[] {
  return Object.entries(session.env)
    .sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, value]) => `export ${name}=${quote(value)}`);
}

// A word that the shell would take for an assignment or a keyword is a command's name only in quotes.
function asCommand([name = "", ...words]: readonly string[]): string {
  const plain = /^[\w./-]+$/.test(name) &&
    !/^(if|then|else|elif|fi|for|while|until|do|done|case|esac|in|select|function|time|coproc)$/
      .test(name);
  const quoted = plain || quote(name) !== name ? quote(name) : `'${name}'`;
  return [quoted, ...words.map(quote)].join(" ");
}

/**
 * Turns executions into lines of shell, one after the other: `cd` where the directory changes, the command,
 * and a mark behind one that failed.
 */
export function executionRenderer(): (execution: Execution) => string[] {
  let directory: string | undefined;
  return ({ cwd, command, exitCode }) => {
    const lines: string[] = [];
    if (cwd !== directory) lines.push(`cd ${quote(cwd)}`);
    directory = cwd;
    if (command.length === 0) return [...lines, "# a login shell"];
    const line = asCommand(command);
    lines.push(exitCode === 0 ? line : `${line}  # exit code ${exitCode}`);
    return lines;
  };
}
