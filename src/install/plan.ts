import { completionScript, type Shell, SHELLS } from "../command_line/completions/script.ts";
import { type Completed } from "../command_line/describe.ts";
import { manualPage } from "../command_line/manual.ts";
import { configPath } from "../config/yaml_file.ts";
import { configTemplate } from "../config/template.ts";
import { homeDirectory, parent, userDirectory } from "../paths.ts";
import type { Context } from "../process/context.ts";
import { quote, quoteAll } from "../quote.ts";
import { hostNamesPath } from "../ssh/host_names.ts";
import { asBytes, type Change, readBytes, SIGNATURE, targetOf } from "./file_change.ts";
import { findProgram, findSelf, isDirOnPath, isShipped } from "./launchers.ts";
import ACTIVATION from "./activation.sh" with { type: "text" };
import ACTIVATION_FISH from "./activation.fish" with { type: "text" };
import { withBlock, withoutBlock } from "./rc_block.ts";

/** A part of the installation that is asked for and done as one. */
export interface InstallStep {
  readonly name: "configuration" | "programs" | "ssh host names" | Shell;
  readonly changes: readonly Change[];
  /** What is left as it is, and why. */
  readonly notes: readonly string[];
}

export interface InstallRequest {
  readonly uninstall: boolean;
  readonly shells: readonly Shell[];
  /** Whether ~/.bashrc and ~/.ssh/config may be changed. */
  readonly bashrc: boolean;
  readonly sshConfig: boolean;
}

