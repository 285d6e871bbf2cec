import type { CliContext } from "./flags.ts";
import type { Command } from "@stricli/core";
import { wrapAnsi } from "fast-wrap-ansi";

export { nearest } from "../nearest.ts";

/** What a value or a word may be: what completion offers for it. */
export type Kind =
  | "host"
  | "image"
  | "session"
  | "container"
  | "directory"
  | "path"
  | "program"
  | "variable"
  | "other";

/** A value of an option, or a word of a command. */
export interface Value {
  /** In capitals, or the choices with `|` between them. */
  readonly placeholder: string;
  readonly kind: Kind;
  /** Where one of a few words is allowed only. */
  readonly choices: readonly string[];
}

export interface Option {
  /** `-t`, `--overlay-tag`. */
  readonly names: readonly string[];
  readonly value?: Value;
  readonly brief: string;
}

export interface Word extends Value {
  readonly brief: string;
  readonly optional: boolean;
  readonly repeated: boolean;
}

/** A command, as its help, its completions and the manual page show it. */
export interface Description {
  readonly name: string;
  /** What follows the name: `[OPTIONS] [NAME]`. */
  readonly usage: string;
  readonly paragraphs: readonly string[];
  /** Lines of shell. */
  readonly examples: readonly string[];
  readonly options: readonly Option[];
  readonly words: readonly Word[];
  /** The program that gets the options that are not ours: `docker run`. */
  readonly passesTo?: string;
}

/** A command in the list of all of them. */
export interface Entry {
  readonly name: string;
  readonly group: string;
  readonly brief: string;
}

const KINDS: Readonly<Record<string, Kind>> = {
  host: "host",
  image: "image",
  tag: "image",
  session: "session",
  container: "container",
  directory: "directory",
  argument: "path",
  command: "program",
  "key=value": "variable",
  "name[=value]": "variable",
};

/** The value that a placeholder stands for; one with `|` in it is a list of choices. */
export function valueOf(placeholder: string, name = ""): Value {
  const choices = placeholder.includes("|") ? placeholder.split("|") : [];
  return {
    placeholder: choices.length > 0 ? placeholder : placeholder.toUpperCase(),
    kind: KINDS[placeholder.toLowerCase()] ?? KINDS[name] ?? "other",
    choices,
  };
}

const HELP_BRIEF = "Print help and exit";

/** Describes what a command file exports as `command`. */
export function describeCommand(
  name: string,
  command: unknown,
  { passesOptions }: { readonly passesOptions: boolean },
): Description {
  const { parameters, fullDescription = "" } = command as Command<CliContext>;
  const aliases = Object.entries(parameters.aliases ?? {});
  const isCommon = (key: string): boolean => key === "verbose" || key === "dryRun";
  const flags = Object.entries(parameters.flags ?? {}).filter(([, { hidden }]) => hidden !== true);
  const options = [
    ...flags.filter(([key]) => !isCommon(key)),
    ...flags.filter(([key]) => isCommon(key)),
  ].map(([key, flag]): Option => {
    const short = aliases.filter(([, of]) => of === key).map(([letter]) => `-${letter}`);
    const long = kebabCase(key);
    if (flag.kind === "boolean") {
      const negated = flag.withNegated === false ? [] : [`--no-${long}`];
      // Of a switch that is on by default the other position is the one to know of.
      const names = flag.default === true ? negated : [...short, `--${long}`, ...negated];
      return { names, brief: flag.brief };
    }
    const placeholder = flag.kind === "enum"
      ? flag.values.join("|")
      : (flag.kind === "parsed" ? flag.placeholder : undefined) ?? "value";
    return {
      names: [...short, `--${long}`],
      value: valueOf(placeholder, key),
      brief: flag.brief,
    };
  });
  const help = passesOptions ? ["--help"] : ["-h", "--help"];
  const words = wordsOf(parameters.positional);
  // The placeholder of what is passed on: the program, and perhaps a word of our own.
  const [passesTo, own] = passesOptions ? words[0]?.placeholder.toLowerCase().split("|") ?? [] : [];
  const shown = passesTo === undefined
    ? words
    : own === undefined
    ? []
    : words.map((word) => ({ ...word, ...valueOf(own), repeated: false }));
  return {
    name,
    usage: [
      "[OPTIONS]",
      ...passesTo === undefined ? [] : [`[OPTIONS OF ${passesTo}]`],
      ...shown.map(usageOf),
    ].join(" "),
    ...proseOf(fullDescription),
    options: [...options, { names: help, brief: HELP_BRIEF }],
    words: shown,
    ...passesTo === undefined ? {} : { passesTo },
  };
}

