import type { Format } from "./compression.ts";
import { captureDocker, dockerFailure } from "../docker.ts";
import { Failure } from "../error.ts";
import type { Context } from "../process/context.ts";
import { PUSH_LABEL } from "./store_container.ts";
import type { Session } from "../session/session.ts";
import { captureOnRemoteHost } from "../ssh/master.ts";

// A part of an image is of no use when the image is there.
const REMOVE_PARTS = `docker image ls -q --no-trunc --filter "label=${PUSH_LABEL}=$session" |
  while read -r part; do docker image rm "$part"; done >/dev/null 2>&1`;

// $1 the format, $2 the image's id there if it is known, $3 its tag, which moves when the whole image is there, $4
// its layers, $5 the session whose parts of images have done their service then. A part has no tag. With
// containerd's image store docker load may end well with an image that it could not unpack, and leaves one anyway.
const LOAD = `format=$1 id=$2 tag=$3 layers=$4 session=$5
dangling() { docker image ls -q --no-trunc --filter dangling=true; }
layers_of() { docker image inspect --format '{{range .RootFS.Layers}} {{.}}{{end}}' "$1" 2>/dev/null; }
fail() {
  [ -n "$id" ] || for new in $(dangling); do
    case $before in *$new*) continue ;; esac
    [ "$(layers_of "$new")" != "$layers" ] || docker image rm "$new"
  done >/dev/null 2>&1
  printf '%s\\n' "$said" >&2
  exit "$1"
}
[ -n "$id" ] || before=$(docker image ls -q --no-trunc)
said=$(if [ "$format" = none ]; then docker load -q; else "$format" -dc | docker load -q; fi 2>&1) || fail $?
case $said in *'rror unpacking'*) fail 1 ;; esac
[ -n "$id" ] || {
  id=\${said##*sha256:}
  id=sha256:\${id%%[!0-9a-f]*}
  [ "$(layers_of "$id")" = "$layers" ] || exit 0
}
if [ -z "$tag" ]; then docker image inspect "$id" >/dev/null; else docker tag "$id" "$tag"; fi 2>/dev/null || exit 0
echo verified
[ -z "$session" ] || { ${REMOVE_PARTS}; }
:`;

/** The words that read an archive from their stdin on the remote host, and write `verified` when the image is there. */
export function loadWords(
  session: Session,
  { format, id, part, layers, parts }: {
    readonly format: Format;
    /** What the engine will call the image; empty where that is not known. */
    readonly id: string;
    /** The image is a part of another, and gets no tag. */
    readonly part: boolean;
    readonly layers: readonly string[];
    /** There are parts of it, to be removed. */
    readonly parts: boolean;
  },
): string[] {
  const tag = part ? "" : session.imageTag;
  const digests = layers.map((digest) => ` ${digest}`).join("");
  return ["sh", "-c", LOAD, "sh", format, id, tag, digests, parts && !part ? session.id : ""];
}

/** Gives an image that the remote engine has the session's tag. */
export async function tagRemote(context: Context, session: Session, id: string): Promise<void> {
  const words = ["tag", id, session.imageTag];
  const finished = await captureDocker(context, session, { words });
  if (finished.code !== 0) throw dockerFailure(session, "Tagging the image", finished);
}

/** Removes what a push that came to no end has left of an image on the remote engine. */
export async function removeParts(context: Context, session: Session): Promise<void> {
  const words = ["sh", "-c", `session=$1; ${REMOVE_PARTS}`, "sh", session.id];
  await captureOnRemoteHost(context, session, { words });
}

/** The remote engine did not take an archive. */
export class LoadFailure extends Failure {}
