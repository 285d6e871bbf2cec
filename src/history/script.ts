/** Commands as a script: what changed something runs again when it is pasted, all else is a comment. */
import { quote, splitWords } from "../quote.ts";
import { isSecretVariable, maskSecrets } from "../secrets.ts";
import type { Session } from "../session/session.ts";
import { quoteUnseen } from "../visible.ts";
import type { Execution, ExportEvent } from "./executions.ts";

/** What is known of an execution besides its record. */
export interface Outcome {
  /** Whether it is known to have changed something, or nothing; undefined: nobody looked. */
  readonly changed?: boolean | undefined;
  /** What is known to have been done in a shell, a line each. */
  readonly inside?: readonly string[];
}

/** The session's variables as lines of shell; a secret's value is not told. */
export function renderEnvironment(session: Pick<Session, "env">): string[] {
  return Object.entries(session.env)
    .sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, value]) =>
      isSecretVariable(name, value)
        ? comment(`export ${name}=…  # a secret is not shown`)
        : `export ${name}=${shown(value)}`
    );
}

/** An export in its place among the commands, as a comment: the values stand at the beginning. */
export function renderExport({ set, unset }: ExportEvent): string {
  const names = Object.keys(set).map(printable).join(" ");
  const gone = unset.map(printable).join(" ");
  return comment(
    [names && `dockerdo export ${names}`, gone && `removed: ${gone}`].filter(Boolean).join("; "),
  );
}

/**
 * Turns the executions of one container into lines, one after the other: `cd` where the directory changes, then the
 * command. What failed or changed nothing, and what has a secret in it, is a comment.
 */
export function executionRenderer(): (execution: Execution, outcome?: Outcome) => string[] {
  /** Where a shell that reads the lines is, and where a person takes it to be. */
  let real: string | undefined;
  let told: string | undefined;
  return (execution, outcome = {}) => {
    const { cwd, command } = execution;
    const { line, isSecret } = lineOf(execution);
    const isLive = command.length > 0 && execution.exitCode === 0 && outcome.changed !== false &&
      !isSecret;
    const lines: string[] = [];
    if (cwd !== told || isLive && cwd !== real) {
      const cd = `cd ${shown(cwd)}`;
      lines.push(isLive ? cd : comment(cd));
      told = cwd;
      if (isLive) real = cwd;
    }
    if (command.length === 0) return [...lines, ...shellLines(execution, outcome)];
    const notes = notesOf(execution, outcome, isSecret);
    const text = notes.length === 0 ? line : `${line}  # ${notes.join(", ")}`;
    return [...lines, isLive ? text : comment(text)];
  };
}

function notesOf(
  { user, env = {}, exitCode }: Execution,
  { changed }: Outcome,
  isSecret: boolean,
): string[] {
  const names = Object.keys(env).map((name) => `-e ${printable(name)}`).join(" ");
  return [
    ...user === undefined ? [] : [`-u ${printable(user)}`],
    ...names === "" ? [] : [names],
    ...exitCode === 0 ? [] : [`exit code ${exitCode}`],
    ...exitCode !== 0 && changed === true ? ["it changed something"] : [],
    ...exitCode === 0 && changed === false ? ["changed nothing"] : [],
    ...isSecret ? ["a secret is not shown"] : [],
  ];
}

