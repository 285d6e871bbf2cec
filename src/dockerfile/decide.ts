/** Which commands a Dockerfile repeats: by what they are known to have changed, never by their names. */
import type { Input } from "../history/executions.ts";
import { hasSecret } from "../secrets.ts";
import { runsAnywhere } from "./anywhere.ts";
import type { Command, Evidence } from "./evidence.ts";
import { isLocalPackage, parseApt } from "./packages.ts";
import { parentOf } from "./tree.ts";

/** Why a command is kept, or not. */
export type Reason =
  /** It changed something that is still there, or that a kept command may have used. */
  | "changed"
  /** Nobody knows what it changed. */
  | "unknown"
  /** A kept command needs what it left in /tmp, or running. */
  | "needed"
  | "nothing"
  | "volatile"
  | "failed"
  /** What it changed is copied in its final form. */
  | "copied"
  /** What it made is gone, and nobody used it. */
  | "undone"
  /** What it read was brought in through the mount, and is gone. */
  | "input"
  /** The same command is kept, earlier. */
  | "repeated"
  | "shell"
  | "stdin"
  | "secret"
  /** A person said so. */
  | "chosen"
  | "put back";

export interface Decision {
  readonly command: Command;
  readonly keep: boolean;
  readonly reason: Reason;
  /** A local file that its stdin was. */
  readonly input?: { readonly path: string };
  /** Of a repeated one: the command that is kept in its place. */
  readonly twin?: number;
}

/** What was brought in through the mount and is nowhere now: a file, or the directory that held it. */
export interface GoneInput {
  readonly path: string;
  /** When it came, and after which it is not known to have been there, in seconds of the container's clock. */
  readonly first: number;
  readonly gone: number;
}

export interface Choices {
  /** Commands that are kept, or left out, whatever the evidence says. */
  readonly keep?: ReadonlySet<number>;
  readonly leave?: ReadonlySet<number>;
  /** Commands whose secrets may be written. */
  readonly allowed?: (command: Command) => boolean;
}

/** Decides for each command. */
export function decide(
  evidence: Evidence,
  { inputs, goneInputs = [], isAsItWas = () => false, choices = {} }: {
    readonly inputs: ReadonlyMap<string, Input>;
    readonly goneInputs?: readonly GoneInput[];
    /** Whether a local file is there as it was. */
    readonly isAsItWas?: (file: Input) => boolean;
    readonly choices?: Choices;
  },
): Decision[] {
  const { commands } = evidence;
  const isPiped = pipedCommands(commands, inputs);
  const lacksInput = (command: Command): boolean =>
    goneInputs.some(({ path, first, gone }) =>
      first < command.begin &&
      (command.end <= gone || command.begin <= gone && hasMoved(command, evidence)) &&
      (runsAnywhere(command.command) ? namesPath(command, path) : names(command, path))
    );
  const first = commands.map((command): Decision => {
    const { number, exitCode } = command;
    const leave = (reason: Reason): Decision => ({ command, keep: false, reason });
    if (choices.leave?.has(number) === true) return leave("chosen");
    // What was not recorded, nobody can let through.
    if (command.secret === true) return leave("secret");
    if (hasSecret(command.command) && choices.allowed?.(command) !== true) return leave("secret");
    if (choices.keep?.has(number) === true) return { command, keep: true, reason: "put back" };
    if (isShell(command)) return leave("shell");
    // It unpacks what it is given, and fails because of what that depends on.
    const apt = parseApt(command.command);
    const isUnpacked = apt !== undefined && apt !== "update" && apt.packages.some(isLocalPackage) &&
      evidence.verdicts[number] === "changed" && !lacksInput(command);
    if (exitCode !== 0 && !isUnpacked) return leave("failed");
    const verdict = evidence.verdicts[number] ?? "unknown";
    if (verdict === "nothing" || verdict === "volatile") return leave(verdict);
    // Each install brings the lists up to date by itself.
    if (verdict === "unknown" && apt === "update") return leave("volatile");
    // It ran with a secret that is not kept, and cannot be run without it.
    if (Object.values(command.env ?? {}).includes(null)) return leave("secret");
    if (isPiped(command)) return leave("stdin");
    if (verdict === "changed" && lacksInput(command)) return leave("input");
    const file = fileOf(command, { inputs, commands });
    if (file !== undefined) {
      return isAsItWas(file) && file.kind === "file"
        ? {
          command,
          keep: true,
          reason: verdict === "changed" ? "changed" : "unknown",
          input: file,
        }
        : leave("stdin");
    }
    return { command, keep: true, reason: verdict === "changed" ? "changed" : "unknown" };
  });
  const withoutCopied = dropCopied(dropFollowers(first, evidence), evidence);
  const withoutUndone = dropVain(dropUndone(withoutCopied, evidence), evidence);
  return addNeeded(dropRepeated(withoutUndone, evidence), evidence);
}

