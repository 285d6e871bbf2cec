import { captureDocker, dockerFailure, type Image } from "./docker.ts";
import type { Format } from "./compression.ts";
import { type Context, isOnPath } from "./process.ts";
import type { Session } from "./session.ts";
import { captureOnRemoteHost } from "./ssh.ts";

/** What the remote engine has of an image, and how to send it the rest. */
export interface RemoteState {
  /** It has the whole image, under whatever name. */
  readonly whole: boolean;
  /** The id of the image that has the tag there; empty where none has. */
  readonly tagged: string;
  /** How many of the lowest layers it has. */
  readonly present: number;
  /** It has containerd's image store. */
  readonly containerd: boolean;
  /** Blobs that it has, by their names in an archive: a containerd image store goes by these. */
  readonly blobs: ReadonlySet<string> | undefined;
  readonly format: Format;
}

// $1 the image's id, $2 its tag, then its layers, the lowest first. An image's layers count only as a chain,
// so what can be spared is the longest beginning that some image there has, too. What does not
// need an answer is asked at the same time.
const ASK = `id=$1 tag=$2; shift 2
for name in zstd gzip; do command -v $name >/dev/null 2>&1 && echo program $name; done
store() { docker info --format 'store {{json .DriverStatus}}'; }
store 2>/dev/null & asked=$!
docker image inspect --format 'known {{.Id}} {{json .RepoTags}}' "$id" "$tag" 2>/dev/null &
ids=$(docker image ls -q --no-trunc) || exit
set -f
have=$(docker image inspect --format '{{.Id}} |{{range .RootFS.Layers}} {{.}}{{end}} ' $ids 2>/dev/null)
prefix= n=0
for layer; do
  case $have in *"|$prefix $layer "*) ;; *) break ;; esac
  prefix="$prefix $layer" n=$((n + 1))
done
wait $asked || store || exit
wait
[ $n = 0 ] || base=$(printf '%s\\n' "$have" | grep -F "|$prefix ")
echo "present $n \${base%% *}"`;

/** Asks the remote engine, in one round trip, what it has of an image. */
export async function askRemote(
  context: Context,
  session: Session,
  image: Pick<Image, "id" | "layers">,
): Promise<RemoteState> {
  const words = ["sh", "-c", ASK, "sh", image.id, session.imageTag, ...image.layers];
  const finished = await captureOnRemoteHost(context, session, { words, question: true });
  if (finished.code !== 0) {
    throw dockerFailure(session, "Asking docker for its images", finished);
  }
  const answers = (key: string): string[] =>
    finished.stdout.split("\n").filter((line) => line.startsWith(`${key} `))
      .map((line) => line.slice(key.length + 1));
  const known = answers("known").map((line) => line.split(" "));
  const [present = "0", base = ""] = (answers("present")[0] ?? "").split(" ");
  const containerd = /io\.containerd\.snapshotter/.test(answers("store")[0] ?? "");
  const programs = answers("program");
  const common = await Promise.all(
    (["zstd", "gzip"] as const).map(async (program) =>
      programs.includes(program) && await isOnPath(context, program) ? program : undefined
    ),
  );
  return {
    whole: known.some(([id]) => id === image.id),
    tagged: known.find(([, tags]) => tags?.includes(`"${session.imageTag}"`))?.[0] ?? "",
    present: containerd ? 0 : Number(present),
    containerd,
    blobs: containerd && base !== "" ? await listBlobs(context, session, base) : undefined,
    format: common.find((program) => program !== undefined) ?? "none",
  };
}

/**
 * The blobs of an image on an engine with containerd's image store. There a layer that is unpacked may be
 * without its blob, and a blob depends on how it was compressed: only an archive's names tell.
 */
async function listBlobs(
  context: Context,
  session: Session,
  imageId: string,
): Promise<ReadonlySet<string>> {
  const words = ["sh", "-c", 'docker save "$1" | tar -tf -', "sh", imageId];
  const { code, stdout } = await captureOnRemoteHost(context, session, { words, question: true });
  const names = stdout.split("\n").filter((name) => /^blobs\/sha256\/[0-9a-f]{64}$/.test(name));
  return new Set(code === 0 ? names : []);
}

/** The bytes of the steps in an image's history that made any, the topmost first. */
export async function stepSizes(context: Context, image: Pick<Image, "id">): Promise<number[]> {
  const words = ["history", "--no-trunc", "--human=false", "--format", "{{.Size}}", image.id];
  const { stdout } = await captureDocker(context, "local", { words, question: true });
  return stdout.split("\n").map(Number).filter((size) => size > 0);
}

/**
 * The bytes of the layers above the lowest `present` ones, as far as the steps tell: an estimate, for an archive
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
