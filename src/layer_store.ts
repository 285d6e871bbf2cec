import { chainIds } from "./archive.ts";
import type { Image } from "./docker.ts";
import { Failure } from "./error.ts";
import { capture, type Context } from "./process.ts";
import { tarEnd, type TarEntry, tarHeader, tarPadding, TarReader } from "./tar.ts";
import { measureTarSplit, readTarSplit, UnfitLayer, walkKey } from "./tar_split.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type StoredImage = Pick<Image, "id" | "layers" | "layerDirs" | "volumes">;

/** The label of the containers through which images are read: the value is the session's id. */
const READER_LABEL = "dockerdo.push";
/** Beside it, the dockerdo that will see to it that the container goes. */
const READER_PID_LABEL = "dockerdo.push.pid";

/** Bytes of all that is remembered of the layers' archives while their files go by. */
const MOST_REMEMBERED = 32 * 2 ** 20;
const LARGEST_CONFIG = 2 ** 23;
/** For the engine to remove what was left: the next push can do it as well. */
const REMOVE_LIMIT_MS = 10_000;
/** Small pieces are gathered to so many bytes (two blocks of gzip): each that is passed on costs a turn of everything. */
const GATHERED = 2 * 65_535;

// $1 a label, $2 our pid. The containers of a dockerdo that is gone, too: nobody else will think of them.
const REMOVE = `docker ps -a --filter "label=$1" \\
  --format '{{.ID}} {{.Label "${READER_PID_LABEL}"}}' | while read -r id pid; do
  [ "$pid" = "$2" ] || ! kill -0 "$pid" && docker rm -fv "$id"
done >/dev/null 2>&1`;

// Further $3 a directory in the container, then options, the image, and a command that is never run. Removes the
// container while the other end still works, and also where nobody reads any more.
const READ = `dir=$3
id=$(label=$1 pid=$2; shift 3
  docker create --network none --label "$label" --label "${READER_PID_LABEL}=$pid" "$@") || exit
docker cp "$id:$dir" - && exec >&-
code=$?
docker rm -fv "$id" >/dev/null 2>&1
${REMOVE}
exit $code`;

/** The layers of an image that an archive is to have. */
export interface Wanted {
  /** How many of the lowest layers are not needed. */
  readonly present: number;
  /** Hears of each layer as it begins to go by; the size is that of its file in the archive. */
  readonly onLayer?: (layer: { position: number; size: number; sent: boolean }) => void;
  /** Hears of the bytes of all of them, before anything goes by. */
  readonly onSize?: (bytes: number) => void;
}

/** Whether an image's layers can be read one by one: the local engine has them as directories of overlay2. */
export function hasReadableLayers({ layers, layerDirs, volumes }: StoredImage): boolean {
  const paths = [...layerDirs, ...volumes];
  return layerDirs.length === layers.length && layers.length > 0 &&
    new Set(layerDirs.map(rootOf)).size === 1 && rootOf(layerDirs[0] ?? "") !== undefined &&
    // These make no trouble in the value of --mount.
    paths.every((path) => /^\/[\w./@:+ -]+$/.test(path));
}

/**
 * The argv of a child that writes a tar archive to read with {@link assembleArchive}: the image's configuration,
 * what the engine keeps of the archives of the layers above `present`, and their files. docker gives all that
 * from a container that is never started, so nothing of the image runs.
 */
export async function readerArgv(
  sessionId: string,
  image: StoredImage,
  { present }: Wanted,
): Promise<string[]> {
  // A name that the image's maker cannot have known.
  const dir = `/dockerdo-${crypto.randomUUID()}`;
  const store = `${rootOf(image.layerDirs[0] ?? "")}/image/overlay2`;
  const chains = await chainIds(image.layers);
  const config = `${store}/imagedb/content/sha256/${hexOf(image.id)}`;
  const binds = neededLayers(image.layers, present).flatMap((position) => [
    [
      `${store}/layerdb/sha256/${hexOf(chains[position] ?? "")}/tar-split.json.gz`,
      splitPath(position),
    ],
    [image.layerDirs[position], filesPath(position)],
  ]);
  return [
    "sh",
    "-c",
    READ,
    "sh",
    ...ownReaders(sessionId),
    dir,
    ...[[config, CONFIG_PATH], ...binds].flatMap(([source, target]) => [
      "--mount",
      `type=bind,source=${source},target=${dir}/${target},readonly`,
    ]),
    // docker would fill a volume of its own with what the image has there.
    ...image.volumes.flatMap((path) => ["--mount", `type=tmpfs,target=${path}`]),
    image.id,
    "x",
  ];
}

