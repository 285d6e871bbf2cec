import {
  EVENT_DOCUMENT as DOCUMENT,
  EVENT_MAPPING as MAPPING,
  EVENT_POP as POP,
  EVENT_SCALAR as SCALAR,
  EVENT_SEQUENCE as SEQUENCE,
  load,
  parseEvents,
  YAMLException,
} from "js-yaml";
import * as v from "valibot";
import { distroOfName, DISTROS } from "../image/distro.ts";
import { Failure } from "../error.ts";
import { overlayTag, parseReference } from "../image/reference.ts";
import { nearest } from "../nearest.ts";
import { expandHome, userDirectory } from "../paths.ts";
import type { Context } from "../process/child.ts";
import { quoteAll, splitWords } from "../quote.ts";
import { parseRemoteHost, remoteHostText, type Session } from "../session/session.ts";

const TEMPLATE = "dockerdo-{base_image}:{base_image_tag}-{session_name}";

const text = v.string("expected a string");
// What the original's parser took for true and false (YAML 1.1 and pydantic), it takes here too.
const flag = v.pipe(
  v.unknown(),
  v.transform((found) => {
    const word = String(found).toLowerCase();
    if (["true", "yes", "on", "1"].includes(word)) return true;
    return ["false", "no", "off", "0"].includes(word) ? false : found;
  }),
  v.boolean("expected true or false"),
);
const seconds = v.pipe(
  v.unknown(),
  v.transform((found) => typeof found === "string" && found.trim() !== "" ? Number(found) : found),
  v.number("expected a number of seconds"),
  v.minValue(0, "expected a number of seconds, 0 or more"),
);
const words = v.pipe(
  v.union([v.array(v.string()), v.string()], "expected a string or a list of strings"),
  v.check(
    (found) => typeof found !== "string" || splitWords(found) !== undefined,
    "a quote is not closed",
  ),
  v.transform((found) => typeof found === "string" ? splitWords(found) ?? [] : found),
);
const image = v.pipe(
  text,
  v.check(
    (found) => succeeds(() => parseReference(found)),
    "expected NAME:TAG or REGISTRY/NAME:TAG, the name in lower case",
  ),
);
const registry = v.pipe(
  text,
  v.check(
    (found) => found === "" || succeeds(() => parseReference(`${found.replace(/\/+$/, "")}/x:1`)),
    "expected HOST, HOST:PORT or one of them with a path",
  ),
);
const remoteHost = v.pipe(
  text,
  v.check(
    (found) => found === "" || succeeds(() => parseRemoteHost(found)),
    "expected HOST, USER@HOST, [IPV6] or ssh://USER@HOST:PORT",
  ),
);
const distro = v.pipe(
  text,
  v.check(
    (found) => found === "" || distroOfName(found) !== undefined,
    `expected ubuntu or one of ${DISTROS.join(", ")}`,
  ),
);
const template = v.pipe(
  text,
  v.check(
    (found) =>
      !/[{}]/.test(found.replaceAll(/\{(base_image|base_image_tag|session_name)\}/g, "")) &&
      succeeds(() => overlayTag("a:b", { template: found, sessionName: "c", registry: null })),
    "expected an image's name and tag with {base_image}, {base_image_tag} or {session_name} in it",
  ),
);
const keyPath = v.pipe(
  text,
  v.check((found) => !/^~[^/]/.test(found), "expected a path; of ~NAME only ~ itself is known"),
);

/** Without a value, or with an empty one: null. */
function orNone<S extends v.GenericSchema<unknown, string>>(
  schema: S,
): v.GenericSchema<unknown, string | null> {
  return v.pipe(v.optional(v.nullable(schema), null), v.transform((found) => found || null));
}

const CONNECT = ["exec", "port"] as const;
const MOUNT = ["plain", "relay"] as const;

const UserConfig = v.object({
  always_interactive: v.optional(flag, false),
  always_record_inotify: v.optional(flag, false),
  default_connect: v.optional(v.picklist(CONNECT, "expected exec or port"), "exec"),
  default_distro: orNone(distro),
  default_docker_registry: orNone(registry),
  default_docker_run_args: v.optional(words, ""),
  default_image: v.optional(image, "ubuntu:latest"),
  default_image_name_template: v.optional(template, TEMPLATE),
  default_mount: v.optional(v.picklist(MOUNT, "expected plain or relay"), "relay"),
  default_remote_delay: v.optional(seconds, 0),
  default_remote_host: orNone(remoteHost),
  ssh_key_path: orNone(keyPath),
});

