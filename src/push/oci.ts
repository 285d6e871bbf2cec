import * as v from "valibot";
import type { Bytes } from "../bytes.ts";
import { tarEnd, tarFile } from "./tar.ts";

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
 * The last entries of an archive, which say what image its blobs make: for an engine with containerd's image
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
