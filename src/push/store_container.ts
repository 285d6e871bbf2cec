import { capture } from "../process/child.ts";
import type { Context } from "../process/context.ts";
import READ_LAYERS from "./read_layers.sh" with { type: "text" };
import REMOVE_READERS from "./remove_readers.sh" with { type: "text" };
import type { Session } from "../session/session.ts";
import { engineScript } from "../ssh/argv.ts";
import { captureOnRemoteHost } from "../ssh/master.ts";

/**
 * The label of the containers through which images are read, and of the parts of an image that are there before
 * the rest: the value is the session's id.
 */
export const PUSH_LABEL = "dockerdo.push";

/** For the engine to remove what was left: the next push can do it as well. */
const REMOVE_LIMIT_MS = 10_000;

/** A file or directory of the engine's host, and the path at which it is to be read. */
export interface Bind {
  readonly source: string;
  readonly target: string;
}

/**
 * The argv of a child that writes a tar archive of files and directories of the local engine's host, in the order
 * of a walk through the targets. docker gives it from a container of the image that is never started, so nothing
 * of the image runs. What volumes the image has is for docker alone: it fills new ones, and they are removed with the
 * container. The name of one is anything that the image's maker likes, also options of `docker create`.
 */
export function readerArgv(
  sessionId: string,
  imageId: string,
  binds: readonly Bind[],
): string[] {
  const dir = unknownDir();
  return [
    "sh",
    "-c",
    engineScript(`${REMOVE_READERS}\n${READ_LAYERS}`),
    "sh",
    ...ownReaders(sessionId),
    dir,
    ...binds.flatMap(({ source, target }) => [
      "--mount",
      `type=bind,source=${source},target=${dir}/${target},readonly`,
    ]),
    imageId,
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
  const words = [
    "sh",
    "-c",
    engineScript(`${REMOVE_READERS}\nremove_readers "$@"`),
    "sh",
    ...ownReaders(sessionId),
  ];
  const options = { limitMs: REMOVE_LIMIT_MS };
  if (remote === undefined) await capture(context, words, options);
  // No process there is ours.
  else await captureOnRemoteHost(context, remote, { words: words.with(-1, "none"), ...options });
}

function ownReaders(sessionId: string): string[] {
  return [`${PUSH_LABEL}=${sessionId}`, String(Deno.pid)];
}
