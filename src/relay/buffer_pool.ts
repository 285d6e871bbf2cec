/**
 * Buffers of one size that are used again. The garbage collector is slow to notice memory that
 * lies outside its own heap, and file contents pass through here by the gigabyte.
 */
export class Pool {
  readonly #free: Uint8Array[] = [];

  /** `most` buffers are kept for later. */
  constructor(readonly size: number, private readonly most: number) {}

  /** A buffer with whatever was in it before. */
  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(this.size);
  }

  give(buffer: Uint8Array): void {
    if (this.#free.length < this.most) this.#free.push(buffer);
  }
}
