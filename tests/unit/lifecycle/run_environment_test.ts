import assert from "node:assert/strict";
import { withLocalEnvironment } from "../../../src/lifecycle/run_environment.ts";
import { temporaryDir, testContext } from "../fixture.ts";

Deno.test("docker run's -e NAME and --env-file are read on the local host, all else stays", async () => {
  using dir = temporaryDir();
  await Deno.writeTextFile(`${dir.path}/.env`, "# a comment\n\nA=1 2\r\n  B=#x\nHERE\nMISSING\n");
  const context = testContext({ cwd: dir.path, env: { HERE: "it's" } });
  const resolve = (...words: string[]): Promise<string[]> => withLocalEnvironment(context, words);
  assert.deepEqual(await resolve("--gpus", "all", "-e", "HERE", "--env", "X=1", "-eHERE"), [
    "--gpus",
    "all",
    "-e",
    "HERE=it's",
    "-e",
    "X=1",
    "-e",
    "HERE=it's",
  ]);
  assert.deepEqual(await resolve("-e", "MISSING", "--env=HERE", "--environment", "-e"), [
    "-e",
    "HERE=it's",
    "--environment",
    "-e",
  ]);
  const fromFile = ["-e", "A=1 2", "-e", "B=#x", "-e", "HERE=it's"];
  assert.deepEqual(await resolve("--env-file", ".env"), fromFile);
  assert.deepEqual(await resolve(`--env-file=${dir.path}/.env`), fromFile);
  await assert.rejects(resolve("--env-file", "none"), { hint: /on the local host/ });
});