/** A login shell, or another program that a person sat in. */
export function isShell({ command, terminal }: Command): boolean {
  if (command.length === 0) return true;
  const name = command[0]?.slice(command[0].lastIndexOf("/") + 1) ?? "";
  return terminal === true &&
    (/^(ba|da|z|fi|a|k|c|tc)?sh$/.test(name) && !command.includes("-c") && command.length < 3 ||
      /^(nano|vi|vim(\.\w+)?|vimdiff|emacs|mcedit|mc|joe|micro|ed|su|tmux|screen|visudo|vipw|vigr|nvim|less|more|top|htop|watch)$/
        .test(name));
}

/** Whether what the command read from a pipe is part of what it did. */
function pipedCommands(
  commands: readonly Command[],
  inputs: ReadonlyMap<string, Input>,
): (command: Command) => boolean {
  const isPipe = ({ input }: Command): boolean =>
    input !== undefined && inputs.get(input)?.kind === "pipe";
  // Where all of them have one, it is what the person's script was started with.
  const ambient = commands.length > 3 &&
    commands.filter(isPipe).length > commands.length / 2;
  return (command) => isPipe(command) && (!ambient || readsStdin(command.command));
}

/** The file that a command's stdin was; not one that many commands were started with, which is a script of them. */
function fileOf(
  { input }: Command,
  { inputs, commands }: {
    readonly inputs: ReadonlyMap<string, Input>;
    readonly commands: readonly Command[];
  },
): Input | undefined {
  const file = input === undefined ? undefined : inputs.get(input);
  if (file?.kind !== "file") return undefined;
  const users = commands.filter((command) => {
    const other = inputs.get(command.input ?? "");
    return other?.kind === "file" && other.path === file.path;
  });
  return new Set(users.map(({ command }) => command.join("\0"))).size > 2 ? undefined : file;
}

function readsStdin(words: readonly string[]): boolean {
  const name = words[0]?.slice(words[0].lastIndexOf("/") + 1) ?? "";
  const line = words.join(" ");
  return /^(tee|cat|dd|crontab|patch|psql|mysql|sqlite3|xargs|base64|chpasswd|sponge)$/.test(
    name,
  ) ||
    words.includes("-") || words.includes("/dev/stdin") ||
    /^(ba|da|z)?sh$/.test(name) && words.length === 1 ||
    /^(python3?|perl|ruby|node)$/.test(name) && words.length === 1 ||
    name === "tar" && /(^|\s)-?[a-z]*x/.test(line) && !/\s-?[a-z]*f\s*(?!-)\S/.test(line) ||
    /\bcat\s*>|\btee\b/.test(line);
}

/** Commands that changed files of one whose input is gone: those are copied as they are in the end. */
function dropFollowers(decisions: readonly Decision[], evidence: Evidence): Decision[] {
  const copied = new Set<string>();
  return decisions.map((decision) => {
    const { command, keep, reason } = decision;
    const touched = [...evidence.touched[command.number] ?? []];
    const follows = keep && reason === "changed" && !runsAnywhere(command.command) &&
      touched.some((path) => copied.has(path));
    if (!follows && reason !== "input") return decision;
    const directories = new Set(touched.map(parentOf));
    for (const path of touched) if (!directories.has(path)) copied.add(path);
    return { command, keep: false, reason: "input" };
  });
}

