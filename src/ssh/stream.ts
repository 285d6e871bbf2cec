import type { Context } from "../process/context.ts";
import { stream } from "../process/stream.ts";
import type { Session } from "../session/session.ts";
import { type Destination, sshTo } from "./argv.ts";
import { markedLine } from "./master.ts";

// $@ the command, which gets no stdin: the end of ours is the end of who wants its output, and ends it too.
const TIED = `exec 3<&0
"$@" </dev/null 3<&- & command=$!
{ cat <&3; kill "$command"; } >/dev/null 2>&1 &
exec 3<&-
wait "$command"`;

/** The words that run `words` until they end by themselves or our end of their stdin is closed. */
export function tied(words: readonly string[]): string[] {
  return ["sh", "-c", TIED, "sh", ...words];
}

/**
 * Runs `words` on a destination until they end, `onStdout` returns false or we are ended, and gives their
 * output to `onStdout` as it comes, without what a login shell's start-up files wrote before. Returns the
 * exit code.
 */
export async function streamFrom(
  context: Context,
  session: Session,
  { destination, words, onStdout }: {
    readonly destination: Destination;
    readonly words: readonly string[];
    readonly onStdout: (piece: Uint8Array) => boolean;
  },
): Promise<number> {
  if (destination === "remote" && session.remoteHost === null) {
    return await stream(context, tied(words), { onStdout });
  }
  const argv = sshTo(session, destination, { line: markedLine(tied(words)) });
  let begun = false;
  return await stream(context, argv, {
    onStdout: (piece) => {
      if (begun) return onStdout(piece);
      const mark = piece.indexOf(0x1e);
      if (mark < 0) return true;
      begun = true;
      return mark + 1 === piece.length || onStdout(piece.subarray(mark + 1));
    },
  });
}
