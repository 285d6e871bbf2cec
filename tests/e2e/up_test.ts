import assert from "node:assert/strict";
import { BASE_IMAGE } from "../lab/lab.ts";
import { newUser } from "./user.ts";

for (const where of ["--remote reykjavik", "--local"]) {
  Deno.test(`up ${where} goes from nothing to the mount, and then does what is left`, async () => {
    await using user = await newUser();
    const first = await user.types(`dockerdo up raised ${where} --image ${BASE_IMAGE} -e UP=yes`);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /^\/\S+\/raised\/activate\n$/);
    if (where !== "--local") {
      assert.match(first.stderr, /Building on the remote host: it has lab\/debian:bookworm/);
    }
    const use = `source ${first.stdout.trim()} 2>/dev/null`;
    assert.equal(
      await user.does(`${use}; dodo printenv UP; ls container | grep -c etc`),
      "yes\n1\n",
    );
    const second = await user.types("dockerdo up raised");
    assert.deepEqual([second.code, second.stdout], [0, first.stdout]);
    assert.match(second.stderr, /Already running/);
    assert.doesNotMatch(second.stderr, /Building|Pushed|Starting/);
    // Nothing to push to the local host is no failure.
    if (where === "--local") await user.does("dockerdo push raised");
    await user.does(`${use}; dockerdo stop && dockerdo up raised && dodo true`);
    const other = await user.types("dockerdo up raised --image other:1");
    assert.deepEqual([other.code, other.stdout], [2, ""]);
    assert.match(
      other.stderr,
      /^dockerdo: the session raised already exists, with lab\/debian:bookworm/m,
    );
  });
}

Deno.test("a step of up that fails is named, with how to go on", async () => {
  await using user = await newUser();
  const failed = await user.types(
    `dockerdo up broken --remote reykjavik --image ${BASE_IMAGE} --cpus=x`,
  );
  assert.deepEqual([failed.code, failed.stdout], [1, ""]);
  assert.match(failed.stderr, /^dockerdo: run failed: /m);
  assert.match(failed.stderr, /dockerdo up broken continues from here\.$/m);
  assert.equal((await user.types("dockerdo up broken --cpus=1")).code, 0);
});
