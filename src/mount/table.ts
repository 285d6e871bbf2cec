import { capture } from "../process/child.ts";
import { pause } from "../process/pause.ts";
import { processes } from "../process/processes.ts";
import type { Context } from "../process/context.ts";
import { buildMount, containerMount, relayDir, type Session } from "../session/session.ts";
import type { Destination } from "../ssh/argv.ts";

/** A line of the mount table. */
export interface MountEntry {
  readonly point: string;
  readonly type: string;
  readonly source: string;
}

/** A process that keeps a mount busy. */
export interface Holder {
  readonly pid: number;
  readonly name: string;
}

/**
 * The mount table: /proc/self/mountinfo (proc(5)), or mount(8)'s output on systems without it. Asking it never
 * touches a mount, so it answers even when the server of one does not.
 */
export async function mountTable(context: Context): Promise<MountEntry[]> {
  if (Deno.build.os === "linux") {
    // Deno itself opens nothing below /proc without all permissions.
    const table = ["cat", "/proc/self/mountinfo"];
    return parseMountInfo((await capture(context, table, { readOnly: true })).stdout);
  }
  const { stdout } = await capture(context, ["mount"], { readOnly: true });
  return stdout.split("\n").flatMap((line) => {
    const match = /^(.*) on (.*) \(([^,)]*)/.exec(line);
    return match ? [{ source: match[1] ?? "", point: match[2] ?? "", type: match[3] ?? "" }] : [];
  });
}

/** The entries in the text of a mountinfo file. Names are octal-escaped there. */
export function parseMountInfo(text: string): MountEntry[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after] = line.split(" - ");
    const point = before.split(" ")[4];
    const [type, source] = (after ?? "").split(" ");
    if (point === undefined || type === undefined || source === undefined) return [];
    return [{ point: unescapeOctal(point), type, source: unescapeOctal(source) }];
  });
}

function unescapeOctal(text: string): string {
  if (!text.includes("\\")) return text;
  const bytes: number[] = [];
  for (const part of text.split(/(\\[0-7]{3})/)) {
    if (/^\\[0-7]{3}$/.test(part)) bytes.push(parseInt(part.slice(1), 8));
    else bytes.push(...new TextEncoder().encode(part));
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}

// No cache knows the free space, neither the relay's nor the kernel's: only the other end does.
const LOOK = Deno.build.os === "linux"
  ? ["sh", "-c", 'exec stat -f -- "$1"', "sh"]
  : ["ls", "-d", "--"];

/** Where a destination's filesystem is mounted; undefined where it needs no mount. */
export function mountPoint(session: Session, destination: Destination): string | undefined {
  return destination === "container" ? containerMount(session) : buildMount(session);
}

export function sourceName(session: Session, destination: Destination): string {
  return `dockerdo:${session.id}:${destination}`;
}

/** Whether this session's mount of a destination is in the mount table. */
export async function isMounted(
  context: Context,
  session: Session,
  destination: Destination,
): Promise<boolean> {
  return isInTable(await mountTable(context), session, destination);
}

/** {@link isMounted} by a table that is at hand. */
export function isInTable(
  table: readonly MountEntry[],
  session: Session,
  destination: Destination,
): boolean {
  const point = mountPoint(session, destination);
  const source = sourceName(session, destination);
  return table.some((entry) => entry.point === point && entry.source === source);
}

/**
 * Whether what is mounted at a point answers. Asked by a child that can be abandoned: whoever looks into a
 * mount that does not answer may not be ended any more.
 */
export async function isAnswering(
  context: Context,
  point: string,
  limitMs: number,
): Promise<boolean> {
  const asked = capture({ ...context, cwd: "/" }, [...LOOK, point], {
    readOnly: true,
    limitMs,
    detached: true,
  });
  return (await Promise.race([asked, pause(limitMs + 500)]))?.code === 0;
}

/** {@link isMounted}, and there is an sshfs that answers for it: a killed sshfs leaves its mount. */
export async function isServed(
  context: Context,
  session: Session,
  destination: Destination,
): Promise<boolean> {
  return await isMounted(context, session, destination) &&
    (await servers(context, sourceName(session, destination))).length > 0;
}

/** Whether a relay of this mount runs. */
export async function isRelayed(
  context: Context,
  session: Session,
  destination: Destination,
): Promise<boolean> {
  const words = ` relay ${relayDir(session, destination)} ${mountPoint(session, destination)} `;
  return (await processes(context)).some(({ args }) => args.includes(words));
}

/** The processes with a working directory or an open file in a mount, by /proc; empty without /proc. */
export async function mountHolders(context: Context, point: string): Promise<Holder[]> {
  if (Deno.build.os !== "linux") return [];
  const glob = point.replace(/[*?[\\]/g, "\\$&");
  const places = ["cwd", "root", "fd/*"].flatMap((name) => ["-o", "-path", `/proc/[0-9]*/${name}`]);
  const argv = ["find", "/proc", "-maxdepth", "3", "(", ...places.slice(1), ")"];
  const links = ["(", "-lname", glob, "-o", "-lname", `${glob}/*`, ")", "-print"];
  const { stdout } = await capture(context, [...argv, ...links], { readOnly: true, limitMs: 5000 });
  const pids = new Set(stdout.match(/(?<=^\/proc\/)\d+/gm)?.map(Number));
  const all = await processes(context);
  return all.filter(({ pid }) => pids.has(pid)).map(({ pid, args }) => ({ pid, name: args }));
}

export async function endServer(context: Context, source: string): Promise<void> {
  for (const pid of await servers(context, source)) {
    await capture(context, ["kill", "-KILL", String(pid)]);
  }
}

// The sshfs that serves a mount carries the mount's source in its arguments.
async function servers(context: Context, source: string): Promise<number[]> {
  const all = await processes(context);
  return all.flatMap(({ pid, args }) =>
    /^\S*sshfs /.test(args) && args.includes(`fsname=${source}`) ? [pid] : []
  );
}
