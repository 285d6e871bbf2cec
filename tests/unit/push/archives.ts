import type { Descriptor, Manifest } from "../../../src/push/oci.ts";
import { TarReader } from "../../../src/push/tar.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

/** A file that was recorded, unpacked. */
export async function recorded(name: string): Promise<Bytes> {
  const file = await Deno.open(new URL(`../recorded/${name}`, import.meta.url));
  return await whole(file.readable.pipeThrough(new DecompressionStream("gzip")));
}

/** The bytes in pieces of a size that fits nothing. */
export async function* inPieces(bytes: Bytes, size = 700): AsyncGenerator<Bytes> {
  for (let at = 0; at < bytes.length; at += size) {
    yield bytes.subarray(at, at + size);
    await Promise.resolve();
  }
}

/** All of a stream; a piece need not be good any longer than until the next is asked for. */
export async function whole(stream: AsyncIterable<Bytes>): Promise<Bytes> {
  return joined(await Array.fromAsync(stream, (piece) => piece.slice()));
}

/** Names of the files and links of an archive with their content, as far as it is text. */
export async function contents(archive: Bytes): Promise<Record<string, string>> {
  const reader = new TarReader(inPieces(archive, 4096));
  const found: Record<string, string> = {};
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    const content = await whole(reader.content());
    if (entry.type !== "5") {
      found[entry.name] = new TextDecoder().decode(content.subarray(0, entry.size));
    }
  }
  return found;
}

/** A tar archive of these files; a value that is no text goes in as the header's raw size field. */
export function tar(
  files: readonly (readonly [name: string, content: string | Bytes, type?: string])[],
): Bytes {
  const parts: Bytes[] = files.flatMap(([name, content, type = "0"]) => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const body = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
    body.set(bytes);
    return [header(name, { size: bytes.length, type }), body];
  });
  return joined([...parts, new Uint8Array(1024)]);
}

export function header(
  name: string,
  { size, type }: { size: number | string; type: string },
): Bytes {
  const block = new Uint8Array(512);
  const put = (at: number, value: string): void => block.set(new TextEncoder().encode(value), at);
  put(0, name);
  put(124, typeof size === "string" ? size : size.toString(8).padStart(11, "0"));
  put(148, " ".repeat(8));
  put(156, type);
  put(257, "ustar\x0000");
  put(148, block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0") + "\0 ");
  return block;
}

export function joined(parts: readonly Bytes[]): Bytes {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export async function digestOf(content: string | Bytes): Promise<string> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** What a content store has of an image, and how READ_BLOBS writes it. */
export async function storedBlobs(
  { diffIds, contents = diffIds }: {
    readonly diffIds: readonly string[];
    /** Of the layers' blobs. */
    readonly contents?: readonly string[];
  },
): Promise<
  { manifest: Manifest; digest: string; configuration: string; text: string; output: string }
> {
  const describe = async (mediaType: string, content: string): Promise<Descriptor> => ({
    mediaType,
    digest: `sha256:${await digestOf(content)}`,
    size: new TextEncoder().encode(content).length,
  });
  const configuration = JSON.stringify({ os: "linux", rootfs: { diff_ids: diffIds } });
  const manifest = {
    config: await describe("application/vnd.oci.image.config.v1+json", configuration),
    layers: await Promise.all(
      contents.map((content) => describe("application/vnd.oci.image.layer.v1.tar+gzip", content)),
    ),
  };
  // As buildkit writes it, with lines.
  const text = JSON.stringify({ schemaVersion: 2, ...manifest }, undefined, 2);
  const output = `\x1f/store/blobs\x1fabc0000644ustar${text}\x1fdef0000644ustar${configuration}`;
  return { manifest, digest: `sha256:${await digestOf(text)}`, configuration, text, output };
}
