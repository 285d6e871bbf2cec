import { OutputMapper } from "../path_map/compiler_output.ts";
import { utf8 } from "../path_map/json_scan.ts";
import { PathMap } from "../path_map/paths.ts";
import type { Context } from "../process/context.ts";
import { containerMount, type Session } from "../session/session.ts";
import type { Translation } from "./needs.ts";

/** A line that does not go on for so long is shown as far as it has come: a prompt, a row of dots. */
const PARTIAL_LINE_MS = 30;

/** A mount that has not named its top directories by then is not waited for. */
const LISTING_MS = 2000;

/** The command with the container's paths in its stdout and stderr as local ones. */
export function mappedOutput(
  context: Context,
  session: Session,
  command: readonly string[],
): Translation {
  const mount = containerMount(session);
  const map = new PathMap(mount);
  // The command is on its way in the meantime.
  const roots = context.dryRun ? Promise.resolve([]) : topNames(context, mount);
  return {
    command,
    // With a terminal stderr is our own: the command's comes with its stdout.
    pipes: { stdin: false, stderr: true },
    attach: async (child) => {
      const names = new Set((await roots).map(utf8));
      const carried = [
        carry(child.stdout, Deno.stdout, new OutputMapper(map, names)),
        carry(child.stderr, Deno.stderr, new OutputMapper(map, names)),
      ];
      await Promise.all(carried);
      return undefined;
    },
  };
}

async function topNames(context: Context, mount: string): Promise<string[]> {
  const listing = async (): Promise<string[]> => {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(mount)) names.push(name);
    return names;
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((done) =>
    timer = setTimeout(() => done(undefined), LISTING_MS)
  );
  const names = await Promise.race([listing().catch(() => []), late]);
  clearTimeout(timer);
  if (names === undefined || names.length === 0) {
    context.stderr(`dodo: nothing is mounted at ${mount}; paths are printed as they are\n`);
  }
  return names ?? [];
}

/** Passes a stream on through a mapper until its end, or until nobody reads what comes out. */
async function carry(
  source: ReadableStream<Uint8Array<ArrayBuffer>>,
  to: { write(bytes: Uint8Array): Promise<number> },
  mapper: OutputMapper,
): Promise<void> {
  const reader = source.getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writing = Promise.resolve();
  // One after another: the timer may come while a write waits for its reader.
  const put = (bytes: Uint8Array): Promise<void> =>
    writing = writing.then(() => writeAll(to, bytes)).catch(async (error: unknown) => {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
      await reader.cancel();
    });
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    clearTimeout(timer);
    await put(mapper.push(next.value));
    if (mapper.holds) timer = setTimeout(() => void put(mapper.flush()), PARTIAL_LINE_MS);
  }
  clearTimeout(timer);
  await put(mapper.flush());
}

/** Writes all of the bytes. */
export async function writeAll(
  to: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await to.write(rest));
}
