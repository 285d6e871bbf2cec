import type { Description, Entry, Kind, Option } from "../describe.ts";
import { bashScript } from "./bash.ts";
import { fishScript } from "./fish.ts";
import { zshScript } from "./zsh.ts";

/** The shells that have completions. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = typeof SHELLS[number];

/** A command with its line in the overview. */
export type Completed = Entry & Description;

/** The completions of `dockerdo` and `dodo` as a script that the shell is to source. */
export function completionScript(shell: Shell, commands: readonly Completed[]): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](commands);
}

/** What the program of `values.ts` is to be asked for; empty: nothing is known of such values. */
export const WHAT: Readonly<Record<Kind, string>> = {
  host: "hosts",
  image: "images",
  session: "sessions",
  container: "containers",
  directory: "directory",
  path: "path",
  program: "program",
  variable: "variable",
  other: "",
};

/** An option's value as {@link WHAT}, or its choices with `|` between them. */
export function whatOf({ value }: Option): string | undefined {
  if (value === undefined) return undefined;
  return value.choices.length > 0 ? value.choices.join("|") : WHAT[value.kind];
}
