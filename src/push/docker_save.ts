import * as v from "valibot";
import { Failure } from "../error.ts";
import { tarEnd, type TarEntry, tarFile, TarReader } from "./tar.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What is known of the layers of an image and of the names they have in its archive. */
export interface Layers {
  /** The digests of the uncompressed layers (RootFS.Layers), the lowest first. */
  readonly digests: readonly string[];
  /** Names in the archive with the positions of their layers; from {@link readLayerNames}. */
  readonly names?: ReadonlyMap<string, number>;
}

/** What to leave out of an archive. */
export interface Thinning extends Layers {
  /** How many of the lowest layers are not needed. */
  readonly present: number;
  /** Blobs that are not needed, by their names in the archive. */
  readonly blobs?: ReadonlySet<string>;
  /** Hears of each layer as it begins to go by; the size is that of its file in the archive. */
  readonly onLayer?: (layer: { position: number; size: number; sent: boolean }) => void;
}

/** The archive's layers have names that tell nothing: read them first with {@link readLayerNames}. */
export class UnknownLayerNames extends Error {}

/** A blob that is no bigger may be a manifest or a configuration: it goes along unasked. */
const SMALL = 2 ** 20;
const MOST_REMEMBERED = 32 * SMALL;

// What docker save of an engine before 25 writes for each layer but the top one (moby image/v1).
const LEGACY_CONFIG = {
  Hostname: "",
  Domainname: "",
  User: "",
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: null,
  Image: "",
  Volumes: null,
  WorkingDir: "",
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

/**
 * Passes an archive of `docker save` on without the layers that are not needed, byte for byte otherwise.
 * Knows the old layout (`ID/layer.tar`, duplicates as links) and the OCI layout (`blobs/sha256/DIGEST`).
 */
export async function* thinArchive(
  source: AsyncIterable<Bytes>,
  thinning: Thinning,
): AsyncGenerator<Bytes> {
  const { digests, present, blobs, onLayer } = thinning;
  const needed = new Set(digests.slice(present));
  const positionOf = await layerFinder(thinning);
  const reader = new TarReader(source);
  const seen = new Set<string>();
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    const { name, size, type } = entry;
    if (type !== "5" && seen.size === seen.add(name).size) {
      throw new Failure(`the archive of docker save has two entries ${JSON.stringify(name)}`);
    }
    const position = positionOf(entry);
    const digest = position === undefined ? undefined : digests[position];
    const kept = blobs?.has(name) !== true && (digest === undefined || needed.has(digest));
    if (position !== undefined) onLayer?.({ position, size, sent: kept });
    if (!kept) continue;
    yield entry.header;
    yield* reader.content();
  }
  yield tarEnd();
}

/** What a manifest says of a blob (OCI image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  /** In bytes. */
  readonly size: number;
}

/** An image as a manifest has it. */
export interface Manifest {
  readonly config: Descriptor;
  /** The layers' blobs, the lowest first. */
  readonly layers: readonly Descriptor[];
}

export const LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar";
export const CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";
const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";

/** The manifest of an image, as bytes: the same image makes the same ones (OCI image-spec, manifest.md). */
export function encodeManifest({ config, layers }: Manifest): Bytes {
  const plain = ({ mediaType, digest, size }: Descriptor): Descriptor => ({
    mediaType,
    digest,
    size,
  });
  return encode({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: plain(config),
    layers: layers.map(plain),
  });
}

/** What a manifest says of these bytes. */
export async function describeBlob(mediaType: string, content: Bytes): Promise<Descriptor> {
  return { mediaType, digest: `sha256:${await sha256(content)}`, size: content.length };
}

/** A digest without the name of its algorithm. */
export function hexOf(digest: string): string {
  return digest.replace(/^sha256:/, "");
}

/** The name of a blob in an archive. */
export function blobName(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}

/**
 * The last entries of an archive, which tell what image its blobs make: for an engine with containerd's image
 * store, which wants the `manifest` as it is, else for a classic one, which reads the layers' names only.
 */
