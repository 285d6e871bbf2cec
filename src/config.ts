import { load } from "js-yaml";
import * as v from "valibot";
import { Failure } from "./error.ts";
import { userDirectory } from "./paths.ts";
import type { Context } from "./process.ts";
import { splitWords } from "./quote.ts";

const words = v.pipe(
  v.union([v.array(v.string()), v.string()], "expected a string or a list of strings"),
  v.check(
    (found) => typeof found !== "string" || splitWords(found) !== undefined,
    "a quote is not closed",
  ),
  v.transform((found) => typeof found === "string" ? splitWords(found) ?? [] : found),
);

const text = v.string("expected a string");
const flag = v.boolean("expected true or false");

const UserConfig = v.object({
  always_interactive: v.optional(flag, false),
  always_record_inotify: v.optional(flag, false),
  default_connect: v.optional(v.picklist(["exec", "port"], "expected exec or port"), "exec"),
  default_distro: v.optional(v.nullable(text), null),
  default_docker_registry: v.optional(v.nullable(text), null),
  default_docker_run_args: v.optional(words, ""),
  default_image: v.optional(text, "ubuntu:latest"),
  default_image_name_template: v.optional(
    text,
    "dockerdo-{base_image}:{base_image_tag}-{session_name}",
  ),
  default_mount: v.optional(v.picklist(["plain", "relay"], "expected plain or relay"), "relay"),
  default_remote_delay: v.optional(v.number("expected a number of seconds"), 0),
  default_remote_host: v.optional(v.nullable(text), null),
  ssh_key_path: v.optional(v.nullable(text), null),
});

/** The user's configuration with every default filled in; the keys are the file's own. */
export type UserConfig = v.InferOutput<typeof UserConfig>;

/**
 * Reads `dockerdo.yaml`. A missing or empty file gives the defaults; an unknown key is a warning on stderr;
 * bad YAML or a wrong type is a failure that names line or key.
 */
export async function loadConfig(context: Context): Promise<UserConfig> {
  const path = `${userDirectory(context, "CONFIG")}/dockerdo.yaml`;
  let source: string;
  try {
    source = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return v.parse(UserConfig, {});
    throw new Failure(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
  return parseConfig(source, { path, warn: (line) => context.stderr(`dockerdo: ${line}\n`) });
}

/** The text of a configuration file as configuration. See {@link loadConfig}. */
export function parseConfig(
  source: string,
  { path, warn }: { readonly path: string; readonly warn: (line: string) => void },
): UserConfig {
  let found: unknown;
  try {
    // A file of nothing but comments is an empty configuration, not bad YAML.
    found = /^\s*[^#\s]/m.test(source) ? load(source, { filename: path }) : {};
  } catch (error) {
    throw new Failure(`${path} is not valid YAML: ${(error as Error).message}`, { cause: error });
  }
  const keys = Object.keys(UserConfig.entries);
  if (found !== null && (typeof found !== "object" || Array.isArray(found))) {
    throw new Failure(`${path}: the file: expected lines of KEY: VALUE`);
  }
  // A key without a value means the default.
  const given = Object.entries(found ?? {}).filter(([, value]) => value !== null);
  if (found !== null) {
    for (const key of Object.keys(found ?? {})) {
      if (keys.includes(key)) continue;
      const near = nearest(key, keys);
      warn(`${path}: unknown key ${key} is ignored${near ? `; did you mean ${near}?` : ""}`);
    }
  }
  const result = v.safeParse(UserConfig, Object.fromEntries(given));
  if (result.success) return result.output;
  const issue = result.issues[0];
  const key = v.getDotPath(issue) ?? "";
  const line = source.split("\n").findIndex((text) => text.startsWith(`${key}:`)) + 1;
  throw new Failure(
    `${path}${line > 0 ? `:${line}` : ""}: ${key === "" ? "the file" : key}: ${issue.message}`,
    { hint: `Found ${issue.received}.` },
  );
}

/** The candidate that a misspelt word most likely means, if one is near enough. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(word, candidate) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.max(2, word.length / 3) &&
      best.distance < Math.min(word.length, best.candidate.length)
    ? best.candidate
    : undefined;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substituted = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      const inserted = (current[column - 1] ?? 0) + 1;
      const removed = (previous[column] ?? 0) + 1;
      current.push(Math.min(substituted, inserted, removed));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
