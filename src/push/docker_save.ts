import type { Bytes } from "../bytes.ts";
import * as v from "valibot";
import { Failure } from "../error.ts";
import { chainIds, sha256 } from "./oci.ts";
import { tarEnd, type TarEntry, TarReader } from "./tar.ts";

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

/** The archive's layers have names without meaning: read them first with {@link readLayerNames}. */
export class UnknownLayerNames extends Error {}

/** A blob that is no bigger may be a manifest or a configuration: it is passed on without a question. */
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
  throw new Failure("the archive of docker save does not say which layers it holds");
}

const MANIFEST = v.array(v.object({ Config: v.string(), Layers: v.array(v.string()) }));

const CONFIG = v.object({ rootfs: v.object({ diff_ids: v.array(v.string()) }) });

function textOf(bytes: AsyncIterable<Bytes>): Promise<string> {
  return new Response(ReadableStream.from(bytes)).text();
}

/** Returns a function that finds a layer's position by its entry; undefined for an entry that is no layer. */
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
