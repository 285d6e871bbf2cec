import type { Failure } from "../error.ts";
import type { Execution } from "../history/executions.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import type { Pipes } from "../process/foreground.ts";

export interface Request {
  readonly verbose: boolean;
  readonly dryRun: boolean;
  readonly map: boolean;
  /** What goes through our hands on its way: a protocol's messages, or what the command prints. */
  readonly through: "lsp" | "dap" | "output" | undefined;
  /** undefined: as the streams are. */
  readonly terminal: boolean | undefined;
  /** Whether the command gets our stdin. */
  readonly stdin: boolean;
  readonly workdir: string | undefined;
  readonly user: string | undefined;
  readonly session: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[];
}

/** A command whose streams go through our hands. */
export interface Translation {
  readonly command: readonly string[];
  readonly pipes: Pick<Pipes, "stdin" | "stderr">;
  /** Moves the bytes; `end` ends the command in the container. Returns why it was ended by us, if so. */
  readonly attach: (
    child: Deno.ChildProcess,
    end: () => void,
  ) => Promise<Failure | undefined>;
}

/** Far more code than a command over a living link needs, so it is loaded late. */
export interface Needs {
  /** What `--help` and a wrong option ask for. */
  readonly loadHelp: () => Promise<{
    readonly execHelp: (prose: string, options: readonly ExecOption[]) => string;
    readonly nearest: (word: string, candidates: readonly string[]) => string | undefined;
  }>;
  /** What maps the paths of what a command reads and writes. */
  readonly loadTranslation: () => Promise<{
    readonly translation: (
      context: Context,
      session: Session,
      request: Pick<Request, "through" | "command">,
    ) => Translation;
    readonly mapWords: (
      words: readonly string[],
      prefixes: readonly (readonly [local: string, there: string])[],
      options: { readonly outside: string | undefined },
    ) => readonly string[];
  }>;
  /** What asks the engine why it took no command. */
  readonly loadRefusal: () => Promise<{
    readonly refusal: (
      context: Context,
      session: Session,
    ) => Promise<Failure | "gone" | undefined>;
  }>;
  /** What waits for a slot in the connection to the remote host, for a command by docker exec. */
  readonly loadSlots: () => Promise<{
    readonly takeSlot: (
      session: Session,
      options: { readonly terminal: boolean },
    ) => Promise<"shared" | "own">;
  }>;
  /** What follows a command; loaded while it runs. */
  readonly loadRecord: () => Promise<{
    readonly record: (session: Session, execution: Execution) => void;
  }>;
  /** What brings a dead link up again. */
  readonly loadConnection: () => Promise<{
    readonly reconnect: (
      context: Context,
      session: Session,
      options: { readonly interactive: boolean; readonly gone?: string | null },
    ) => Promise<Session>;
    readonly isSameMaster: (context: Context, session: Session, began: number) => Promise<boolean>;
  }>;
}

/** An option, as it is read, and as `--help` and completions show it. */
export interface ExecOption {
  readonly names: readonly string[];
  readonly brief: string;
  /** What a switch changes. */
  readonly change?: Partial<Request>;
  /** The placeholder of a value, and what takes it. */
  readonly value?: string;
  readonly takes?: "line" | "env" | "workdir" | "user" | "session";
}
