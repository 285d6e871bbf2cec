import type { Bytes } from "../bytes.ts";
import { Failure } from "../error.ts";
import { lettersOf } from "./tar.ts";

/** A layer cannot be put together again from its files as they are walked. */
export class UnfitLayer extends Failure {}

/** A step on the way to a layer's archive: bytes as they are, or a file's content. */
export type TarSplitStep =
  | { readonly base64: string; readonly length: number }
  | { readonly name: string; readonly length: number };

/** Letters: more than the headers of one file take. */
const LONGEST_LINE = 4 * 2 ** 20;
/** So many compressed bytes at a time: all that they become is in memory at once. */
const PIECE = 8192;
/** Bytes of text: a million files, or a zip bomb. */
const MOST_TEXT = 2 ** 30;

/**
 * The steps in a tar-split.json.gz (github.com/vbatts/tar-split, tar/storage), that an engine keeps of each layer;
 * many at a time, for they are small. Files without content make no step. Names are as in {@link TarEntry}; only
 * those are allowed that a walk through a directory can meet.
 */
export async function* readTarSplit(gzipped: Bytes): AsyncGenerator<TarSplitStep[]> {
  try {
    for await (const lines of linesOf(gzipped)) {
      yield lines.map((line) => stepOf(JSON.parse(line))).filter((step) => step.length > 0);
    }
  } catch (cause) {
    if (cause instanceof UnfitLayer) throw cause;
    throw new UnfitLayer("what the engine keeps of a layer's archive is damaged", { cause });
  }
}

/**
 * The size of a layer's archive in bytes. A layer whose files are not in the order of a walk is unfit: a pulled
 * one may have any order, and may name a file twice.
 */
export async function measureTarSplit(gzipped: Bytes): Promise<number> {
  let size = 0;
  let before = "";
  for await (const steps of readTarSplit(gzipped)) {
    for (const step of steps) {
      size += step.length;
      if (!("name" in step)) continue;
      const key = walkKey(step.name);
      if (key <= before) throw new UnfitLayer("the files of a layer are in an order of their own");
      before = key;
    }
  }
  if (!Number.isSafeInteger(size)) throw new UnfitLayer("a layer's size is absurd");
  return size;
}

/** Names sorted by this key are in the order in which Go's filepath.Walk meets them. */
export function walkKey(name: string): string {
  return name.replaceAll("/", "\0");
}

async function* linesOf(gzipped: Bytes): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  let text = 0;
  let rest = "";
  const unzipped = ReadableStream.from(piecesOf(gzipped))
    .pipeThrough(new DecompressionStream("gzip"));
  for await (const chunk of unzipped) {
    text += chunk.length;
    const lines = decoder.decode(chunk, { stream: true }).split("\n");
    lines[0] = rest + lines[0];
    rest = lines.pop() ?? "";
    if (text > MOST_TEXT || rest.length > LONGEST_LINE) {
      throw new UnfitLayer("what the engine keeps of a layer's archive is too long");
    }
    yield lines;
  }
  if (rest !== "") yield [rest];
}

function* piecesOf(bytes: Bytes): Generator<Bytes> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
}

function stepOf(value: unknown): TarSplitStep {
  const { type, payload, size = 0, name, name_raw } = value as Readonly<Record<string, unknown>>;
  if (type === 2 && (typeof payload === "string" || payload === null)) {
    const base64 = payload ?? "";
    if (base64.length % 4 !== 0) throw new SyntaxError("base64 that is cut off");
    const missing = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
    return { base64, length: base64.length / 4 * 3 - missing };
  }
  if (type !== 1 || !Number.isSafeInteger(size) || size as number < 0) {
    throw new TypeError("neither bytes nor a file");
  }
  if (size === 0) return { name: "", length: 0 };
  const bytes = typeof name_raw === "string"
    ? Uint8Array.fromBase64(name_raw)
    : new TextEncoder().encode(String(name));
  return { name: walkedName(lettersOf(bytes)), length: size as number };
}

function walkedName(name: string): string {
  const plain = name.replace(/^(\.?\/)+/, "");
  if (plain.split("/").some((part) => ["", ".", ".."].includes(part)) || plain.includes("\0")) {
    throw new UnfitLayer(`a layer has a file ${JSON.stringify(name)}`);
  }
  return plain;
}
