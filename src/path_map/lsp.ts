import table from "./lsp_places.json" with { type: "json" };
import { Documents, followLink, textOf } from "./documents.ts";
import {
  applyEdits,
  type ByteString,
  byteString,
  type DecodedString,
  decodeString,
  eachElement,
  type Edit,
  endOfValue,
  NotJson,
} from "./json_scan.ts";
import { locatePath, type PathMap } from "./paths.ts";
import { Places, type PlaceTable } from "./places.ts";
import { type Found, members, messageMembers, Rewriter } from "./rewrite.ts";
import type { Bytes } from "../bytes.ts";
import type { Surroundings, Translated } from "./translator.ts";
import { mapWord } from "./words.ts";

type Range = { readonly from: number; readonly to: number };

type Side = "editor" | "server";

const places = new Places(table as unknown as PlaceTable);

/** More requests than can be under way; the oldest were never answered. */
const MOST_PENDING = 100_000;

/**
 * Translates a conversation of the Language Server Protocol (3.17 and the draft of 3.18) between an editor
 * on this host and a server in the container.
 *
 * From the editor every string that is a path or `file:` URI below the mount is mapped, wherever it is but in
 * text and `data`: nothing else begins with the mount's path. From the server, where every path begins with
 * a slash, only what the specification says is one, and `file:` URIs. A message changes in these strings
 * alone; one that is not JSON is passed on as it is.
 */
