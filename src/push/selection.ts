import type { Descriptor } from "./oci.ts";
import type { Bytes } from "../bytes.ts";
import { type TarEntry, TarReader } from "./tar.ts";
import { UnfitLayer, walkKey } from "./tar_split.ts";

/** The layers of an image that an archive is to have. */
export interface LayerSelection {
  /** How many of the lowest layers are not needed. */
  readonly present: number;
  /** Their blobs, for a remote engine with containerd's image store. */
  readonly base?: readonly Descriptor[];
  /** In place of the image's own. */
  readonly configuration?: Bytes;
  /** Is waited for when all the layers are sent: the archive is not one yet. Hears of the blobs of all layers. */
  readonly beforeEnd?: (layers: readonly Descriptor[]) => Promise<void>;
  /** Hears of each layer as it begins to go by; the size is that of its file in the archive. */
  readonly onLayer?: (layer: { position: number; size: number; sent: boolean }) => void;
  /** Gets the bytes of all of them, before the first one passes. */
  readonly onSize?: (bytes: number) => void;
}

/** Goes on to a file; what comes before it in the order of a walk is not wanted. */
export async function findFile(
  reader: TarReader,
  { path, size }: { readonly path: string; readonly size?: number },
): Promise<TarEntry> {
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    const here = entry.name.slice(entry.name.indexOf("/") + 1);
    if (here === path && entry.type === "0" && entry.size === (size ?? entry.size)) return entry;
    if (here === path || walkKey(here) > walkKey(path)) break;
  }
  throw new UnfitLayer(`${JSON.stringify(path)} in the engine's store does not match the layer`);
}

/** Positions of the layers above the lowest `present`; of those that are the same only the first. */
export function neededLayers(digests: readonly string[], present: number): number[] {
  return digests.flatMap((digest, at) =>
    at >= present && digests.indexOf(digest, present) === at ? [at] : []
  );
}
