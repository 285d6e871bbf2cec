import assert from "node:assert/strict";
import { Doorbell } from "../../../src/relay/doorbell.ts";
import { ANSWER, dropCaches, QUIET, STATE_AT } from "../../../src/relay/drop.ts";
import { temporaryDir, until } from "../fixture.ts";

/** A relay without a mount: it counts its drops, and is quiet `unsettled` ms after it was stirred. */
function relay(unsettled: () => number): Disposable & {
  readonly seen: { drops: number };
  readonly doorbell: Doorbell;
  readonly state: string;
  readonly isQuiet: () => Promise<boolean>;
} {
  const dir = temporaryDir();
  const seen = { drops: 0 };
  const doorbell = new Doorbell(dir.path, {
    drop: () => void seen.drops++,
    settle: () => Promise.resolve(),
    unsettled,
  });
  return {
    seen,
    doorbell,
    state: dir.path,
    isQuiet: async () => (await Deno.readFile(`${dir.path}/${ANSWER}`))[STATE_AT] === QUIET,
    [Symbol.dispose](): void {
      doorbell.close();
      dir[Symbol.dispose]();
    },
  };
}

Deno.test("a quiet relay is not waited for, and hears the bell before it answers again", async () => {
  using quiet = relay(() => 0);
  const { doorbell, isQuiet, seen, state } = quiet;
  await until(isQuiet);
  assert.equal(dropCaches(state, 0), "done");
  assert.equal(await isQuiet(), true);
  doorbell.stir();
  assert.deepEqual([seen.drops, await isQuiet()], [1, false]);
  await until(isQuiet);
});

Deno.test("a busy relay is waited for", async () => {
  let unsettled = 1;
  using busy = relay(() => unsettled);
  const { isQuiet, seen, state } = busy;
  assert.equal(dropCaches(state, 20), "late");
  await until(() => seen.drops === 1);
  assert.equal(await isQuiet(), false);
  unsettled = 0;
  await until(isQuiet);
});

Deno.test("without a relay there is nothing to wait for", () => {
  using dir = temporaryDir();
  assert.equal(dropCaches(dir.path), "none");
  assert.equal(dropCaches(`${dir.path}/missing`), "none");
});
