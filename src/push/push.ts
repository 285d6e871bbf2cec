import type { Bytes } from "../bytes.ts";
import { readLayerNames, thinArchive, type Thinning, UnknownLayerNames } from "./docker_save.ts";
import { blobName, sha256 } from "./oci.ts";
import { compress } from "./compression.ts";
import { assembleBlobs, blobsArgv, lowestLayers, type StoredImage } from "./containerd.ts";
import { dockerArgv, dockerFailure, type Image, isClassic } from "../docker.ts";
import { Failure } from "../error.ts";
import { assembleArchive, layersArgv } from "./overlay2.ts";
import { type LayerSelection } from "./selection.ts";
import { LoadFailure, loadWords } from "./remote_load.ts";
import { pipe, through } from "../process/pipe.ts";
import type { Finished } from "../process/child.ts";
import type { Context } from "../process/context.ts";
import { PUSH_LABEL, removeReaders } from "./store_container.ts";
import type { RemoteState } from "./remote_state.ts";
import type { Session } from "../session/session.ts";
import { onRemoteHost } from "../ssh/argv.ts";
import { UnfitLayer } from "./tar_split.ts";
import { TwoAtATime } from "./two_at_a_time.ts";

/** An image of the local engine, to be pushed. */
type LocalImage = Omit<Image, "labels">;

/** What a push is notified of while it runs. */
export interface PushEvents {
  readonly onLayer: (layer: { position: number; size: number; sent: boolean }) => void;
  readonly onBytes: (passed: { done: number; sent: number }) => void;
  /** The bytes that are to be done, where that can be known before. */
  readonly onSize: (bytes: number) => void;
  /** What the link carries, in bytes per second. */
  readonly onRate: (bytesPerSecond: number) => void;
}

/**
 * How the local engine's image is read: layer by layer out of the directories of overlay2, blob by blob out of
 * containerd's content store, or as the archive that docker save makes of all of it.
 */
export type Source =
  | { readonly kind: "overlay2" }
  | { readonly kind: "containerd"; readonly image: StoredImage }
  | { readonly kind: "saved" };

type Argv = readonly string[];

const TRY_AGAIN =
  "The images on the remote host are unchanged. Run dockerdo push again: complete parts are not sent twice.";

interface Transfer {
  readonly image: LocalImage;
  readonly state: Pick<RemoteState, "presentLayers" | "presentBlobs" | "hasParts" | "format">;
  /** Bytes to send, as far as is known. */
  readonly size: number;
  readonly events: PushEvents;
  /** The program that compresses best over this link, where an earlier part has found it. */
  readonly compressor?: Argv | undefined;
  readonly onCompressor?: (argv: Argv) => void;
}

/**
 * Streams an image from the local engine into the remote one, without the layers that are there, and tags it
 * when it has arrived whole. Only `docker save` reads layers that are not sent; where one cannot be read in
 * another way, {@link UnfitLayer} says so. Returns the bytes that were sent.
 *
 * With `sizes`, the bytes of each layer, a big image is sent in parts, each an image of its own: so the remote engine
 * unpacks one while the next is on its way, and what has arrived need not be sent again when something breaks.
 */
export async function streamImage(
  context: Context,
  session: Session,
  { source, sizes, ...transfer }: Transfer & {
    readonly source: Source;
    readonly sizes: readonly number[] | undefined;
  },
): Promise<number> {
  if (source.kind === "saved") return await sendSaved(context, session, transfer);
  return await sendParts(context, session, { ...transfer, source, sizes });
}

/** Bytes that make it worthwhile to send layers before the others. */
const WORTH_A_PART = 32 * 2 ** 20;

/** How many of the lowest layers there are after each part: `present` are there already. */
export function partEnds(sizes: readonly number[], present: number): number[] {
  const ends: number[] = [];
  let part = 0;
  let rest = sizes.slice(present).reduce((sum, size) => sum + size, 0);
  for (const [position, size] of sizes.entries()) {
    if (position < present) continue;
    [part, rest] = [part + size, rest - size];
    if (part < WORTH_A_PART || rest < WORTH_A_PART) continue;
    ends.push(position + 1);
    part = 0;
  }
  return [...ends, sizes.length];
}

