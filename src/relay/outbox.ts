/** Requests on their way to ssh: all that is written in one turn of the event loop leaves in one piece. */
import { Writer } from "./wire.ts";

export class Outbox {
  /** One is filled while ssh takes the other. */
  #filling = new Writer(1 << 16);
  #leaving = new Writer(1 << 16);
  #flushing = false;
  readonly #drains: (() => void)[] = [];

  constructor(private readonly input: WritableStreamDefaultWriter<Uint8Array>) {}

  /** Bytes that ssh has not taken yet. */
  get length(): number {
    return this.#filling.length + this.#leaving.length;
  }

  /** Takes one packet. */
  put(type: number, id: number, body: (to: Writer) => void): void {
    this.#filling.begin(type, id);
    body(this.#filling);
    this.#filling.end();
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => void this.#flush());
  }

  /** Resolves when ssh has taken what is in here, or the connection is gone. */
  drained(): Promise<void> {
    return new Promise((resolve) => this.#drains.push(resolve));
  }

  /** Nobody waits for this connection any more. */
  release(): void {
    for (const done of this.#drains.splice(0)) done();
  }

  async #flush(): Promise<void> {
    while (this.#filling.length > 0) {
      const batch = this.#filling;
      this.#filling = this.#leaving;
      this.#leaving = batch;
      try {
        await this.input.write(batch.view());
      } catch {
        return;
      }
      batch.clear();
      this.release();
    }
    this.#flushing = false;
  }
}
