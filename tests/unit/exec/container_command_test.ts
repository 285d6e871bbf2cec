// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { packCommand, signalWords } from "../../../src/exec/container_command.ts";
import { quoteAll } from "../../../src/quote.ts";
import type { Session } from "../../../src/session/session.ts";
import { system, temporaryDir, testSession, testWith } from "../fixture.ts";

const HOSTILE = ["", "a  b", "it's", '"', "$HOME $(id)", "\\", "a\nb", "-n", "--", "!", "é🐳", "*"];
const PATH = Deno.env.get("PATH") ?? "/usr/bin:/bin";

/** Runs a packed command as the container's sshd would: by a login shell, with the variables. */
function runPacked(
  session: Session,
  { cwd = "/", command, env = {}, shell = "sh" }: {
    readonly cwd?: string;
    readonly command: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    readonly shell?: string;
  },
): Promise<{ code: number; stdout: string; stderr: string }> {
  const behind = { ...session, image: { ...session.image, loginShell: `/bin/${shell}` } };
  const parcel = packCommand(behind, { cwd, command, env }, { token: "token" });
  return system([shell, "-c", parcel.line], { env: { HOME: "/", ...parcel.env } });
}

for (const shell of ["sh", "bash", "zsh", "fish"]) {
  testWith(
    shell,
    `packCommand() keeps the command's words behind the login shell ${shell}`,
    async () => {
      const command = ["printf", "%s\\0", ...HOSTILE];
      const { code, stdout, stderr } = await runPacked(testSession(), { command, shell });
      assert.deepEqual({ code, words: stdout.split("\0").slice(0, -1), stderr }, {
        code: 0,
        words: HOSTILE,
        stderr: "",
      });
    },
  );
}

Deno.test("packCommand() sets the image's, the session's and the command's variables, the later one winning", async () => {
  const session = testSession({
    image: { env: { PATH, A: "image", B: "image", C: "image" }, workdir: "/", loginShell: "" },
    env: { B: "session", C: "session", "odd.name": "x y" },
  });
  const { stdout } = await runPacked(session, { command: ["env"], env: { C: "$(id)\n'" } });
  const lines = stdout.split("\n").filter((line) => !/^(_|PWD|HOME)=/.test(line));
  assert.deepEqual(
    lines.sort(),
    ["", "'", "A=image", "B=session", "C=$(id)", `PATH=${PATH}`, "odd.name=x y"].sort(),
  );
});

Deno.test("packCommand() starts in the directory, whatever its name", async () => {
  using dir = temporaryDir();
  for (const name of ["-P", "my dir;touch pwn", "$(touch pwn)", "a'\"\nb"]) {
    Deno.mkdirSync(`${dir.path}/${name}`);
    assert.deepEqual(
      await runPacked(testSession(), { cwd: `${dir.path}/${name}`, command: ["pwd"] }),
      { code: 0, stdout: `${dir.path}/${name}\n`, stderr: "" },
    );
  }
});

Deno.test("packCommand() says that a directory is missing, and runs nothing", async () => {
  assert.deepEqual(await runPacked(testSession(), { cwd: "/no/it's", command: ["echo", "ran"] }), {
    code: 126,
    stdout: "",
    stderr: "dodo: no such directory in the container: /no/it's\n",
  });
});

for (
  const [command, code] of [
    [["sh", "-c", "exit 7"], 7],
    [["sh", "-c", "exit 255"], 255],
    [["sh", "-c", "kill -KILL $$"], 137],
    [["sh", "-c", "kill -TERM $$"], 143],
    [["no-such-command-here"], 127],
    [["/etc/passwd"], 126],
  ] as const
) {
  Deno.test(`packCommand() gives the code ${code} of ${quoteAll(command)}`, async () => {
    assert.equal((await runPacked(testSession(), { command })).code, code);
  });
}

Deno.test("packCommand() says that a program is not there, and leaves all else to the shell", async () => {
  for (const program of ["vim's", "-x", "no/such"]) {
    assert.deepEqual(await runPacked(testSession(), { command: [program, "x"] }), {
      code: 127,
      stdout: "",
      stderr: `dodo: ${program}: not found in the container ${testSession().containerName}\n`,
    });
  }
});

Deno.test("packCommand() passes on what a program must know of the terminal, unless the container has it", () => {
  const local = { COLORTERM: "truecolor", LANG: "da_DK.UTF-8", TERM: "xterm-kitty", SECRET: "x" };
  const exports = (env: Record<string, string>, terminal?: Record<string, string>): string => {
    const command = { cwd: "/", command: ["ls"], env };
    const { env: { DODO_1 = "" } } = packCommand(testSession(), command, { token: "t", terminal });
    return Array.from(DODO_1.matchAll(/export (.*?)(?: 2>\/dev\/null)?$/gm), ([, text]) => text)
      .join(" ");
  };
  assert.equal(exports({}), "");
  assert.equal(exports({}, local), "COLORTERM=truecolor LANG=C.UTF-8 TERM=xterm-256color");
  assert.equal(
    exports({ LC_ALL: "C", COLORTERM: "no", TERM: "vt100" }, local),
    "COLORTERM=no LC_ALL=C TERM=vt100",
  );
  assert.equal(exports({}, { LANG: "C", TERM: "tmux-256color" }), "");
});

Deno.test("packCommand() carries more than one argument may hold, cut into pieces that fit", async () => {
  const words = Array.from({ length: 40 }, (_, i) => `${i}${"é漢".repeat(4000)}`);
  const parcel = packCommand(
    testSession(),
    { cwd: "/", command: ["printf", "%s|", ...words], env: {} },
    { token: "t" },
  );
  const bytes = (text: string): number => new TextEncoder().encode(text).length;
  assert.ok(Object.values(parcel.env).every((piece) => bytes(piece) < 128 * 1024));
  const { stdout } = await runPacked(testSession(), { command: ["printf", "%s|", ...words] });
  assert.equal(stdout.length, words.map((word) => `${word}|`).join("").length);
});

Deno.test("packCommand() keeps a letter whole where two pieces meet", async () => {
  for (const pad of [0, 1]) {
    const word = "x".repeat(pad) + "🐳".repeat(20_000);
    const { stdout } = await runPacked(testSession(), { command: ["printf", "%s", word] });
    assert.deepEqual({ pad, intact: stdout === word }, { pad, intact: true });
  }
});

Deno.test("packCommand() says what to do where the container takes no variables", async () => {
  const { words } = packCommand(testSession(), { cwd: "/", command: ["ls"], env: {} }, {
    token: "t",
  });
  const { code, stderr } = await system(["sh", "-c", quoteAll(words)]);
  assert.equal(code, 125);
  assert.match(
    stderr,
    /^dodo: the container's sshd accepts no variables of dodo: dockerdo overlay --force/,
  );
});

Deno.test("signalWords() do not hold the token itself, so that a search does not find itself", () => {
  assert.equal(quoteAll(signalWords("0a1b2c3d", "INT")).includes("0a1b2c3d"), false);
});
