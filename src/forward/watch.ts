import type { Context } from "../process/context.ts";
import { capture } from "../process/child.ts";
import type { Session } from "../session/session.ts";
import { sshTo } from "../ssh/argv.ts";
import { afterMark, markedLine } from "../ssh/master.ts";
import { streamFrom } from "../ssh/stream.ts";
import HOLDERS from "./holders.sh" with { type: "text" };
import { isLocal, parseSockets } from "./sockets.ts";
import WATCH from "./watch.sh" with { type: "text" };

/** A port on which a process of the container listens. */
export interface ListeningPort {
  readonly port: number;
  /** For a person: `node server.js`, or `?` where it is not known. */
  readonly process: string;
}

const LIMIT_MS = 10_000;

/**
 * Tells of the ports on which the container's processes listen on loopback or on every address, at once and
 * whenever that changes, until the link or the container ends. Nothing ever connects to a port. Without `all`
 * the ports of the ephemeral range, debuggers, and what is dockerdo's own are left out.
 */
export async function watchPorts(
  context: Context,
  session: Session,
  { all, ignore = [], onPorts }: {
    readonly all: boolean;
    /** Ports, ranges of ports and names of programs that are left out too. */
    readonly ignore?: readonly string[];
    readonly onPorts: (ports: readonly ListeningPort[]) => Promise<void>;
  },
): Promise<number> {
  const names = new Map<number, string | undefined>();
  const judge = async (table: string, range: readonly [number, number]): Promise<void> => {
    const listening = parseSockets(table).filter(({ address, port, listens }) =>
      listens && isLocal(address) && (all || port < range[0] || port > range[1])
    );
    const unknown = listening.map(({ inode }) => inode).filter((inode) => !names.has(inode));
    if (unknown.length > 0) {
      const found = await holders(context, session, unknown);
      for (const inode of unknown) names.set(inode, found.get(inode));
    }
    const ports = new Map<number, string>();
    for (const { port, inode } of listening) {
      const command = names.get(inode);
      if (command !== undefined && isLeftOut(command, { port, all })) continue;
      const name = command === undefined ? "?" : processName(command);
      if (ignore.some((one) => matchesPort(one, { port, name }))) continue;
      if (!ports.has(port) || ports.get(port) === "?") ports.set(port, name);
    }
    await onPorts(Array.from(ports, ([port, process]) => ({ port, process })));
  };
  let text = "";
  let range: readonly [number, number] | undefined;
  let judged: Promise<void> = Promise.resolve();
  const decoder = new TextDecoder();
  const failures: unknown[] = [];
  const code = await streamFrom(context, session, {
    destination: "container",
    words: ["sh", "-c", WATCH],
    onStdout: (piece) => {
      text += decoder.decode(piece, { stream: true });
      if (range === undefined && text.includes("\n")) {
        const [low = 32768, high = 60999] = text.split("\n", 1)[0]?.split(/\s+/).map(Number) ?? [];
        range = [low, high];
        text = text.slice(text.indexOf("\n") + 1);
      }
      const end = text.lastIndexOf("\n.\n");
      if (end < 0 || range === undefined) return failures.length === 0;
      const tables = text.slice(0, end).split("\n.\n");
      text = text.slice(end + 3);
      const [now, limits] = [tables.at(-1) ?? "", range];
      judged = judged.then(() => judge(now, limits)).catch((error) => void failures.push(error));
      return failures.length === 0;
    },
  });
  await judged;
  if (failures.length > 0) throw failures[0];
  return code;
}

async function holders(
  context: Context,
  session: Session,
  inodes: readonly number[],
): Promise<Map<number, string>> {
  const line = markedLine(["sh", "-c", HOLDERS, "sh", inodes.join("|")]);
  const argv = sshTo(session, "container", { line });
  const { stdout } = await capture(context, argv, { readOnly: true, limitMs: LIMIT_MS });
  return parseHolders(afterMark(stdout) ?? "");
}

/** By inode the command line of the process with the lowest number, its arguments separated by \x01. */
export function parseHolders(text: string): Map<number, string> {
  const lowest = new Map<number, { readonly pid: number; readonly command: string }>();
  for (const line of text.split("\n")) {
    const match = /^(\d+) (\d+) (.*)$/.exec(line);
    if (match === null) continue;
    const [inode, pid, command = ""] = [Number(match[1]), Number(match[2]), match[3]];
    const known = lowest.get(inode);
    if (known === undefined || pid < known.pid) lowest.set(inode, { pid, command });
  }
  return new Map(Array.from(lowest, ([inode, { command }]) => [inode, command]));
}

const INTERPRETER =
  /^(node|nodejs|deno|bun|python[\d.]*|ruby[\d.]*|perl|php[\d.]*|java|sh|bash|dash|busybox)$/;

// Only what a person might read: a process can give itself any name.
function plain(word: string): string {
  return (word.split("/").at(-1) ?? "").replace(/[^\w.+:@-]/g, "").slice(0, 40);
}

/** A command line as a short name; of an interpreter, with what it runs: `python3 http.server`. */
export function processName(command: string): string {
  const [program = "", ...words] = command.split("\x01").filter((word) => word !== "");
  // Such as "nginx: master process /usr/sbin/nginx", which is one word.
  const name = plain(program.split(/:? /)[0] ?? "");
  if (!INTERPRETER.test(name)) return name || "?";
  const script = words.find((word) => !word.startsWith("-"));
  return script === undefined ? name : `${name} ${plain(script)}`.trim();
}

const DEBUGGER = /debugpy|gdbserver|\bdlv\b|\bgopls\b|vscode-server|jetbrains/i;

/** Whether a port is of no interest: a debugger's, an editor's, or of an sshd of ours. */
export function isLeftOut(
  command: string,
  { port, all }: { readonly port: number; readonly all: boolean },
): boolean {
  const words = command.split("\x01").join(" ");
  // Our own sshd, and its children, which listen for what is forwarded the other way.
  if (/^sshd: |\/etc\/dockerdo\//.test(words)) return true;
  if (all) return false;
  if (/--inspect/.test(words) && port >= 9229 && port < 9329) return true;
  if (/jdwp/.test(words) && port === 5005) return true;
  return DEBUGGER.test(words);
}

/** Whether an entry of forward_ignore is about a port: its number, a range with it, or the name of its program. */
export function matchesPort(
  entry: string,
  { port, name }: { readonly port: number; readonly name: string },
): boolean {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(entry) ?? [];
  if (first !== undefined) return port >= Number(first) && port <= Number(last);
  return entry === name || entry === name.split(" ")[0];
}