/** The user's configuration with every default filled in; the keys are the file's own. */
export type UserConfig = v.InferOutput<typeof UserConfig>;

type Key = keyof UserConfig;
const KEYS = Object.keys(UserConfig.entries) as Key[];
const CHOICES: Partial<Readonly<Record<Key, readonly string[]>>> = {
  default_connect: CONNECT,
  default_mount: MOUNT,
};

const NONE_ALLOWED: ReadonlySet<Key> = new Set([
  "default_distro",
  "default_docker_registry",
  "default_remote_host",
  "ssh_key_path",
]);

/** A value that somebody gave, not yet checked. */
interface Given {
  readonly value: unknown;
  readonly source: "environment" | "file";
  /** The variable, or file and line. */
  readonly where: string;
}

type GivenValues = ReadonlyMap<Key, Given>;

/** Where the user's configuration file is, whether it is there or not. */
export function configPath(context: Context): string {
  return `${userDirectory(context, "CONFIG")}/dockerdo.yaml`;
}

/** The variable that stands for a key: `DOCKERDO_DEFAULT_IMAGE` for `default_image`. */
export function configVariable(key: string): string {
  return `DOCKERDO_${key.toUpperCase()}`;
}

/**
 * The user's configuration: the environment's `DOCKERDO_…`, else `dockerdo.yaml`, else the defaults. A missing
 * or empty file gives the defaults; an unknown key is a warning on stderr; what cannot be read, bad YAML and
 * wrong values are a failure that names file and line, or the variable. `ssh_key_path` comes out absolute.
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
export interface Setting {
  readonly key: string;
  readonly value: UserConfig[Key];
  readonly source: "environment" | "session" | "file" | "default";
  /** The variable, the session's name, or file and line; null for a default. */
  readonly where: string | null;
}

/** Every key with its effective value, where there is a session for its commands. */
export async function explainConfig(
  context: Context,
  session: Session | undefined,
): Promise<Setting[]> {
  const given = await collect(context);
  const config = check(context, given);
  const stored = session === undefined ? {} : storedBy(session);
  return KEYS.map((key) => {
    const found = given.get(key);
    const kept = stored[key];
    const settled = kept !== undefined && (found?.source !== "environment" || kept.settled);
    if (settled) return { key, value: kept.value, source: "session", where: session?.name ?? null };
    return {
      key,
      value: config[key],
      source: found?.source ?? "default",
      where: found?.where ?? null,
    };
  });
}

// Image, distribution, registry and host are what a session is made of: `init` has settled them.
function storedBy(
  session: Session,
): Partial<Record<Key, { readonly value: string | boolean | null; readonly settled: boolean }>> {
  const { remoteHost } = session;
  return {
    default_connect: { value: session.connect, settled: false },
    default_mount: { value: session.mount, settled: false },
    default_image: { value: session.baseImage, settled: true },
    default_docker_registry: { value: session.registry, settled: true },
    default_remote_host: {
      value: remoteHost === null ? null : remoteHostText(remoteHost),
      settled: true,
    },
    // One that does not record yet begins to where the configuration says so.
    ...session.record ? { always_record_inotify: { value: true, settled: false } } : {},
    ...session.distro === null ? {} : { default_distro: { value: session.distro, settled: true } },
  };
}

/** A value as it may be shown: what `-e` hands to the container stays hidden. */
export function showValue(value: Setting["value"]): string {
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

// An empty variable is none, as everywhere in shells; null is what it is in the file.
function givenByEnvironment(context: Context): GivenValues {
  return new Map(KEYS.flatMap((key): [Key, Given][] => {
    const where = configVariable(key);
    const value = context.env[where];
    if (value === undefined || value === "") return [];
    const none = value === "null" && NONE_ALLOWED.has(key);
    return [[key, { value: none ? null : value, source: "environment", where }]];
  }));
}

async function readSource(path: string): Promise<string | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Failure(`cannot read ${path}: ${(error as Error).message}`, {
      cause: error,
      hint: "Mend its permissions, or move it away: without it the defaults count.",
    });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const good = new TextDecoder().decode(bytes).split("\ufffd", 1)[0] ?? "";
    throw new Failure(`${path}:${lineAt(good, good.length)}: a letter is not in UTF-8`, {
      cause,
      hint: "Save the file in UTF-8: its other encodings cannot be told apart.",
    });
  }
}

