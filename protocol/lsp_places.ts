/**
 * Where LSP has paths, out of the specification's meta model (`metaModel.json` of
 * https://github.com/microsoft/language-server-protocol, `_specifications/lsp/<version>/metaModel/`).
 *
 * The rules:
 * - `DocumentUri` and `URI` are URIs, as values and as names of members; `Pattern` is a glob.
 * - What is typed as a plain string there and holds a path all the same is in {@link BY_HAND}.
 * - `LSPAny` and `LSPObject` are anything, but for members called `data` (the server's own, which come back
 *   to it as they are) and what is in {@link LEFT}.
 * - What a registration's options are depends on its method, and what a progress value is on the request
 *   with its token; a request's partial result is a part of its own.
 * - All other strings are text.
 */

import type { Place, PlaceTable } from "../src/path_map/places.ts";

interface Type {
  readonly kind: string;
  readonly name?: string;
  readonly element?: Type;
  readonly items?: readonly Type[];
  readonly key?: Type;
  readonly value?: Type | { readonly properties: readonly Property[] };
}

interface Property {
  readonly name: string;
  readonly type: Type;
}

interface Structure {
  readonly name: string;
  readonly properties: readonly Property[];
  readonly extends?: readonly Type[];
  readonly mixins?: readonly Type[];
}

interface Message {
  readonly method: string;
  readonly params?: Type | readonly Type[];
  readonly result?: Type;
  readonly partialResult?: Type;
  readonly registrationOptions?: Type;
  readonly registrationMethod?: string;
}

/** The part of the meta model that is read here. */
export interface MetaModel {
  readonly requests: readonly Message[];
  readonly notifications: readonly Message[];
  readonly structures: readonly Structure[];
  readonly typeAliases: readonly Property[];
}

/** Typed as strings, and paths. */
const BY_HAND: Readonly<Record<string, Readonly<Record<string, Place>>>> = {
  FileCreate: { uri: "uri" },
  FileDelete: { uri: "uri" },
  FileRename: { oldUri: "uri", newUri: "uri" },
  _InitializeParams: { rootPath: "path" },
  FileOperationPattern: { glob: "glob" },
  Registration: { registerOptions: "registration@method" },
  Command: { arguments: "command@command" },
};

/** The pattern of a document filter may be absolute; its types have no name in 3.17. */
const FILTERS = /^(TextDocumentFilter|NotebookDocumentFilter)/;

/** Objects of anything that are nobody's business between the two sides. */
const LEFT = new Set(["telemetry/event"]);

/** Types that servers add to the specification. */
const ADDED_TYPES: Readonly<Record<string, Place>> = {
  // rust-analyzer: what the editor is to run, by its own hand.
  Runnable: {
    location: "LocationLink",
    args: { cwd: "path", workspaceRoot: "path", program: "path" },
  },
};

/** Messages that servers add and whose results are more than `file:` URIs. */
const ADDED_MESSAGES: Readonly<Record<string, Readonly<Record<string, Place>>>> = {
  "experimental/runnables": {
    params: { textDocument: "TextDocumentIdentifier" },
    result: { "[]": "Runnable" },
  },
};

/** Commands that the editor runs by itself. */
const COMMANDS: Readonly<Record<string, Place>> = {
  "rust-analyzer.runSingle": { "[]": ["any", "Runnable"] },
  "rust-analyzer.debugSingle": { "[]": ["any", "Runnable"] },
};

/** The table of one or several versions of the specification, the newest last. */
export function lspPlaces(models: readonly MetaModel[]): PlaceTable {
  const types: Record<string, Place> = { ...ADDED_TYPES };
  const messages: Record<string, Record<string, Place>> = {};
  const registration: Record<string, Place> = {};
  for (const model of models) {
    Object.assign(types, typesOf(model));
    for (const message of [...model.requests, ...model.notifications]) {
      const { method, params, result, partialResult, registrationOptions } = message;
      const parts = LEFT.has(method) ? {} : {
        params: Array.isArray(params) ? { kind: "or", items: params } : params,
        result,
        partial: partialResult,
      };
      // Merged: a part that the newer version has lost may still be sent.
      messages[method] = { ...messages[method], ...placesOf(parts) };
      const options = registrationOptions === undefined ? undefined : placeOf(registrationOptions);
      if (options !== undefined) registration[message.registrationMethod ?? method] = options;
    }
  }
  Object.assign(messages, ADDED_MESSAGES);
  return pruned({ types, messages, tagged: { registration, command: COMMANDS } });
}

