/** The whole life of a session, from its beginning until nothing is left of it. */

import assert from "node:assert/strict";
import { london, type Outcome } from "../lab/lab.ts";
import { nothingRemains, storedSession, type User } from "./user.ts";

const TERMINAL = new URL("../lab/terminal.py", import.meta.url).pathname;

/** What the screen must show, then the keys. */
export type Steps = readonly (readonly [awaited: string, keys: string])[];

/** Types a line in bash on a terminal, and plays the keys. */
export function onTerminal(user: User, typed: string, keys: Steps): Promise<Outcome> {
  return london([
    "python3",
    TERMINAL,
    JSON.stringify(keys),
    "bash",
    "-c",
    `stty rows 31 cols 77; ${typed}`,
  ], {
    cwd: user.workDir,
    env: { ...user.env(), TERM: "xterm" },
  });
}

export interface Life {
  /** Arguments of dockerdo init. */
  readonly init: string;
  /** What builds the image where it is to run, and what runs it. */
  readonly build: string;
  readonly run: string;
  /** The program that `dodo` alone starts. */
  readonly loginShell: string;
  /** Whether a command's stderr is the command's alone. */
  readonly quiet: boolean;
  /** What the host's login shell writes before the output of `dodo -u`. */
  readonly noise?: string;
  /** Who commands run as. */
  readonly who: string;
  /** What else must hold while it runs. */
  readonly check?: ((user: User) => Promise<unknown>) | undefined;
}

// Every shell reads it: nothing is in it that one of them would expand.
const WHICH_SHELL =
  "/bin/sh -c 'read -r name </proc/$PPID/comm; echo this is $name, PATH=$PATH.'\r";

/** Begins a session, uses it in every way, and removes it. */
export async function lives(user: User, life: Life): Promise<void> {
  await user.begins(life.init);
  await user.does(life.build);
  await user.does(life.run);
  const { id } = await storedSession(user) as { id: string };

  const types: User["types"] = async (script, options) => {
    const outcome = await user.types(script, options);
    return life.quiet
      ? outcome
      : { ...outcome, stderr: outcome.stderr.replace(/^ERROR: ld.so: .*\n/gm, "") };
  };
  const odd = `"it's" '$x!' 'a\\b' '' $'two\\nlines' -- blåbær`;
  assert.deepEqual(
    await types(
      `dodo -w /tmp sh -c 'pwd; cat; printf "<%s>" "$@"; echo >&2 E; exit 7' sh ${odd}`,
      {
        stdin: "in\n",
      },
    ),
    { code: 7, stdout: "/tmp\nin\n<it's><$x!><a\\b><><two\nlines><--><blåbær>", stderr: "E\n" },
  );
  assert.equal(await user.does("dodo -w /tmp id -un"), `${life.who}\n`);

  const asked = await onTerminal(
    user,
    "dodo -w /tmp sh -c 'stty size; read -r line; echo got $line; exit 5'",
    [
      ["31 77", "it\r"],
      ["got it", ""],
    ],
  );
  assert.equal(asked.code, 5, asked.stdout);
  const path = (await user.does("dodo -w /tmp printenv PATH")).trim();
  const alone = await onTerminal(user, "dodo", [
    ["", WHICH_SHELL],
    [`this is ${life.loginShell}, PATH=${path}.`, "exit\r"],
  ]);
  assert.equal(alone.code, 0, alone.stdout);

  assert.deepEqual(await types(`dodo -u daemon -w /tmp sh -c 'id -un; pwd; exit 3'`), {
    code: 3,
    stdout: `${life.noise ?? ""}daemon\n/tmp\n`,
    stderr: "",
  });
  const other = await onTerminal(user, "dodo -u daemon -w / sh -c 'tty; id -un'", [[
    "/dev/pts/",
    "",
  ], [
    "daemon",
    "",
  ]]);
  assert.equal(other.code, 0, other.stdout);

  await life.check?.(user);

  const local = `${user.workDir}/container`;
  await Deno.writeTextFile(`${local}/tmp/written`, "here\n");
  assert.equal(await user.does("dodo cat /tmp/written", { cwd: `${local}/tmp` }), "here\n");
  await user.does("dodo -w /tmp sh -c 'echo there >> /tmp/written'");
  assert.equal(await Deno.readTextFile(`${local}/tmp/written`), "here\nthere\n");

  // The link is lost: what comes back is a new one.
  await london(["pkill", "-KILL", "-f", "--", `ssh: [^ ]*${id}/container`]);
  const healed = await types("dodo -w /tmp pwd && cat container/tmp/written");
  assert.equal(healed.stdout, "/tmp\nhere\nthere\n", healed.stderr);

  await user.does("dockerdo stop && dockerdo start");
  assert.equal(
    await user.does("dodo -w /tmp cat written && cat container/tmp/written"),
    "here\nthere\n".repeat(2),
  );
  await user.does("dockerdo rm --force --delete");
  await nothingRemains(id);
}
