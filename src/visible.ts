// Control and format characters, and what a terminal or an editor takes for a new line.
const UNSEEN = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

// What our own lines need: a tab, a new line, colours, and at the start of a text to write over the line before.
// deno-lint-ignore no-control-regex
const OWN = /^\r\x1b\[K|\x1b\[(?:0|1|2|22|3[1-6]|39)?m|[\t\n]/.source;

/**
 * A text for a terminal, in which nothing that a container, a host or an image says is more than a text: control
 * characters other than our own are written as `\x1b`. The one filter of all that dockerdo prints for people.
 */
export function visible(text: string): string {
  if (!UNSEEN.test(text)) return text;
  return text.replace(
    new RegExp(`(${OWN})|${UNSEEN.source}`, "gu"),
    (char, own: string | undefined) => own ?? escapeOf(char),
  );
}

function escapeOf(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}

/**
 * A word with characters that cannot be seen, as `$'…'`, which bash, zsh and ksh read back; undefined for a word
 * without such. `bytes` are those of a name that is not UTF-8.
 */
export function quoteUnseen(word: string, bytes?: Uint8Array): string | undefined {
  if (bytes === undefined && !UNSEEN.test(word)) return undefined;
  const words = Array.from(bytes ?? new TextEncoder().encode(word), (byte) => {
    const char = String.fromCharCode(byte);
    if (/[\\']/.test(char)) return `\\${char}`;
    return byte >= 0x20 && byte < 0x7f ? char : `\\x${byte.toString(16).padStart(2, "0")}`;
  });
  return `$'${words.join("")}'`;
}
