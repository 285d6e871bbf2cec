/** The instructions of a Dockerfile, before they are text. */
import type { AptCall } from "./packages.ts";
import type { ShellLine } from "./shell_line.ts";

/** Lines of shell that one RUN may have. */
export interface Run {
  readonly kind: "run";
  /** As USER has it; empty: root. */
  readonly user: string;
  /** undefined: it does not matter. */
  readonly cwd: string | undefined;
  readonly lines: readonly ShellLine[];
  readonly apt: readonly AptCall[];
  /** The commands of the session that these lines are. */
  readonly commands: readonly number[];
  /** Comments above it. */
  readonly notes: readonly string[];
  /** It is not joined with its neighbours. */
  readonly alone?: boolean;
}

/** Files and directories of the build context. */
export interface CopyFiles {
  readonly kind: "copy";
  /** In the context, without `files/`; each stands for itself, a directory (with a slash behind) for what is in it. */
  readonly sources: readonly string[];
  readonly destination: string;
  readonly owner: string | undefined;
  /** What of the container is in it. */
  readonly paths: readonly string[];
}

export interface SetVariables {
  readonly kind: "env";
  readonly set: Readonly<Record<string, string>>;
}

export type Instruction = Run | CopyFiles | SetVariables;

/** What a plan comes to. */
export interface Plan {
  readonly instructions: readonly Instruction[];
  /** Context path (without `files/`) by container path, for every file that is to be in the context. */
  readonly files: ReadonlyMap<string, string>;
  /** Lines at the end, without `# `. */
  readonly remarks: readonly string[];
}
