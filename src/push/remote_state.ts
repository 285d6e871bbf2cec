import type { Descriptor, Manifest } from "./oci.ts";
import type { Format } from "./compression.ts";
import ASK_ENGINE from "./ask_engine.sh" with { type: "text" };
import { READ_BLOBS, readStoredImage, SEPARATOR } from "./containerd.ts";
import { captureDocker, dockerFailure, type Image, isClassic, parseImages } from "../docker.ts";
import { isOnPath } from "../process/search_path.ts";
import { type Context } from "../process/context.ts";
import { unknownDir } from "./store_container.ts";
import type { Session } from "../session/session.ts";
import { engineScript } from "../ssh/argv.ts";
import { captureOnRemoteHost } from "../ssh/master.ts";

/** What the remote engine has of an image, and how to send it the rest. */
export interface RemoteState {
  /** The id by which it has the whole image, under whatever name; empty where it has not. */
  readonly imageId: string;
  /** The id of the image that has the tag there; empty where no image has it. */
  readonly taggedId: string;
  /** How many of the lowest layers it has. */
  readonly presentLayers: number;
  /** The blobs of these layers, where it has containerd's image store: an image there is made of blobs. */
  readonly presentBlobs: readonly Descriptor[] | undefined;
  /** It has parts of images of this session, from a push that came to no end. */
  readonly hasParts: boolean;
  readonly format: Format;
}

const ASK = `${READ_BLOBS}\n${ASK_ENGINE}`;

/** Asks the remote engine, in one round trip, what it has of an image. */
export async function askRemote(
  context: Context,
  session: Session,
  image: Image,
): Promise<RemoteState> {
  const { id, layers } = image;
  const words = [id, session.imageTag, session.id, unknownDir(), ...layers];
  const argv = ["sh", "-c", engineScript(ASK), "sh", ...words];
  const finished = await captureOnRemoteHost(context, session, { words: argv, readOnly: true });
  if (finished.code !== 0) {
    throw dockerFailure(session, "Asking docker for its images", finished);
  }
  const [told = "", base = "", ...blobs] = finished.stdout.split(SEPARATOR);
  const answers = (key: string): string[] =>
    told.split("\n").filter((line) => line.startsWith(`${key} `))
      .map((line) => line.slice(key.length + 1));
  const known = answers("known").map((line) => line.split(" "));
  const json = told.indexOf("\n[");
  const containerd = told.split("\n").includes("containerd");
  // Two classic stores have one id for the same image.
  const comparable = containerd || !isClassic(image);
  const same = (json < 0 || !comparable ? [] : parseImages(told.slice(json)))
    .find(({ settings }) => settings === image.settings);
  const present = Number(answers("present")[0] ?? 0);
  const stored = base === "" ? undefined : await readStoredImage(context, session, {
    sessionId: session.id,
    image: base,
    digest: base,
    platform: image,
    output: ["", ...blobs].join(SEPARATOR),
  });
  const lowest = stored?.diffIds.slice(0, present).join() === layers.slice(0, present).join()
    ? stored.layers.slice(0, present)
    : [];
  return {
    // The id of an image for several platforms says nothing of what is there.
    imageId: known.some(([known, , digests]) => known === id && digests === JSON.stringify(layers))
      ? id
      : same?.id ?? "",
    taggedId: known.find(([, tags]) => tags?.includes(`"${session.imageTag}"`))?.[0] ?? "",
    presentLayers: containerd ? lowest.length : present,
    presentBlobs: containerd ? lowest : undefined,
    hasParts: answers("part").length > 0,
    format: await commonFormat(context, answers("program")),
  };
}

async function commonFormat(context: Context, programs: readonly string[]): Promise<Format> {
  for (const program of ["zstd", "gzip"] as const) {
    if (programs.includes(program) && await isOnPath(context, program)) return program;
  }
  return "none";
}

/** The bytes of the steps in an image's history that made any, the topmost first. */
export async function stepSizes(context: Context, image: Pick<Image, "id">): Promise<number[]> {
  const words = ["history", "--no-trunc", "--human=false", "--format", "{{.Size}}", image.id];
  const { stdout } = await captureDocker(context, "local", { words, readOnly: true });
  return stdout.split("\n").map(Number).filter((size) => size > 0);
}

/**
 * The bytes of the layers above the lowest `present` ones, as far as the steps show: an estimate, for an archive
 * adds headers.
 */
export function missingBytes(
  image: Pick<Image, "size" | "layers">,
  { present, steps }: { readonly present: number; readonly steps: readonly number[] },
): number {
  if (present === 0) return image.size;
  // Layers without a byte look like steps that made no layer: they are taken for these.
  return steps.slice(0, image.layers.length - present).reduce((sum, size) => sum + size, 0);
}

/** The bytes of each layer, the lowest first; undefined where that is not known. */
export function layerSizes(
  image: Pick<Image, "layers">,
  { stored, steps }: {
    readonly stored: Manifest | undefined;
    readonly steps: readonly number[];
  },
): number[] | undefined {
  if (stored !== undefined) return stored.layers.map(({ size }) => size);
  return steps.length === image.layers.length ? steps.toReversed() : undefined;
}
