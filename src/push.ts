import {
  blobName,
  readLayerNames,
  thinArchive,
  type Thinning,
  UnknownLayerNames,
} from "./archive.ts";
import { compress } from "./compression.ts";
import { assembleBlobs, blobsArgv, type StoredImage } from "./content_store.ts";
import { captureDocker, dockerArgv, dockerFailure, type Image } from "./docker.ts";
import { Failure } from "./error.ts";
import { assembleArchive, layersArgv } from "./layer_store.ts";
import { pipe, through } from "./pipe.ts";
import type { Context, Finished } from "./process.ts";
import { removeReaders } from "./reader.ts";
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

// $1 the format, $2 the image's id there if it is known, $3 its tag, which moves when the whole image is there, $4
// its layers. With containerd's image store docker load may end well with an image that it could not unpack, and
// leaves one in any case.
const LOAD = `format=$1 id=$2 tag=$3 layers=$4
dangling() { docker image ls -q --no-trunc --filter dangling=true; }
layers_of() { docker image inspect --format '{{range .RootFS.Layers}} {{.}}{{end}}' "$1" 2>/dev/null; }
fail() {
  printf '%s\\n' "$said" >&2
  [ -n "$id" ] || for new in $(dangling); do
    case $before in *$new*) continue ;; esac
    [ "$(layers_of "$new")" != "$layers" ] || docker image rm "$new"
  done >/dev/null 2>&1
  exit "$1"
}
[ -n "$id" ] || before=$(dangling)
said=$(if [ "$format" = none ]; then docker load -q; else "$format" -dc | docker load -q; fi 2>&1) || fail $?
case $said in *'rror unpacking'*) fail 1 ;; esac
[ -n "$id" ] || {
  id=\${said##*sha256:}
  id=sha256:\${id%%[!0-9a-f]*}
  [ "$(layers_of "$id")" = "$layers" ] || exit 0
}
docker tag "$id" "$tag" 2>/dev/null && echo verified || :`;

/** Gives an image that the remote engine has the session's tag. */
export async function tagRemote(context: Context, session: Session, id: string): Promise<void> {
  const words = ["tag", id, session.imageTag];
  const finished = await captureDocker(context, session, { words });
  if (finished.code !== 0) throw dockerFailure(session, "Tagging the image", finished);
}

/** The remote engine did not take an archive. */
export class LoadFailure extends Failure {}

/** How the local engine's image is read: layer by layer, blob by blob, or all of it as docker save gives it. */
export type Source = "layers" | StoredImage | "saved";

interface Transfer {
  readonly image: LocalImage;
  readonly state: Pick<RemoteState, "present" | "base" | "format">;
  /** Bytes to send, as far as is known. */
  readonly size: number;
  readonly events: PushEvents;
}

/**
 * Streams an image from the local engine into the remote one, without the layers that are there, and tags it
 * when it has arrived whole. Only `docker save` reads layers that are not sent; where one cannot be read in
 * another way, {@link UnfitLayer} tells of it. Returns the bytes that went over the link.
 */
export async function streamImage(
  context: Context,
  session: Session,
  { source, ...transfer }: Transfer & { readonly source: Source },
): Promise<number> {
  const sent = source === "saved"
    ? await sendSaved(context, session, transfer)
    : await sendRead(context, session, { ...transfer, source });
  if (!context.dryRun && !/^verified$/m.test(sent.output)) {
    throw new LoadFailure(`the engine of ${hostOf(session)} took the image, but does not have it`);
  }
  return sent.bytes;
}

interface Sent {
  readonly bytes: number;
  /** What the script on the remote host said. */
  readonly output: string;
}

async function sendRead(
  context: Context,
  session: Session,
  { source, ...transfer }: Transfer & { readonly source: Exclude<Source, "saved"> },
): Promise<Sent> {
  const { image, state: { present, base }, events: { onLayer, onSize } } = transfer;
  const wanted = { present, onLayer, onSize, ...base === undefined ? {} : { base } };
  const byLayers = source === "layers";
  try {
    return await send(context, session, {
      ...transfer,
      id: byLayers ? image.id : source.config.digest,
      argv: byLayers
        ? await layersArgv(session.id, image, wanted)
        : blobsArgv(session.id, image, { stored: source, present }),
      archive: (output) =>
        byLayers ? assembleArchive(output, image, wanted) : assembleBlobs(output, source, wanted),
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
  const { image, state: { present, base }, events: { onLayer } } = transfer;
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
    return await send(context, session, {
      ...transfer,
      id: image.layerDirs.length > 0 ? image.id : "",
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
  { image, state: { base, format }, size, events, id, argv, archive, failure }: Transfer & {
    /** What a classic image store will call the image; empty where that is not known. */
    readonly id: string;
    /** Has the local engine export the image. */
    readonly argv: readonly string[];
    /** Makes of what that writes the archive that goes over the link. */
    readonly archive: (output: AsyncIterable<Bytes>) => AsyncIterable<Bytes>;
    readonly failure: (exported: Finished) => Failure;
  },
): Promise<Sent> {
  const known = base === undefined ? id : "";
  const layers = image.layers.map((digest) => ` ${digest}`).join("");
  const load = ["sh", "-c", LOAD, "sh", format, known, session.imageTag, layers];
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
