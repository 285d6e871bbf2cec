/**
 * Looks at the whole container after each command, in the background: only right after it can be seen what a
 * command changed. Nobody waits for it, and a big container is looked at less often.
 */
import type { Finished } from "../process/child.ts";
import SCRIPT from "./sweep.sh" with { type: "text" };
import { formatSweep, type Sweep, type SweptEntry } from "./sweeps.ts";

export interface SweeperOptions {
  /** Docker's id of the container. */
  readonly container: string;
  /** Runs words in the container as root; each character of the output is a byte. */
  readonly run: (words: readonly string[]) => Promise<Finished>;
  readonly append: (line: string) => void;
  /** Milliseconds of the local clock. */
  readonly now?: () => number;
}

/** Milliseconds of sweeping in a row, and the share of the time that it may take in the long run. */
const BURST_MS = 3000;
const SHARE = 0.05;
const MOST_ENTRIES = 20_000;
/** Later than any ctime: a sweep that only asks for the clock, and lets the kernel read what it has to. */
const NEVER = 99_999_999_999;
/** Seconds by which the kernel's stamp may be before the moment. */
const TICK = 0.02;

/** Sweeps after a command has ended. */
export class Sweeper {
  readonly #options: SweeperOptions;
  readonly #now: () => number;
  #since: number | undefined;
  #budget = BURST_MS;
  #at: number;
  #isRunning = false;
  #isWanted = true;
  #isOff = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SweeperOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#at = this.#now();
  }

  /** A command has ended, or the container has started. */
  ring(): void {
    this.#isWanted = true;
    void this.#go();
  }

  /** No more sweeps. */
  close(): void {
    this.#isOff = true;
    clearTimeout(this.#timer);
  }

  async #go(): Promise<void> {
    if (this.#isRunning || this.#isOff) return;
    this.#isRunning = true;
    try {
      while (this.#isWanted && !this.#isOff) {
        const wait = this.#waitMs();
        if (wait > 0) {
          clearTimeout(this.#timer);
          this.#timer = setTimeout(() => void this.#go(), wait);
          return;
        }
        this.#isWanted = false;
        await this.#sweep();
      }
    } finally {
      this.#isRunning = false;
    }
  }

  #waitMs(): number {
    const now = this.#now();
    this.#budget = Math.min(BURST_MS, this.#budget + (now - this.#at) * SHARE);
    this.#at = now;
    return this.#budget > 0 ? 0 : Math.ceil(-this.#budget / SHARE) + 1;
  }

  async #sweep(): Promise<void> {
    const local = this.#now();
    const since = this.#since ?? NEVER;
    let finished: Finished;
    try {
      finished = await this.#options.run(["/bin/sh", "-c", SCRIPT, "sh", since.toFixed(6)]);
    } catch {
      // The link is down; what happens in the meantime is for the next sweep.
      return;
    }
    const back = this.#now();
    this.#budget -= back - local;
    if (finished.code === 3 || finished.code === 127) this.#isOff = true;
    const sweep = parseOutput(finished.stdout);
    if (finished.code !== 0 || sweep === undefined) return;
    if (since !== NEVER) {
      const { container, append } = this.#options;
      const entries = sweep.entries.slice(0, MOST_ENTRIES);
      const left = sweep.entries.length - entries.length;
      try {
        const times = { since, local: local / 1000, localEnd: back / 1000 };
        append(formatSweep({ ...sweep, ...times, container, entries, left }));
      } catch {
        // A full disk here must not end the mount.
        return;
      }
    }
    this.#since = sweep.begin - TICK;
  }
}

function parseOutput(output: string): Pick<Sweep, "begin" | "end" | "entries"> | undefined {
  const [, begin = "", rest = "", end = ""] = /^([\d.]+)\n([^]*?)([\d.]+)\n$/.exec(output) ?? [];
  if (begin === "" || end === "") return undefined;
  const entries = rest.split("\0").flatMap((field): SweptEntry[] => {
    const [, ctime, mtime, type, path] = /^([\d.]+) ([\d.]+) (\w) ([^]+)$/.exec(field) ?? [];
    if (path === undefined) return [];
    return [{ path, ctime: Number(ctime), mtime: Number(mtime), isDirectory: type === "d" }];
  });
  return { begin: Number(begin), end: Number(end), entries };
}
