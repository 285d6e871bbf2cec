import { Failure } from "../error.ts";
import { nearest } from "../nearest.ts";
import { userDirectory } from "../paths.ts";
import type { Context } from "../process/context.ts";
import { type Given, isKey, type Key, KEYS } from "./schema.ts";
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

/** Where the user's configuration file is, whether it is there or not. */
export function configPath(context: Context): string {
  return `${userDirectory(context, "CONFIG")}/dockerdo.yaml`;
}

export async function readSource(path: string): Promise<string | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Failure(`cannot read ${path}: ${(error as Error).message}`, {
      cause: error,
      hint: "Fix its permissions, or move it away to use the defaults.",
    });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const good = new TextDecoder().decode(bytes).split("\ufffd", 1)[0] ?? "";
    throw new Failure(`${path}:${lineAt(good, good.length)}: invalid UTF-8`, {
      cause,
      hint: "Save the file as UTF-8.",
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

export function parseFile(source: string, { path, warn }: FilePlace): [Key, Given][] {
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

function parseYaml(source: string, path: string): unknown {
  try {
    // js-yaml says of a key that is set twice only that it is: keyLines() says where.
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

/** The line of each key of the file's mapping; one that is set twice is a failure. */
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
          throw new Failure(`${path}:${line}: ${key} is set twice`, {
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

export function describe(found: unknown): string {
  if (Array.isArray(found)) return "a list";
  if (found !== null && typeof found === "object") return "a mapping";
  return JSON.stringify(found);
}