/** Removes the containers of readers of this session that were ended before they could do so. */
export async function removeReaders(context: Context, sessionId: string): Promise<void> {
  const argv = ["sh", "-c", REMOVE, "sh", ...ownReaders(sessionId)];
  await capture(context, argv, { limitMs: REMOVE_LIMIT_MS });
}

function ownReaders(sessionId: string): string[] {
  return [`${READER_LABEL}=${sessionId}`, String(Deno.pid)];
}

/**
 * Makes an archive for `docker load` of what the child of {@link readerArgv} writes, in the layout of engines
 * before 25, with the layers above `present` only; memory stays flat. Nothing comes out before it is known that
 * all the layers are fit for it; {@link UnfitLayer} where one is not, or the child's archive is not as it should.
 * A piece is good until the next is asked for.
 */
export async function* assembleArchive(
  source: AsyncIterable<Bytes>,
  image: Pick<Image, "id" | "layers">,
  wanted: Wanted,
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
  { present, onLayer, onSize }: Wanted,
): AsyncGenerator<Bytes> {
  const reader = new TarReader(source, { mostEntries: Infinity });
  const config = await bytesOf(reader, { path: CONFIG_PATH, most: LARGEST_CONFIG });
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", config)).toHex();
  if (digest !== hexOf(image.id)) throw new UnfitLayer("the image's configuration is another one");
  const layers: { position: number; split: Bytes; size: number }[] = [];
  let most = MOST_REMEMBERED;
  for (const position of neededLayers(image.layers, present)) {
    const split = await bytesOf(reader, { path: splitPath(position), most });
    most -= split.length;
    layers.push({ position, split, size: await measureTarSplit(split) });
  }
  onSize?.(layers.reduce((sum, { size }) => sum + size, 0));
  const out = new Gathering();
  yield* out.add(...file(`${digest}.json`, config));
  for (const { position, split, size } of layers) {
    onLayer?.({ position, size, sent: true });
    yield* out.add(tarHeader(layerName(image.layers[position] ?? ""), size));
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
  const manifest = [{
    Config: `${digest}.json`,
    RepoTags: null,
    Layers: image.layers.map(layerName),
  }];
  yield* out.add(...file("manifest.json", new TextEncoder().encode(JSON.stringify(manifest))));
  yield* out.add(tarEnd());
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

/** Goes on to a file; what comes before it in the order of a walk is not wanted. */
async function findFile(
  reader: TarReader,
  { path, size }: { readonly path: string; readonly size?: number },
): Promise<TarEntry> {
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    const here = entry.name.slice(entry.name.indexOf("/") + 1);
    if (here === path && entry.type === "0" && entry.size === (size ?? entry.size)) return entry;
    if (here === path || walkKey(here) > walkKey(path)) break;
  }
  throw new UnfitLayer(`${JSON.stringify(path)} is not in the engine's store as it was`);
}

function file(name: string, content: Bytes): Bytes[] {
  return [tarHeader(name, content.length), content, tarPadding(content.length)];
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

/** Positions of the layers above the lowest `present`; of those that are the same only the first. */
function neededLayers(digests: readonly string[], present: number): number[] {
  return digests.flatMap((digest, at) =>
    at >= present && digests.indexOf(digest, present) === at ? [at] : []
  );
}

// docker cp goes through them in this order.
const CONFIG_PATH = "1-config";
const splitPath = (position: number): string => `2-splits/${String(position).padStart(3, "0")}`;
const filesPath = (position: number): string => `3-files/${String(position).padStart(3, "0")}`;

function layerName(digest: string): string {
  return `${hexOf(digest)}/layer.tar`;
}

function hexOf(digest: string): string {
  return digest.replace(/^sha256:/, "");
}

/** The engine's directory, of a layer's in it. */
function rootOf(layerDir: string): string | undefined {
  return /^(\/.+)\/overlay2\/[^/]+\/diff$/.exec(layerDir)?.[1];
}
