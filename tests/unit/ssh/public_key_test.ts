// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { findPublicKey, parseKeyLine } from "../../../src/ssh/public_key.ts";
import { fakes, type TemporaryDir, temporaryDir, testContext } from "../fixture.ts";

const BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIHc5nHn0y0u9wQz8QJtjv0vNOmhqYGlXkE2yAvVwOpqR";
const ED25519 = `ssh-ed25519 ${BLOB}`;

for (
  const [what, line, expected] of [
    ["a comment", `${ED25519} me@host`, `${ED25519} me@host`],
    ["no comment", ED25519, ED25519],
    ["CRLF", `${ED25519} me@host\r`, `${ED25519} me@host`],
    ["a quote in the comment", `${ED25519} it's "me" $(id) \`id\` \\`, `${ED25519} its me id id`],
    ["a comment of several words", `  ${ED25519}  a  b\tc `, `${ED25519} a b c`],
    ["a comment of nothing harmless", `${ED25519} é';"`, ED25519],
    ["an RSA key", `ssh-rsa ${BLOB}== x`, `ssh-rsa ${BLOB}== x`],
    ["an ECDSA key", `ecdsa-sha2-nistp256 ${BLOB}=`, `ecdsa-sha2-nistp256 ${BLOB}=`],
    [
      "a security key",
      `sk-ssh-ed25519@openssh.com ${BLOB} yubi`,
      `sk-ssh-ed25519@openssh.com ${BLOB} yubi`,
    ],
    [
      "an ECDSA security key",
      `sk-ecdsa-sha2-nistp256@openssh.com ${BLOB}`,
      `sk-ecdsa-sha2-nistp256@openssh.com ${BLOB}`,
    ],
    ["a certificate", `ssh-ed25519-cert-v01@openssh.com ${BLOB}`, undefined],
    ["an empty line", "", undefined],
    ["a comment line", `# ${ED25519}`, undefined],
    ["options in front", `command="x" ${ED25519}`, undefined],
    ["no blob", "ssh-ed25519", undefined],
    ["a blob that is none", "ssh-ed25519 $(id)", undefined],
    ["the agent's complaint", "The agent has no identities.", undefined],
  ] as const
) {
  Deno.test(`parseKeyLine() of a line with ${what}`, () => {
    assert.equal(parseKeyLine(line), expected);
  });
}

function home(files: Readonly<Record<string, string>>): TemporaryDir {
  const dir = temporaryDir();
  Deno.mkdirSync(`${dir.path}/.ssh`);
  for (const [name, text] of Object.entries(files)) {
    Deno.writeTextFileSync(`${dir.path}/.ssh/${name}`, text);
  }
  return dir;
}

Deno.test("findPublicKey() takes the configured key first, and the private file beside it", async () => {
  using dir = home({ "work.pub": `${ED25519} work\n`, "work": "", "id_ed25519.pub": ED25519 });
  const context = testContext({ env: { HOME: dir.path, SSH_AUTH_SOCK: "/nonexistent" } });
  assert.deepEqual(await findPublicKey(context, `${dir.path}/.ssh/work.pub`), {
    line: `${ED25519} work`,
    file: `${dir.path}/.ssh/work`,
  });
});

Deno.test("findPublicKey() names the public file where there is no private one", async () => {
  using dir = home({ "work.pub": ED25519 });
  assert.deepEqual(
    await findPublicKey(testContext({ env: { HOME: dir.path } }), `${dir.path}/.ssh/work.pub`),
    { line: ED25519, file: `${dir.path}/.ssh/work.pub` },
  );
});

Deno.test("findPublicKey() warns of a configured key that is not there, and goes on", async () => {
  using dir = home({ "id_rsa.pub": `ssh-rsa ${BLOB} x`, "id_ecdsa.pub": "", "id_rsa": "" });
  Deno.removeSync(`${dir.path}/.ssh/id_ecdsa.pub`);
  const context = testContext({ env: { HOME: dir.path } });
  assert.deepEqual(await findPublicKey(context, `${dir.path}/.ssh/none.pub`), {
    line: `ssh-rsa ${BLOB} x`,
    file: `${dir.path}/.ssh/id_rsa`,
  });
  assert.equal(
    context.written.stderr,
    `dockerdo: ssh_key_path ${dir.path}/.ssh/none.pub does not exist; looking for another key\n`,
  );
});

