import assert from "node:assert/strict";
import { expandHome, homeDirectory, isWithin, userDirectory } from "../../src/paths.ts";
import { testContext } from "./fixture.ts";

Deno.test("userDirectory() follows the XDG variables", () => {
  const { env } = testContext({
    env: {
      HOME: "/home/me",
      XDG_CONFIG_HOME: "/x/config",
      XDG_DATA_HOME: "/x/data",
      XDG_STATE_HOME: "/x/state",
    },
  });
  assert.deepEqual(
    (["CONFIG", "DATA", "STATE"] as const).map((kind) => userDirectory(testContext({ env }), kind)),
    ["/x/config/dockerdo", "/x/data/dockerdo", "/x/state/dockerdo"],
  );
});

Deno.test("userDirectory() is below the home directory where a variable is unset, empty or relative", () => {
  const env = { HOME: "/home/me", XDG_CONFIG_HOME: "", XDG_STATE_HOME: "relative" };
  assert.deepEqual(
    (["CONFIG", "DATA", "STATE"] as const).map((kind) => userDirectory(testContext({ env }), kind)),
    [
      "/home/me/.config/dockerdo",
      "/home/me/.local/share/dockerdo",
      "/home/me/.local/state/dockerdo",
    ],
  );
});

Deno.test("homeDirectory() fails with a hint where HOME is not set", () => {
  assert.throws(() => homeDirectory(testContext()), {
    name: "Failure",
    message: "HOME is not set, so there is no place for sessions and configuration",
    exitCode: 1,
  });
});

Deno.test("userDirectory() needs no HOME where the XDG variable is set", () => {
  assert.equal(userDirectory(testContext({ env: { XDG_DATA_HOME: "/d" } }), "DATA"), "/d/dockerdo");
});

Deno.test("expandHome() expands a tilde that stands for the home directory, and no other", () => {
  const context = testContext({ env: { HOME: "/home/me" } });
  assert.deepEqual(
    ["~", "~/.ssh/id", "~other/x", "/a/~/b", "rel"].map((path) => expandHome(context, path)),
    ["/home/me", "/home/me/.ssh/id", "~other/x", "/a/~/b", "rel"],
  );
});

for (
  const [path, dir, expected] of [
    ["/a", "/a", true],
    ["/a/b", "/a", true],
    ["/ab", "/a", false],
    ["/a", "/a/b", false],
    ["/", "/", true],
    ["/a", "/", true],
    ["", "/", false],
    ["/a b/c\nd", "/a b", true],
  ] as const
) {
  Deno.test(`isWithin(${JSON.stringify(path)}, ${dir}) is ${expected}`, () => {
    assert.equal(isWithin(path, dir), expected);
  });
}