/** Sends the image part by part: one is on its way while the remote engine unpacks the one before. */
async function sendParts(
  context: Context,
  session: Session,
  { source, sizes, ...transfer }: Transfer & {
    readonly source: Exclude<Source, { kind: "saved" }>;
    readonly sizes: readonly number[] | undefined;
  },
): Promise<number> {
  const { image, state, events } = transfer;
  const all = image.layers.length;
  const ends = sizes === undefined ? [all] : partEnds(sizes, state.presentLayers);
  const parts = new TwoAtATime();
  const passed: { done: number; sent: number }[] = [];
  const sum = (key: "done" | "sent"): number => passed.reduce((sum, part) => sum + part[key], 0);
  let { presentLayers, presentBlobs } = state;
  let compressor: Argv | undefined;
  for (const [number, end] of ends.entries()) {
    const size = sizes?.slice(presentLayers, end).reduce((sum, size) => sum + size, 0) ??
      transfer.size;
    const hasParts = state.hasParts || ends.length > 1;
    const part = {
      ...transfer,
      image: { ...image, layers: image.layers.slice(0, end) },
      state: { ...state, presentLayers, presentBlobs, hasParts },
      size,
      source,
      part: end === all ? undefined : partOf(image, { layers: end, sessionId: session.id }),
      compressor,
      onCompressor: (argv: Argv) => compressor = argv,
      events: {
        ...events,
        onSize: (bytes: number) => ends.length === 1 && events.onSize(bytes),
        onRate: (rate: number) => number === 0 && events.onRate(rate),
        onBytes: (bytes: { done: number; sent: number }) => {
          if (parts.failures.length > 0) throw parts.failures[0];
          passed[number] = bytes;
          events.onBytes({ done: sum("done"), sent: sum("sent") });
        },
      },
    };
    await parts.start(async ({ streamed, earlier }) => {
      await sendRead(context, session, {
        ...part,
        beforeEnd: async (layers) => {
          if (presentBlobs !== undefined) presentBlobs = layers;
          streamed();
          // An engine takes a layer only where those below it are.
          await earlier;
        },
      });
    });
    presentLayers = end;
  }
  try {
    await parts.finished();
  } catch (error) {
    await removeReaders(context, session.id);
    throw error;
  }
  return sum("sent");
}

/** The configuration of an image of the lowest layers, which is never run. */
function partOf(
  { os, architecture, variant, layers: digests }: LocalImage,
  { layers, sessionId }: { readonly layers: number; readonly sessionId: string },
): Bytes {
  return new TextEncoder().encode(JSON.stringify({
    os,
    architecture,
    ...variant === "" ? {} : { variant },
    created: "1970-01-01T00:00:00Z",
    config: { Labels: { [PUSH_LABEL]: sessionId } },
    rootfs: { type: "layers", diff_ids: digests.slice(0, layers) },
  }));
}

async function sendRead(
  context: Context,
  session: Session,
  { source, part, beforeEnd, ...transfer }: Transfer & {
    readonly source: Exclude<Source, { kind: "saved" }>;
    /** The configuration, where this is a part of the image only. */
    readonly part: Bytes | undefined;
    readonly beforeEnd: NonNullable<LayerSelection["beforeEnd"]>;
  },
): Promise<number> {
  const {
    image,
    state: { presentLayers: present, presentBlobs: base },
    events: { onLayer, onSize },
  } = transfer;
  const wanted: LayerSelection = {
    present,
    beforeEnd,
    onLayer,
    onSize,
    ...base === undefined ? {} : { base },
    ...part === undefined ? {} : { configuration: part },
  };
  const id = part === undefined ? undefined : `sha256:${await sha256(part)}`;
  const failure = ({ stderr }: Finished): Failure => new UnfitLayer(stderr.trim());
  const whole = { ...transfer, part: part !== undefined, failure };
  if (source.kind === "overlay2") {
    return await exportAndLoad(context, session, {
      ...whole,
      id: id ?? image.id,
      argv: await layersArgv(session.id, image, wanted),
      archive: (output) => assembleArchive(output, image, wanted),
    });
  }
  const stored = part === undefined
    ? source.image
    : await lowestLayers(source.image, { layers: image.layers.length, configuration: part });
  return await exportAndLoad(context, session, {
    ...whole,
    id: stored.config.digest,
    argv: blobsArgv(session.id, image.id, { stored, present }),
    archive: (output) => assembleBlobs(output, stored, wanted),
  });
}

