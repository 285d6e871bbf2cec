import { LspTranslator } from "../../../src/path_map/lsp.ts";
import { type Surroundings } from "../../../src/path_map/translator.ts";
import { PathMap } from "../../../src/path_map/paths.ts";

/** Where the tests' container is mounted. */
export const MOUNT = "/home/ada/work/container";

/** A translator, with texts instead of bytes, and what it said. */
export interface Conversation {
  /** A message of the editor's, as the server gets it; for a refusal, what the editor gets. */
  editor(message: unknown): string;
  /** A message of the server's, as the editor gets it. */
  server(message: unknown): string;
  readonly notices: string[];
  /** How often files may have been written. */
  written(): number;
}

/** A conversation; what is no text is printed as JSON.stringify does. */
export function conversation(
  around: Partial<Surroundings> = {},
  mount: string = MOUNT,
): Conversation {
  const notices: string[] = [];
  let written = 0;
  const translator = new LspTranslator(new PathMap(mount), {
    notice: (text) => void notices.push(text),
    filesWritten: () => void written++,
    realPath: () => undefined,
    ...around,
  });
  const bytes = (message: unknown): Uint8Array<ArrayBuffer> =>
    new TextEncoder().encode(typeof message === "string" ? message : JSON.stringify(message));
  return {
    editor: (message) => {
      const { body, refusal } = translator.fromEditor(bytes(message));
      return refusal?.answer ?? new TextDecoder().decode(body);
    },
    server: (message) => new TextDecoder().decode(translator.fromServer(bytes(message)).body),
    notices,
    written: () => written,
  };
}
