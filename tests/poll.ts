/**
 * Asks again until the answer is truthy, and returns it; the only way to wait in a test.
 * Fails after `limitMs` and says `what` was awaited.
 */
export async function poll<T>(
  ask: () => T | Promise<T>,
  { what, limitMs = 10_000 }: { what: string; limitMs?: number },
): Promise<NonNullable<T>> {
  const limit = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > limit) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** {@link poll} for a condition that its own text describes. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  limitMs = 10_000,
): Promise<void> {
  await poll(condition, { what: condition.toString(), limitMs });
}
