import { Failure } from "../error.ts";

const OPEN = "# >>> dockerdo >>>";
const CLOSE = "# <<< dockerdo <<<";
// What the opening line says of the file before us, so that it can be had back byte for byte.
const NEW_FILE = "new-file";
const NO_NEWLINE = "no-newline";

interface Block {
  /** Lines of the text, the marks among them. */
  readonly first: number;
  readonly last: number;
  readonly note: string;
}

/**
 * A text with these lines in the one marked block of ours: in the place of the block that is there, else at
 * the end, or `atTop`. `undefined` is a file that does not exist. A block that is not closed or that somebody has edited is
 * a failure, which calls the text `path`.
 */
export async function withBlock(
  text: string | undefined,
  { path, lines, atTop = false }: {
    readonly path: string;
    readonly lines: readonly string[];
    readonly atTop?: boolean;
  },
): Promise<string> {
  const all = (text ?? "").split("\n");
  const found = await findBlock(all, path);
  if (found !== undefined) {
    const block = await blockOf(lines, found.note);
    return [...all.slice(0, found.first), ...block, ...all.slice(found.last + 1)].join("\n");
  }
  const before = text ?? "";
  if (atTop) {
    const block = await blockOf(lines, text === undefined ? NEW_FILE : "");
    return `${block.join("\n")}\n${before}`;
  }
  const isOpen = before !== "" && !before.endsWith("\n");
  const block = await blockOf(lines, text === undefined ? NEW_FILE : isOpen ? NO_NEWLINE : "");
  return `${before}${isOpen ? "\n" : ""}${block.join("\n")}\n`;
}

/** The text without our block, as it was before; undefined where the file was not there. See {@link withBlock}. */
export async function withoutBlock(
  text: string | undefined,
  { path }: { readonly path: string },
): Promise<string | undefined> {
  if (text === undefined) return undefined;
  const all = text.split("\n");
  const found = await findBlock(all, path);
  if (found === undefined) return text;
  const before = all.slice(0, found.first).map((line) => `${line}\n`).join("");
  const after = all.slice(found.last + 1).join("\n");
  if (after !== "") return before + after;
  if (found.note === NO_NEWLINE) return before.replace(/\r?\n$/, "");
  return found.note === NEW_FILE && before === "" ? undefined : before;
}

async function findBlock(lines: readonly string[], path: string): Promise<Block | undefined> {
  // An editor or git may have made CRLF of it.
  const plain = lines.map((line) => line.replace(/\r$/, ""));
  const opens = plain.flatMap((line, at) => line.startsWith(OPEN) ? [at] : []);
  const closes = plain.flatMap((line, at) => line === CLOSE ? [at] : []);
  const [first] = opens;
  const [last] = closes;
  if (first === undefined && last === undefined) return undefined;
  if (
    first === undefined || last === undefined || last < first || opens.length + closes.length > 2
  ) {
    throw new Failure(
      `${path}:${(first ?? last ?? 0) + 1}: the marks of dockerdo's lines do not match`,
      { hint: `Leave one pair, or none: from ${OPEN} to ${CLOSE}` },
    );
  }
  const [sum = "", note = ""] = (plain[first] ?? "").slice(OPEN.length).trim().split(" ");
  if (sum !== await checksum(plain.slice(first + 1, last))) {
    throw new Failure(`${path}:${first + 1}: dockerdo's lines have been edited`, {
      hint: `Move your own lines out of them, and delete the others from ${OPEN} to ${CLOSE}`,
    });
  }
  return { first, last, note };
}

async function blockOf(lines: readonly string[], note: string): Promise<string[]> {
  const mark = [OPEN, await checksum(lines), note].filter(Boolean).join(" ");
  return [mark, ...lines, CLOSE];
}

async function checksum(lines: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode(lines.join("\n"));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return digest.slice(0, 4).toHex();
}
