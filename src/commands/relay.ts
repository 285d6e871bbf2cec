import { hostContext } from "../process/context.ts";
import { usageFailure } from "../error.ts";
import { capture } from "../process/child.ts";
import { quoteForLogin } from "../quote.ts";
import { Sweeper } from "../history/sweep.ts";
import { sweepsPath } from "../history/sweeps.ts";
import { appender } from "../relay/journal.ts";
import { runRelay } from "../relay/relay.ts";
import { loadSession, type Session } from "../session/session.ts";
import { onEngine, sshTo } from "../ssh/argv.ts";

// Not even root can write into a directory that is not there. rmdir(2) asks nothing of a mount that is still there.
const REMOVE_POINT = `for _ in 1 2 3 4 5 6 7 8 9 10; do
  case $(LC_ALL=C rmdir -- "$1" 2>&1) in *busy*) sleep 0.1 ;; *) exit ;; esac
done`;

/**
 * `STATE MOUNT_POINT BASE KERNEL_TIMEOUT [JOURNAL CONTAINER] -- SSH…`, as `mount.ts` writes it (ms; see
 * `RelayOptions`). Serves sshfs on our stdin and stdout until it hangs up; then the mount is gone, and so ends
 * the mount point. Returns the exit code: ssh's own where it never connected.
 */
export async function relay(words: readonly string[]): Promise<number> {
  const separator = words.indexOf("--", 4);
  const [state, mountPoint, base, timeout, journal, container] = words.slice(0, separator);
  const command = words.slice(separator + 1);
  const kernelTimeout = Number(timeout);
  if (
    separator < 0 || state === undefined || mountPoint === undefined || base === undefined ||
    !Number.isInteger(kernelTimeout) || command.length === 0
  ) {
    throw usageFailure("relay is for sshfs to call", "dockerdo init --mount relay");
  }
  const record = journal === undefined || container === undefined
    ? undefined
    : { journal, container };
  const ended = async (): Promise<void> => {
    await capture(hostContext(), ["sh", "-c", REMOVE_POINT, "dockerdo", mountPoint]);
  };
  const sweeper = record === undefined ? undefined : sweeperOf(record);
  sweeper?.ring();
  try {
    return await runRelay({
      command,
      state,
      mountPoint,
      base,
      kernelTimeout,
      record,
      ended,
      rang: () => sweeper?.ring(),
    });
  } finally {
    sweeper?.close();
  }
}

const SWEEP_LIMIT_MS = 60_000;

/** What looks at the container after each command, over the session's own ways into it. */
function sweeperOf(
  { journal, container }: { readonly journal: string; readonly container: string },
): Sweeper | undefined {
  let session: Session;
  try {
    session = loadSession(journal.slice(0, journal.lastIndexOf("/")));
  } catch {
    return undefined;
  }
  const context = hostContext();
  const options = {
    encoding: "latin1",
    question: true,
    detached: true,
    limitMs: SWEEP_LIMIT_MS,
  } as const;
  return new Sweeper({
    container,
    append: appender(sweepsPath(session)),
    run: (words) => {
      const argv = session.user === "root" && session.attached === null
        ? sshTo(session, "container", { line: quoteForLogin(words) })
        : onEngine(session, ["exec", "-u", "0", "-w", "/", container, ...words]);
      return capture(context, argv, options);
    },
  });
}
