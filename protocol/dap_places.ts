/**
 * Where DAP has paths, out of its JSON schema (`debugAdapterProtocol.json` of
 * https://github.com/microsoft/debug-adapter-protocol).
 *
 * The rules:
 * - The schema has strings only, so what holds a path is in {@link BY_HAND}. With `pathFormat: "uri"` the same
 *   places have URIs.
 * - The arguments of `launch` and `attach` are anything, as is an object whose members the schema leaves open.
 * - What may be of any type (`data`, `adapterData`, `restart`) is the other side's own, and is left.
 * - All other strings are text.
 */

import type { Place, PlaceTable } from "../src/path_map/places.ts";
import { pruned } from "./lsp_places.ts";

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly allOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
}

/** The part of the schema that is read here. */
export interface DapSchema {
  readonly definitions: Readonly<Record<string, Schema>>;
}

/** Typed as strings, and paths; by definition and member. */
export const BY_HAND: Readonly<Record<string, Readonly<Record<string, Place>>>> = {
  Source: { path: "path" },
  Module: { path: "path", symbolFilePath: "path" },
  RunInTerminalRequestArguments: { cwd: "path" },
};

/** The event that names the program. */
const PROCESS_NAME: Readonly<Record<string, Place>> = { name: "path" };

const ANYTHING = new Set(["LaunchRequestArguments", "AttachRequestArguments"]);

/** The table: requests under the name of their command, events under `event NAME`. */
export function dapPlaces({ definitions }: DapSchema): PlaceTable {
  const types: Record<string, Place> = {};
  const messages: Record<string, Record<string, Place>> = {};
  for (const [name, schema] of Object.entries(definitions)) {
    const place = ANYTHING.has(name) ? "any" : placeOf(schema, name);
    if (place !== undefined) types[name] = place;
  }
  for (const [name, schema] of Object.entries(definitions)) {
    const own = schema.allOf?.find(({ properties }) => properties !== undefined)?.properties;
    if (own === undefined) continue;
    const [command, event] = [own["command"]?.enum?.[0], own["event"]?.enum?.[0]];
    if (command !== undefined) {
      const response = definitions[name.replace(/Request$/, "Response")];
      messages[command] = {
        ...part("arguments", own["arguments"]),
        ...part("body", bodyOf(response)),
      };
    } else if (event !== undefined) {
      const body = part("body", bodyOf(schema));
      messages[`event ${event}`] = event === "process"
        ? { body: [body["body"] ?? [], PROCESS_NAME] }
        : body;
    }
  }
  return pruned({ types, messages, tagged: {} });
}

function bodyOf(message: Schema | undefined): Schema | undefined {
  return message?.allOf?.find(({ properties }) => properties?.["body"] !== undefined)?.properties
    ?.["body"];
}

function part(name: string, schema: Schema | undefined): Record<string, Place> {
  const place = schema === undefined ? undefined : placeOf(schema, "");
  return place === undefined ? {} : { [name]: place };
}

function placeOf(schema: Schema, owner: string): Place | undefined {
  if (schema.$ref !== undefined) return schema.$ref.replace("#/definitions/", "");
  const several = schema.allOf ?? schema.oneOf;
  if (several !== undefined) {
    return several.map((one) => placeOf(one, owner)).filter((place) => place !== undefined);
  }
  if (schema.type === "array") {
    const element = schema.items === undefined ? undefined : placeOf(schema.items, "");
    return element === undefined ? undefined : { "[]": element };
  }
  if (schema.type !== "object") return undefined;
  if (schema.properties === undefined) {
    return schema.additionalProperties === true ? "any" : undefined;
  }
  const members: Record<string, Place> = {};
  for (const [name, property] of Object.entries(schema.properties)) {
    const place = BY_HAND[owner]?.[name] ?? placeOf(property, "");
    if (place !== undefined) members[name] = place;
  }
  return members;
}
