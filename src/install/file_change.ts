import { Failure } from "../error.ts";

/** A file as it is and as it is to be; undefined: not there. Each letter of a text is a byte. */
export interface Change {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** Of a file that is not there yet. */
  readonly mode?: number;
}

/** The bytes of a file as letters; undefined where there is no such file. */
export async function readBytes(path: string): Promise<string | undefined> {
  try {
    const bytes = await Deno.readFile(path);
    let text = "";
    for (let at = 0; at < bytes.length; at += 8192) {
      text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    }
    return text;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new Failure(`${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** A text in the form in which {@link Change} has it. */
export function asBytes(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

function toBytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function asText(bytes: string): string {
  return new TextDecoder().decode(toBytes(bytes));
}

/**
 * The file that a path means: the target of a symbolic link, so that the link stays. A link to nowhere is a
 * failure.
 */
export async function targetOf(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch (cause) {
    const link = await Deno.readLink(path).catch(() => undefined);
    if (link === undefined) return path;
    throw new Failure(`${path} is a symbolic link to ${link}, which is not there`, {
      cause,
      hint: "Make the file that it means, or remove the link.",
    });
  }
}

/**
 * Makes a change: a new file beside the old one takes its place, with its mode and owner, so that there is
 * never half a file. A file that nobody may write is a failure.
 */
export async function applyChange({ path, before, after, mode }: Change): Promise<void> {
  try {
    if (after === undefined) return await Deno.remove(path);
    const bytes = toBytes(after);
    if (before === undefined) {
      await Deno.mkdir(path.replace(/\/[^/]*$/, ""), { recursive: true });
      return await Deno.writeFile(path, bytes, { createNew: true, mode: mode ?? 0o644 });
    }
    const { mode: kept, uid, gid, nlink } = await Deno.stat(path);
    if (((kept ?? 0o200) & 0o222) === 0) {
      throw new Failure(`${path} is read-only`, { hint: `chmod u+w makes it writable.` });
    }
    // Other names of the same file are to see the change too.
    if ((nlink ?? 1) > 1) return await Deno.writeFile(path, bytes);
    const temporary = `${path}.${crypto.randomUUID()}`;
    try {
      await Deno.writeFile(temporary, bytes, { createNew: true, mode: 0o600 });
      await Deno.chown(temporary, uid, gid).catch(() => {});
      if (kept !== null) await Deno.chmod(temporary, kept & 0o7777);
      await Deno.rename(temporary, path);
    } catch (error) {
      await Deno.remove(temporary).catch(() => {});
      throw error;
    }
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new Failure(`${path} cannot be written: ${(cause as Error).message}`, { cause });
  }
}

const CONTEXT_LINES = 3;

/**
 * A change as a unified diff of one hunk, the lines around it with it. A file that is new or goes as a whole
 * and has many lines is one line of text.
 */
export function showChange({ path, before, after }: Change): string {
  const old = linesOf(before);
  const now = linesOf(after);
  if ((before === undefined || after === undefined) && old.length + now.length > 12) {
    const what = before === undefined ? "new" : "goes away";
    return `${path} (${what}, ${old.length + now.length} lines)\n`;
  }
  let start = 0;
  while (start < Math.min(old.length, now.length) && old[start] === now[start]) start++;
  let end = 0;
  while (
    end < Math.min(old.length, now.length) - start &&
    old[old.length - 1 - end] === now[now.length - 1 - end]
  ) end++;
  const from = Math.max(0, start - CONTEXT_LINES);
  const tail = Math.min(end, CONTEXT_LINES);
  const hunk = [
    ...old.slice(from, start).map((line) => ` ${line}`),
    ...old.slice(start, old.length - end).map((line) => `-${line}`),
    ...now.slice(start, now.length - end).map((line) => `+${line}`),
    ...old.slice(old.length - end, old.length - end + tail).map((line) => ` ${line}`),
  ];
  const range = (lines: readonly string[]): string => {
    const count = lines.length - end + tail - from;
    return `${count === 0 ? from : from + 1},${count}`;
  };
  return [
    `--- ${before === undefined ? "/dev/null" : path}`,
    `+++ ${after === undefined ? "/dev/null" : path}`,
    `@@ -${range(old)} +${range(now)} @@`,
    ...hunk,
    "",
  ].join("\n");
}

const UNENDED = "\n\\ No newline at end of file";

function linesOf(bytes: string | undefined): string[] {
  if (bytes === undefined || bytes === "") return [];
  const lines = asText(bytes).split("\n");
  const last = lines.pop() ?? "";
  return last === "" ? lines : [...lines, last + UNENDED];
}

/** What every file that is ours as a whole has in its first lines. */
export const SIGNATURE = "Generated by dockerdo";
