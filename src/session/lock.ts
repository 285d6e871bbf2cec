import { unlessInterrupted } from "../process/child.ts";

/** Keeps others out of what a file stands for until disposed of; the lock ends with its process. */
export async function lockFile(path: string): Promise<Disposable> {
  const file = await Deno.open(path, { create: true, write: true, mode: 0o600 });
  await unlessInterrupted(file.lock(true));
  return { [Symbol.dispose]: () => file.close() };
}