/** The shells that are on the PATH and that the user uses: the login shell, and those with a start-up file. */
export function shellsOf(context: Context): Shell[] {
  const home = homeDirectory(context);
  const startUp = {
    bash: `${home}/.bashrc`,
    zsh: `${context.env["ZDOTDIR"] || home}/.zshrc`,
    fish: `${parent(userDirectory(context, "CONFIG"))}/fish`,
  };
  const login = (context.env["SHELL"] ?? "").split("/").at(-1);
  return SHELLS.filter((shell) =>
    findProgram(context, shell) !== undefined && (shell === login || isThere(startUp[shell]))
  );
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** The changes that install or uninstall takes, one step after the other; a step that cannot be is a failure. */
export function planSteps(
  context: Context,
  commands: readonly Completed[],
  wanted: InstallRequest,
): (() => Promise<InstallStep>)[] {
  return [
    () => planConfiguration(context, commands, wanted),
    () => planPrograms(context, wanted),
    ...wanted.sshConfig || wanted.uninstall ? [() => planHostNames(context, wanted)] : [],
    ...wanted.shells.map((shell) => () => planShell(context, commands, { ...wanted, shell })),
  ];
}

async function planConfiguration(
  context: Context,
  commands: readonly Completed[],
  wanted: InstallRequest,
): Promise<InstallStep> {
  const path = configPath(context);
  const before = await readBytes(path);
  const template = asBytes(configTemplate());
  const page = `${parent(userDirectory(context, "DATA"))}/man/man1/dockerdo.1`;
  const manual = await planOwn(page, manualPage(commands), wanted);
  if (!wanted.uninstall) {
    const config = before === undefined ? [{ path, before, after: template, mode: 0o600 }] : [];
    return { name: "configuration", changes: [...config, ...manual.changes], notes: manual.notes };
  }
  const isKept = before !== undefined && before !== template;
  return {
    name: "configuration",
    changes: [
      ...before === undefined || isKept ? [] : [{ path, before, after: undefined }],
      ...manual.changes,
    ],
    notes: [...manual.notes, ...isKept ? [`${path} is kept: it was changed after install`] : []],
  };
}

async function planPrograms(context: Context, wanted: InstallRequest): Promise<InstallStep> {
  const { launchers } = findSelf(context);
  const plans = await Promise.all(
    launchers.map(({ path, words }) =>
      planOwn(path, `#!/bin/sh\n# ${SIGNATURE} install.\nexec ${quoteAll(words)} "$@"\n`, {
        ...wanted,
        mode: 0o755,
      })
    ),
  );
  return {
    name: "programs",
    changes: plans.flatMap(({ changes }) => changes),
    notes: [
      ...plans.flatMap(({ notes }) => notes),
      ...launchers.length > 0 && !wanted.uninstall &&
          !isDirOnPath(context, parent(launchers[0]?.path ?? ""))
        ? [`${parent(launchers[0]?.path ?? "")} is not on your PATH: add it there`]
        : [],
    ],
  };
}

/** The line that lets any ssh know the sessions' host names, first in the file: elsewhere it may be in a block. */
async function planHostNames(context: Context, wanted: InstallRequest): Promise<InstallStep> {
  const name = "ssh host names";
  const path = `${homeDirectory(context)}/.ssh/config`;
  const line = includeLine(context);
  if (line === undefined && !wanted.uninstall) {
    const why = `${path} is left as it is: ssh cannot include ${
      hostNamesPath(context)
    } for its name`;
    return { name, changes: [], notes: [why] };
  }
  const lines = [
    "# Written by dockerdo install; dockerdo install --uninstall removes it.",
    line ?? "",
  ];
  const changes = await planRc(path, lines.map(asBytes), { ...wanted, atTop: true });
  return {
    name,
    changes: changes.map((change) => ({ ...change, mode: 0o600, dirMode: 0o700 })),
    notes: [],
  };
}

// ssh expands a leading ~ by itself, patterns, and in later versions % and ${}; how it reads \\ differs too.
function includeLine(context: Context): string | undefined {
  const path = hostNamesPath(context);
  const home = homeDirectory(context);
  const short = path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
  // deno-lint-ignore no-control-regex
  return /[\x00-\x1f"\\%${}*?[\]]/.test(short) ? undefined : `Include "${short}"`;
}

async function planShell(
  context: Context,
  commands: readonly Completed[],
  { shell, ...wanted }: InstallRequest & { readonly shell: Shell },
): Promise<InstallStep> {
  const script = completionScript(shell, commands);
  const dodo = quoteAll(findSelf(context).dodo);
  if (shell === "fish") {
    const dir = `${parent(userDirectory(context, "CONFIG"))}/fish`;
    const plans = [
      await planOwn(
        `${dir}/conf.d/dockerdo.fish`,
        `# ${SIGNATURE} install.\nalias dodo ${quote(dodo)}\n${ACTIVATION_FISH}`,
        wanted,
      ),
      await planOwn(`${dir}/completions/dockerdo.fish`, script, wanted),
      await planOwn(
        `${dir}/completions/dodo.fish`,
        `# ${SIGNATURE} install.\ncomplete -c dodo -f -w 'dockerdo exec'\n`,
        wanted,
      ),
    ];
    return {
      name: shell,
      changes: plans.flatMap(({ changes }) => changes),
      notes: plans.flatMap(({ notes }) => notes),
    };
  }
  const file = `${userDirectory(context, "CONFIG")}/dockerdo.${shell}`;
  const completion = await planOwn(file, script, wanted);
  if (shell === "bash" && !wanted.bashrc) return { name: shell, ...completion };
  const home = shell === "zsh"
    ? context.env["ZDOTDIR"] || homeDirectory(context)
    : homeDirectory(context);
  const lines = [
    "# Written by dockerdo install; dockerdo install --uninstall removes it.",
    `alias dodo=${quote(dodo)}`,
    ...ACTIVATION.trimEnd().split("\n").filter((line) => !line.startsWith("#")),
    ...shell === "zsh"
      ? ["(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i; }"]
      : [],
    `if [ -r ${fromHome(context, file)} ]; then . ${fromHome(context, file)}; fi`,
  ];
  const rc = await planRc(`${home}/.${shell}rc`, lines.map(asBytes), wanted);
  return { name: shell, changes: [...completion.changes, ...rc], notes: completion.notes };
}

async function planRc(
  path: string,
  lines: readonly string[],
  { uninstall, atTop = false }: InstallRequest & { readonly atTop?: boolean },
): Promise<Change[]> {
  const target = await targetOf(path);
  const before = await readBytes(target);
  const after = uninstall
    ? await withoutBlock(before, { path })
    : await withBlock(before, { path, lines, atTop });
  return before === after ? [] : [{ path: target, before, after }];
}

/** A file that is ours as a whole; another program's file of the same name stays. */
async function planOwn(
  path: string,
  text: string,
  { uninstall, mode }: { readonly uninstall: boolean; readonly mode?: number },
): Promise<{ readonly changes: readonly Change[]; readonly notes: readonly string[] }> {
  const before = await readBytes(path);
  const after = uninstall ? undefined : asBytes(text);
  if (before === after) return { changes: [], notes: [] };
  if (before !== undefined && isShipped(before)) return { changes: [], notes: [] };
  if (before !== undefined && !before.slice(0, 300).includes(SIGNATURE)) {
    return { changes: [], notes: uninstall ? [] : [`${path} is kept: it is not dockerdo's`] };
  }
  const target = before === undefined ? path : await targetOf(path);
  return {
    changes: [{ path: target, before, after, ...mode === undefined ? {} : { mode } }],
    notes: [],
  };
}

// With $HOME in it, since dotfiles are used on more machines than one.
function fromHome(context: Context, path: string): string {
  const home = homeDirectory(context);
  return path.startsWith(`${home}/`)
    ? `"$HOME"/${quote(path.slice(home.length + 1))}`
    : quote(path);
}

/** The directories that the removal of a file may have left empty, the deepest first. */
export function leftovers(context: Context, path: string): string[] {
  const bases = [
    parent(userDirectory(context, "CONFIG")),
    parent(userDirectory(context, "DATA")),
  ];
  const ssh = `${homeDirectory(context)}/.ssh`;
  if (path === `${ssh}/config`) return [ssh];
  const base = bases.find((dir) => path.startsWith(`${dir}/`));
  const dirs: string[] = [];
  for (let dir = parent(path); base !== undefined && dir !== base; dir = parent(dir)) {
    dirs.push(dir);
  }
  return dirs;
}
