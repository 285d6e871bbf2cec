import { readLayerNames, thinArchive, type Thinning, UnknownLayerNames } from "./archive.ts";
import { compress } from "./compression.ts";
import { captureDocker, dockerArgv, dockerFailure, type Image, inspectImage } from "./docker.ts";
import { Failure } from "./error.ts";
import { assembleArchive, readerArgv, removeReaders } from "./layer_store.ts";
import { pipe, through } from "./pipe.ts";
import type { Context, Finished } from "./process.ts";
import type { RemoteState } from "./remote_layers.ts";
import type { Session } from "./session.ts";
import { onRemoteHost } from "./ssh.ts";
import { UnfitLayer } from "./tar_split.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** An image of the local engine, to be pushed. */
type LocalImage = Omit<Image, "labels">;

/** What a push hears of while it goes on. */
export interface PushEvents {
  readonly onLayer: (layer: { position: number; size: number; sent: boolean }) => void;
  readonly onBytes: (passed: { done: number; sent: number }) => void;
  /** The bytes that are to be done, where that can be known before. */
  readonly onSize: (bytes: number) => void;
  /** What the link carries, in bytes per second. */
  readonly onRate: (bytesPerSecond: number) => void;
}

// $1 the format, $2 the image's id, $3 its tag, which moves when the whole image is there: else there is no such id.
const LOAD = `if [ "$1" = none ]; then docker load -q; else "$1" -dc | docker load -q; fi || exit
docker tag "$2" "$3" 2>/dev/null && echo "verified $2" || :`;

/** Gives an image that the remote engine has the session's tag. */
export async function tagRemote(context: Context, session: Session, id: string): Promise<void> {
  const words = ["tag", id, session.imageTag];
  const finished = await captureDocker(context, session, { words });
  if (finished.code !== 0) throw dockerFailure(session, "Tagging the image", finished);
}

/** The remote engine did not take an archive. */
export class LoadFailure extends Failure {}

interface Transfer {
  readonly image: LocalImage;
  readonly state: Pick<RemoteState, "present" | "blobs" | "format">;
  /** Bytes to send, as far as is known. */
  readonly size: number;
  readonly events: PushEvents;
}

/**
 * Streams an image from the local engine into the remote one, without the layers that are there, and tags it
 * when it has arrived whole. With `layerwise` only the layers that are sent are read, else `docker save` reads
 * them all; it is for images that have readable layers, and {@link UnfitLayer} tells of one where that fails.
 * Returns the bytes that went over the link.
 */
export async function streamImage(
  context: Context,
  session: Session,
  { layerwise, ...transfer }: Transfer & { readonly layerwise: boolean },
): Promise<number> {
  const sent = layerwise
    ? await sendLayers(context, session, transfer)
    : await sendSaved(context, session, transfer);
  const { image } = transfer;
  if (!(await hasArrived(context, session, { image, loaded: sent.output }))) {
    throw new LoadFailure(`the engine of ${hostOf(session)} took the image, but does not have it`);
  }
  return sent.bytes;
}

interface Sent {
  readonly bytes: number;
  /** What docker load said. */
  readonly output: string;
}

async function sendLayers(
  context: Context,
  session: Session,
  transfer: Transfer,
): Promise<Sent> {
  const { image, state: { present }, events: { onLayer, onSize } } = transfer;
  const wanted = { present, onLayer, onSize };
  try {
    return await send(context, session, {
      ...transfer,
      argv: await readerArgv(session.id, image, wanted),
      archive: (output) => assembleArchive(output, image, wanted),
      failure: ({ stderr }) => new UnfitLayer(stderr.trim()),
    });
  } catch (error) {
    await removeReaders(context, session.id);
    throw error;
  }
}

async function sendSaved(
  context: Context,
  session: Session,
  { names, ...transfer }: Transfer & { readonly names?: ReadonlyMap<string, number> },
): Promise<Sent> {
  const { image, state: { present, blobs }, events: { onLayer } } = transfer;
  const argv = dockerArgv("local", ["save", image.id]);
  const thinning: Thinning = {
    digests: image.layers,
    present,
    onLayer,
    ...blobs === undefined ? {} : { blobs },
    ...names === undefined ? {} : { names },
  };
  try {
    return await send(context, session, {
      ...transfer,
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

async function send(
  context: Context,
  session: Session,
  { image, state: { format }, size, events, argv, archive, failure }: Transfer & {
    /** Has the local engine export the image. */
    readonly argv: readonly string[];
    /** Makes of what that writes the archive that goes over the link. */
    readonly archive: (output: AsyncIterable<Bytes>) => AsyncIterable<Bytes>;
    readonly failure: (exported: Finished) => Failure;
  },
): Promise<Sent> {
  const load = ["sh", "-c", LOAD, "sh", format, image.id, session.imageTag];
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
      { hint: "The images there are as they were. Run dockerdo push again." },
    );
  }
  if (to.code !== 0 || from.code !== 0) {
    const { message, hint } = dockerFailure(session, "Loading the image", to);
    throw new LoadFailure(message, {
      hint: hint ?? "The images there are as they were. Run dockerdo push again.",
    });
  }
  return { bytes, output: to.stdout };
}

/** Whether the image is there; one image store may name it by another id than the other. */
async function hasArrived(
  context: Context,
  session: Session,
  { image, loaded }: { readonly image: LocalImage; readonly loaded: string },
): Promise<boolean> {
  if (context.dryRun || loaded.includes(`verified ${image.id}`)) return true;
  const id = /Loaded image ID: (sha256:[0-9a-f]{64})/.exec(loaded)?.[1];
  const there = id === undefined ? undefined : await inspectImage(context, session, id);
  if (there === undefined || there.id === image.id) return false;
  if (there.layers.join() !== image.layers.join()) return false;
  await tagRemote(context, session, there.id);
  return true;
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