function shellLines(
  { time, durationMs, user, exitCode }: Execution,
  { inside = [], changed }: Outcome,
): string[] {
  const began = Date.parse(time);
  const clock = (moment: number): string => new Date(moment).toISOString().slice(11, 16);
  const when = Number.isNaN(began) ? "" : `, ${clock(began)} to ${clock(began + durationMs)}`;
  const notes = [
    ...user === undefined ? [] : [`-u ${printable(user)}`],
    ...exitCode === 0 ? [] : [`exit code ${exitCode}`],
    ...changed === false ? ["changed nothing"] : [],
  ].join(", ");
  return [
    comment(`a login shell${when}${notes && `  # ${notes}`}`),
    ...inside.map((line) => comment(`  ${line}`)),
  ];
}

/** A line that no shell runs, whatever is in it. */
export function comment(text: string): string {
  return text.split("\n").map((line) => `# ${line}`).join("\n");
}

/** A command on one line, for people: without its secrets. */
export function commandLine({ command, user }: Pick<Execution, "command" | "user">): string {
  const words = maskSecrets(command);
  const line = words.length === 0
    ? "a login shell"
    : scriptOf(words) ?? words.map((word) => quoteUnseen(word) ?? quoted(word)).join(" ");
  return user === undefined ? line : `${line}  # -u ${printable(user)}`;
}

const MANAGER =
  /(^|[\s;&|(/])(apt|apt-get|aptitude|dpkg|apk|dnf|microdnf|yum|zypper|rpm|pacman|pip3?|pipx|uv|npm|yarn|pnpm|gem|cargo|conda|mamba|composer)\s/;

/** Whether a command is a package manager's call: the paths that it changed are its affair. */
export function isPackageCall({ command }: Pick<Execution, "command">): boolean {
  return MANAGER.test(`${command.join(" ")} `) ||
    /(^|\s)-m\s+pip\s/.test(command.slice(1).join(" "));
}

/** A command as a shell reads it, with its variables in front. */
function lineOf(execution: Execution): { readonly line: string; readonly isSecret: boolean } {
  const { command, env = {} } = execution;
  const words = maskSecrets(command);
  const secrets = Object.entries(env).some(([name, value]) =>
    value === null || isSecretVariable(name, value)
  );
  const variables = Object.entries(env).flatMap(([name, value]) =>
    value === null || isSecretVariable(name, value) || !/^[A-Za-z_]\w*$/.test(name)
      ? []
      : [`${name}=${shown(value)} `]
  ).join("");
  return {
    line: variables + (variables === "" ? scriptOf(words) ?? asCommand(words) : asCommand(words)),
    isSecret: execution.secret === true || words !== command || secrets,
  };
}

const SHELL_STATE =
  /(^|[\s;&|({])(cd|exit|exec|eval|read|set|shift|export|unset|return|trap|umask|ulimit|source|\.|alias|readonly|[A-Za-z_]\w*=\S*)([\s;]|$)/;

/**
 * What `dodo -c` was given, as it was typed, where a shell that reads it does the same and is then as it was before;
 * else undefined.
 */
function scriptOf([shell, option, line = "", ...rest]: readonly string[]): string | undefined {
  if (shell !== "/bin/sh" || option !== "-c" || rest.length !== 1 || rest[0] !== "dodo") return;
  const isPlain = line.trim() !== "" && !/[\n#]|\\$|\$[0-9#@*]|<<|&\s*$/.test(line) &&
    quoteUnseen(line) === undefined && splitWords(line) !== undefined &&
    !SHELL_STATE.test(line) && !/(^|[\s;&|])(if|for|while|until|case|function)\s/.test(line);
  return isPlain ? line.trim() : undefined;
}

// A word that the shell would take for an assignment or a keyword is a command's name only in quotes.
function asCommand([name = "", ...words]: readonly string[]): string {
  const plain = /^[\w./-]+$/.test(name) &&
    !/^(if|then|else|elif|fi|for|while|until|do|done|case|esac|in|select|function|time|coproc)$/
      .test(name);
  const first = plain || shown(name) !== name ? shown(name) : `'${name}'`;
  return [first, ...words.map(shown)].join(" ");
}

// What a terminal would act on is written in a form that it shows and a shell reads.
function shown(word: string): string {
  const lines = word.replaceAll(/[\n\t]/g, "");
  return quoteUnseen(lines) === undefined ? quoted(word) : quoteUnseen(word) ?? quoted(word);
}

/** quote(), but for the sign of a secret, which is an ordinary character to a shell. */
function quoted(word: string): string {
  if (!word.includes("…")) return quote(word);
  return word.split("…").map((part) => part === "" ? "" : quote(part)).join("…");
}

/** A word inside a comment: on one line. */
function printable(word: string): string {
  return quoteUnseen(word) ?? word;
}
