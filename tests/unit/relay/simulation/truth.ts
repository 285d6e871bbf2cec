/**
 * What an answer may be. Everything that the server ever held is known with its time, so an answer is right if it was
 * true at some moment of its span: from the last change of ours that was acknowledged, the last drop, or as long
 * before the question as the relay promises at most, whichever is latest, to its arrival.
 */
import { SMALL_BYTES } from "../../../../src/relay/contents.ts";
import type { FileSystem, Inode } from "./file_system.ts";
import type { Seen } from "./local_client.ts";

export class Truth {
  /** When something that the relay cannot undo last happened: a cut, a freeze. */
  troubleAt = -Infinity;
  #droppedAt = -Infinity;
  readonly #changes = new Map<string, { done: number; known: number; below: boolean }[]>();
  #slack: { readonly until: number; readonly ms: number }[] = [];

  /** `bound`: milliseconds that an answer may be old when nobody says that something has changed. */
  constructor(
    readonly files: FileSystem,
    private readonly clock: { readonly now: number },
    private readonly bound: number,
  ) {}

  dropped(): void {
    this.#droppedAt = this.clock.now;
  }

  /** Answers may be held up for so long from now on. */
  frozen(ms: number): void {
    this.troubleAt = this.clock.now + ms;
    this.#slack = this.#slack.filter(({ until }) => until > this.clock.now);
    this.#slack.push({ until: this.clock.now + 2 * ms + 10_000, ms });
  }

  /**
   * Our change of this path was acknowledged just now; it was asked for at `since`, and nobody else changed anything
   * in between. `below`: all below it changed too.
   */
  changed(path: string, since: number, below: boolean): void {
    const past = this.files.history.get(path) ?? [];
    const done = past.findLast(({ at }) => at >= since)?.at ?? since;
    const changes = this.#changes.get(path) ?? [];
    changes.push({ done, known: this.clock.now, below });
    this.#changes.set(path, changes.slice(-20));
  }

  /** From when on an answer to a question asked at `asked` must be true. */
  since(path: string, asked: number): number {
    const slack = this.#slack.reduce((sum, { until, ms }) => until > asked ? sum + ms : sum, 0);
    let since = Math.max(this.#droppedAt, asked - this.bound - slack);
    for (let at = path; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
      for (const { done, known, below } of this.#changes.get(at) ?? []) {
        if (known <= asked && (below || at === path)) since = Math.max(since, done);
      }
    }
    return since;
  }

  /** Why an answer to LSTAT is wrong; undefined if it is right. `seen` undefined: there is no such file. */
  lstat(path: string, seen: Seen | undefined, asked: number): string | undefined {
    const since = this.since(path, asked);
    const inodes = this.files.during(path, since);
    const right = inodes.some((inode) =>
      inode === undefined
        ? seen === undefined
        : seen !== undefined && this.files.contentDuring(inode, since).some(({ data, mode }) =>
          mode === seen.mode && (inode.kind === "dir" || data.length === seen.size)
        )
    );
    return right ? undefined : `${path} is not ${JSON.stringify(seen)} since ${since}`;
  }

  /** The same for a listing. */
  list(path: string, names: readonly string[], asked: number): string | undefined {
    const known = new Set(names);
    if (known.size !== names.length) return `${path} has a name twice: ${names}`;
    for (const child of this.files.history.keys()) {
      if (child.slice(0, child.lastIndexOf("/")) !== path) continue;
      const name = child.slice(child.lastIndexOf("/") + 1);
      const during = this.files.during(child, this.since(child, asked));
      if (during.some((inode) => (inode !== undefined) === known.has(name))) continue;
      return `${path} ${known.has(name) ? "still has" : "lacks"} ${name}`;
    }
    return undefined;
  }

  /** The files that a path may have led to. */
  candidates(path: string, asked: number): Inode[] {
    const inodes = this.files.during(path, this.since(path, asked));
    return inodes.filter((inode) => inode?.kind === "file") as Inode[];
  }

  /** Those of the others that begin with all that a small one of the files was since then. */
  continuing(inodes: readonly Inode[], others: readonly Inode[], since: number): Inode[] {
    const beginnings = inodes.flatMap((inode) => this.files.contentDuring(inode, since))
      .map(({ data }) => data).filter(({ length }) => length <= SMALL_BYTES);
    return others.filter((other) =>
      beginnings.some((bytes) =>
        bytes.length === 0 || this.holding([other], 0, bytes, since).length > 0
      )
    );
  }

  /** Those of the files in which these bytes stood at that place since then. */
  holding(inodes: readonly Inode[], offset: number, bytes: Uint8Array, since: number): Inode[] {
    return inodes.filter((inode) =>
      this.files.contentDuring(inode, since).some(({ data }) => {
        const there = data.subarray(offset, offset + Math.max(bytes.length, 1));
        return there.length === bytes.length && there.every((byte, i) => byte === bytes[i]);
      })
    );
  }
}
