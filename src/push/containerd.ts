import type { Bytes } from "../bytes.ts";
import * as v from "valibot";
import { captureOn, type EngineHost, type Image } from "../docker.ts";
import { Failure } from "../error.ts";
import type { Context } from "../process/context.ts";
import {
  archiveEnd,
  blobName,
  describeBlob,
  encodeManifest,
  hexOf,
  type Manifest,
  sha256,
} from "./oci.ts";
import { findFile, type LayerSelection, neededLayers } from "./selection.ts";
import { engineScript } from "../ssh/argv.ts";
import READ_BLOBS_ALONE from "./read_blobs.sh" with { type: "text" };
import REMOVE_READERS from "./remove_readers.sh" with { type: "text" };
import { isMountable, readerArgv, removeReaders, unknownDir } from "./store_container.ts";
import { tarFile, tarHeader, tarPadding, TarReader } from "./tar.ts";
import { UnfitLayer } from "./tar_split.ts";

/** An image as containerd's content store has it. */
export interface StoredImage extends Manifest {
  /** The directory of the blobs on the engine's host. */
  readonly store: string;
  /** The manifest and the configuration, as they are there. */
  readonly manifest: Bytes;
  readonly configuration: Bytes;
  /** The digests of the uncompressed layers. */
  readonly diffIds: readonly string[];
}

type Platform = Pick<Image, "architecture" | "os" | "variant">;

const DESCRIPTOR = v.object({
  mediaType: v.string(),
  digest: v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/)),
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});

const MANIFEST = v.object({ config: DESCRIPTOR, layers: v.array(DESCRIPTOR) });

const PLATFORM = v.object({
  os: v.string(),
  architecture: v.string(),
  variant: v.optional(v.string(), ""),
});

const INDEX = v.object({
  manifests: v.array(v.object({ ...DESCRIPTOR.entries, platform: v.optional(PLATFORM) })),
});

const CONFIGURATION = v.object({ rootfs: v.object({ diff_ids: v.array(v.string()) }) });

/**
 * An image of an engine with containerd's image store: of one with several platforms, what this platform has.
 * `output` is what {@link READ_BLOBS} wrote for the digest, where that was asked already. Undefined where the
 * content store cannot be read, or the image is not whole there.
 */
export async function readStoredImage(
  context: Context,
  engine: EngineHost,
  { sessionId, image, digest, platform, output }: {
    readonly sessionId: string;
    /** What the container is made from; not run. */
    readonly image: string;
    readonly digest: string;
    readonly platform: Platform;
    readonly output?: string;
  },
): Promise<StoredImage | undefined> {
  const ask = async (digest: string): Promise<string> => {
    const words = [image, hexOf(digest), sessionId, unknownDir()];
    const argv = ["sh", "-c", engineScript(`${READ_BLOBS}\nread_blobs "$@"`), "sh", ...words];
    try {
      return (await captureOn(context, engine, { words: argv })).stdout;
    } catch (error) {
      if (engine === "local") await removeReaders(context, sessionId);
      throw error;
    }
  };
  const blobs = await blobsIn(output ?? await ask(digest));
  const top = parse(INDEX, blobs.get(digest));
  if (top === undefined) return storedImage(blobs, digest);
  const mine = top.manifests.find((entry) => isFor(platform, entry.platform));
  return mine === undefined
    ? undefined
    : storedImage(await blobsIn(await ask(mine.digest)), mine.digest);
}

function isFor(platform: Platform, entry: v.InferOutput<typeof PLATFORM> | undefined): boolean {
  return entry?.os === platform.os && entry.architecture === platform.architecture &&
    (entry.variant === "" || platform.variant === "" || entry.variant === platform.variant);
}

/** The blobs by their digests, and the directory of all of them. */
type Blobs = ReadonlyMap<string, Bytes> & { readonly store: string };

async function blobsIn(output: string): Promise<Blobs> {
  const [, store = "", ...texts] = output.split(SEPARATOR);
  const blobs = new Map<string, Bytes>();
  for (const text of texts) {
    // In front of it is the header of a tar archive.
    const json = text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1);
    const bytes = new TextEncoder().encode(json);
    blobs.set(`sha256:${await sha256(bytes)}`, bytes);
  }
  return Object.assign(blobs, { store });
}