function lineAt(source: string, offset: number): number {
  return source.slice(0, offset).split("\n").length;
}

interface FilePlace {
  readonly path: string;
  readonly warn: (line: string) => void;
}

function parseFile(source: string, { path, warn }: FilePlace): [Key, Given][] {
  // A file of nothing but comments is an empty configuration, not bad YAML.
  if (!/^\s*[^#\s]/m.test(source)) return [];
  const found = parseYaml(source, path);
  if (found === null) return [];
  if (typeof found !== "object" || Array.isArray(found)) {
    const line = lineAt(source, source.search(/^(?!\s*(#|---|$))/m));
    throw new Failure(`${path}:${line}: expected lines of KEY: VALUE, found ${describe(found)}`);
  }
  const lines = keyLines(source, path);
  const given: [Key, Given][] = [];
  for (const [key, value] of Object.entries(found)) {
    const where = `${path}:${lines.get(key) ?? 1}`;
    if (isKey(key)) {
      // A key without a value means the default.
      if (value !== null) given.push([key, { value, source: "file", where }]);
      continue;
    }
    const near = nearest(key, KEYS);
    const proposal = near === undefined ? "" : `; did you mean ${near}?`;
    warn(`${where}: unknown key ${key} is ignored${proposal}`);
  }
  return given;
}

function isKey(key: string): key is Key {
  return Object.hasOwn(UserConfig.entries, key);
}

function parseYaml(source: string, path: string): unknown {
  try {
    // js-yaml says of a key that is there twice only that it is: keyLines() says where.
    return load(source, { filename: path, json: true });
  } catch (error) {
    const { reason, line } = whatIsWrong(source, error);
    throw new Failure(`${path}:${line}: not valid YAML: ${reason}`, { cause: error });
  }
}

function whatIsWrong(source: string, error: unknown): { reason: string; line: number } {
  const tabbed = source.split("\n").findIndex((line) => /^ *\t\s*[^\s#]/.test(line));
  if (tabbed >= 0) return { reason: "a tab stands in front; use spaces", line: tabbed + 1 };
  if (!(error instanceof YAMLException)) return { reason: (error as Error).message, line: 1 };
  // Where the end of the file is the place, the last line that says something is.
  const last = source.trimEnd().split("\n").length;
  if (error.mark !== undefined) {
    return { reason: error.reason, line: Math.min(error.mark.line + 1, last) };
  }
  const second = source.split("\n").findLastIndex((line) => /^(---|\.\.\.)/.test(line));
  return { reason: error.reason, line: Math.max(second, 0) + 1 };
}

/** The line of each key of the file's mapping; one that is there twice is a failure. */
function keyLines(source: string, path: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  let depth = 0;
  let isKeyNext = true;
  for (const event of parseEvents(source, { filename: path })) {
    if (event.type === POP) depth--;
    if (depth === 2 && event.type !== POP) {
      if (isKeyNext && event.type === SCALAR) {
        const key = source.slice(event.valueStart, event.valueEnd);
        const line = lineAt(source, event.valueStart);
        const before = lines.get(key);
        if (before !== undefined) {
          throw new Failure(`${path}:${line}: ${key} is there twice`, {
            hint: `The first one is in line ${before}. Keep one of them.`,
          });
        }
        lines.set(key, line);
      }
      isKeyNext = !isKeyNext;
    }
    if (event.type === DOCUMENT || event.type === MAPPING || event.type === SEQUENCE) depth++;
  }
  return lines;
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
    const near = nearest(String(found.value), CHOICES[key] ?? []);
    const proposal = near === undefined ? "" : `; did you mean ${near}?`;
    const name = found.source === "file" ? `${found.where}: ${key}` : found.where;
    return [`${name}: ${issue.message}${shown}${proposal}`];
  });
  return new Failure(lines.join("\n"), {
    hint: "dockerdo config shows every key, once this is mended.",
  });
}

function issueKey(issue: Issue): string {
  return v.getDotPath(issue)?.split(".", 1)[0] ?? "";
}

function describe(found: unknown): string {
  if (Array.isArray(found)) return "a list";
  if (found !== null && typeof found === "object") return "a mapping";
  return JSON.stringify(found);
}

function succeeds(action: () => unknown): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
