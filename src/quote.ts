const PLAIN = /^[A-Za-z0-9_/.:@+,-][A-Za-z0-9_/.:@%+,=-]*$/;

/**
 * One word, written so that a login shell reads exactly this word back: sh, bash, zsh and fish, and csh but
 * for newlines. Backslash, quote and `!` stand outside the quotes because fish and csh read them inside.
 */
export function quote(word: string): string {
  if (word === "") return "''";
  if (PLAIN.test(word)) return word;
  return word.replace(/([\\'!])|[^\\'!]+/g, (run, special) => special ? `\\${run}` : `'${run}'`);
}

/** A list of words as one line of shell; the inverse of the shell's own splitting. */
export function quoteAll(words: readonly string[]): string {
  return words.map(quote).join(" ");
}

/**
 * A list of words as a line for a login shell of any kind. csh reads no newline inside quotes: where there is
 * one, sh makes the line out of octal escapes, which every shell leaves alone.
 */
export function quoteForLogin(words: readonly string[]): string {
  const line = quoteAll(words);
  if (!line.includes("\n")) return line;
  const escaped = line.replace(
    /[^A-Za-z0-9 _/.:@,=+-]+/g,
    (run) =>
      Array.from(
        new TextEncoder().encode(run),
        (byte) => `\\${byte.toString(8).padStart(3, "0")}`,
      ).join(""),
  );
  return `/bin/sh -c 'eval "$(printf "${escaped}")"'`;
}

/**
 * Splits a line into words as a shell would, quotes and backslashes honoured, nothing expanded.
 * Returns undefined where a quote is not closed.
 */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < line.length; i++) {
    const char = line.charAt(i);
    if (char === "'" || char === '"') {
      word ??= "";
      let closed = false;
      for (i++; i < line.length; i++) {
        const inner = line.charAt(i);
        if (inner === char) {
          closed = true;
          break;
        }
        const escapes = char === '"' && inner === "\\" &&
          '"\\$`'.includes(line.charAt(i + 1) || " ");
        word += escapes ? line.charAt(++i) : inner;
      }
      if (!closed) return undefined;
    } else if (char === "\\" && i + 1 < line.length) {
      word = (word ?? "") + line.charAt(++i);
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + char;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}
