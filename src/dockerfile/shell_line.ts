/** Commands as lines of the shell that RUN has. */
import { quote } from "../quote.ts";
import type { Command } from "./evidence.ts";

/** A command as text for /bin/sh, and what that text may be joined with. */
export interface ShellLine {
  readonly text: string;
  /** The words, where the text is one simple command with nothing for the shell to expand. */
  readonly words?: readonly string[];
  /** It can stand between two `&&` as it is. */
  readonly isSimple: boolean;
}

const KEYWORD =
  /^(if|then|else|elif|fi|for|while|until|do|done|case|esac|in|select|function|time|coproc|\{|\}|!|\[\[)$/;

/** Words as the shell has them; the first one never as a keyword or an assignment. */
export function lineOf([name = "", ...words]: readonly string[]): string {
  const plain = /^[\w./+@:,-]+$/.test(name) && !KEYWORD.test(name);
  const quoted = plain || written(name) !== name ? written(name) : `'${name}'`;
  return [quoted, ...words.map(written)].join(" ");
}

/** A word, written as people write it: single quotes, double ones where single ones are in it. */
export function written(word: string): string {
  if (quote(word) === word) return word;
  if (!word.includes("'")) return `'${word}'`;
  if (!/["\\$`!\n]/.test(word)) return `"${word}"`;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * The lines of shell of a command: what `dodo -c` and `sh -c` were given is taken apart at `&&`, so that each
 * part can be joined with its neighbours.
 */
export function shellLines({ command, env }: Pick<Command, "command" | "env">): ShellLine[] {
  const variables = Object.entries(env ?? {}).flatMap(([name, value]) =>
    value !== null && /^[A-Za-z_]\w*$/.test(name) ? [`${name}=${written(value)} `] : []
  ).join("");
  const script = scriptOf(command);
  if (script === undefined) {
    const text = variables + lineOf(command);
    return [{ text, ...variables === "" && { words: command }, isSimple: true }];
  }
  if (variables !== "") {
    return [{ text: `${variables}sh -c ${written(script)}`, isSimple: true }];
  }
  const parts = splitAnd(script);
  if (
    parts === undefined ||
    parts.some((part) =>
      /^(cd|export|set|umask|trap|exec|\.|source|exit|[A-Za-z_]\w*=\S*$)(\s|$)/.test(part)
    )
  ) {
    return [{ text: script, isSimple: false }];
  }
  return parts.map((text) => {
    const words = plainWords(text);
    return { text, ...words !== undefined && { words }, isSimple: true };
  });
}

/** The text that a command gives to /bin/sh, where that is all it does. */
function scriptOf(words: readonly string[]): string | undefined {
  const [shell = "", option, script, ...rest] = words;
  const isSh = /^(\/bin\/|\/usr\/bin\/)?(sh|dash)$/.test(shell) && option === "-c";
  return isSh && script !== undefined &&
      (rest.length === 0 || rest.length === 1 && rest[0] === "dodo" && !/\$0/.test(script))
    ? script.trim()
    : undefined;
}

/** A line's parts between `&&`; undefined where there is any other operator, a comment or a newline in it. */
export function splitAnd(line: string): string[] | undefined {
  const parts: string[] = [];
  let part = "";
  for (let at = 0; at < line.length; at++) {
    const char = line.charAt(at);
    if (char === "\n") return undefined;
    if (char === "\\") {
      part += char + line.charAt(++at);
    } else if (char === "'" || char === '"') {
      const end = closing(line, at);
      if (end < 0) return undefined;
      part += line.slice(at, end + 1);
      at = end;
    } else if (char === "&" && line.charAt(at + 1) === "&") {
      parts.push(part.trim());
      part = "";
      at++;
    } else if (char === "|" && line.charAt(at + 1) === "|") {
      return undefined;
    } else if (char === "&" && /[<>]$/.test(part)) {
      part += char;
    } else if (char === "&" && line.charAt(at + 1) === ">") {
      return undefined;
    } else if (
      /[;&(){}`]/.test(char) || char === "#" && /(^|\s)$/.test(part) || line.startsWith("<<", at)
    ) {
      if (char === "{" && part.endsWith("$")) {
        const end = line.indexOf("}", at);
        if (end < 0) return undefined;
        part += line.slice(at, end + 1);
        at = end;
        continue;
      }
      if (/[{}]/.test(char) && !/(^|\s)$/.test(part)) {
        part += char;
        continue;
      }
      return undefined;
    } else part += char;
  }
  parts.push(part.trim());
  return parts.some((text) => text === "" || KEYWORD.test(text.split(/\s/, 1)[0] ?? ""))
    ? undefined
    : parts;
}

function closing(line: string, at: number): number {
  const mark = line.charAt(at);
  for (let end = at + 1; end < line.length; end++) {
    if (mark === '"' && line.charAt(end) === "\\") end++;
    else if (line.charAt(end) === mark) return end;
  }
  return -1;
}

function plainWords(text: string): string[] | undefined {
  return /^[\w\s./:@%+,=~-]+$/.test(text) && !/(^|\s)~/.test(text) && !/^[A-Za-z_]\w*=/.test(text)
    ? text.split(/\s+/)
    : undefined;
}

/** A line that may stand between two `&&`, whatever is in it. */
export function joinable({ text, isSimple }: ShellLine): string {
  if (isSimple) return text;
  // What changes the shell itself must not reach the next line.
  return /(^|[\s;&|(])(cd|export|set|umask|trap|exec|exit|return|unset|\.|source)(\s|$)|^\w+=/.test(
      text,
    )
    ? `( ${text} )`
    : /^[^;&|#]*(\|[^|;&#]+)*$/.test(text)
    ? text
    : `{ ${text.replace(/;\s*$/, "")}; }`;
}
