import type { Bytes } from "../bytes.ts";
import type { Image } from "../docker.ts";
import { Failure } from "../error.ts";
import {
  archiveEnd,
  blobName,
  chainIds,
  CONFIG_TYPE,
  describeBlob,
  encodeManifest,
  hexOf,
  LAYER_TYPE,
  sha256,
} from "./oci.ts";
import { findFile, type LayerSelection, neededLayers } from "./selection.ts";
import { isMountable, readerArgv } from "./store_container.ts";
import { tarFile, tarHeader, tarPadding, TarReader } from "./tar.ts";
import { measureTarSplit, readTarSplit, UnfitLayer } from "./tar_split.ts";

type LayerDirs = Pick<Image, "id" | "layers" | "layerDirs">;

/** Bytes of all that is remembered of the layers' archives while their files go by. */
const MOST_REMEMBERED = 32 * 2 ** 20;

const LARGEST_CONFIG = 2 ** 23;

/** Small pieces are gathered to so many bytes (two blocks of gzip): each that is passed on costs a turn of everything. */
const GATHERED = 2 * 65_535;

/** Whether an image's layers can be read one by one: the local engine has them as directories of overlay2. */
export function hasReadableLayers({ layers, layerDirs }: LayerDirs): boolean {
  return layerDirs.length === layers.length && layers.length > 0 &&
    new Set(layerDirs.map(rootOf)).size === 1 && rootOf(layerDirs[0] ?? "") !== undefined &&
    layerDirs.every(isMountable);
}

/**
 * The argv of a child that writes a tar archive to read with {@link assembleArchive}: the image's configuration,
 * what the engine keeps of the archives of the layers above `present`, and their files.
 */
export async function layersArgv(
  sessionId: string,
  image: LayerDirs,
  { present }: LayerSelection,
): Promise<string[]> {
  const store = `${rootOf(image.layerDirs[0] ?? "")}/image/overlay2`;
  const chains = await chainIds(image.layers);
  const binds = neededLayers(image.layers, present).flatMap((position) => [
    {
      source: `${store}/layerdb/sha256/${hexOf(chains[position] ?? "")}/tar-split.json.gz`,
      target: splitPath(position),
    },
    { source: image.layerDirs[position] ?? "", target: filesPath(position) },
  ]);
  const config = `${store}/imagedb/content/sha256/${hexOf(image.id)}`;
  return readerArgv(sessionId, image.id, [{ source: config, target: CONFIG_PATH }, ...binds]);
}

/**
 * Makes an archive for `docker load` of what the child of {@link layersArgv} writes, with the layers
 * above `present` only; memory stays flat. Nothing comes out before it is known that
 * all the layers are fit for it; {@link UnfitLayer} where one is not, or the child's archive is not as it should.
 * A piece is good until the next is asked for.
 */
export async function* assembleArchive(
  source: AsyncIterable<Bytes>,
  image: Pick<Image, "id" | "layers">,
  wanted: LayerSelection,
): AsyncGenerator<Bytes> {
  try {
    yield* assemble(source, image, wanted);
  } catch (cause) {
    if (!(cause instanceof Failure) || cause instanceof UnfitLayer) throw cause;
    throw new UnfitLayer(cause.message, { cause });
  }
}

async function* assemble(
  source: AsyncIterable<Bytes>,
  image: Pick<Image, "id" | "layers">,
  { present, base, configuration, beforeEnd, onLayer, onSize }: LayerSelection,
): AsyncGenerator<Bytes> {
  const reader = new TarReader(source, { mostEntries: Infinity });
  const own = await bytesOf(reader, { path: CONFIG_PATH, most: LARGEST_CONFIG });
  if (await sha256(own) !== hexOf(image.id)) {
    throw new UnfitLayer("the image's configuration is another one");
  }
  const config = await describeBlob(CONFIG_TYPE, configuration ?? own);
  const layers: { position: number; split: Bytes; size: number }[] = [];
  let most = MOST_REMEMBERED;
  for (const position of neededLayers(image.layers, present)) {
    const split = await bytesOf(reader, { path: splitPath(position), most });
    most -= split.length;
    layers.push({ position, split, size: await measureTarSplit(split) });
  }
  onSize?.(layers.reduce((sum, { size }) => sum + size, 0));
  const out = new Gathering();
  yield* out.add(...tarFile(blobName(config.digest), configuration ?? own));
  for (const { position, split, size } of layers) {
    onLayer?.({ position, size, sent: true });
    yield* out.add(tarHeader(blobName(image.layers[position] ?? ""), size));
    for await (const steps of readTarSplit(split)) {
      for (const step of steps) {
        if ("base64" in step) {
          yield* out.add(Uint8Array.fromBase64(step.base64));
          continue;
        }
        await findFile(reader, { path: `${filesPath(position)}/${step.name}`, size: step.length });
        if (step.length <= GATHERED) yield* out.add(await reader.all());
        else for await (const piece of reader.data()) yield* out.add(piece);
      }
    }
    yield* out.add(tarPadding(size));
  }
  const sizes = new Map(layers.map(({ position, size }) => [image.layers[position], size]));
  const blobs = image.layers.map((digest, position) =>
    base?.[position] ?? { mediaType: LAYER_TYPE, digest, size: sizes.get(digest) ?? 0 }
  );
  await beforeEnd?.(blobs);
  yield* out.add(
    ...await archiveEnd(
      base === undefined
        ? { config: config.digest, layers: image.layers }
        : { manifest: encodeManifest({ config, layers: blobs }) },
    ),
  );
  yield out.rest();
  // The child is to end by itself.
  while (await reader.next() !== undefined);
}

async function bytesOf(
  reader: TarReader,
  { path, most }: { readonly path: string; readonly most: number },
): Promise<Bytes> {
  const { size } = await findFile(reader, { path });
  if (size > most) throw new UnfitLayer("the engine keeps too much of the layers' archives");
  return await reader.all();
}

/** Small pieces until they are a big one, which is good until the next is asked for: its memory is used again. */
class Gathering {
  readonly #buffer = new Uint8Array(GATHERED);
  #length = 0;

  /** Takes pieces in, and yields what is big enough. */
  *add(...pieces: readonly Bytes[]): Generator<Bytes> {
    for (const piece of pieces) {
      if (this.#length > 0 && this.#length + piece.length > GATHERED) yield this.rest();
      if (piece.length > GATHERED) yield piece;
      else {
        this.#buffer.set(piece, this.#length);
        this.#length += piece.length;
      }
    }
  }

  rest(): Bytes {
    const gathered = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    return gathered;
  }
}

// docker cp reads them in this order.
const CONFIG_PATH = "1-config";

const splitPath = (position: number): string => `2-splits/${String(position).padStart(3, "0")}`;

const filesPath = (position: number): string => `3-files/${String(position).padStart(3, "0")}`;

/** The engine's directory, of a layer's in it. */
function rootOf(layerDir: string): string | undefined {
  return /^(\/.+)\/overlay2\/[^/]+\/diff$/.exec(layerDir)?.[1];
}
