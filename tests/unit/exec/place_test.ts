import assert from "node:assert/strict";
import { takePlace } from "../../../src/exec/place.ts";
import { PLACES } from "../../../src/session/session.ts";
import { temporaryDir } from "../fixture.ts";

Deno.test("takePlace() gives each command a place while there are any, and a person does not wait for more", async () => {
  using dir = temporaryDir();
  const session = { dir: dir.path };
  const took: string[] = [];
  for (const _ of PLACES) took.push(await takePlace(session, { terminal: false }));
  assert.deepEqual(took, PLACES.map(() => "shared"));
  assert.equal(await takePlace(session, { terminal: true }), "own");
});

Deno.test("takePlace() waits while others get places, and takes the first that is free", async () => {
  using dir = temporaryDir();
  const held: Deno.FsFile[] = [];
  for (const name of PLACES) {
    const file = await Deno.open(`${dir.path}/${name}`, { write: true, create: true });
    await file.lock(true);
    held.push(file);
  }
  const waiting = takePlace({ dir: dir.path }, { terminal: false });
  held.pop()?.close();
  assert.equal(await waiting, "shared");
  for (const file of held) file.close();
});

Deno.test("takePlace() counts nothing where nothing can be written", async () => {
  assert.equal(await takePlace({ dir: "/nonexistent" }, { terminal: false }), "shared");
});
