// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { activateScript } from "../../../src/lifecycle/activate.ts";
import { selfCommand } from "../../../src/process/own_command.ts";
import { containerMount } from "../../../src/session/session.ts";
import { quoteAll } from "../../../src/quote.ts";
import { system, temporaryDir, testSession, testWith } from "../fixture.ts";

/** The script of a session with odd names, in a file, with a fake in the place of `reconnect`. */
function write(dir: string, { fish, code = 0 }: { fish: boolean; code?: number }): string {
  const session = testSession({ dir: `${dir}/it's a $(touch ${dir}/pwn) "dir"` });
  const reconnect = quoteAll([...selfCommand(), "reconnect"]);
  const text = activateScript(session, { fish });
  assert.equal(text.split(reconnect).length, 2);
  const fake = `${dir}/reconnect`;
  Deno.writeTextFileSync(
    fake,
    `#!/bin/sh\necho "$DOCKERDO_SESSION_NAME|$DOCKERDO_SESSION_DIR" >> ${dir}/called\nexit ${code}\n`,
    { mode: 0o755 },
  );
  const path = `${dir}/activate`;
  Deno.writeTextFileSync(path, text.replace(reconnect, fake));
  return path;
}

for (const shell of ["sh", "dash", "bash", "zsh", "fish"]) {
  const fish = shell === "fish";
  const show = fish
    ? 'printf "%s|" "$DOCKERDO_SESSION_NAME" "$DOCKERDO_SESSION_DIR"'
    : 'printf "%s|" "${DOCKERDO_SESSION_NAME-}" "${DOCKERDO_SESSION_DIR-}"';
  const defined = fish
    ? "functions -q deactivate_dockerdo"
    : "command -v deactivate_dockerdo >/dev/null";

  testWith(
    shell,
    `in ${shell}, dockerdo_prompt says the session and the container's directory`,
    async () => {
      using dir = temporaryDir();
      const session = testSession({ dir: `${dir.path}/s`, workDir: `${dir.path}/it's $(x)` });
      const mount = containerMount(session);
      const odd = `${mount}/srv/100% é\x1b[m`;
      Deno.mkdirSync(odd, { recursive: true });
      Deno.mkdirSync(`${mount}2`);
      const text = activateScript(session, { fish }).replace(
        quoteAll([...selfCommand(), "reconnect"]),
        "true",
      );
      Deno.writeTextFileSync(`${dir.path}/activate`, text);
      const { stdout, stderr } = await system(
        [
          shell,
          "-c",
          `${fish ? "" : "set -eu\n"}. ./activate
for place in / ${quoteAll([mount, `${mount}/srv`, odd, `${mount}2`])}${fish ? "" : "; do"}
cd "$place"; dockerdo_prompt; echo
${fish ? "end" : "done"}`,
        ],
        { env: { HOME: dir.path, LC_ALL: "C.UTF-8" }, cwd: dir.path },
      );
      assert.equal(stderr, "");
      assert.equal(
        stdout,
        `demo\ndemo:/\ndemo:/srv\ndemo:/srv/100${shell === "zsh" ? "%%" : "%"} é?[m\ndemo\n`,
      );
    },
  );

  testWith(
    shell,
    `sourced by ${shell}, the script sets the variables, reconnects, and can be undone`,
    async () => {
      using dir = temporaryDir();
      const lines = [
        ...(fish ? [] : ["set -eu"]),
        `. ${write(dir.path, { fish })}`,
        show,
        'sh -c \'printf "%s|" "$DOCKERDO_SESSION_NAME"\'',
        "deactivate_dockerdo",
        show,
        fish
          ? "set -q DOCKERDO_SESSION_DIR; and echo set; or echo unset"
          : 'echo "${DOCKERDO_SESSION_DIR-unset}"',
        `if ${defined}; ${fish ? "" : "then"} echo still; ${fish ? "end" : "fi"}`,
      ];
      const own = `${dir.path}/it's a $(touch ${dir.path}/pwn) "dir"`;
      assert.deepEqual(await system([shell, "-c", lines.join("\n")], { env: { HOME: dir.path } }), {
        code: 0,
        stdout: `demo|${own}|demo|||unset\n`,
        stderr: "",
      });
      assert.equal(Deno.readTextFileSync(`${dir.path}/called`), `demo|${own}\n`);
      assert.throws(() => Deno.lstatSync(`${dir.path}/pwn`), Deno.errors.NotFound);
    },
  );

  testWith(
    shell,
    `sourced by ${shell}, the script's code is that of a reconnect that fails, and the session is set all the same`,
    async () => {
      using dir = temporaryDir();
      const code = fish ? "$status" : "$?";
      const { stdout } = await system(
        [
          shell,
          "-c",
          `. ${write(dir.path, { fish, code: 3 })}; echo ${code} $DOCKERDO_SESSION_NAME`,
        ],
        { env: { HOME: dir.path } },
      );
      assert.equal(stdout, "3 demo\n");
    },
  );
}
