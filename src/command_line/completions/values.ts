import type { Kind, Option } from "../describe.ts";
import script from "./values.sh" with { type: "text" };

/**
 * What only the moment knows (hosts, sessions, images, paths in the container), as a program for sh that all
 * three shells call: `sh -c VALUES dockerdo WHAT [WORD]` prints a line each. It starts no connection, waits a
 * second at most, and prints nothing if it finds nothing.
 */
export const VALUES: string = script.slice(script.indexOf("\n\n") + 2);

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
