// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { readPrivateKey } from "../../../src/ssh/private_key.ts";
import { parseKeyLine } from "../../../src/ssh/public_key.ts";
import { system, temporaryDir, testWith } from "../fixture.ts";

testWith(
  "ssh-keygen",
  "readPrivateKey() tells a key with a passphrase from one without, and the public part where the file has it",
  async () => {
    using dir = temporaryDir();
    for (
      const [name, passphrase, ...options] of [
        ["new", "", "-t", "ed25519"],
        ["locked", "hush it", "-t", "ed25519"],
        ["rsa", "", "-t", "rsa", "-b", "1024"],
        ["ecdsa-locked", "hush it", "-t", "ecdsa"],
        ["pem", "", "-t", "rsa", "-b", "1024", "-m", "PEM"],
        ["pem-locked", "hush it", "-t", "rsa", "-b", "1024", "-m", "PEM"],
        ["pkcs8-locked", "hush it", "-t", "rsa", "-b", "1024", "-m", "PKCS8"],
      ] as const
    ) {
      const file = `${dir.path}/${name}`;
      const argv = ["ssh-keygen", "-q", ...options, "-C", "", "-N", passphrase, "-f", file];
      const made = await system(argv);
      assert.equal(made.code, 0, made.stderr);
      assert.deepEqual(readPrivateKey(Deno.readTextFileSync(file)), {
        encrypted: passphrase !== "",
        publicPart: /^(pem|pkcs8)/.test(name)
          ? undefined
          : parseKeyLine(Deno.readTextFileSync(`${file}.pub`)),
      }, name);
    }
  },
);

Deno.test("readPrivateKey() of what is none, or is damaged", () => {
  assert.equal(readPrivateKey(""), undefined);
  assert.equal(readPrivateKey("ssh-ed25519 AAAA me"), undefined);
  const damaged = "-----BEGIN OPENSSH PRIVATE KEY-----\n!!!\n-----END OPENSSH PRIVATE KEY-----\n";
  assert.deepEqual(readPrivateKey(damaged), { encrypted: false, publicPart: undefined });
});
