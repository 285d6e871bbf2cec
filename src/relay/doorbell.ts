/** The relay's half of `drop.ts`. */
import { ANSWER, BELL, BUSY, QUIET, STATE_AT } from "./drop.ts";

/** Milliseconds after which the bell is looked at even if nobody said that it rang. */
const LOOK_MS = 500;
/** The same where the system has no watch left to give (fs.inotify.max_user_instances). */
const LOOK_ALONE_MS = 20;

export interface DoorbellOptions {
  /** Forgets all that is known. */
  readonly drop: () => void;
  /** Resolves when neither the relay nor the kernel shows anything older than the last `drop`. */
  readonly settle: () => Promise<void>;
  /** Milliseconds until nothing older than now is shown if nobody asks; 0 or less: it is so now. */
  readonly unsettled: () => number;
}

export class Doorbell {
  readonly #bell: Deno.FsFile;
  readonly #answer: Deno.FsFile;
  readonly #watcher: Deno.FsWatcher | undefined;
  readonly #timer: ReturnType<typeof setInterval>;
  #calming: ReturnType<typeof setTimeout> | undefined;
  #quiet = true;
  #heard: number;
  #answered = 0;

  constructor(state: string, private readonly options: DoorbellOptions) {
    const create = { create: true, read: true, write: true, mode: 0o600 };
    this.#bell = Deno.openSync(`${state}/${BELL}`, create);
    this.#bell.lockSync(true);
    this.#answer = Deno.openSync(`${state}/${ANSWER}`, create);
    this.#heard = this.#bell.seekSync(0, Deno.SeekMode.End);
    this.#reply(this.#heard);
    this.#setQuiet(false);
    this.#watcher = watcherOf(`${state}/${BELL}`);
    this.#timer = setInterval(
      () => this.#look(),
      this.#watcher === undefined ? LOOK_ALONE_MS : LOOK_MS,
    );
    void this.#watch();
  }

  /**
   * To be called before anything that sshfs asks is answered. Whoever rings while it is quiet does not wait:
   * so the end of the quiet is told first, and then the bell is looked at.
   */
  stir(): void {
    if (!this.#quiet) return;
    this.#setQuiet(false);
    this.#look();
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#calming);
    this.#watcher?.close();
    this.#bell.close();
    this.#answer.close();
  }

  async #watch(): Promise<void> {
    for await (const _event of this.#watcher ?? []) this.#look();
  }

  #look(): void {
    const number = this.#bell.seekSync(0, Deno.SeekMode.End);
    if (number <= this.#heard) return;
    this.#heard = number;
    this.options.drop();
    void this.options.settle().then(() => this.#reply(number));
  }

  /** Where the disk takes nothing more, it stays as quiet as it said it was, and looks at each request. */
  #setQuiet(quiet: boolean): void {
    if (!this.#write(STATE_AT, Uint8Array.of(quiet ? QUIET : BUSY))) return;
    this.#quiet = quiet;
    if (!quiet) this.#calm();
  }

  #write(at: number, bytes: Uint8Array): boolean {
    try {
      this.#answer.seekSync(at, Deno.SeekMode.Start);
      this.#answer.writeSync(bytes);
      return true;
    } catch {
      return false;
    }
  }

  #calm(): void {
    const wait = Math.max(5, this.options.unsettled());
    this.#calming = setTimeout(() => {
      if (this.options.unsettled() > 0) this.#calm();
      else this.#setQuiet(true);
    }, wait);
  }

  #reply(number: number): void {
    if (number < this.#answered) return;
    this.#answered = number;
    this.#write(0, new TextEncoder().encode(String(number).padStart(STATE_AT, "0")));
  }
}

function watcherOf(path: string): Deno.FsWatcher | undefined {
  try {
    return Deno.watchFs(path, { recursive: false });
  } catch {
    return undefined;
  }
}
