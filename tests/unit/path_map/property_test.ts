import assert from "node:assert/strict";
import fc from "fast-check";
import table from "../../../src/path_map/lsp_places.json" with { type: "json" };
import { LspTranslator } from "../../../src/path_map/lsp.ts";
import { PathMap } from "../../../src/path_map/paths.ts";
import type { Place, PlaceTable } from "../../../src/path_map/places.ts";
import { MOUNT } from "./conversation.ts";

const places = table as unknown as PlaceTable;

function translator(): LspTranslator {
  return new LspTranslator(new PathMap(MOUNT), {
    notice: () => {},
    filesWritten: () => {},
    realPath: () => undefined,
    watchAll: true,
  });
}

const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }).filter((text) =>
  !text.includes("\0") && text !== "." && text !== ".."
).map((text) => text.replaceAll("/", "_"));
const path = fc.array(name, { maxLength: 4 }).map((names) => `/${names.join("/")}`);
// A lone surrogate has no URI, and a text may be anything.
const uri = path.map((path) =>
  `file://${encodeURI(path.toWellFormed()).replaceAll(/[?#]/g, encodeURIComponent)}`
);
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  uri,
  path,
  uri.map((uri) => uri.replace("//", `//${MOUNT}`)),
);

/** Values of a place; each string that is a path there is marked by being in `paths`. */
function valueOf(place: Place, depth: number): fc.Arbitrary<unknown> {
  if (typeof place === "string") {
    if (place === "uri") return uri;
    if (place === "path") return path.filter((path) => path !== "/");
    if (place === "glob") return fc.constantFrom("**/*.py", "/srv/**", "*");
    if (place.includes("@") || place === "any") return fc.constantFrom(1, null, "x", [], {});
    return depth > 7 ? fc.constant({}) : valueOf(places.types[place] ?? {}, depth + 1);
  }
  if (Array.isArray(place)) return fc.oneof(...place.map((one) => valueOf(one, depth + 1)));
  const parts = place as Readonly<Record<string, Place>>;
  if (parts["[]"] !== undefined) return fc.array(valueOf(parts["[]"], depth + 1), { maxLength: 3 });
  if (parts["{key}"] !== undefined) {
    return fc.dictionary(uri, valueOf(parts["{}"] ?? {}, depth + 1), {
      maxKeys: 3,
      noNullPrototype: true,
    });
  }
  const members = Object.entries(parts).map(([name, part]) =>
    [name, valueOf(part, depth + 1)] as const
  );
  const plain = { text, newText: text, label: text, message: text, data: fc.record({ uri: text }) };
  return fc.record({ ...plain, ...Object.fromEntries(members) }, {
    requiredKeys: [],
    noNullPrototype: true,
  });
}

const methods = Object.entries(places.messages);
const encoder = new TextEncoder();
const bytesOf = (value: unknown): Uint8Array<ArrayBuffer> => encoder.encode(JSON.stringify(value));
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

Deno.test("a message of any type that comes out of the container and goes back in is what it was", () => {
  let mapped = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...methods).chain(([method, { params = {}, result = {} }]) =>
        fc.tuple(fc.constant(method), valueOf(params, 0), valueOf(result, 0))
      ),
      ([method, params, result]) => {
        if (method === "$/progress" || method === "initialize") return;
        const { fromServer, fromEditor } = bound(translator());
        const notification = bytesOf({ jsonrpc: "2.0", method, params });
        assert.equal(textOf(fromEditor(fromServer(notification))), textOf(notification));
        // The answer, as if the server asked and the editor gave back what it got.
        fromEditor(bytesOf({ id: 1, method, params: null }));
        const answer = bytesOf({ id: 1, result });
        const local = fromServer(answer);
        if (textOf(local).length > textOf(answer).length) mapped++;
        fromServer(bytesOf({ id: 1, method, params: null }));
        assert.equal(textOf(fromEditor(local)), textOf(answer));
      },
    ),
    { numRuns: 2000, seed: 18 },
  );
  assert.ok(mapped > 300, `${mapped}`);
});

type Pass = (body: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;

function bound(translator: LspTranslator): { fromEditor: Pass; fromServer: Pass } {
  return {
    fromEditor: (body) => translator.fromEditor(body).body,
    fromServer: (body) => translator.fromServer(body).body,
  };
}

Deno.test("any JSON passes through with nothing changed but strings that are paths", () => {
  fc.assert(
    fc.property(fc.json({ stringUnit: "binary" }), fc.boolean(), (json, isAnswer) => {
      const message = isAnswer
        ? `{"id":1,"result":${json}}`
        : `{"method":"own","params": ${json} }`;
      const there = translator();
      assert.equal(textOf(there.fromEditor(encoder.encode(message)).body), message);
      assert.equal(textOf(there.fromServer(encoder.encode(message)).body), message);
    }),
    { numRuns: 2000, seed: 18 },
  );
});

Deno.test("no bytes at all make the translator fail or change what is not JSON", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(40), (noise, at) => {
      const message = encoder.encode(
        '{"id":1,"method":"x","params":{"a":[1,{"b":"c"},-1.5e3,true]}}',
      );
      message.set(
        noise.subarray(0, message.length - at),
        Math.min(at, message.length - noise.length),
      );
      const copy = message.slice();
      const out = translator().fromServer(copy).body;
      assert.deepEqual(out, message);
    }),
    { numRuns: 2000, seed: 18 },
  );
});