/** What `dockerdo exec --help` prints; see {@link describeExec}. */
export function execHelp(...table: Parameters<typeof describeExec>): string {
  return helpText(describeExec(...table));
}

/** Describes `exec`, which no parser may touch, by the table that it reads its options with. */
export function describeExec(
  prose: string,
  options: readonly {
    readonly names: readonly string[];
    readonly value?: string;
    readonly brief: string;
  }[],
): Description {
  return {
    name: "exec",
    usage: "[OPTIONS] [COMMAND [ARGUMENT...]]      (alias dodo)",
    ...proseOf(prose),
    options: [
      ...options.map(({ value, ...option }) =>
        value === undefined
          ? option
          : { ...option, value: valueOf(value, option.names.at(-1)?.replace(/^--/, "")) }
      ),
      { names: ["-h", "--help"], brief: HELP_BRIEF },
    ],
    words: [
      { ...valueOf("command"), brief: "", optional: true, repeated: false },
      { ...valueOf("argument"), brief: "", optional: true, repeated: true },
    ],
  };
}

function wordsOf(positional: Command<CliContext>["parameters"]["positional"]): Word[] {
  if (positional === undefined) return [];
  const repeated = positional.kind === "array";
  const parameters = repeated ? [positional.parameter] : positional.parameters;
  return parameters.map((parameter) => ({
    ...valueOf(parameter.placeholder ?? "argument"),
    brief: parameter.brief,
    optional: repeated ? (positional.minimum ?? 0) === 0 : parameter.optional === true,
    repeated,
  }));
}

function usageOf({ placeholder, optional, repeated }: Word): string {
  const text = `${placeholder}${repeated ? "..." : ""}`;
  return optional ? `[${text}]` : text;
}

/** Splits a command's full description: a paragraph of indented lines is an example. */
export function proseOf(
  text: string,
): { readonly paragraphs: readonly string[]; readonly examples: readonly string[] } {
  const parts = text.split(/\n{2,}/);
  const isExample = (part: string): boolean =>
    part.split("\n").every((line) => line.startsWith("  "));
  return {
    // The examples stand at the end: no text follows a colon.
    paragraphs: parts.filter((part) => !isExample(part)).map((part) =>
      part.replaceAll("\n", " ").replace(/:$/, ".")
    ),
    examples: parts.filter(isExample).flatMap((part) => part.split("\n")).map((line) =>
      line.slice(2)
    ),
  };
}

function kebabCase(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const WIDTH = 80;

/** What `dockerdo NAME --help` prints. */
export function helpText(description: Description): string {
  const { name, usage, paragraphs, examples, options, words } = description;
  const start = `usage: dockerdo ${name} `;
  const rows = options.map((option) => [optionLabel(option), option.brief] as const);
  // An argument says nothing that its option of the same name does not.
  const told = words.filter(({ brief }) => brief !== "");
  const rowsOfWords = told.map((word) => [`  ${word.placeholder}`, word.brief] as const);
  return [
    ...wrap(usage, WIDTH - start.length).map((line, at) =>
      `${at === 0 ? start : " ".repeat(7)}${line}`
    ),
    "",
    ...paragraphs.flatMap((paragraph) => wrap(paragraph)),
    "",
    ...table([...rowsOfWords, ...rows]),
    ...examples.length === 0 ? [] : ["", ...examples.map((line) => `  ${line}`)],
    "",
  ].join("\n");
}

function optionLabel(option: Option): string {
  const long = option.names[0]?.startsWith("--") === true;
  return `  ${long ? "    " : ""}${optionText(option)}`;
}

/** `-t, --overlay-tag TAG`, `--[no-]record` */
export function optionText({ names, value }: Option): string {
  const text = names.join(", ").replace(/--([\w-]+), --no-\1$/, "--[no-]$1");
  return `${text}${value === undefined ? "" : ` ${value.placeholder}`}`;
}

function table(rows: readonly (readonly [label: string, text: string])[]): string[] {
  const column = Math.min(26, Math.max(...rows.map(([label]) => label.length))) + 2;
  return rows.flatMap(([label, text]) => {
    const [first = "", ...rest] = wrap(text, WIDTH - column);
    const margin = " ".repeat(column);
    const start = label.length > column - 2 ? `${label}\n${margin}` : label.padEnd(column);
    return [start + first, ...rest.map((line) => margin + line)];
  });
}

/** Breaks a text into lines of at most `width` columns; a longer word is a line of its own. */
export function wrap(text: string, width = WIDTH): string[] {
  return wrapAnsi(text, width).split("\n");
}

/** A command with its line in the overview. */
export type Completed = Entry & Description;
