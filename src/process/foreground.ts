import {
  announce,
  asLine,
  endChild,
  finish,
  forget,
  ignoredSignals,
  spawn,
  surroundings,
} from "./child.ts";
import type { Context } from "./context.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

// It prints the signals that are ignored, as we inherited them and before it ignores more. Then it waits for a line
// that never comes: the end of its stdin is the end of us. $1 the child's pid, $2 a file for a note about our stdin,
// which is the child's, or nothing, $3 the note's mark, then the guard. Deno may not look at its own stdin; of a
// child that has ended by now there is no note.
const GUARDIAN = `while read -r name mask; do
  if [ "$name" = SigIgn: ]; then break; fi
done 2>/dev/null </proc/self/status
trap "" HUP INT QUIT TERM
if [ "$2" ]; then
  umask 077
  stdin=/proc/$PPID/fd/0
  if [ -p "$stdin" ]; then echo "$3 pipe" >>"$2"
  elif [ -f "$stdin" ]; then
    note="$3 file $(stat -L -c '%s %Y' "$stdin") $(readlink "$stdin")"
    printf '%s\\n' "$note" >>"$2"
  fi
fi
echo "$mask"
child=$1; shift 3
exec >/dev/null
read -r _ || { kill "$child"; "$@"; } >/dev/null 2>&1`;

/** Streams of a child that go through our hands. */
export interface Pipes {
  /** Also stdin and stderr, and not stdout alone. */
  readonly stdin: boolean;
  readonly stderr: boolean;
  /** Moves the bytes; is done when the child has no more. */
  readonly attach: (child: Deno.ChildProcess) => Promise<void>;
}

/**
 * Runs a child on our streams in the user's place: signals are not ours but the child's affair.
 * `onSignal` gets each SIGINT, SIGTERM, SIGHUP and SIGQUIT that reaches us, with the child; those that
 * whoever started us has set to be ignored (nohup, a script's `&`) stay ignored. If we
 * die without ending properly (SIGKILL), the child is sent SIGTERM, and what `guard` names is run.
 * Returns the exit code.
 */
export async function runForeground(
  context: Context,
  argv: readonly string[],
  { env, stdin, detached, guard, note, pipes, onSignal }: {
    readonly env: Readonly<Record<string, string>>;
    /**
     * "passed on" is for a terminal where the child is detached: out of the terminal's session it would read
     * on where job control stops a program in the background.
     */
    readonly stdin: "inherit" | "null" | "passed on";
    /** Out of the terminal's reach: what Ctrl-C means is for `onSignal` to say. */
    readonly detached: boolean;
    readonly guard: () => readonly string[];
    /** A file to which a line about the child's stdin is added, `MARK pipe` or `MARK file SIZE MTIME PATH`. */
    readonly note: { readonly path: string; readonly mark: string } | undefined;
    readonly pipes?: Pipes | undefined;
    readonly onSignal: (signal: Deno.Signal, child: Deno.ChildProcess) => void;
  },
): Promise<number> {
  announce(context, () => asLine(argv, { env }));
  if (context.dryRun) return 0;
  // In / it looks at no mount on its way: a look there would have to be waited for before the caches are dropped.
  const where = surroundings(context, { env, cwd: "/" });
  // setsid(1) where it is: Deno's own way to detach copies the whole process first, which takes 5 ms.
  const setsid = detached && Deno.build.os === "linux";
  const own = (words: readonly string[]): readonly string[] =>
    setsid ? ["setsid", ...words] : words;
  const child = spawn(own(argv), {
    ...where,
    stdin: stdin === "passed on" || pipes?.stdin === true ? "piped" : stdin,
    stdout: pipes === undefined ? "inherit" : "piped",
    stderr: pipes?.stderr === true ? "piped" : "inherit",
    detached: detached && !setsid,
  });
  const attached = pipes?.attach(child);
  if (stdin === "passed on" && pipes?.stdin !== true) {
    Deno.stdin.readable.pipeTo(child.stdin).catch(() => {});
  }
  // At once, while the child is on its way: waiting with a timer would cost more (Deno loads 5 ms of code for it).
  // Out of our process group, like the child: whoever kills the group must not kill the guard.
  const guarded = [String(child.pid), note?.path ?? "", note?.mark ?? ""];
  const guardian = spawn(own(["sh", "-c", GUARDIAN, "dodo", ...guarded, ...guard()]), {
    ...where,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
    detached: detached && !setsid,
  });
  const removers: (() => void)[] = [];
  let ended = false;
  // Until the guard has answered, a signal does to us what it does to any program, and the guard ends the command.
  const listening = firstPiece(guardian.stdout).then((mask) => {
    if (ended) return;
    const ignored = ignoredSignals(mask.trim(), SIGNALS);
    for (const signal of SIGNALS) {
      // Deno catches them all once it listens to one, so those that are ignored are listened to as well.
      const listener = (): void => ignored.has(signal) ? undefined : onSignal(signal, child);
      Deno.addSignalListener(signal, listener);
      removers.push(() => Deno.removeSignalListener(signal, listener));
    }
  });
  try {
    const { code } = await finish(child);
    await attached;
    return code;
  } finally {
    ended = true;
    // A child may be faster than the guard's first lines.
    if (note !== undefined) await listening;
    for (const remove of removers) remove();
    endChild(guardian, "SIGKILL");
    forget(guardian);
    await listening;
  }
}

async function firstPiece(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const reader = stream.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return new TextDecoder().decode(value);
}