/** Commands of which all that is left will be copied: their changes are in the copy. */
function dropCopied(decisions: readonly Decision[], evidence: Evidence): Decision[] {
  const leaves = (path: string): boolean => isCopied(path, evidence, decisions);
  return decisions.map((decision) => {
    const { command, keep, reason } = decision;
    if (!keep || reason !== "changed") return decision;
    const paths = [...evidence.touched[command.number] ?? []];
    const surviving = paths.filter((path) => evidence.last.has(path));
    if (surviving.length === 0 || (evidence.removes[command.number]?.size ?? 0) > 0) {
      return decision;
    }
    if (paths.length > surviving.length) return decision;
    return surviving.every(leaves) ? { command, keep: false, reason: "copied" } : decision;
  });
}

/** Whether a path comes into the image by COPY: edited through the mount, or changed by nobody who is kept. */
export function isCopied(
  path: string,
  evidence: Pick<Evidence, "edited" | "last">,
  decisions: readonly Decision[],
): boolean {
  if (evidence.edited.has(path)) return true;
  const toucher = evidence.last.get(path);
  if (toucher === undefined) return false;
  if (toucher.by !== "command") return true;
  const decision = decisions[toucher.number];
  return decision?.keep === false && decision.reason !== "repeated";
}

/** Commands whose every trace another one removed, with no kept command in between that could have used it. */
function dropUndone(decisions: readonly Decision[], evidence: Evidence): Decision[] {
  const result = [...decisions];
  for (const { command, keep, reason } of decisions.toReversed()) {
    if (!keep || reason !== "changed") continue;
    const paths = [...evidence.touched[command.number] ?? []];
    const removed = evidence.removes[command.number] ?? new Set();
    if (removed.size > 0 || paths.some((path) => evidence.last.has(path))) continue;
    const removers = new Set(
      paths.map((path) =>
        evidence.removes.findIndex((set, by) => by > command.number && set.has(path))
      ),
    );
    const end = Math.max(...removers);
    if (removers.has(-1) || !Number.isFinite(end)) continue;
    const used = result.slice(command.number + 1, end).some(({ keep }) => keep);
    const clean = [...removers].every((by) => isOnlyRemoving(by, paths, evidence));
    if (used || !clean) continue;
    result[command.number] = { command, keep: false, reason: "undone" };
    for (const by of removers) {
      const remover = result[by];
      if (remover !== undefined) result[by] = { ...remover, keep: false, reason: "undone" };
    }
  }
  return result;
}

/** Commands that removed what nothing in the Dockerfile brings: edits that are gone, or what left-out commands made. */
function dropVain(decisions: readonly Decision[], evidence: Evidence): Decision[] {
  const result = [...decisions];
  for (const { command, keep, reason } of decisions) {
    if (!keep || reason !== "changed") continue;
    const removed = evidence.removes[command.number] ?? new Set();
    const touched = [...evidence.touched[command.number] ?? []];
    const isMade = (path: string): boolean =>
      result.slice(0, command.number).some(({ keep, command: { number } }) =>
        keep && evidence.touched[number]?.has(path) === true
      );
    // What is in `last` is of the image, or there now.
    const isVain = removed.size > 0 &&
      touched.every((path) => !evidence.last.has(path) && !isMade(path));
    if (isVain) result[command.number] = { command, keep: false, reason: "undone" };
  }
  return result;
}

function isOnlyRemoving(by: number, paths: readonly string[], evidence: Evidence): boolean {
  const made = new Set(paths);
  return [...evidence.touched[by] ?? []].every((path) => made.has(path));
}

/** The same row of commands again, after edits alone: the first row is kept, and the edits move before it. */
function dropRepeated(decisions: readonly Decision[], evidence: Evidence): Decision[] {
  const result = [...decisions];
  const isEditBetween = (from: number, to: number): boolean => {
    const begin = evidence.commands[from]?.begin ?? 0;
    const end = evidence.commands[to]?.begin ?? 0;
    const isIn = (time: number): boolean => begin <= time && time <= end;
    return [...evidence.edited.values()].some(({ first, last }) => isIn(first) || isIn(last)) ||
      [...evidence.deleted.values()].some(isIn);
  };
  for (;;) {
    const kept = result.filter(({ keep }) => keep).map(({ command }) => command);
    const found = findRepeat(kept, isEditBetween);
    if (found === undefined) return result;
    for (const [{ number: twin }, { command }] of found) {
      result[command.number] = { command, keep: false, reason: "repeated", twin };
    }
  }
}