export async function archiveEnd(
  image: { readonly config: string; readonly layers: readonly string[] } | {
    readonly manifest: Bytes;
  },
): Promise<Bytes[]> {
  if (!("manifest" in image)) {
    const { config, layers } = image;
    const content = [{ Config: blobName(config), RepoTags: null, Layers: layers.map(blobName) }];
    return [...tarFile("manifest.json", encode(content)), tarEnd()];
  }
  const { manifest } = image;
  const { mediaType } = v.parse(TYPED, JSON.parse(new TextDecoder().decode(manifest)));
  const described = await describeBlob(mediaType, manifest);
  const index = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [described] };
  return [
    ...tarFile(blobName(described.digest), manifest),
    ...tarFile("index.json", encode(index)),
    ...tarFile("oci-layout", encode({ imageLayoutVersion: "1.0.0" })),
    tarEnd(),
  ];
}

const TYPED = v.object({ mediaType: v.optional(v.string(), MANIFEST_TYPE) });

function encode(value: unknown): Bytes {
  return new TextEncoder().encode(JSON.stringify(value));
}

/**
 * Reads an archive to its end for the names of the layers: the one of the manifest's images that has these
 * very layers counts. Needed where blobs are named by what they are compressed.
 */
export async function readLayerNames(
  source: AsyncIterable<Bytes>,
  digests: readonly string[],
): Promise<Map<string, number>> {
  const reader = new TarReader(source);
  const files = new Map<string, string>();
  let remembered = 0;
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    if (entry.type !== "0" || entry.size > SMALL || /\/(layer\.tar|VERSION)$/.test(entry.name)) {
      continue;
    }
    remembered += entry.size;
    if (remembered > MOST_REMEMBERED) break;
    files.set(entry.name, await textOf(reader.data()));
  }
  const parse = <T>(name: string, schema: v.GenericSchema<unknown, T>): T | undefined => {
    try {
      return v.parse(schema, JSON.parse(files.get(name) ?? ""));
    } catch {
      return undefined;
    }
  };
  for (const image of parse("manifest.json", MANIFEST) ?? []) {
    const config = parse(image.Config, CONFIG);
    if (config?.rootfs.diff_ids.join() === digests.join()) {
      return new Map(image.Layers.map((name, position) => [name, position]));
    }
  }
  throw new Failure("the archive of docker save does not tell which layers it holds");
}

const MANIFEST = v.array(v.object({ Config: v.string(), Layers: v.array(v.string()) }));
const CONFIG = v.object({ rootfs: v.object({ diff_ids: v.array(v.string()) }) });

function textOf(bytes: AsyncIterable<Bytes>): Promise<string> {
  return new Response(ReadableStream.from(bytes)).text();
}

/** Returns what tells a layer's position from its entry; undefined for an entry that is no layer. */
async function layerFinder(
  { digests, names, present }: Thinning,
): Promise<(entry: TarEntry) => number | undefined> {
  if (names !== undefined) return ({ name }) => names.get(name);
  const known = new Map(digests.map((digest, i) => [`blobs/${digest.replace(":", "/")}`, i]));
  for (const [i, id] of (await legacyLayerIds(digests)).entries()) known.set(`${id}/layer.tar`, i);
  let topName: string | undefined;
  return ({ name, size, type }) => {
    const position = known.get(name);
    if (position !== undefined) return position;
    // The top layer's name in the old layout depends on the whole configuration: it is the one left over.
    if (topName === undefined && /^[0-9a-f]{64}\/layer\.tar$/.test(name)) {
      topName = name;
      return digests.length - 1;
    }
    const isLayer = type === "0" && size > SMALL || name.endsWith("/layer.tar");
    if (isLayer && present > 0) throw new UnknownLayerNames(name);
    return undefined;
  };
}

/**
 * The directories of the layers, but the top one, in the old layout: an ID is the digest of an empty
 * configuration with the layer's chain and parent (moby image/v1 CreateID).
 */
export async function legacyLayerIds(digests: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const chain of (await chainIds(digests)).slice(0, -1)) {
    const parent = ids.at(-1);
    ids.push(
      await sha256(JSON.stringify({
        container_config: LEGACY_CONFIG,
        created: "1970-01-01T00:00:00Z",
        layer_id: chain,
        ...parent === undefined ? {} : { parent: `sha256:${parent}` },
      })),
    );
  }
  return ids;
}

/** What an engine calls each layer with all that are below it (OCI image-spec, ChainID). */
export async function chainIds(digests: readonly string[]): Promise<string[]> {
  const chains: string[] = [];
  for (const digest of digests) {
    const below = chains.at(-1);
    chains.push(below === undefined ? digest : `sha256:${await sha256(`${below} ${digest}`)}`);
  }
  return chains;
}

/** The digest of a blob or of words, in hexadecimal. */
export async function sha256(content: string | Bytes): Promise<string> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