function typesOf(model: MetaModel): Record<string, Place> {
  const types: Record<string, Place> = {};
  for (const { name, properties, extends: base = [], mixins = [] } of model.structures) {
    types[name] = [
      ...[...base, ...mixins].map((type) => type.name ?? ""),
      membersOf(name, properties),
    ];
  }
  for (const { name, type } of model.typeAliases) {
    if (name === "LSPAny" || name === "LSPObject" || name === "LSPArray") continue;
    const place = name === "Pattern" ? "glob" : placeOf(type, name);
    if (place !== undefined) types[name] = place;
  }
  return types;
}

function placesOf(parts: Readonly<Record<string, unknown>>): Record<string, Place> {
  const places: Record<string, Place> = {};
  for (const [name, type] of Object.entries(parts)) {
    const place = type === undefined ? undefined : placeOf(type as Type);
    if (place !== undefined) places[name] = place;
  }
  return places;
}

function membersOf(owner: string, properties: readonly Property[]): Place {
  const members: Record<string, Place> = {};
  for (const { name, type } of properties) {
    const place = BY_HAND[owner]?.[name] ??
      (FILTERS.test(owner) && name === "pattern" ? ["glob", placeOf(type) ?? []] : placeOf(type));
    // A notebook's cells are in a member of that name, too.
    if (place !== undefined && !(name === "data" && place === "any")) members[name] = place;
  }
  return members;
}

function placeOf(type: Type, owner = ""): Place | undefined {
  switch (type.kind) {
    case "base":
      return type.name === "DocumentUri" || type.name === "URI" ? "uri" : undefined;
    case "reference":
      return /^LSP(Any|Object|Array)$/.test(type.name ?? "") ? "any" : type.name;
    case "array":
      return inside("[]", type.element, owner);
    case "map": {
      const key = type.key === undefined ? undefined : placeOf(type.key);
      const value = type.value as Type;
      return { ...inside("{}", value, owner), ...(key === "uri" ? { "{key}": key } : {}) };
    }
    case "literal":
      return membersOf(owner, (type.value as { properties: readonly Property[] }).properties);
    case "or":
    case "and":
    case "tuple":
      return (type.items ?? []).map((item) => placeOf(item, owner)).filter((place) =>
        place !== undefined
      );
    default:
      return undefined;
  }
}

function inside(part: string, type: Type | undefined, owner: string): { [part: string]: Place } {
  const place = type === undefined ? undefined : placeOf(type, owner);
  return place === undefined ? {} : { [part]: place };
}

/** The table without what leads to no path. */
export function pruned(table: PlaceTable): PlaceTable {
  const useful = new Set<string>();
  const shorten = (place: Place): Place | undefined => {
    if (typeof place === "string") {
      return !/^[A-Z_]/.test(place) || useful.has(place) ? place : undefined;
    }
    if (Array.isArray(place)) {
      const places = [...new Set(place.map(shorten).filter((one) => one !== undefined).flat())];
      return places.length === 0 ? undefined : places.length === 1 ? places[0] : places;
    }
    const members = shortenAll(place as Readonly<Record<string, Place>>);
    return Object.keys(members).length === 0 ? undefined : members;
  };
  const shortenAll = (places: Readonly<Record<string, Place>>): Record<string, Place> => {
    const kept = Object.entries(places).map(([name, place]) => [name, shorten(place)] as const);
    return Object.fromEntries(
      kept.filter((entry): entry is readonly [string, Place] => entry[1] !== undefined),
    );
  };
  // A type is useful through those that it refers to, which may refer back.
  for (let before = -1; before < useful.size;) {
    before = useful.size;
    for (const [name, place] of Object.entries(table.types)) {
      if (shorten(place) !== undefined) useful.add(name);
    }
  }
  return {
    types: sorted(shortenAll(table.types)),
    messages: sorted(
      Object.fromEntries(
        Object.entries(table.messages).map(([name, parts]) => [name, shortenAll(parts)]),
      ),
    ),
    tagged: Object.fromEntries(
      Object.entries(table.tagged).map(([name, places]) => [name, sorted(shortenAll(places))]),
    ),
  };
}

function sorted<T>(entries: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).sort(([a], [b]) => a < b ? -1 : 1));
}

/** The table as the text of a file: an entry a line, so that a change is seen in a diff. */
export function tableText(table: PlaceTable): string {
  const section = (entries: object): string =>
    Object.entries(entries).map(([name, value]) =>
      `    ${JSON.stringify(name)}: ${JSON.stringify(value)}`
    )
      .join(",\n");
  const tagged = Object.entries(table.tagged).map(([name, entries]) =>
    `    ${JSON.stringify(name)}: {\n${section(entries).replaceAll(/^/gm, "  ")}\n    }`
  ).join(",\n");
  return `{\n  "types": {\n${section(table.types)}\n  },\n  "messages": {\n${
    section(table.messages)
  }\n  },\n  "tagged": {\n${tagged}\n  }\n}\n`;
}