async function sendSaved(
  context: Context,
  session: Session,
  { names, ...transfer }: Transfer & { readonly names?: ReadonlyMap<string, number> },
): Promise<number> {
  const { image, state: { presentLayers: present, presentBlobs: base }, events: { onLayer } } =
    transfer;
  const argv = dockerArgv("local", ["save", image.id]);
  const thinning: Thinning = {
    digests: image.layers,
    // An image that is made of blobs wants these very ones.
    ...base === undefined
      ? { present }
      : { present: 0, blobs: new Set(base.map((layer) => blobName(layer.digest))) },
    onLayer,
    ...names === undefined ? {} : { names },
  };
  try {
    return await exportAndLoad(context, session, {
      ...transfer,
      id: isClassic(image) ? image.id : "",
      argv,
      archive: (output) => thinArchive(output, thinning),
      failure: (finished) => dockerFailure("local", "Exporting the image", finished),
    });
  } catch (error) {
    if (!(error instanceof UnknownLayerNames)) throw error;
    const archive = through(context, argv, ReadableStream.from([]));
    const names = await readLayerNames(archive, image.layers);
    return await sendSaved(context, session, { ...transfer, names });
  }
}

async function exportAndLoad(
  context: Context,
  session: Session,
  { id, part = false, argv, archive, failure, ...transfer }: Transfer & {
    /** What a classic image store will call the image; empty where that is not known. */
    readonly id: string;
    readonly part?: boolean;
    /** Has the local engine export the image. */
    readonly argv: readonly string[];
    /** Turns what that writes into the archive that is sent. */
    readonly archive: (output: AsyncIterable<Bytes>) => AsyncIterable<Bytes>;
    readonly failure: (exported: Finished) => Failure;
  },
): Promise<number> {
  const { image, state, size, events, compressor, onCompressor } = transfer;
  const { presentBlobs, hasParts, format } = state;
  const load = loadWords(session, {
    format,
    id: presentBlobs === undefined ? id : "",
    part,
    layers: image.layers,
    parts: hasParts,
  });
  let done = 0;
  let bytes = 0;
  const { from, to } = await pipe(context, {
    from: argv,
    to: onRemoteHost(session, load),
    pass: (output) =>
      compress(
        tapped(archive(output), (length) => {
          done += length;
          events.onBytes({ done, sent: bytes });
        }),
        {
          format,
          size,
          through: (argv, source) => through(context, argv, source),
          chosen: compressor,
          onChoice: onCompressor,
          onRate: events.onRate,
        },
      ),
    onBytes: (sent) => {
      bytes = sent;
      events.onBytes({ done, sent });
    },
  });
  // The one that broke off has the better reason; the local one is killed when it has no partner any more.
  if (from.code !== 0 && from.code !== 137) throw failure(from);
  if (to.code === 255) {
    throw new Failure(
      `the connection to ${hostOf(session)} was lost: ${to.stderr.trim() || "no reason given"}`,
      { hint: TRY_AGAIN },
    );
  }
  if (to.code !== 0 || from.code !== 0) {
    const { message, hint } = dockerFailure(session, "Loading the image", to);
    throw new LoadFailure(message, { hint: hint ?? TRY_AGAIN });
  }
  if (!context.dryRun && !/^verified$/m.test(to.stdout)) {
    throw new LoadFailure(
      `the engine of ${hostOf(session)}: docker load succeeded, but the image is missing`,
    );
  }
  return bytes;
}

async function* tapped(
  source: AsyncIterable<Bytes>,
  onLength: (length: number) => void,
): AsyncGenerator<Bytes> {
  for await (const chunk of source) {
    onLength(chunk.length);
    yield chunk;
  }
}

function hostOf(session: Session): string {
  return session.remoteHost?.name ?? "the local host";
}
