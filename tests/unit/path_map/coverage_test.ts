/**
 * The committed tables against the specifications that they were made of: metaModel.json of LSP 3.17 and 3.18 and
 * debugAdapterProtocol.json of DAP 1.71, here without their documentation.
 */

import assert from "node:assert/strict";
import { BY_HAND, dapPlaces, type DapSchema } from "../../../protocol/dap_places.ts";
import { lspPlaces, type MetaModel } from "../../../protocol/lsp_places.ts";
import dapTable from "../../../src/path_map/dap_places.json" with { type: "json" };
import lspTable from "../../../src/path_map/lsp_places.json" with { type: "json" };
import { Places, type PlaceTable } from "../../../src/path_map/places.ts";

async function recorded(name: string): Promise<unknown> {
  const file = await Deno.open(new URL(`../recorded/${name}`, import.meta.url));
  return await new Response(file.readable.pipeThrough(new DecompressionStream("gzip"))).json();
}

const models = await recorded("lsp_metamodel.json.gz") as Record<string, MetaModel>;
const schema = await recorded("dap_schema.json.gz") as DapSchema;

Deno.test("the tables are what the specifications give", () => {
  assert.deepEqual(lspTable, lspPlaces(Object.values(models)));
  assert.deepEqual(dapTable, dapPlaces(schema));
});

interface Type {
  readonly kind: string;
  readonly name?: string;
  readonly element?: Type;
  readonly items?: readonly Type[];
  readonly key?: Type;
  readonly value?: Type & { readonly properties?: readonly { name: string; type: Type }[] };
}

/** Where a type of the meta model has URIs, as paths of members: the walk knows nothing of the table. */
function urisOf(model: MetaModel, type: Type, seen: readonly string[] = []): string[][] {
  const inside = (part: string, inner: Type): string[][] =>
    urisOf(model, inner, seen).map((path) => [part, ...path]);
  const members = (properties: readonly { name: string; type: Type }[]): string[][] =>
    properties.flatMap(({ name, type }) => inside(name, type));
  switch (type.kind) {
    case "base":
      return type.name === "DocumentUri" || type.name === "URI" ? [[]] : [];
    case "reference": {
      const name = type.name ?? "";
      if (seen.includes(name)) return [];
      const alias = model.typeAliases.find((one) => one.name === name);
      if (alias !== undefined) return urisOf(model, alias.type as Type, [...seen, name]);
      const structure = model.structures.find((one) => one.name === name);
      const below = [...seen, name];
      const own =
        structure?.properties.flatMap(({ name, type }) =>
          urisOf(model, type as Type, below).map((path) => [name, ...path])
        ) ?? [];
      const bases = [...structure?.extends ?? [], ...structure?.mixins ?? []];
      return [...own, ...bases.flatMap((base) => urisOf(model, base as Type, below))];
    }
    case "array":
      return type.element === undefined ? [] : inside("[]", type.element);
    case "map": {
      const keys = type.key === undefined ? [] : urisOf(model, type.key, seen).map(() => ["{key}"]);
      return [...keys, ...type.value === undefined ? [] : inside("{}", type.value)];
    }
    case "literal":
      return members(type.value?.properties ?? []);
    default:
      return (type.items ?? []).flatMap((item) => urisOf(model, item, seen));
  }
}

Deno.test("each URI that the meta model has in a message is a place of the table", () => {
  const places = new Places(lspTable as unknown as PlaceTable);
  let found = 0;
  const missing: string[] = [];
  for (const [version, model] of Object.entries(models)) {
    for (const { method, ...message } of [...model.requests, ...model.notifications]) {
      const parts = {
        params: message.params,
        result: message.result,
        partial: message.partialResult,
      };
      for (const [part, types] of Object.entries(parts)) {
        for (const type of [types ?? []].flat() as Type[]) {
          for (const path of urisOf(model, type)) {
            found++;
            let node = places.of(method, part);
            let key = false;
            for (const step of path) {
              if (step === "{key}") key = node?.key === "uri";
              else node = step === "[]" ? node?.element : node?.member(step, () => undefined);
            }
            if (node?.kind !== "uri" && !key) missing.push(`${version} ${method} ${part} ${path}`);
          }
        }
      }
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(found > 300, `${found}`);
});

Deno.test("each string of the debug adapter protocol's schema with a path's name is a place, or is known to be none", () => {
  const suspicious: string[] = [];
  for (const [owner, { properties = {} }] of Object.entries(schema.definitions)) {
    for (const [name, { type }] of Object.entries(properties)) {
      if (type !== "string" || !/path|file|dir|cwd|uri/i.test(name)) continue;
      if (BY_HAND[owner]?.[name] === undefined) {
        suspicious.push(`${owner}.${name}`);
      }
    }
  }
  assert.deepEqual(suspicious, ["InitializeRequestArguments.pathFormat"]);
});
