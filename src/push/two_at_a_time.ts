import { foremost } from "./settled.ts";

/** What a task is given when its turn has come. */
export interface Turn {
  /** To be called when the task leaves the line free: the next one may start. */
  readonly streamed: () => void;
  /** Ends when the task before this one has ended, in whatever way. */
  readonly earlier: Promise<void>;
}

/**
 * Runs tasks in their order, at most two at a time: one on the line, and one that has been streamed and is still
 * being finished. After a failure no further task starts.
 */
export class TwoAtATime {
  readonly #tasks: Promise<void>[] = [];
  readonly #failures: unknown[] = [];

  /** What has failed so far: a task that is under way asks, to break off. */
  get failures(): readonly unknown[] {
    return this.#failures;
  }

  /** Starts a task when its turn has come, and returns once it is streamed or has ended. */
  async start(task: (turn: Turn) => Promise<void>): Promise<void> {
    await Promise.all(this.#tasks.slice(0, -1));
    if (this.#failures.length > 0) return;
    const streamed = Promise.withResolvers<void>();
    const earlier = this.#tasks.at(-1) ?? Promise.resolve();
    const ended = task({ streamed: streamed.resolve, earlier })
      .catch((error) => void this.#failures.push(error));
    this.#tasks.push(ended);
    await Promise.race([streamed.promise, ended]);
  }

  /** Waits until all have ended; throws the failure to report, if any has failed. */
  async finished(): Promise<void> {
    await Promise.all(this.#tasks);
    if (this.#failures.length > 0) throw foremost(this.#failures);
  }
}
