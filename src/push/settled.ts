import { Failure } from "../error.ts";

/** Waits until all have ended, and throws what is foremost of their failures: a signal, else the first. */
export async function settled<T extends readonly Promise<unknown>[] | []>(
  promises: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const failures: unknown[] = [];
  await Promise.allSettled(
    promises.map((promise) => promise.catch((error) => void failures.push(error))),
  );
  if (failures.length > 0) throw foremost(failures);
  return await Promise.all(promises);
}

/** Of the failures of several things that ran at once, in that order, the one to report. */
export function foremost(failures: readonly unknown[]): unknown {
  return failures.find((error) => error instanceof Failure && error.exitCode > 128) ?? failures[0];
}
