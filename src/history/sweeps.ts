/**
 * What a look at the whole container found to have changed, soon after a command. `sweeps.jsonl` has one an
 * object and line; the relay writes them.
 */
import type { Session } from "../session/session.ts";
import { linesOf } from "./executions.ts";

/** One path whose ctime is newer than the sweep before. Times are seconds of the container's clock. */
export interface SweptEntry {
  /** A binary string: each character is a byte. */
  readonly path: string;
  readonly ctime: number;
  readonly mtime: number;
  readonly isDirectory: boolean;
}

/** One sweep. */
export interface Sweep {
  /** Docker's id of the container. */
  readonly container: string;
  /** All whose ctime is later than this is in it. */
  readonly since: number;
  readonly begin: number;
  readonly end: number;
  /** The local clock at the sweep's beginning, in seconds, for the two to be compared. */
  readonly local: number;
  /** The same when its answer had come; sweeps of before this was written have none. */
  readonly localEnd?: number;
  readonly entries: readonly SweptEntry[];
  /** Entries that there was no room for. */
  readonly left: number;
}

/** The file that holds a session's sweeps. */
export function sweepsPath(session: Pick<Session, "dir">): string {
  return `${session.dir}/sweeps.jsonl`;
}

/** A sweep as a line of the file. */
export function formatSweep({ entries, ...sweep }: Sweep): string {
  const rows = entries.map(({ path, ctime, mtime, isDirectory }) => [
    path,
    Number((ctime - sweep.begin).toFixed(3)),
    Number((mtime - sweep.begin).toFixed(3)),
    isDirectory ? 1 : 0,
  ]);
  return `${JSON.stringify({ ...sweep, entries: rows })}\n`;
}

/** The sweep in a line that {@link formatSweep} wrote; undefined for another line. */
export function parseSweep(line: string): Sweep | undefined {
  try {
    const { container, since, begin, end, local, localEnd, left, entries } = JSON.parse(line);
    if (typeof container !== "string" || !Array.isArray(entries)) return undefined;
    if (![since, begin, end, local, left].every((number) => Number.isFinite(number))) {
      return undefined;
    }
    return {
      container,
      since,
      begin,
      end,
      local,
      ...Number.isFinite(localEnd) && { localEnd },
      left,
      entries: entries.map(([path, ctime, mtime, isDirectory]) => ({
        path: String(path),
        ctime: begin + Number(ctime),
        mtime: begin + Number(mtime),
        isDirectory: isDirectory === 1,
      })),
    };
  } catch {
    return undefined;
  }
}

/** The sweeps of one container, in their order. */
export async function readSweeps(session: Session, container: string): Promise<Sweep[]> {
  const sweeps: Sweep[] = [];
  for await (const line of linesOf(sweepsPath(session))) {
    const sweep = parseSweep(line);
    if (sweep?.container === container) sweeps.push(sweep);
  }
  return sweeps;
}