export class LspTranslator {
  readonly #documents: Documents;
  /** Methods of requests that wait for an answer, by who asked and the id. */
  readonly #pending = {
    editor: new Map<string, { readonly method: string; readonly token: string | undefined }>(),
    server: new Map<string, { readonly method: string; readonly token: string | undefined }>(),
  };
  /** Methods of requests by the token of their partial results. */
  readonly #tokens = new Map<string, string>();
  /** The workspace folders, as the container has them. */
  readonly #folders = new Set<ByteString>();
  #prefixIsKnown = false;
  #said = new Set<string>();

  constructor(
    private readonly map: PathMap,
    private readonly around: Surroundings,
  ) {
    this.#documents = new Documents(map, (uri) =>
      this.#once(
        "outside",
        `${textOf(uri) ?? uri} is not below the mount; the server gets this name as it is`,
      ));
  }

  /** What becomes of a message from the editor. */
  fromEditor(body: Bytes): Translated {
    return this.#translated(body, "editor");
  }

  /** What becomes of a message from the server. */
  fromServer(body: Bytes): Translated {
    return this.#translated(body, "server");
  }

  #translated(body: Bytes, from: Side): Translated {
    try {
      const parts = messageMembers(body);
      if (parts !== undefined) return this.#message(body, parts, from);
      this.#once(
        "batch",
        `the ${from} sends several messages as one, which are passed on as they are`,
      );
    } catch (error) {
      if (!(error instanceof NotJson)) throw error;
      this.#once("junk", `the ${from} sends a message that is not JSON: ${error.message}`);
    }
    return { body };
  }

  #message(body: Bytes, parts: ReadonlyMap<string, Range>, from: Side): Translated {
    const method = stringAt(body, parts.get("method"));
    const id = tokenAt(body, parts.get("id"));
    if (method === undefined) return { body: this.#answer(body, parts, { from, id }) };
    const params = parts.get("params");
    const fields = params !== undefined && body[params.from] === 0x7b
      ? members(body, params.from)
      : new Map<string, Range>();
    if (id !== undefined) {
      const token = tokenAt(body, fields.get("partialResultToken"));
      remember(this.#pending[from], id, { method, token });
      if (token !== undefined) remember(this.#tokens, token, method);
    }
    if (from === "editor" && method === "initialize") {
      const reason = this.#begin(body, fields);
      if (reason !== undefined) {
        const range = parts.get("id");
        const raw = range === undefined ? "null" : slice(body, range);
        const error = JSON.stringify({ code: -32803, message: reason });
        return {
          body,
          refusal: { answer: `{"jsonrpc":"2.0","id":${raw},"error":${error}}`, reason },
        };
      }
    }
    if (method === "workspace/didChangeWorkspaceFolders") this.#changeFolders(body, fields);
    if (from === "server") {
      if (method === "workspace/applyEdit" || method === "window/showDocument") {
        this.around.filesWritten();
      }
      if (method === "window/showDocument") this.#external(stringAt(body, fields.get("uri")));
      if (method === "client/registerCapability" && this.around.watchAll !== true) {
        const fewer = applyEdits(body, this.#watchers(body, fields));
        if (fewer !== body) return this.#message(fewer, messageMembers(fewer) ?? new Map(), from);
      }
    }
    const node = method === "$/progress"
      ? places.of(this.#tokens.get(tokenAt(body, fields.get("token")) ?? "") ?? "", "partial")
      : places.of(method, "params");
    const range = method === "$/progress" ? fields.get("value") : params;
    const edits = range === undefined || method === "telemetry/event"
      ? []
      : this.#walk(body, range, { node, from, method });
    const pid = method === "initialize" ? fields.get("processId") : undefined;
    if (pid !== undefined) edits.push({ ...pid, bytes: "null" });
    return { body: applyEdits(body, edits.sort((a, b) => a.from - b.from)) };
  }

  #answer(
    body: Bytes,
    parts: ReadonlyMap<string, Range>,
    { from, id }: { readonly from: Side; readonly id: string | undefined },
  ): Bytes {
    const asked = this.#pending[from === "editor" ? "server" : "editor"];
    const request = id === undefined ? undefined : asked.get(id);
    if (id !== undefined) asked.delete(id);
    if (request?.token !== undefined) this.#tokens.delete(request.token);
    const result = parts.get("result");
    if (result === undefined) return body;
    const method = request?.method ?? "";
    if (from === "server" && method === "workspace/executeCommand") this.around.filesWritten();
    return applyEdits(
      body,
      this.#walk(body, result, { node: places.of(method, "result"), from, method }),
    );
  }

  #walk(
    body: Bytes,
    range: Range,
    { node, from, method }: {
      readonly node: ReturnType<Places["of"]>;
      readonly from: Side;
      readonly method: string;
    },
  ): Edit[] {
    const rewriter = new Rewriter(
      body,
      from === "editor"
        ? (source, found) => this.#toContainer(source, found, method)
        : (source, found) => this.#toLocal(source, found, method),
    );
    rewriter.value(range.from, node);
    return rewriter.edits;
  }

  #toContainer(source: DecodedString, found: Found, method: string): readonly Edit[] {
    const located = locatePath(source.text);
    if (found === "any" && located?.encoded !== true) return mapWord(this.map, source);
    if (located !== undefined) {
      const opens = method === "textDocument/didOpen" || method === "notebookDocument/didOpen";
      if (opens && found === "uri") followLink(this.map, source.text, this.around.realPath);
      const edit = this.map.toContainer(source, located);
      if (edit !== undefined) {
        if (found === "uri" && !this.#prefixIsKnown) {
          this.map.answerAs(source.text);
          this.#prefixIsKnown = true;
        }
        if (found === "uri" && (opens || method === "initialize")) {
          this.#documents.opened(source, located);
        }
        return [edit];
      }
      const isFile = located.scheme === "file" || (found === "path" && located.scheme === "");
      if (isFile && method.endsWith("/didClose")) this.#documents.closed(located);
      else if (isFile && found !== "glob") this.#documents.outside(source, located);
    }
    return [];
  }

  #toLocal(source: DecodedString, found: Found, method: string): readonly Edit[] {
    const located = locatePath(source.text);
    if (located === undefined) return [];
    if (!located.encoded && (found === "any" || found === "value")) return [];
    const orClosed = method === "textDocument/publishDiagnostics";
    if (this.#documents.isOutside(located, { orClosed })) return [];
    // What is in a command comes back, and is then to be what it was.
    const own = found === "any" ? undefined : this.#documents.asOpened(source, located);
    return [own ?? this.map.toLocal(source, located)];
  }

  /** Notes the workspace; returns why there can be no conversation, if so. */
  #begin(body: Bytes, fields: ReadonlyMap<string, Range>): string | undefined {
    const value = (name: string): unknown => parsed(body, fields.get(name));
    const folders = folderUris(value("workspaceFolders"));
    const root = value("rootUri") ?? value("rootPath");
    const named = typeof root === "string" ? [root, ...folders] : folders;
    const there = named.map((uri) => this.#folder(uri)).filter((path) => path !== undefined);
    if (named.length > 0 && there.length === 0) {
      return `the editor's root ${
        named[0]
      } is not below the mount, so the container does not have it; ` +
        "open a directory below the mount";
    }
    if (there.includes("/")) {
      this.#once(
        "root",
        "the editor's root is the container's /, all of which the server may index",
      );
    }
    return undefined;
  }

  #folder(uri: string): ByteString | undefined {
    const text = byteString(new TextEncoder().encode(uri));
    followLink(this.map, text, this.around.realPath);
    const located = locatePath(text);
    const path = located === undefined ? undefined : this.map.containerPath(located.path);
    if (path === undefined) return undefined;
    if (located?.encoded === true && !this.#prefixIsKnown) {
      this.map.answerAs(text);
      this.#prefixIsKnown = true;
    }
    const folder = path.replace(/(.)\/+$/, "$1");
    this.#folders.add(folder);
    return folder;
  }

  #changeFolders(body: Bytes, fields: ReadonlyMap<string, Range>): void {
    const event = parsed(body, fields.get("event")) as
      | { added?: unknown; removed?: unknown }
      | undefined;
    for (const uri of folderUris(event?.removed)) {
      const folder = this.#folder(uri);
      if (folder !== undefined) this.#folders.delete(folder);
    }
    for (const uri of folderUris(event?.added)) this.#folder(uri);
  }

  /**
   * Watchers outside of the workspace folders are taken out: an editor walks what it is to watch, through
   * the mount, and hears of no change that the container makes there.
   */
  #watchers(body: Bytes, fields: ReadonlyMap<string, Range>): Edit[] {
    const edits: Edit[] = [];
    const registrations = fields.get("registrations");
    if (registrations === undefined || body[registrations.from] !== 0x5b) return [];
    eachElement(body, registrations.from, (at) => {
      const one = endOfValue(body, at);
      if (body[at] !== 0x7b) return one;
      const registration = members(body, at);
      const options = registration.get("registerOptions");
      if (stringAt(body, registration.get("method")) !== "workspace/didChangeWatchedFiles") {
        return one;
      }
      if (options === undefined || body[options.from] !== 0x7b) return one;
      const watchers = members(body, options.from).get("watchers");
      if (watchers === undefined || body[watchers.from] !== 0x5b) return one;
      const kept: string[] = [];
      let all = 0;
      eachElement(body, watchers.from, (watcher) => {
        const range = { from: watcher, to: endOfValue(body, watcher) };
        all++;
        if (this.#isWatched(parsed(body, range))) kept.push(slice(body, range));
        return range.to;
      });
      if (kept.length < all) edits.push({ ...watchers, bytes: `[${kept.join(",")}]` });
      return one;
    });
    return edits;
  }

  #isWatched(watcher: unknown): boolean {
    const glob = (watcher as { globPattern?: unknown } | null)?.globPattern;
    const base = (glob as { baseUri?: unknown } | null | undefined)?.baseUri;
    const uri = (base as { uri?: unknown } | null | undefined)?.uri ?? base ?? glob;
    const located = typeof uri === "string"
      ? locatePath(byteString(new TextEncoder().encode(uri)))
      : undefined;
    if (located === undefined) return true;
    const path = located.path.replace(/(.)\/+$/, "$1");
    return [...this.#folders].some((folder) =>
      folder === "/" || path === folder || path.startsWith(`${folder}/`)
    );
  }

  #external(uri: string | undefined): void {
    if (uri === undefined || !/^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/]/.test(uri)) return;
    this.#once(`port ${uri}`, `the server asks to show ${uri}, which is a port of the container`);
  }

  #once(about: string, text: string): void {
    if (this.#said.has(about)) return;
    this.#said.add(about);
    this.around.notice(text);
  }
}

