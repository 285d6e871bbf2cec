/** Time that passes only when nothing else is left to do: hours of a relay's life in a second. */
import { setImmediate } from "node:timers";

interface Timer {
  readonly at: number;
  readonly action: () => void;
  readonly every: number | undefined;
}

const START = Date.UTC(2025, 0, 1);

/** Takes the place of timers and clocks of this process until it is disposed of. */
export class Clock implements Disposable {
  now = 1000;
  /** What the day's clock goes ahead of the other one, as after a suspend. */
  ahead = 0;
  readonly #timers = new Map<number, Timer>();
  #next = 1;
  readonly #restore: () => void;

  constructor() {
    const { setTimeout, setInterval, clearTimeout, clearInterval } = globalThis;
    const now = Date.now;
    const add = (action: () => void, ms = 0, every?: number) => {
      this.#timers.set(this.#next, { at: this.now + Math.max(0, ms), action, every });
      return this.#next++;
    };
    const remove = (id?: number) => void (id !== undefined && this.#timers.delete(id));
    Object.assign(globalThis, {
      setTimeout: (action: () => void, ms?: number) => add(action, ms),
      setInterval: (action: () => void, ms?: number) => add(action, ms, ms),
      clearTimeout: remove,
      clearInterval: remove,
    });
    Date.now = () => START + this.now + this.ahead;
    Object.defineProperty(performance, "now", { configurable: true, value: () => this.now });
    this.#restore = () => {
      Object.assign(globalThis, { setTimeout, setInterval, clearTimeout, clearInterval });
      Date.now = now;
      Reflect.deleteProperty(performance, "now");
    };
  }

  /** Seconds since 1970, as a file's time has them. */
  get seconds(): number {
    return Math.floor((START + this.now) / 1000);
  }

  /** Lets time pass until `done`; throws when that takes more than `limit` milliseconds of it. */
  async until(done: () => boolean, limit = 120_000): Promise<void> {
    const end = this.now + limit;
    await settle();
    while (!done()) {
      const next = this.#first();
      if (next === undefined || next[1].at > end) throw new Error(`nothing came in ${limit} ms`);
      this.#run(next);
      await settle();
    }
  }

  /** Lets so many milliseconds pass. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    await settle();
    for (let next = this.#first(); next && next[1].at <= end; next = this.#first()) {
      this.#run(next);
      await settle();
    }
    this.now = end;
  }

  [Symbol.dispose](): void {
    this.#restore();
  }

  #first(): [number, Timer] | undefined {
    let first: [number, Timer] | undefined;
    for (const entry of this.#timers) {
      if (first === undefined || entry[1].at < first[1].at) first = entry;
    }
    return first;
  }

  #run([id, timer]: [number, Timer]): void {
    this.now = Math.max(this.now, timer.at);
    if (timer.every === undefined) this.#timers.delete(id);
    else this.#timers.set(id, { ...timer, at: this.now + timer.every });
    timer.action();
  }
}

/** Until no promise that is settled has anybody left to call. */
function settle(): Promise<void> {
  return new Promise((resolve) => void setImmediate(() => resolve()));
}
