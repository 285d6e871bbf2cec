/** What a message from the thread takes, and the thread to wake: it rings that much earlier. */
const LEAD_MS = 0.4;

/**
 * A clock that rings on time. A timer of the event loop is 1 to 2 ms late, a thread that waits in
 * `Atomics.wait` is 0.1 ms late: so a thread waits for the earliest of the times asked for.
 */
export class Clock {
  #alarms: { due: number; ring: () => void }[] = [];
  /** [how many times the second was set, microseconds to wait (negative: stop)] */
  #cell = new Int32Array(new SharedArrayBuffer(8));
  #set = Infinity;
  #thread: Worker;

  constructor() {
    const source = `onmessage = ({ data }) => (${waitAndRing})(data, postMessage)`;
    this.#thread = new Worker(`data:text/javascript,${encodeURIComponent(source)}`, {
      type: "module",
    });
    this.#thread.onmessage = (): void => this.#ring();
    this.#thread.postMessage(this.#cell);
  }

  /** Resolves at a time of `performance.now()`, at once when it has passed. */
  until(due: number): Promise<void> {
    if (due <= performance.now()) return Promise.resolve();
    return new Promise((ring) => {
      this.#alarms.push({ due, ring });
      if (due < this.#set) this.#wake(due);
    });
  }

  /** Ends the thread; what is still waiting waits for ever. */
  stop(): void {
    this.#tell(-1);
    this.#thread.onmessage = null;
  }

  #ring(): void {
    const now = performance.now() + LEAD_MS;
    const over = this.#alarms.filter(({ due }) => due <= now);
    this.#alarms = this.#alarms.filter(({ due }) => due > now);
    for (const { ring } of over) ring();
    this.#set = Infinity;
    if (this.#alarms.length > 0) this.#wake(Math.min(...this.#alarms.map(({ due }) => due)));
  }

  #wake(due: number): void {
    this.#set = due;
    this.#tell(Math.max(0, Math.min(1e9, (due - performance.now() - LEAD_MS) * 1000)));
  }

  #tell(microseconds: number): void {
    Atomics.store(this.#cell, 1, microseconds);
    Atomics.add(this.#cell, 0, 1);
    Atomics.notify(this.#cell, 0);
  }
}

/** The thread: its source is sent to the worker, so it may name nothing of this file. */
function waitAndRing(cell: Int32Array, ring: (message: null) => void): void {
  for (;;) {
    const turn = Atomics.load(cell, 0);
    const microseconds = Atomics.load(cell, 1);
    if (microseconds < 0) return self.close();
    const idle = turn === 0;
    if (Atomics.wait(cell, 0, turn, idle ? Infinity : microseconds / 1000) === "timed-out") {
      ring(null);
      Atomics.wait(cell, 0, turn);
    }
  }
}
