import assert from "node:assert/strict";
import { takeSlot } from "../../../src/exec/session_slots.ts";
import { SLOTS } from "../../../src/session/session.ts";
import { temporaryDir } from "../fixture.ts";

Deno.test("takeSlot() gives each command a slot while one is free, and a person does not wait for more", async () => {
  using dir = temporaryDir();
  const session = { dir: dir.path };
  const took: string[] = [];
  for (const _ of SLOTS) took.push(await takeSlot(session, { terminal: false }));
  assert.deepEqual(took, SLOTS.map(() => "shared"));
  assert.equal(await takeSlot(session, { terminal: true }), "own");
});

Deno.test("takeSlot() waits while others get slots, and takes the first that is free", async () => {
  using dir = temporaryDir();
  const held: Deno.FsFile[] = [];
  for (const name of SLOTS) {
    const file = await Deno.open(`${dir.path}/${name}`, { write: true, create: true });
    await file.lock(true);
    held.push(file);
  }
  const waiting = takeSlot({ dir: dir.path }, { terminal: false });
  held.pop()?.close();
  assert.equal(await waiting, "shared");
  for (const file of held) file.close();
});

Deno.test("takeSlot() counts nothing where nothing can be written", async () => {
  assert.equal(await takeSlot({ dir: "/nonexistent" }, { terminal: false }), "shared");
});
