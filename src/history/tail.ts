/** Milliseconds after which the files are looked at even without a notice that they changed. */
const LOOK_MS = 250;

/** A line that was appended to one of the files. */
export interface Appended {
  readonly name: string;
  readonly line: string;
}

/**
 * Yields the whole lines of files in a directory: first those that are there, then those that come, and an empty
 * list now and then. A file may be missing, come later, be renamed and made again, or be cut off. Ends when
 * the directory is gone; fails with `until`.
 */
export async function* followLines(
  dir: string,
  names: readonly string[],
  { until }: { readonly until: Promise<never> },
): AsyncGenerator<readonly Appended[]> {
  // It may fail before anything waits for it.
  until.catch(() => {});
  const watcher = watcherOf(dir);
  let woken = Promise.withResolvers<void>();
  const wake = (): void => woken.resolve();
  const watching = (async () => {
    for await (const _event of watcher ?? []) wake();
  })();
  const timer = setInterval(wake, LOOK_MS);
  const tails = names.map((name) => new Tail(`${dir}/${name}`));
  try {
    while (true) {
      woken = Promise.withResolvers<void>();
      const batch: Appended[] = [];
      for (const [index, tail] of tails.entries()) {
        for (const line of await tail.read()) batch.push({ name: names[index] ?? "", line });
      }
      yield batch;
      if (!await Deno.stat(dir).then(() => true, () => false)) return;
      await Promise.race([woken.promise, until]);
    }
  } finally {
    clearInterval(timer);
    for (const tail of tails) tail.close();
    watcher?.close();
    await watching;
  }
}

// The system may have no watcher left (fs.inotify.max_user_instances): then the timer is enough.
function watcherOf(dir: string): Deno.FsWatcher | undefined {
  try {
    return Deno.watchFs(dir, { recursive: false });
  } catch {
    return undefined;
  }
}

class Tail {
  private file: Deno.FsFile | undefined;
  private inode: number | null = null;
  private offset = 0;
  private decoder = new TextDecoder();
  private rest = "";

  constructor(private readonly path: string) {}

  async read(): Promise<string[]> {
    const lines: string[] = [];
    const there = await Deno.stat(this.path).catch(() => undefined);
    if (this.file !== undefined && there?.ino !== this.inode) {
      // What was written before it was moved is read too.
      lines.push(...await this.drain());
      this.close();
    } else if (there !== undefined && there.size < this.offset) this.close();
    if (this.file === undefined) {
      this.file = await Deno.open(this.path).catch(() => undefined);
      this.inode = (await this.file?.stat())?.ino ?? null;
    }
    return [...lines, ...await this.drain()];
  }

  close(): void {
    this.file?.close();
    this.file = undefined;
    this.offset = 0;
    this.decoder = new TextDecoder();
    this.rest = "";
  }

  private async drain(): Promise<string[]> {
    const lines: string[] = [];
    const buffer = new Uint8Array(1 << 16);
    for (
      let length = await this.file?.read(buffer);
      length;
      length = await this.file?.read(buffer)
    ) {
      this.offset += length;
      const text = this.rest + this.decoder.decode(buffer.subarray(0, length), { stream: true });
      const whole = text.split("\n");
      this.rest = whole.pop() ?? "";
      lines.push(...whole);
    }
    return lines;
  }
}
