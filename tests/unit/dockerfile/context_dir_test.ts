import assert from "node:assert/strict";
import { checkContextDir } from "../../../src/dockerfile/context_dir.ts";
import { failureOf, temporaryDir, testSession } from "../fixture.ts";

Deno.test("a build context goes into a new, empty or own directory outside of the container's mount", async () => {
  using dir = temporaryDir();
  const session = testSession({ workDir: await Deno.realPath(dir.path) });
  await Deno.mkdir(`${dir.path}/container/srv`, { recursive: true });
  await Deno.mkdir(`${dir.path}/container-2`);
  await Deno.mkdir(`${dir.path}/full`);
  await Deno.writeTextFile(`${dir.path}/full/a`, "");
  await Deno.symlink("container/srv", `${dir.path}/link`);
  const said = async (path: string): Promise<string> =>
    (await failureOf(() => checkContextDir(`${dir.path}/${path}`, session))).message
      .replace(dir.path, "@");
  for (const path of ["container", "container/srv", "container/new/deep", "link", "link/new"]) {
    assert.equal(
      await said(path),
      `@/${path} is in the container: what is written there would change it`,
    );
  }
  assert.equal(await said("full"), "@/full is not empty, and nothing that dockerdo wrote");
  for (const path of ["new", "new/deep", "container-2", "container-2/new"]) {
    await checkContextDir(`${dir.path}/${path}`, session);
  }
  await checkContextDir("new-in-the-current-directory", session);
});
