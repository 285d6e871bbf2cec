import * as v from "valibot";
import { Failure } from "../error.ts";
import { nearest } from "../nearest.ts";
import { expandHome } from "../paths.ts";
import type { Context } from "../process/context.ts";
import { quoteAll } from "../quote.ts";
import type { Session } from "../session/session.ts";
import { ENTRIES, type Given, type GivenValues, type Key, KEYS, UserConfig } from "./schema.ts";
import { configPath, describe, parseFile, readSource } from "./yaml_file.ts";

/** The variable that stands for a key: `DOCKERDO_DEFAULT_IMAGE` for `default_image`. */
export function configVariable(key: string): string {
  return `DOCKERDO_${key.toUpperCase()}`;
}

/**
 * The user's configuration: the environment's `DOCKERDO_…`, else `dockerdo.yaml`, else the defaults. A missing
 * or empty file gives the defaults; an unknown key is a warning on stderr; what cannot be read, bad YAML and
 * wrong values are a failure that names file and line, or the variable. `ssh_key_path` is made absolute.
 */
export async function loadConfig(context: Context): Promise<UserConfig> {
  return check(context, await collect(context));
}

/** What the environment says by itself, checked; it is stronger than what a session has stored. */
export function configOfEnvironment(context: Context): Partial<UserConfig> {
  const given = givenByEnvironment(context);
  const config = check(context, given);
  return Object.fromEntries(Object.entries(config).filter(([key]) => given.has(key as Key)));
}

/** One key's effective value and where it comes from. */
export interface EffectiveSetting {
  readonly key: string;
  readonly value: UserConfig[Key];
  readonly source: "environment" | "session" | "file" | "default";
  /** The variable, the session's name, or file and line; null for a default. */
  readonly where: string | null;
}

/** Every key with its effective value, in a session for its commands; obsolete ones only where they are set. */
export async function explainConfig(
  context: Context,
  session: Session | undefined,
): Promise<EffectiveSetting[]> {
  const given = await collect(context);
  const config = check(context, given);
  const shown = KEYS.filter((key) => ENTRIES[key].obsolete !== true || given.has(key));
  return shown.map((key) => {
    const found = given.get(key);
    const { storedBy, settled = false } = ENTRIES[key];
    const kept = session === undefined ? undefined : storedBy?.(session);
    if (kept !== undefined && (found?.source !== "environment" || settled)) {
      return { key, value: kept, source: "session", where: session?.name ?? null };
    }
    return {
      key,
      value: config[key],
      source: found?.source ?? "default",
      where: found?.where ?? null,
    };
  });
}

/** A value as it may be shown: what `-e` hands to the container stays hidden. */
export function showValue(value: EffectiveSetting["value"]): string {
  if (!Array.isArray(value)) return value === null ? "none" : String(value);
  return value.length === 0 ? "none" : quoteAll(maskSecrets(value));
}

/** Arguments of `docker run` with the values of `-e NAME=VALUE` made unreadable. */
export function maskSecrets(words: readonly string[]): string[] {
  return words.map((word, at) => {
    if (/^(-e|--env)$/.test(words[at - 1] ?? "")) return word.replace(/=.*$/s, "=***");
    return word.replace(/^((?:-e|--env=)[^=]+)=.*$/s, "$1=***");
  });
}

async function collect(context: Context): Promise<GivenValues> {
  const warn = (line: string): void => context.stderr(`dockerdo: ${line}\n`);
  for (const name of Object.keys(context.env).filter((name) => /^DOCKERDO_/.test(name))) {
    const near = nearest(name, KEYS.map(configVariable));
    if (near !== undefined && !KEYS.map(configVariable).includes(name)) {
      warn(`the variable ${name} is ignored; did you mean ${near}?`);
    }
  }
  const path = configPath(context);
  const source = await readSource(path);
  const file = source === undefined ? [] : parseFile(source, { path, warn });
  return new Map([...file, ...givenByEnvironment(context)]);
}

// An empty variable counts as unset, as in shells; null is the same as in the file.
function givenByEnvironment(context: Context): GivenValues {
  return new Map(KEYS.flatMap((key): [Key, Given][] => {
    const where = configVariable(key);
    const value = context.env[where];
    if (value === undefined || value === "") return [];
    const none = value === "null" && ENTRIES[key].nullable === true;
    return [[key, { value: none ? null : value, source: "environment", where }]];
  }));
}

function check(context: Context, given: GivenValues): UserConfig {
  const values = Object.fromEntries([...given].map(([key, { value }]) => [key, value]));
  const result = v.safeParse(UserConfig, values);
  if (!result.success) throw mistakes(result.issues, given);
  const config = result.output;
  const { ssh_key_path: path } = config;
  return path === null
    ? config
    : { ...config, ssh_key_path: absolute(context, path, given.get("ssh_key_path")) };
}

// As everywhere: a path in a file is the file's neighbour, a path in a variable is where the user is.
function absolute(context: Context, path: string, given: Given | undefined): string {
  const expanded = expandHome(context, path);
  if (expanded.startsWith("/")) return expanded;
  const base = given?.source === "file" ? configPath(context).replace(/\/[^/]*$/, "") : context.cwd;
  return `${base.replace(/\/$/, "")}/${expanded}`;
}

type Issue = v.BaseIssue<unknown>;

function mistakes(issues: readonly Issue[], given: GivenValues): Failure {
  const byKey = new Map(issues.toReversed().map((issue) => [issueKey(issue), issue]));
  const lines = KEYS.flatMap((key) => {
    const issue = byKey.get(key);
    const found = given.get(key);
    if (issue === undefined || found === undefined) return [];
    // A line of options may hold what must not be shown.
    const shown = key === "default_docker_run_args" && typeof found.value === "string"
      ? ""
      : `, found ${describe(found.value)}`;
    const near = nearest(String(found.value), ENTRIES[key].choices ?? []);
    const proposal = near === undefined ? "" : `; did you mean ${near}?`;
    const name = found.source === "file" ? `${found.where}: ${key}` : found.where;
    return [`${name}: ${issue.message}${shown}${proposal}`];
  });
  return new Failure(lines.join("\n"), {
    hint: "dockerdo config shows every key once this is fixed.",
  });
}

function issueKey(issue: Issue): string {
  return v.getDotPath(issue)?.split(".", 1)[0] ?? "";
}
