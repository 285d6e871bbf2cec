import { quoteAll } from "../quote.ts";

/** What starts a language server in the container, and for which files. */
export interface Server {
  /** What the editor calls it. */
  readonly name: string;
  readonly command: readonly string[];
  /** Languages as vim has them. */
  readonly languages: readonly string[];
}

/** Editors that a configuration can be printed for. */
export const EDITORS = [
  "nvim",
  "vim",
  "helix",
  "emacs",
  "kakoune",
  "vscode",
  "zed",
  "sublime",
] as const;
export type Editor = typeof EDITORS[number];

/** Languages of the servers that people have, by the program's name. */
const LANGUAGES: Readonly<Record<string, readonly string[]>> = {
  "bash-language-server": ["sh"],
  clangd: ["c", "cpp"],
  gopls: ["go"],
  jdtls: ["java"],
  "pyright-langserver": ["python"],
  pylsp: ["python"],
  "rust-analyzer": ["rust"],
  "typescript-language-server": ["javascript", "typescript"],
};

/** What a server needs to be told to speak on stdin and stdout. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  "bash-language-server": ["start"],
  "pyright-langserver": ["--stdio"],
  "typescript-language-server": ["--stdio"],
};

/** A server by its command; `languages` are undefined where neither the program nor the user says them. */
export function serverOf(
  command: readonly string[],
  languages: readonly string[],
): {
  readonly name: string;
  readonly command: readonly string[];
  readonly languages?: readonly string[];
} {
  const name = (command[0] ?? "").split("/").at(-1) ?? "";
  const known = languages.length > 0 ? languages : own(LANGUAGES, name);
  const words = command.length === 1 ? own(WORDS, name) ?? [] : [];
  return {
    name,
    command: [...command, ...words],
    ...known === undefined ? {} : { languages: known },
  };
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** The lines for an editor's configuration; the first, a comment, says where they belong, if it has comments. */
export function configuration(editor: Editor, server: Server): string {
  return CONFIGURATIONS[editor]({ ...server, argv: ["dodo", "--lsp", ...server.command] });
}

type Told = Server & { readonly argv: readonly string[] };

const CONFIGURATIONS: Readonly<Record<Editor, (server: Told) => string>> = {
  nvim: ({ name, argv, languages }) =>
    `-- init.lua. A server for files in a container's mount, and nowhere else.
vim.api.nvim_create_autocmd("FileType", {
  pattern = { ${strings(languages)} },
  callback = function(args)
    local root = vim.fn.getcwd()
    if not (root .. "/"):find("/container/", 1, true) then return end
    local config = { name = ${string(`dodo ${name}`)}, cmd = { ${strings(argv)} }, root_dir = root }
    if vim.lsp.start then return vim.lsp.start(config) end
    -- neovim 0.7
    dodo_clients = dodo_clients or {}
    dodo_clients[config.name] = dodo_clients[config.name] or vim.lsp.start_client(config)
    vim.lsp.buf_attach_client(args.buf, dodo_clients[config.name])
  end,
})
`,
  vim: ({ name, argv, languages }) => {
    const id = name.replaceAll(/\W/g, "_");
    const linter = vimString(`dodo-${name}`);
    const command = vimString(`%e ${quoteAll(argv.slice(1))}`);
    return `" vimrc, with ALE (Debian: vim-ale). A server for files in a container's mount, and nowhere else.
function! Dodo_${id}(language) abort
  if (getcwd() . '/') !~# '/container/' | return | endif
  let b:ale_linters = [${linter}]
  if !exists('g:dodo_${id}_' . a:language)
    let g:dodo_${id}_{a:language} = 1
    call ale#linter#Define(a:language, {'name': ${linter}, 'lsp': 'stdio', 'executable': 'dodo',
      \\ 'command': ${command}, 'language': a:language, 'project_root': {-> getcwd()}})
  endif
endfunction
autocmd FileType ${languages.join(",")} call Dodo_${id}(expand('<amatch>'))
`;
  },
  helix: ({ name, argv, languages }) =>
    `# .helix/languages.toml in the project's directory on the mount
[language-server.${string(name)}]
command = ${string(argv[0] ?? "")}
args = [${strings(argv.slice(1))}]
${
      languages.map((language) =>
        `\n[[language]]\nname = ${string(HELIX[language] ?? language)}\nlanguage-servers = [${
          string(name)
        }]\n`
      ).join("")
    }`,
  emacs: ({ argv, languages }) => {
    const modes = languages.flatMap((language) => EMACS[language] ?? [`${language}-mode`]);
    return `;; init.el, with eglot. A server for files in a container's mount, and nowhere else.
(with-eval-after-load 'eglot
  (add-to-list 'eglot-server-programs
               '((${modes.join(" ")}) . (${argv.map(string).join(" ")}))))
(defun dodo-eglot ()
  (when (string-match-p "/container/" default-directory) (eglot-ensure)))
${modes.map((mode) => `(add-hook '${mode}-hook #'dodo-eglot)\n`).join("")}`;
  },
  kakoune: ({ name, argv, languages }) =>
    `# kakrc, with kakoune-lsp (version 18 and later), after: eval %sh{kak-lsp}
hook -group dodo-lsp global BufSetOption filetype=(?:${languages.join("|")}) %{
    set-option buffer lsp_servers %{
        [${string(name)}]
        root_globs = [".git", "compile_commands.json"]
        command = ${string(argv[0] ?? "")}
        args = [${strings(argv.slice(1))}]
    }
}
`,
  vscode: ({ name, argv }) => {
    const settings = own(VSCODE, name);
    if (settings !== undefined) return `${JSON.stringify(settings(argv), null, 2)}\n`;
    return `#!/bin/sh
# ~/.local/bin/dodo-${name}, with chmod +x: give the extension this file as the path of its server.
exec ${quoteAll(argv)} "$@"
`;
  },
  zed: ({ name, argv }) =>
    `${
      JSON.stringify(
        { lsp: { [name]: { binary: { path: argv[0], arguments: argv.slice(1) } } } },
        null,
        2,
      )
    }\n`,
  sublime: ({ name, argv, languages }) => {
    const selector = languages.map((language) => `source.${SUBLIME[language] ?? language}`)
      .join(" | ");
    const client = { enabled: true, command: argv, selector };
    return `${JSON.stringify({ clients: { [`dodo-${name}`]: client } }, null, 2)}\n`;
  },
};

const HELIX: Readonly<Record<string, string>> = { sh: "bash" };
const EMACS: Readonly<Record<string, readonly string[]>> = {
  c: ["c-mode"],
  cpp: ["c++-mode"],
  javascript: ["js-mode"],
  sh: ["sh-mode"],
};
const SUBLIME: Readonly<Record<string, string>> = {
  cpp: "c++",
  javascript: "js",
  sh: "shell",
  typescript: "ts",
};
const VSCODE: Readonly<Record<string, (argv: readonly string[]) => object>> = {
  clangd: (argv) => ({ "clangd.path": argv[0], "clangd.arguments": argv.slice(1) }),
};

/** A string of Lua, Lisp, TOML and JSON alike: words of a command line have no control characters. */
function string(text: string): string {
  return `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}

function strings(texts: readonly string[]): string {
  return texts.map(string).join(", ");
}

function vimString(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
