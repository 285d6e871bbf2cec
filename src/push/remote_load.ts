import type { Format } from "./compression.ts";
import { captureDocker, dockerFailure } from "../docker.ts";
import { Failure } from "../error.ts";
import type { Context } from "../process/context.ts";
import LOAD_IMAGE from "./load_image.sh" with { type: "text" };
import REMOVE_PARTS from "./remove_parts.sh" with { type: "text" };
import type { Session } from "../session/session.ts";
import { engineScript } from "../ssh/argv.ts";
import { captureOnRemoteHost } from "../ssh/master.ts";

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
  const script = `${REMOVE_PARTS}\n${LOAD_IMAGE}`;
  return [
    "sh",
    "-c",
    engineScript(script),
    "sh",
    format,
    id,
    tag,
    digests,
    parts && !part ? session.id : "",
  ];
}

/** Gives an image that the remote engine has the session's tag. */
export async function tagRemote(context: Context, session: Session, id: string): Promise<void> {
  const words = ["tag", id, session.imageTag];
  const finished = await captureDocker(context, session, { words });
  if (finished.code !== 0) throw dockerFailure(session, "Tagging the image", finished);
}

/** Removes what a push that came to no end has left of an image on the remote engine. */
export async function removeParts(context: Context, session: Session): Promise<void> {
  const words = ["sh", "-c", engineScript(`${REMOVE_PARTS}\nremove_parts "$1"`), "sh", session.id];
  await captureOnRemoteHost(context, session, { words });
}

/** The remote engine did not take an archive. */
export class LoadFailure extends Failure {}
