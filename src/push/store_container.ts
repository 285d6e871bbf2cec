import type { Image } from "../docker.ts";
import { capture } from "../process/child.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { captureOnRemoteHost } from "../ssh/master.ts";

/**
 * The label of the containers through which images are read, and of the parts of an image that are there before
 * the rest: the value is the session's id.
 */
export const PUSH_LABEL = "dockerdo.push";

/** Beside it, the process that will see to it that the container goes. */
export const READER_PID_LABEL = "dockerdo.push.pid";

/** For the engine to remove what was left: the next push can do it as well. */
const REMOVE_LIMIT_MS = 10_000;

// $1 a label, $2 a pid. The containers of that process, and of those that are gone: nobody else will think of them.
export const REMOVE = `docker ps -a --filter "label=$1" --filter "label=${READER_PID_LABEL}" \\
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
# The same process may be reading others.
set -- "$1" none
${REMOVE}
exit $code`;

/** A file or directory of the engine's host, and the path at which it is to be read. */
export interface Bind {
  readonly source: string;
  readonly target: string;
}

/**
 * The argv of a child that writes a tar archive of files and directories of the local engine's host, in the order
 * of a walk through the targets. docker gives it from a container of the image that is never started, so nothing
 * of the image runs.
 */
export function readerArgv(
  sessionId: string,
  image: Pick<Image, "id" | "volumes">,
  binds: readonly Bind[],
): string[] {
  const dir = unknownDir();
  return [
    "sh",
    "-c",
    READ,
    "sh",
    ...ownReaders(sessionId),
    dir,
    ...binds.flatMap(({ source, target }) => [
      "--mount",
      `type=bind,source=${source},target=${dir}/${target},readonly`,
    ]),
    // docker would fill a volume of its own with what the image has there.
    ...image.volumes.flatMap((path) => ["--mount", `type=tmpfs,target=${path}`]),
    image.id,
    "x",
  ];
}

/** A directory in the container: a name that the image's maker cannot have known. */
export function unknownDir(): string {
  return `/dockerdo-${crypto.randomUUID()}`;
}

/** Whether a path makes no trouble in the value of --mount. */
export function isMountable(path: string): boolean {
  return /^\/[\w./@:+ -]+$/.test(path);
}

/**
 * Removes the containers of readers of this session that were ended before they could do so: on the local engine,
 * or on that of the `remote` host.
 */
export async function removeReaders(
  context: Context,
  sessionId: string,
  { remote }: { readonly remote?: Session } = {},
): Promise<void> {
  const words = ["sh", "-c", REMOVE, "sh", ...ownReaders(sessionId)];
  const options = { limitMs: REMOVE_LIMIT_MS };
  if (remote === undefined) await capture(context, words, options);
  // No process there is ours.
  else await captureOnRemoteHost(context, remote, { words: words.with(-1, "none"), ...options });
}

function ownReaders(sessionId: string): string[] {
  return [`${PUSH_LABEL}=${sessionId}`, String(Deno.pid)];
}
