import assert from "node:assert/strict";
import { freshDirectory, london } from "../lab/lab.ts";

const SOURCE = new URL("../../src/install", import.meta.url).pathname;

// A program in dockerdo's place: it begins a session, fails, prints help, or does anything else.
const PROGRAM = `#!/bin/sh
case $1 in
  init) echo progress >&2; printf '%s\\n' "$HERE/act ivate" ;;
  up) echo "dockerdo: it fails" >&2; exit 3 ;;
  attach) printf 'usage: a\\n  line two\\n' ;;
  *) echo "other $*"; exit 5 ;;
esac
`;

const LINES = (status: string): string => `
dockerdo init demo; echo "1 ${status} $ACTIVE"
echo "2 "(dockerdo init demo 2>/dev/null)
dockerdo up; echo "3 ${status}"
dockerdo attach --help; echo "4 ${status}"
dockerdo list "a b"; echo "5 ${status}"
`;

for (
  const [shell, program, script, active] of [
    ["bash", "activation.sh", LINES("$?").replace("(doc", "$(doc"), "export ACTIVE=yes"],
    ["zsh", "activation.sh", LINES("$?").replace("(doc", "$(doc"), "export ACTIVE=yes"],
    ["fish", "activation.fish", LINES("$status"), "set -gx ACTIVE yes"],
  ] as const
) {
  Deno.test(`with install's function in ${shell}, init activates by itself, and one that fails prints its sentence only`, async () => {
    await using dir = await freshDirectory();
    const { path } = dir;
    await Deno.mkdir(`${path}/bin`);
    await Deno.writeTextFile(`${path}/bin/dockerdo`, PROGRAM, { mode: 0o755 });
    await Deno.writeTextFile(`${path}/act ivate`, `${active}\n`);
    await Deno.writeTextFile(`${path}/script`, `. ${SOURCE}/${program}\n${script}`);
    const { code, stdout, stderr } = await london(
      ["script", "-qec", `${shell} ${path}/script`, "/dev/null"],
      { env: { HERE: path, HOME: path, PATH: `${path}/bin:${Deno.env.get("PATH")}` } },
    );
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(
      stdout.replaceAll("\r", ""),
      `progress\n1 0 yes\n2 ${path}/act ivate\ndockerdo: it fails\n3 3\n` +
        "usage: a\n  line two\n4 0\nother list a b\n5 5\n",
    );
  });
}
