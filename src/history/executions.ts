import type { Context } from "../process/context.ts";
import { inputsPath, type Session } from "../session/session.ts";

/** One command that was run in the container. */
export interface Execution {
  /** ISO 8601, UTC, when it began. */
  readonly time: string;
  /** The directory in the container. */
  readonly cwd: string;
  readonly command: readonly string[];
  readonly exitCode: number;
  readonly durationMs: number;
  /** Docker's id of the container; like all that follows, histories from before it was recorded have none. */
  readonly container?: string;
  /** What `-u` said. */
  readonly user?: string;
  /** What `-e` set; null for a value that looks like a secret and is not kept. */
  readonly env?: Readonly<Record<string, string | null>>;
  readonly terminal?: true;
  /** There was a secret in `command`, in place of which it has `…`. */
  readonly secret?: true;
  /** The mark by which `inputs` knows what stdin was; see {@link readInputs}. */
  readonly input?: string;
}

/** One `dockerdo export`, in the same file. */
export interface ExportEvent {
  readonly time: string;
  /** null for a value that looks like a secret. */
  readonly set: Readonly<Record<string, string | null>>;
  readonly unset: readonly string[];
}

/** What a command's stdin was, where it was neither a terminal nor nothing. */
export type Input =
  | { readonly kind: "pipe" }
  | {
    readonly kind: "file";
    /** On the local host. */
    readonly path: string;
    readonly size: number;
    /** Seconds since 1970. */
    readonly mtime: number;
  };

/** The file that holds a session's executions, one JSON object a line. */
export function historyPath(session: Session): string {
  return `${session.dir}/history.jsonl`;
}

/** Adds to the session's history: one write of one line, so that parallel ones never mix. */
export function recordExecution(session: Session, event: Execution | ExportEvent): void {
  Deno.writeTextFileSync(historyPath(session), `${JSON.stringify(event)}\n`, {
    append: true,
    mode: 0o600,
  });
}

/** The session's executions in the order of their end. A damaged line is skipped with a note on stderr. */
export async function* readExecutions(
  context: Context,
  session: Session,
): AsyncGenerator<Execution> {
  for await (const event of readHistory(context, session)) {
    if ("command" in event) yield event;
  }
}

/** {@link readExecutions}, with the exports among them. */
export async function* readHistory(
  context: Context,
  session: Session,
): AsyncGenerator<Execution | ExportEvent> {
  let number = 0;
  for await (const line of linesOf(historyPath(session))) {
    number++;
    const event = parseExecution(line) ?? parseExport(line);
    if (event !== undefined) {
      yield event;
      continue;
    }
    context.stderr(`dockerdo: ${historyPath(session)}:${number} is damaged and left out\n`);
    // A record that broke off has no end of line: the next one follows on the same line.
    const next = parseExecution(line.slice(Math.max(0, line.lastIndexOf('{"time":'))));
    if (next !== undefined) yield next;
  }
}

/** The lines of a file; a missing file has no lines. */
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

/** The execution in a line of the history; undefined for another line. */
export function parseExecution(line: string): Execution | undefined {
  const found = parseObject(line);
  const { time, cwd, command, exitCode, durationMs } = found;
  const valid = typeof time === "string" && typeof cwd === "string" && isTexts(command) &&
    typeof exitCode === "number" && typeof durationMs === "number";
  if (!valid) return undefined;
  const { container, user, env, terminal, secret, input } = found;
  return {
    time,
    cwd,
    command,
    exitCode,
    durationMs,
    ...typeof container === "string" && { container },
    ...typeof user === "string" && { user },
    ...isVariables(env) && { env },
    ...terminal === true && { terminal },
    ...secret === true && { secret },
    ...typeof input === "string" && { input },
  };
}

/** The export in a line of the history; undefined for another line. */
export function parseExport(line: string): ExportEvent | undefined {
  const { time, set, unset } = parseObject(line);
  return typeof time === "string" && isVariables(set) && isTexts(unset)
    ? { time, set, unset }
    : undefined;
}

function parseObject(line: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(line));
  } catch {
    return {};
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((word) => typeof word === "string");
}

function isVariables(value: unknown): value is Readonly<Record<string, string | null>> {
  return value !== null && typeof value === "object" && !Array.isArray(value) &&
    Object.values(value).every((word) => word === null || typeof word === "string");
}

/** What stdin was of the commands with an `input`, by that. */
export async function readInputs(session: Session): Promise<ReadonlyMap<string, Input>> {
  const inputs = new Map<string, Input>();
  for await (const line of linesOf(inputsPath(session))) {
    const [, key = "", kind, size, mtime, path] =
      /^([0-9a-f]+) (pipe|file)(?: (\d+) (\d+) (\/.*))?$/.exec(line) ?? [];
    if (kind === "pipe") inputs.set(key, { kind });
    else if (kind === "file" && path !== undefined) {
      inputs.set(key, { kind, path, size: Number(size), mtime: Number(mtime) });
    }
  }
  return inputs;
}
