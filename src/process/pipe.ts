import type { Bytes } from "../bytes.ts";
import { Failure } from "../error.ts";
import { announce, endChild, finish, type Finished, forget, spawn, surroundings } from "./child.ts";
import { type Context } from "./context.ts";
import { quoteAll } from "../quote.ts";

/**
 * Runs two children, the first one's stdout streaming into the second's stdin. `onBytes` hears the number of
 * bytes passed on so far. `pass` may change the stream on its way, in pieces that are good until the next is
 * asked for; where it throws, both children are ended, and so is the pipe unless it was the first one that
 * failed. A first one that is no longer wanted is killed (exit code 137); one whose output was read to its end
 * may finish its work. Memory stays flat: nothing is read before the second takes it.
 */
export async function pipe(
  context: Context,
  { from, to, pass = (source) => source, onBytes }: {
    readonly from: readonly string[];
    readonly to: readonly string[];
    readonly pass?: (source: AsyncIterable<Bytes>) => AsyncIterable<Bytes>;
    readonly onBytes: (bytes: number) => void;
  },
): Promise<{ readonly from: Finished; readonly to: Finished }> {
  announce(context, () => `${quoteAll(from)} | ${quoteAll(to)}`);
  const nothing = { code: 0, stdout: "", stderr: "" };
  if (context.dryRun) return { from: nothing, to: nothing };
  const where = surroundings(context, {});
  const sink = spawn(to, { ...where, stdin: "piped", stdout: "piped", stderr: "piped" });
  let source: Deno.ChildProcess;
  try {
    source = spawn(from, { ...where, stdin: "null", stdout: "piped", stderr: "piped" });
  } catch (error) {
    endChild(sink, "SIGKILL");
    await Promise.all([
      sink.stdin.abort().catch(() => {}),
      sink.stdout.cancel(),
      sink.stderr.cancel(),
      sink.status,
    ]);
    forget(sink);
    throw error;
  }
  const reader = source.stdout.getReader();
  let allRead = false;
  const endSource = async (): Promise<void> => {
    // It may have something left to do.
    if (allRead) return;
    endChild(source, "SIGKILL");
    await reader.cancel().catch(() => {});
  };
  // A sink that has ended wants nothing more, even where the source has nothing to write yet.
  void sink.status.then(endSource);
  const copy = async (): Promise<{ readonly error: unknown } | undefined> => {
    const writer = sink.stdin.getWriter();
    // The next write notices its end.
    writer.closed.catch(() => {});
    let bytes = 0;
    try {
      for await (const chunk of pass(chunksOf(reader, () => allRead = true))) {
        if (chunk.length === 0) continue;
        await writer.write(chunk);
        bytes += chunk.length;
        onBytes(bytes);
      }
      await writer.close();
      return undefined;
    } catch (error) {
      // One side is gone: its exit code and stderr say why. The other one must not wait for ever.
      await endSource();
      if (error instanceof Deno.errors.BrokenPipe) return undefined;
      endChild(sink, "SIGTERM");
      await writer.abort().catch(() => {});
      return { error };
    }
  };
  const [failed, sourceError, sinkOutput, sinkError] = await Promise.all([
    copy(),
    new Response(source.stderr).text(),
    new Response(sink.stdout).text(),
    new Response(sink.stderr).text(),
  ]);
  const [fromStatus, toStatus] = await Promise.all([finish(source), finish(sink)]);
  if (failed !== undefined) {
    const interrupted = failed.error instanceof Failure && failed.error.exitCode > 128;
    const brokeOff = fromStatus.code !== 0 && fromStatus.signal !== "SIGKILL";
    if (interrupted || !brokeOff) throw failed.error;
  }
  return {
    from: { code: fromStatus.code, stdout: "", stderr: sourceError },
    to: { code: toStatus.code, stdout: sinkOutput, stderr: sinkError },
  };
}

async function* chunksOf(
  reader: ReadableStreamDefaultReader<Bytes>,
  onEnd: () => void,
): AsyncGenerator<Bytes> {
  for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  onEnd();
}

/**
 * Feeds a stream to a child and yields what it makes of it; a child that fails is a failure. A piece of the
 * stream need not be good any longer than until the next is asked for.
 */
export async function* through(
  context: Context,
  argv: readonly string[],
  source: AsyncIterable<Bytes>,
): AsyncGenerator<Bytes> {
  const where = surroundings(context, {});
  const child = spawn(argv, { ...where, stdin: "piped", stdout: "piped", stderr: "piped" });
  const complaint = new Response(child.stderr).text();
  const fed = ReadableStream.from(source).pipeTo(child.stdin)
    .then(() => undefined, (error: unknown) => ({ error }));
  let ended = false;
  try {
    yield* child.stdout;
    const failed = await fed;
    ended = true;
    const { code } = await finish(child);
    if (failed !== undefined && !(failed.error instanceof Deno.errors.BrokenPipe)) {
      throw failed.error;
    }
    if (code !== 0) {
      throw new Failure(`${argv[0]} failed with exit code ${code}: ${(await complaint).trim()}`);
    }
  } finally {
    if (!ended) {
      endChild(child, "SIGTERM");
      await Promise.all([fed, complaint, child.status]);
      forget(child);
    }
  }
}