Deno.test("findPublicKey() refuses a private key without showing it", async () => {
  const secret =
    "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n";
  using dir = home({ id_ed25519: secret });
  await assert.rejects(
    findPublicKey(testContext({ env: { HOME: dir.path } }), `${dir.path}/.ssh/id_ed25519`),
    {
      name: "Failure",
      message: `${dir.path}/.ssh/id_ed25519 is a private key, which must not leave this host`,
      hint: `Name its public part: ${dir.path}/.ssh/id_ed25519.pub`,
    },
  );
});

Deno.test("findPublicKey() takes the first of several keys in a file with CRLF", async () => {
  using dir = home({ "many.pub": `# keys\r\n\r\n${ED25519} first\r\nssh-rsa ${BLOB} second\r\n` });
  const { line } = await findPublicKey(
    testContext({ env: { HOME: dir.path } }),
    `${dir.path}/.ssh/many.pub`,
  );
  assert.equal(line, `${ED25519} first`);
});

Deno.test("findPublicKey() refuses a file without a key", async () => {
  using dir = home({ "odd.pub": "hello\n" });
  await assert.rejects(
    findPublicKey(testContext({ env: { HOME: dir.path } }), `${dir.path}/.ssh/odd.pub`),
    {
      message: `${dir.path}/.ssh/odd.pub holds no public key that OpenSSH knows`,
    },
  );
});

Deno.test("findPublicKey() prefers the agent's first key to the files", async () => {
  using dir = home({ "id_ed25519.pub": `${ED25519} file` });
  using fake = fakes(dir.path, {
    FAKE_ssh_add__L:
      `ssh-ed25519-cert-v01@openssh.com ${BLOB}\n${ED25519} agent's\nssh-rsa ${BLOB}\n`,
  });
  const env = { ...fake.env, HOME: dir.path, SSH_AUTH_SOCK: "/agent" };
  assert.deepEqual(await findPublicKey(testContext({ env }), null), {
    line: `${ED25519} agents`,
    file: null,
  });
  assert.deepEqual(fake.calls(), [["ssh-add", "-L"]]);
});

Deno.test("findPublicKey() takes ed25519, then ecdsa, then rsa where the agent holds none", async () => {
  using dir = home({
    "id_rsa.pub": `ssh-rsa ${BLOB}`,
    "id_ecdsa.pub": `ecdsa-sha2-nistp256 ${BLOB}`,
    "id_ed25519_sk.pub": `sk-ssh-ed25519@openssh.com ${BLOB}`,
    "id_ed25519.pub": ED25519,
  });
  using fake = fakes(dir.path, {
    FAKE_ssh_add__L: "The agent has no identities.\n",
    FAKE_ssh_add__L_code: "1",
  });
  const env = { ...fake.env, HOME: dir.path, SSH_AUTH_SOCK: "/agent" };
  const types: string[] = [];
  for (const gone of ["id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub", "id_ed25519_sk.pub"]) {
    types.push((await findPublicKey(testContext({ env }), null)).line.split(" ")[0] ?? "");
    Deno.removeSync(`${dir.path}/.ssh/${gone}`);
  }
  assert.deepEqual(types, [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
  ]);
  await assert.rejects(findPublicKey(testContext({ env }), null), {
    name: "Failure",
    message: "no ssh key found in the ssh agent or ~/.ssh",
  });
});

Deno.test("findPublicKey() does without ssh-add where there is no agent", async () => {
  using dir = home({ "id_ed25519.pub": ED25519 });
  using fake = fakes(dir.path);
  await findPublicKey(testContext({ env: { ...fake.env, HOME: dir.path } }), null);
  assert.deepEqual(fake.calls(), []);
});
