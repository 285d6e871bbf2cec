/**
 * `dodo` tells the relay that something in the container may have changed.
 *
 * A message is one byte appended to a file that the relay watches; its number is the length of the
 * file behind it. So it cannot be lost, it needs no network permission, and it never goes near the
 * mount. The relay answers by writing the number it has come to into a second file. Behind the number
 * stands whether it is quiet: then nobody has been told anything that still counts, the relay looks at
 * the bell before it tells anybody again, and there is nothing to wait for.
 */

/** The two files in the state directory. */
export const BELL = "drop";
export const ANSWER = "drop.done";

/** Where the state stands in the answer, and its two values. */
export const STATE_AT = 16;
export const QUIET = "q".charCodeAt(0);
export const BUSY = "b".charCodeAt(0);
const ZERO = "0".charCodeAt(0);

/** `done`: what the container wrote before is what the mount shows now. `none`: no relay runs. */
export type Dropped = "done" | "none" | "late";

// Runtimes before 2.7 have no such method, nor a type of it.
interface Tryable {
  tryLockSync?(exclusive: boolean): boolean;
}

/**
 * Makes the relay forget what it knows, and waits until neither it nor the kernel can show
 * anything older; at most `limit` milliseconds. Blocks the thread, usually well under 1 ms.
 */
export function dropCaches(state: string, limit = 2000): Dropped {
  let bell: Deno.FsFile & Tryable;
  try {
    bell = Deno.openSync(`${state}/${BELL}`, { append: true });
  } catch {
    return "none";
  }
  try {
    // The relay holds a lock for as long as it lives. Older runtimes cannot try; they wait instead.
    if (bell.tryLockSync?.(false)) return "none";
    bell.writeSync(new Uint8Array(1));
    const number = bell.seekSync(0, Deno.SeekMode.Current);
    return waitFor(`${state}/${ANSWER}`, number, limit) ? "done" : "late";
  } finally {
    bell.close();
  }
}

function waitFor(path: string, number: number, limit: number): boolean {
  const answer = Deno.openSync(path);
  const digits = new Uint8Array(32);
  const start = performance.now();
  const never = new Int32Array(new SharedArrayBuffer(4));
  try {
    while (true) {
      answer.seekSync(0, Deno.SeekMode.Start);
      answer.readSync(digits);
      if (digits[STATE_AT] === QUIET) return true;
      if (numberIn(digits.subarray(0, STATE_AT)) >= number) return true;
      const waited = performance.now() - start;
      if (waited > limit) return false;
      if (waited > 1) Atomics.wait(never, 0, 0, 1);
    }
  } finally {
    answer.close();
  }
}

function numberIn(digits: Uint8Array): number {
  return digits.reduce((number, digit) => number * 10 + digit - ZERO, 0);
}