function storedImage(blobs: Blobs, digest: string): StoredImage | undefined {
  const bytes = blobs.get(digest);
  const manifest = parse(MANIFEST, bytes);
  const configuration = blobs.get(manifest?.config.digest ?? "");
  const config = parse(CONFIGURATION, configuration);
  if (bytes === undefined || manifest === undefined) return undefined;
  if (configuration === undefined || config === undefined) return undefined;
  const { diff_ids: diffIds } = config.rootfs;
  if (diffIds.length !== manifest.layers.length || !isMountable(blobs.store)) return undefined;
  return { ...manifest, store: blobs.store, manifest: bytes, configuration, diffIds };
}

function parse<T>(schema: v.GenericSchema<unknown, T>, bytes: Bytes | undefined): T | undefined {
  try {
    return v.parse(schema, JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return undefined;
  }
}

/** The argv of a child that writes a tar archive to read with {@link assembleBlobs}. */
export function blobsArgv(
  sessionId: string,
  imageId: string,
  { stored, present }: Pick<LayerSelection, "present"> & { readonly stored: StoredImage },
): string[] {
  const needed = neededBlobs(stored, present).map((position) => ({
    digest: stored.layers[position]?.digest ?? "",
    target: blobPath(position),
  }));
  // docker cp wants something to copy.
  const all = needed.length > 0 ? needed : [{ digest: stored.config.digest, target: "config" }];
  return readerArgv(
    sessionId,
    imageId,
    all.map(({ digest, target }) => ({ source: `${stored.store}/${hexOf(digest)}`, target })),
  );
}

/**
 * Makes an archive for `docker load` of what the child of {@link blobsArgv} writes, with the layers above `present`
 * only, compressed or not as they are; memory stays flat. {@link UnfitLayer} where the child's archive is not as
 * it should be.
 */
export async function* assembleBlobs(
  source: AsyncIterable<Bytes>,
  stored: StoredImage,
  { present, base, beforeEnd, onLayer, onSize }: LayerSelection,
): AsyncGenerator<Bytes> {
  const reader = new TarReader(source);
  const needed = neededBlobs(stored, present).map((position) => ({
    position,
    ...stored.layers[position] ?? stored.config,
  }));
  onSize?.(needed.reduce((sum, { size }) => sum + size, 0));
  try {
    yield* tarFile(blobName(stored.config.digest), stored.configuration);
    for (const { position, digest, size } of needed) {
      await findFile(reader, { path: blobPath(position), size });
      onLayer?.({ position, size, sent: true });
      yield tarHeader(blobName(digest), size);
      yield* reader.data();
      yield tarPadding(size);
    }
    const layers = stored.layers.map((layer, position) => base?.[position] ?? layer);
    await beforeEnd?.(layers);
    const same = layers.every(({ digest }, position) => digest === stored.layers[position]?.digest);
    yield* await archiveEnd(
      base === undefined
        ? { config: stored.config.digest, layers: layers.map(({ digest }) => digest) }
        : { manifest: same ? stored.manifest : encodeManifest({ config: stored.config, layers }) },
    );
    // The child is to end by itself.
    while (await reader.next() !== undefined);
  } catch (cause) {
    if (!(cause instanceof Failure) || cause instanceof UnfitLayer) throw cause;
    throw new UnfitLayer(cause.message, { cause });
  }
}

function neededBlobs({ layers }: Manifest, present: number): number[] {
  return neededLayers(layers.map(({ digest }) => digest), present);
}

/** The image that the lowest layers alone make, with such a configuration. */
export async function lowestLayers(
  stored: StoredImage,
  { layers, configuration }: { readonly layers: number; readonly configuration: Bytes },
): Promise<StoredImage> {
  const part = {
    config: await describeBlob(stored.config.mediaType, configuration),
    layers: stored.layers.slice(0, layers),
  };
  const diffIds = stored.diffIds.slice(0, layers);
  return { ...part, store: stored.store, manifest: encodeManifest(part), configuration, diffIds };
}

const blobPath = (position: number): string => `layers/${String(position).padStart(3, "0")}`;

/** JSON has it in no string. */
export const SEPARATOR = "\x1f";

/** Functions of shell: `read_blobs` of read_blobs.sh, and what it needs. */
export const READ_BLOBS = `${REMOVE_READERS}\n${READ_BLOBS_ALONE}`;
