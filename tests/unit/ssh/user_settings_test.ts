import assert from "node:assert/strict";
import { agentSocket, OUR_SETTINGS, readSettings } from "../../../src/ssh/user_settings.ts";
import { testContext } from "../fixture.ts";

const HOME = testContext({
  env: { HOME: "/home/me", USER: "me", WORK: "w", SSH_AUTH_SOCK: "/env" },
});
const DEFAULTS = ["rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss", "dsa"]
  .map((type) => `identityfile ~/.ssh/id_${type}`);
const PLAIN = [
  "host h",
  "user ada",
  "hostname h.example",
  "port 22",
  "connecttimeout none",
  "serveraliveinterval 0",
  "serveralivecountmax 3",
  "identitiesonly no",
];

for (
  const [what, lines, expected] of [
    ["what ssh has by itself", DEFAULTS, {}],
    ["shorter times", ["serveraliveinterval 2", "connecttimeout 3"], {}],
    ["longer times", ["serveraliveinterval 60", "connecttimeout 45"], {
      alive: { interval: 60, count: 3 },
      connectTimeout: 45,
    }],
    ["more answers that may be missing", ["serveraliveinterval 4", "serveralivecountmax 5"], {
      alive: { interval: 4, count: 5 },
    }],
    ["a key", ["identityfile ~/.ssh/work", "identitiesonly yes"], {
      identityFiles: ["/home/me/.ssh/work"],
      identitiesOnly: true,
    }],
    ["one of the usual keys", ["identityfile ~/.ssh/id_ed25519"], {
      identityFiles: ["/home/me/.ssh/id_ed25519"],
    }],
    ["tokens and variables", ["identityfile %d/a b/%h-%n-%r-%p-%u-%%-%Z-${WORK}-${NONE}"], {
      identityFiles: ["/home/me/a b/h.example-h-ada-22-me-%-%Z-w-${NONE}"],
    }],
    ["no key", ["identityfile none"], {}],
    ["an agent", ["identityagent /home/me/a b.sock"], { identityAgent: "/home/me/a b.sock" }],
  ] as const
) {
  Deno.test(`readSettings() of an answer with ${what}`, () => {
    const text = [...PLAIN, ...lines, ""].join("\n");
    assert.deepEqual(readSettings(HOME, text), { ...OUR_SETTINGS, ...expected });
  });
}

for (
  const [identityAgent, socket] of [
    [undefined, "/env"],
    ["SSH_AUTH_SOCK", "/env"],
    ["none", undefined],
    ["/run/1password.sock", "/run/1password.sock"],
    ["$WORK", "w"],
    ["$NONE", undefined],
  ] as const
) {
  Deno.test(`agentSocket() where IdentityAgent is ${identityAgent}`, () => {
    assert.equal(agentSocket(HOME, { ...OUR_SETTINGS, identityAgent }), socket);
  });
}