function remember<T>(map: Map<string, T>, id: string, value: T): void {
  map.delete(id);
  map.set(id, value);
  if (map.size <= MOST_PENDING) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    break;
  }
}

function stringAt(body: Bytes, range: Range | undefined): string | undefined {
  if (range === undefined || body[range.from] !== 0x22) return undefined;
  return decodeString(body, range.from, range.to - 1).text;
}

/** An id or token, the number 1 apart from the string "1"; undefined for null and none. */
function tokenAt(body: Bytes, range: Range | undefined): string | undefined {
  if (range === undefined) return undefined;
  const text = stringAt(body, range);
  if (text !== undefined) return `"${text}`;
  const raw = slice(body, range);
  return /^-?[0-9]/.test(raw) ? String(Number(raw)) : undefined;
}

function slice(body: Bytes, { from, to }: Range): ByteString {
  return byteString(body.subarray(from, to));
}

/** A small part of a message, to look at. */
function parsed(body: Bytes, range: Range | undefined): unknown {
  if (range === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(body.subarray(range.from, range.to)));
  } catch {
    return undefined;
  }
}

function folderUris(folders: unknown): string[] {
  if (!Array.isArray(folders)) return [];
  return folders.map((folder: unknown) => (folder as { uri?: unknown } | null)?.uri).filter((uri) =>
    typeof uri === "string"
  );
}
