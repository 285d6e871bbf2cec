import {
  announce,
  asLine,
  type CaptureOptions,
  endChild,
  finish,
  type Finished,
  floodFailure,
  forget,
  OUTPUT_LIMIT,
  spawn,
  surroundings,
} from "../process/child.ts";
import type { Context } from "../process/context.ts";
import { quoteAll, quoteForLogin } from "../quote.ts";
import type { Session } from "../session/session.ts";
import { sshConfigPath, sshTo } from "./argv.ts";

/**
 * A shell on a remote host that runs one command after another. Each session of ssh starts the user's login shell, whose
 * start-up files may take longer than all else; so all that a command of ours asks of a host is sent through one shell.
 */
interface RemoteShell {
  readonly child: Deno.ChildProcess;
  readonly input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly stdout: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly stderr: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
}

const shells = new Map<string, RemoteShell>();

/** What comes after a command's output: it cannot know the token. Then its exit code. */
// deno-lint-ignore no-control-regex
const END = /\x1e([0-9a-f]{32}) (\d+)\x1e$/;

const LONGEST_END = 48;

/** The end of all questions so far of a host, by which the next one is asked when it is answered. */
const last = new Map<string, Promise<unknown>>();

/** Whether a command of these options can be run by {@link captureInShell}. */
export function fitsShell(context: Context, options: CaptureOptions): boolean {
  return context.sharedShells === true && options.input === undefined && !options.detached &&
    options.stderr === undefined && options.env === undefined && options.cwd === undefined;
}

/**
 * As `capture()`, with `argv` for what is printed, on the session's remote host in its shell; undefined where the host
 * could not be reached, or the link broke before the command had ended: then `argv` says why.
 */
export async function captureInShell(
  context: Context,
  session: Session,
  { words, argv, options }: {
    readonly words: readonly string[];
    readonly argv: readonly string[];
    readonly options: CaptureOptions;
  },
): Promise<Finished | { readonly broken: string }> {
  const readOnly = options.readOnly === true;
  if (context.verbose || !readOnly) announce(context, () => asLine(argv, options));
  if (context.dryRun && !readOnly) return { code: 0, stdout: "", stderr: "" };
  const key = sshConfigPath(session, "remote");
  const turn = (last.get(key) ?? Promise.resolve()).then(
    () => ask(context, session, { key, words, options }),
  );
  last.set(key, turn.catch(() => {}));
  return await turn;
}

/** Ends all shells: nothing more is asked. */
export function closeRemoteShells(): void {
  for (const [key, { child, input }] of shells) {
    shells.delete(key);
    forget(child);
    input.close().catch(() => {});
  }
}

async function ask(
  context: Context,
  session: Session,
  { key, words, options }: {
    readonly key: string;
    readonly words: readonly string[];
    readonly options: CaptureOptions;
  },
): Promise<Finished | { readonly broken: string }> {
  const shell = shells.get(key) ?? open(context, session);
  shells.set(key, shell);
  const token = crypto.getRandomValues(new Uint8Array(16)).toHex();
  const end = `\\036${token} %d\\036`;
  // What the login shell's start-up files write comes before the first mark.
  const text = `printf '\\036'; ( ${quoteAll(words)} ) </dev/null; code=$?; ` +
    `printf '${end}' "$code" >&2; printf '${end}' "$code"\n`;
  let expired = false;
  const timer = options.limitMs === undefined ? undefined : setTimeout(() => {
    expired = true;
    endChild(shell.child, "SIGKILL");
    // Something that it started may hold the pipes longer.
    for (const reader of [shell.stdout, shell.stderr]) reader.cancel().catch(() => {});
  }, options.limitMs);
  const limitBytes = options.limitBytes ?? OUTPUT_LIMIT;
  let flooded = false;
  const onFlood = (): void => {
    flooded = true;
    endChild(shell.child, "SIGKILL");
    for (const reader of [shell.stdout, shell.stderr]) reader.cancel().catch(() => {});
  };
  try {
    // One that has ended says more by its stderr.
    shell.input.write(new TextEncoder().encode(text)).catch(() => {});
    const [stdout, stderr] = await Promise.all([
      readAnswer(shell.stdout, { token, limitBytes, onFlood }),
      readAnswer(shell.stderr, { token, limitBytes, onFlood }),
    ]);
    if (stdout.code !== undefined && stderr.code !== undefined) {
      const { bytes, code } = stdout;
      const answer = decode(bytes.subarray(bytes.indexOf(0x1e) + 1), options);
      return { code, stdout: answer, stderr: decode(stderr.bytes, {}) };
    }
    shells.delete(key);
    shell.input.close().catch(() => {});
    await finish(shell.child);
    if (flooded) throw floodFailure(words[0] ?? "", limitBytes);
    return expired ? { code: 124, stdout: "", stderr: "" } : { broken: decode(stderr.bytes, {}) };
  } finally {
    clearTimeout(timer);
  }
}

function open(context: Context, session: Session): RemoteShell {
  const argv = sshTo(session, "remote", { line: quoteForLogin(["sh"]) });
  const child = spawn(argv, {
    ...surroundings(context, {}),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  return {
    child,
    input: child.stdin.getWriter(),
    stdout: child.stdout.getReader(),
    stderr: child.stderr.getReader(),
  };
}

/** What a stream has before the end with this token; no code where the stream ends without. */
async function readAnswer(
  reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
  { token, limitBytes, onFlood }: {
    readonly token: string;
    readonly limitBytes: number;
    readonly onFlood: () => void;
  },
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly code: number | undefined }> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let tail = "", total = 0;
  while (true) {
    const { done, value } = await reader.read();
    if (done) return { bytes: await concatenated(chunks), code: undefined };
    total += value.length;
    if (total > limitBytes) onFlood();
    else chunks.push(value);
    // An end is ASCII: how a decoder takes the other bytes does not matter.
    tail = (tail + new TextDecoder("latin1").decode(value.subarray(-LONGEST_END))).slice(
      -LONGEST_END,
    );
    const end = END.exec(tail);
    if (end === null || end[1] !== token) continue;
    const bytes = await concatenated(chunks);
    return { bytes: bytes.subarray(0, bytes.length - end[0].length), code: Number(end[2]) };
  }
}

async function concatenated(
  chunks: readonly Uint8Array<ArrayBuffer>[],
): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Blob([...chunks]).arrayBuffer());
}

function decode(
  bytes: Uint8Array<ArrayBuffer>,
  { encoding }: Pick<CaptureOptions, "encoding">,
): string {
  return encoding === "latin1"
    ? Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")
    : new TextDecoder().decode(bytes);
}
