import { Failure } from "../error.ts";
import { DapTranslator } from "../path_map/dap.ts";
import { frame, FrameReader, headFor, type Part } from "../path_map/frames.ts";
import { LspTranslator } from "../path_map/lsp.ts";
import { type Surroundings, type Translated } from "../path_map/translator.ts";
import { mappedOutput, writeAll } from "./mapped_output.ts";
import { PathMap } from "../path_map/paths.ts";
import type { Context } from "../process/context.ts";
import { dropCaches } from "../relay/drop.ts";
import { containerMount, relayDir, type Session } from "../session/session.ts";
import type { Request, Translation } from "./needs.ts";
import watch from "./server_watch.sh" with { type: "text" };

export { mapWords } from "../path_map/words.ts";

/** What translates the messages of a protocol; "server" is also a debug adapter. */
interface Translator {
  readonly fromEditor: (body: Uint8Array<ArrayBuffer>) => Translated;
  readonly fromServer: (body: Uint8Array<ArrayBuffer>) => Translated;
}

/** A server that has lost its editor may write down what it knows; then it is ended. */
const LAST_WORDS_MS = 3000;

/** The end of an editor is for a server to see in its own list of processes, where it never was. */
const WATCHDOG =
  /^--?(clientProcessId|parentPid|parent-pid|parentProcessId|watch-parent-process)(=\d+)?$/;

/** What stands between a command's streams and ours. */
export function translation(
  context: Context,
  session: Session,
  { through, command }: Pick<Request, "through" | "command">,
): Translation {
  const map = new PathMap(containerMount(session));
  if (through === "output") return mappedOutput(context, session, command);
  const notice = (text: string): void => context.stderr(`dodo: ${text}\n`);
  const around = surroundings(session, notice);
  const terminal = { command: ["dodo"], env: { DOCKERDO_SESSION_DIR: session.dir } };
  const translator = through === "dap"
    ? new DapTranslator(map, { ...around, terminal })
    : new LspTranslator(map, around);
  const server = withoutWatchdog(command, notice);
  const hasShell = session.attached?.hasShell !== false;
  return {
    command: hasShell ? ["/bin/sh", "-c", watch, "dodo", ...server] : server,
    pipes: { stdin: true, stderr: false },
    attach: (child, end) => converse(child, translator, end),
  };
}

function surroundings(session: Session, notice: (text: string) => void): Surroundings {
  return {
    notice,
    realPath: (path) => {
      try {
        return Deno.realPathSync(path);
      } catch {
        return undefined;
      }
    },
    filesWritten: () => {
      try {
        if (session.mount === "relay") dropCaches(relayDir(session, "container"));
      } catch {
        // The relay finds out by itself, a little later.
      }
    },
  };
}

function withoutWatchdog(
  command: readonly string[],
  notice: (text: string) => void,
): readonly string[] {
  return command.filter((word, at) => {
    const isValue = /^\d+$/.test(word) && WATCHDOG.exec(command[at - 1] ?? "")?.[2] === undefined &&
      WATCHDOG.test(command[at - 1] ?? "");
    if (!WATCHDOG.test(word)) return !isValue;
    notice(`${word} is left out: the server cannot see the editor's process, and is ended with it`);
    return false;
  });
}

/** Carries messages both ways until the server has no more to say. */
async function converse(
  child: Deno.ChildProcess,
  translator: Translator,
  end: () => void,
): Promise<Failure | undefined> {
  let failure: Failure | undefined;
  let last: ReturnType<typeof setTimeout> | undefined;
  const server = child.stdin.getWriter();
  server.closed.catch(() => {});
  const fromEditor = async (): Promise<void> => {
    const reader = new FrameReader();
    const take = async ({ head, body }: Part): Promise<void> => {
      if (body === undefined) return await server.write(head);
      const { body: translated, refusal } = translator.fromEditor(body);
      if (refusal === undefined) return await server.write(message(head, body, translated));
      await writeOut(frame(refusal.answer));
      failure = new Failure(refusal.reason, { exitCode: 125 });
    };
    const buffer = new Uint8Array(65_536);
    while (failure === undefined) {
      const length = await Deno.stdin.read(buffer);
      if (length === null) break;
      for (const part of reader.push(buffer.subarray(0, length))) await take(part);
    }
    for (const part of reader.end()) await take(part);
    await server.close();
  };
  const toServer = fromEditor().catch(() => {
    // The server has ended, and its exit code counts.
  }).finally(() => {
    last = setTimeout(end, failure === undefined ? LAST_WORDS_MS : 0);
  });
  try {
    const reader = new FrameReader();
    const take = ({ head, body }: Part): Promise<void> =>
      writeOut(body === undefined ? head : message(head, body, translator.fromServer(body).body));
    for await (const chunk of child.stdout) {
      for (const part of reader.push(chunk)) await take(part);
    }
    for (const part of reader.end()) await take(part);
  } catch (error) {
    // The editor has gone.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    end();
  }
  // What the editor still says has no reader; our stdin may stay open for ever.
  if (failure !== undefined) await toServer;
  await child.status;
  clearTimeout(last);
  return failure;
}

function message(
  head: Uint8Array<ArrayBuffer>,
  body: Uint8Array<ArrayBuffer>,
  translated: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const header = translated.length === body.length ? head : headFor(head, translated.length);
  const whole = new Uint8Array(header.length + translated.length);
  whole.set(header);
  whole.set(translated, header.length);
  return whole;
}

function writeOut(bytes: Uint8Array): Promise<void> {
  return writeAll(Deno.stdout, bytes);
}
