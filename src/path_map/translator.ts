import type { Bytes } from "../bytes.ts";
/** What is to be done with a message. */
export interface Translated {
  /** What goes on to the other side. */
  readonly body: Bytes;
  /** An answer to the editor instead of a message to the server, and why the conversation ends with it. */
  readonly refusal?: { readonly answer: string; readonly reason: string };
}

/** What a translator asks of its surroundings. */
export interface Surroundings {
  /** Something the user should know, a sentence. */
  readonly notice: (text: string) => void;
  /** The server may have written files that the editor is going to read. */
  readonly filesWritten: () => void;
  /** A local path without links; undefined where nothing is there. */
  readonly realPath: (path: string) => string | undefined;
  /** Pass on watchers of files outside of the workspace folders too. */
  readonly watchAll?: boolean;
}