function findRepeat(
  kept: readonly Command[],
  isEditBetween: (from: number, to: number) => boolean,
): readonly (readonly [Command, { readonly command: Command }])[] | undefined {
  for (let length = 1; length <= 6; length++) {
    for (let at = 0; at + 2 * length <= kept.length; at++) {
      const row = kept.slice(at, at + length);
      const next = kept.slice(at + length, at + 2 * length);
      const pairs = row.flatMap((command, i) => {
        const again = next[i];
        return again !== undefined && isSameCommand(command, again)
          ? [[command, { command: again }] as const]
          : [];
      });
      if (pairs.length < length) continue;
      if (isEditBetween(row[0]?.number ?? 0, next.at(-1)?.number ?? 0)) return pairs;
    }
  }
  return undefined;
}

function isSameCommand(a: Command, b: Command): boolean {
  return a.cwd === b.cwd && a.user === b.user &&
    JSON.stringify([a.command, a.env]) === JSON.stringify([b.command, b.env]);
}

/** Commands that left something in /tmp which a kept one names. */
function addNeeded(decisions: readonly Decision[], evidence: Evidence): Decision[] {
  const result = [...decisions];
  for (const { command, reason } of decisions.toReversed()) {
    if (reason !== "volatile") continue;
    const made = [...evidence.temporary[command.number] ?? []];
    if (made.length === 0) continue;
    const needs = result.slice(command.number + 1).some(({ keep, command: later }) =>
      keep && made.some((path) => namesTemporary(later, path))
    );
    if (needs) result[command.number] = { command, keep: true, reason: "needed" };
  }
  // What a kept command left there is removed again, in the image as in the session.
  for (const { command, keep, reason } of decisions) {
    if (keep || reason !== "volatile" && reason !== "nothing") continue;
    const clears = evidence.clears[command.number] ?? new Set();
    const isMade = result.slice(0, command.number).some(({ keep, command: { number } }) =>
      keep && [...evidence.temporary[number] ?? []].some((path) => clears.has(path))
    );
    if (isMade) result[command.number] = { command, keep: true, reason: "needed" };
  }
  return result;
}

/** Whether a command may have read a path of /tmp. */
function namesTemporary(command: Command, path: string): boolean {
  const parent = parentOf(path);
  return isWithin(path, command.cwd) || names(command, path) ||
    parent !== "/tmp" && parent !== "/var/tmp" && names(command, parent);
}

/** Whether a command left something else than the directories from which it removed: it moved what it removed. */
function hasMoved({ number }: Command, evidence: Evidence): boolean {
  const removed = evidence.removes[number] ?? new Set();
  const parents = new Set(Array.from(removed, parentOf));
  return removed.size > 0 &&
    [...evidence.touched[number] ?? []].some((path) =>
      evidence.last.has(path) && !removed.has(path) && !parents.has(path)
    );
}

/** Whether a command names a path, or ran below it. */
function names(command: Command, path: string): boolean {
  return isWithin(command.cwd, path) || namesPath(command, path);
}

/** Whether a command names a path, absolute or from where it ran. */
export function namesPath({ command, cwd }: Command, path: string): boolean {
  const below = cwd === "/" ? path.slice(1) : path.slice(cwd.length + 1);
  return command.some((word) =>
    word.includes(path) || isWithin(path, cwd) && below !== "" && hasPath(word, below)
  );
}

function isWithin(path: string, directory: string): boolean {
  return directory !== "/" && (path === directory || path.startsWith(`${directory}/`));
}

/** Whether a relative path stands in a word or a line by itself. */
function hasPath(text: string, path: string): boolean {
  const isPart = (char: string): boolean => /[\w.-]/.test(char);
  for (let at = text.indexOf(path); at >= 0; at = text.indexOf(path, at + 1)) {
    const before = text.charAt(at - 1);
    const isFirst = at === 0 || !isPart(before) && before !== "/" ||
      text.slice(0, at).endsWith("./");
    if (isFirst && !isPart(text.charAt(at + path.length))) return true;
  }
  return false;
}
