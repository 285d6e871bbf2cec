/** What the caller may add to a failure's sentence. */
export interface FailureOptions {
  /** The next command or setting, as a sentence for the user. */
  readonly hint?: string;
  /** The process's exit code; 1 unless given (2 usage, 125 failure of `exec` itself). */
  readonly exitCode?: number;
  readonly cause?: unknown;
}

/** The last line of a hint where the doctor can find more: on this host, or of what a session needs here. */
export function doctorHint(remoteHost?: string): string {
  const remote = remoteHost === undefined ? "" : ` --remote ${remoteHost}`;
  return `dockerdo doctor${remote} looks for the cause.`;
}

/** A failure that the user can understand: a sentence, and what to do next. */
export class Failure extends Error {
  readonly hint: string | undefined;
  readonly exitCode: number;

  constructor(message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Failure";
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? 1;
  }
}

/** A {@link Failure} of usage: exit code 2. */
export function usageFailure(message: string, hint?: string): Failure {
  return new Failure(message, hint === undefined ? { exitCode: 2 } : { exitCode: 2, hint });
}

/**
 * The lines that a failure shows on stderr, without colour. Anything that is not a {@link Failure} is a
 * defect of dockerdo itself and asks for `DOCKERDO_DEBUG=1`, which adds the stack. Where undoing failed too, the
 * first reason comes first.
 */
export function describeFailure(error: unknown, options: { readonly debug: boolean }): string {
  if (error instanceof SuppressedError) {
    const [first, second] = [error.suppressed, error.error].map((one) =>
      describeFailure(one, options)
    );
    return `${first}\n${second?.replace(/^dockerdo: /, "dockerdo: undoing it failed too: ")}`;
  }
  const lines: string[] = [];
  if (error instanceof Failure) {
    lines.push(`dockerdo: ${error.message}`);
    if (error.hint !== undefined) lines.push(`  ${error.hint.replaceAll("\n", "\n  ")}`);
  } else {
    const text = error instanceof Error ? error.message : String(error);
    lines.push(`dockerdo: unexpected failure: ${text}`);
    if (!options.debug) lines.push("  DOCKERDO_DEBUG=1 shows where.");
  }
  if (options.debug && error instanceof Error && error.stack !== undefined) lines.push(error.stack);
  if (options.debug && error instanceof Error && error.cause instanceof Error) {
    lines.push(`caused by ${error.cause.stack ?? error.cause.message}`);
  }
  return lines.join("\n");
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof SuppressedError) return exitCodeOf(error.suppressed);
  return error instanceof Failure ? error.exitCode : 1;
}

/** Runs a program's action and returns its exit code; what it throws ends here, as text on stderr. */
export async function endingAsText(
  { env, stderr }: {
    readonly env: Readonly<Record<string, string>>;
    readonly stderr: (text: string) => void;
  },
  action: () => Promise<number>,
): Promise<number> {
  try {
    return await action();
  } catch (error) {
    stderr(describeFailure(error, { debug: Boolean(env["DOCKERDO_DEBUG"]) }) + "\n");
    return exitCodeOf(error);
  }
}

/** Has `action` run when `undo` is disposed of; where it fails, that is printed and the other actions still run. */
export function deferUndo(
  undo: AsyncDisposableStack,
  { stderr }: { readonly stderr: (text: string) => void },
  action: () => Promise<unknown>,
): void {
  undo.defer(async () => {
    try {
      await action();
    } catch (error) {
      const [first = "", ...hints] = describeFailure(error, { debug: false }).split("\n");
      const text = first.replace(/^dockerdo: /, "dockerdo: undoing failed: ");
      stderr([text, ...hints, ""].join("\n"));
    }
  });
}
