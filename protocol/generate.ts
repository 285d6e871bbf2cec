/**
 * Writes the tables of places in src/path_map:
 * deno run --allow-read --allow-write protocol/generate.ts lsp METAMODEL.json…
 * deno run --allow-read --allow-write protocol/generate.ts dap debugAdapterProtocol.json
 */

import { dapPlaces, type DapSchema } from "./dap_places.ts";
import { lspPlaces, type MetaModel, tableText } from "./lsp_places.ts";

const ROOM = new URL("../src/path_map/", import.meta.url);

if (import.meta.main) {
  const [protocol, ...files] = Deno.args;
  const models = files.map((file) => JSON.parse(Deno.readTextFileSync(file)) as unknown);
  const tables = {
    lsp: () => lspPlaces(models as MetaModel[]),
    dap: () => dapPlaces(models[0] as DapSchema),
  };
  if (protocol !== "lsp" && protocol !== "dap") {
    throw new Error("which protocol? lsp METAMODEL.json…, or dap debugAdapterProtocol.json");
  }
  Deno.writeTextFileSync(
    new URL(`${protocol}_places.json`, ROOM),
    tableText(tables[protocol]()),
  );
}
