import type { Bytes } from "../bytes.ts";
import table from "./dap_places.json" with { type: "json" };
import { Documents, followLink, textOf } from "./documents.ts";
import { quote } from "../quote.ts";
import {
  afterSpace,
  applyEdits,
  type ByteString,
  type DecodedString,
  decodeString,
  type Edit,
  NotJson,
  utf8,
} from "./json_scan.ts";
import type { Surroundings, Translated } from "./translator.ts";
import { locatePath, type PathMap } from "./paths.ts";
import { Places, type PlaceTable } from "./places.ts";
import { type Found, members, messageMembers, Rewriter } from "./rewrite.ts";
import { mapWord } from "./words.ts";

type Range = { readonly from: number; readonly to: number };
type Side = "editor" | "adapter";

const places = new Places(table as unknown as PlaceTable);

/** What a translator of DAP asks of its surroundings. */
interface DapSurroundings extends Surroundings {
  /** What runs a command in the container, in a terminal of the editor's. */
  readonly terminal: {
    readonly command: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  };
}

/**
 * Translates a conversation of the Debug Adapter Protocol (1.71) between an editor on this host and an adapter in the
 * container, as {@link LspTranslator} does for language servers: from the editor every string below the mount, but for
 * expressions and values; from the adapter what the schema has as a path, and `file:` URIs where it leaves
 * things open.
 *
 * The arguments of `launch` and `attach` have no schema. The rule: each string in them, and each name of a
 * member, is treated as a word of a command line (`mapWord`); a path that is not below the mount is one of the
 * container already.
 *
 * What the adapter has the editor start in a terminal (`runInTerminal`) is started in the container.
 */
export class DapTranslator {
  readonly #documents: Documents;
  readonly #said = new Set<string>();

  constructor(
    private readonly map: PathMap,
    private readonly around: DapSurroundings,
  ) {
    this.#documents = new Documents(map, (path) =>
      this.#once(
        "outside",
        `${textOf(path) ?? path} is not below the mount; the debug adapter gets this name as it is`,
      ));
  }

  /** What becomes of a message from the editor. */
  fromEditor(body: Bytes): Translated {
    return { body: this.#translated(body, "editor") };
  }

  /** What becomes of a message from the adapter. */
  fromServer(body: Bytes): Translated {
    return { body: this.#translated(body, "adapter") };
  }

  #translated(body: Bytes, from: Side): Bytes {
    try {
      const parts = messageMembers(body);
      if (parts !== undefined) return this.#message(body, parts, from);
    } catch (error) {
      if (!(error instanceof NotJson)) throw error;
      this.#once("junk", `the ${from} sends a message that is not JSON: ${error.message}`);
    }
    return body;
  }

  #message(body: Bytes, parts: ReadonlyMap<string, Range>, from: Side): Bytes {
    const type = stringAt(body, parts.get("type"));
    const command = stringAt(body, parts.get("command")) ?? "";
    const event = stringAt(body, parts.get("event")) ?? "";
    const name = type === "event" ? `event ${event}` : command;
    const part = type === "request" ? "arguments" : "body";
    const range = parts.get(part);
    if (from === "adapter" && (name === "startDebugging" || name === "event debugpyAttach")) {
      this.#once(
        "child",
        "the adapter offers a further session, for a child process, at an address in the container; " +
          "the editor cannot reach it (debugpy: set subProcess to false)",
      );
    }
    if (range === undefined) return body;
    if (name === "runInTerminal" && type === "response" && from === "editor") {
      return applyEdits(body, [{ ...range, bytes: "{}" }]);
    }
    const rewriter = new Rewriter(
      body,
      from === "editor"
        ? (source, found) => this.#toContainer(source, found, name)
        : (source, found) => this.#toLocal(source, found),
    );
    rewriter.value(range.from, places.of(name, part));
    const edits = from === "adapter" && name === "runInTerminal" && body[range.from] === 0x7b
      ? this.#inContainer(body, range, rewriter.edits)
      : rewriter.edits;
    return applyEdits(body, edits.sort((a, b) => a.from - b.from));
  }

  #toContainer(source: DecodedString, found: Found, name: string): readonly Edit[] {
    const located = locatePath(source.text);
    if (found === "any" && located?.encoded !== true) return mapWord(this.map, source);
    if (located === undefined) return [];
    const opens = name === "setBreakpoints" && found === "path";
    if (opens) followLink(this.map, source.text, this.around.realPath);
    const edit = this.map.toContainer(source, located);
    if (edit !== undefined) {
      if (opens) this.#documents.opened(source, located);
      return [edit];
    }
    if (found === "path") this.#documents.outside(source, located);
    return [];
  }

  #toLocal(source: DecodedString, found: Found): readonly Edit[] {
    const located = locatePath(source.text);
    if (located === undefined) return [];
    if (!located.encoded && (found === "any" || found === "value")) return [];
    if (this.#documents.isOutside(located, { orClosed: false })) return [];
    return [this.#documents.asOpened(source, located) ?? this.map.toLocal(source, located)];
  }

  /** Another command in front of the one to be started, which takes its directory and variables. */
  #inContainer(body: Bytes, range: Range, edits: readonly Edit[]): Edit[] {
    const fields = members(body, range.from);
    // The words and the values stay the container's.
    const { from = 0, to = 0 } = fields.get("cwd") ?? {};
    const ofDirectory = edits.filter((edit) => edit.from >= from && edit.to <= to);
    const args = fields.get("args");
    if (args === undefined || body[args.from] !== 0x5b) return ofDirectory;
    const cwd = stringAt(body, fields.get("cwd"));
    const there = cwd === undefined ? undefined : locatePath(cwd)?.path;
    const env = fields.get("env");
    const variables = Object.entries((env === undefined ? undefined : parsed(body, env)) ?? {});
    const set = variables.filter(([, value]) => value !== null);
    const unset = variables.filter(([, value]) => value === null);
    const words = [
      ...this.around.terminal.command,
      ...there === undefined ? [] : ["-w", textOf(there) ?? there],
      ...set.flatMap(([name, value]) => ["-e", `${name}=${value}`]),
      "--",
      ...unset.length === 0 ? [] : ["env", ...unset.flatMap(([name]) => ["-u", name])],
    ];
    const forShell = fields.get("argsCanBeInterpretedByShell");
    const spelled = forShell !== undefined && parsed(body, forShell) === true
      ? words.map(quote)
      : words;
    const first = utf8(JSON.stringify(spelled).slice(1, -1));
    const empty = body[afterSpace(body, args.from + 1)] === 0x5d;
    const own = utf8(JSON.stringify(this.around.terminal.env));
    return [
      ...ofDirectory,
      { from: args.from + 1, to: args.from + 1, bytes: empty ? first : `${first},` },
      env === undefined
        ? { from: range.from + 1, to: range.from + 1, bytes: `"env":${own},` }
        : { ...env, bytes: own },
    ];
  }

  #once(about: string, text: string): void {
    if (this.#said.has(about)) return;
    this.#said.add(about);
    this.around.notice(text);
  }
}

function stringAt(body: Bytes, range: Range | undefined): ByteString | undefined {
  if (range === undefined || body[range.from] !== 0x22) return undefined;
  return decodeString(body, range.from, range.to - 1).text;
}

/** A small part of a message, to look at; what the scan lets pass may still be no JSON. */
function parsed(body: Bytes, { from, to }: Range): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body.subarray(from, to)));
  } catch (error) {
    throw new NotJson(`no JSON from byte ${from} on: ${(error as Error).message}`);
  }
}
