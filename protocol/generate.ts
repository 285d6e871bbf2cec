/**
 * Writes the tables of places in src/path_map:
 * deno run --allow-read --allow-write protocol/generate.ts lsp METAMODEL.json…
 */

import { lspPlaces, type MetaModel, tableText } from "./lsp_places.ts";

const ROOM = new URL("../src/path_map/", import.meta.url);

if (import.meta.main) {
  const [protocol, ...files] = Deno.args;
  const models = files.map((file) => JSON.parse(Deno.readTextFileSync(file)) as unknown);
  if (protocol === "lsp") {
    Deno.writeTextFileSync(
      new URL("lsp_places.json", ROOM),
      tableText(lspPlaces(models as MetaModel[])),
    );
  } else throw new Error("which protocol? lsp METAMODEL.json…");
}
