import { plainCommand } from "../command_line/command.ts";
import type { CommonFlags } from "../command_line/flags.ts";
import { configuration, type Editor, EDITORS, serverOf } from "../editors/configuration.ts";
import { usageFailure } from "../error.ts";
import { nearest } from "../nearest.ts";
import type { Context } from "../process/context.ts";

interface EditorFlags {
  readonly lsp: string;
  readonly language?: readonly string[];
}

export const command = plainCommand<EditorFlags, [Editor]>({
  about:
    "Prints what to add to an editor's configuration, so that it runs a language server in the container\n" +
    "(dodo --lsp). Changes nothing.\n\n" +
    "  dockerdo editor nvim --lsp clangd\n" +
    "  dockerdo editor emacs --lsp 'ruff server' --language python",
  readOnly: true,
  flags: {
    lsp: {
      kind: "parsed",
      brief: "The server's command in the container",
      parse: String,
      placeholder: "command",
    },
    language: {
      kind: "parsed",
      brief: "A language that it serves, by vim's name; may be given several times",
      parse: parseLanguage,
      placeholder: "name",
      variadic: true,
      optional: true,
    },
  },
  positional: {
    kind: "tuple",
    parameters: [{
      brief: "The editor",
      placeholder: EDITORS.join("|"),
      parse: parseEditor,
    }],
  },
  action: print,
});

function print(
  context: Context,
  { lsp, language = [] }: EditorFlags & CommonFlags,
  editor: Editor,
): void {
  const words = lsp.split(" ").filter((word) => word !== "");
  const { languages, ...server } = serverOf(words, language);
  // deno-lint-ignore no-control-regex
  if (words.length === 0 || /[\x00-\x1f\x7f]/.test(lsp)) {
    throw usageFailure("--lsp needs the command of a language server", "dockerdo editor --help");
  }
  if (languages === undefined) {
    throw usageFailure(
      `it is not known which languages ${server.name} serves`,
      `dockerdo editor ${editor} --lsp '${lsp}' --language python`,
    );
  }
  context.stdout(configuration(editor, { ...server, languages }));
}

function parseEditor(word: string): Editor {
  const editor = EDITORS.find((name) => name === word);
  if (editor !== undefined) return editor;
  const near = nearest(word, EDITORS);
  throw usageFailure(
    `there is no configuration for ${JSON.stringify(word)}${near ? `; did you mean ${near}?` : ""}`,
    `There are for ${EDITORS.join(", ")}.`,
  );
}

function parseLanguage(word: string): string {
  if (/^[A-Za-z][A-Za-z0-9_+-]*$/.test(word)) return word;
  throw usageFailure(
    `${JSON.stringify(word)} is not the name of a language`,
    "For example: python",
  );
}
