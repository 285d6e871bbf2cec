/** The relay's half of `drop.ts`. */
import { ANSWER, BELL } from "./drop.ts";

/** Milliseconds after which the bell is looked at even if nobody said that it rang. */
const LOOK = 500;

export class Doorbell {
  private readonly bell: Deno.FsFile;
  private readonly answer: Deno.FsFile;
  private readonly watcher: Deno.FsWatcher;
  private readonly timer: ReturnType<typeof setInterval>;
  private heard: number;
  private answered = 0;

  /** `ring` resolves when the message may be answered. */
  constructor(state: string, private readonly ring: () => Promise<void>) {
    const options = { create: true, read: true, write: true, mode: 0o600 };
    this.bell = Deno.openSync(`${state}/${BELL}`, options);
    this.bell.lockSync(true);
    this.answer = Deno.openSync(`${state}/${ANSWER}`, options);
    this.heard = this.bell.seekSync(0, Deno.SeekMode.End);
    this.reply(this.heard);
    this.watcher = Deno.watchFs(`${state}/${BELL}`, { recursive: false });
    this.timer = setInterval(() => this.look(), LOOK);
    void this.watch();
  }

  close(): void {
    clearInterval(this.timer);
    this.watcher.close();
    this.bell.close();
    this.answer.close();
  }

  private async watch(): Promise<void> {
    for await (const _event of this.watcher) this.look();
  }

  private look(): void {
    const buffer = new Uint8Array(256);
    const before = this.heard;
    for (let n = this.bell.readSync(buffer); n; n = this.bell.readSync(buffer)) this.heard += n;
    const number = this.heard;
    if (number > before) void this.ring().then(() => this.reply(number));
  }

  private reply(number: number): void {
    if (number < this.answered) return;
    this.answered = number;
    this.answer.seekSync(0, Deno.SeekMode.Start);
    this.answer.writeSync(new TextEncoder().encode(String(number).padStart(16, "0")));
  }
}
