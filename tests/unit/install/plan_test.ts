// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { withBlock, withoutBlock } from "../../../src/install/rc_block.ts";
import { main } from "../../../src/cli.ts";
import { asBytes, showChange } from "../../../src/install/file_change.ts";
import { system, type TemporaryDir, temporaryDir, testContext } from "../fixture.ts";

const BIN = new URL("../../../bin", import.meta.url).pathname;

interface Home extends TemporaryDir {
  readonly programs: string;
  install(
    ...words: string[]
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
  /** Every file and directory with its bytes, or where a link leads. */
  tree(): Record<string, string>;
}

/** A home with a blank in its name, and programs called bash, zsh and fish on the PATH. */
function newHome(env: Readonly<Record<string, string>> = {}): Home {
  const dir = temporaryDir();
  const path = `${dir.path}/ho me`;
  const programs = `${dir.path}/programs`;
  for (
    const made of [path, programs, `${path}/.config`, `${path}/.local/share`, `${path}/.local/bin`]
  ) {
    Deno.mkdirSync(made, { recursive: true });
  }
  Deno.symlinkSync(Deno.execPath(), `${programs}/deno`);
  for (const shell of ["bash", "zsh", "fish"]) {
    Deno.writeTextFileSync(`${programs}/${shell}`, "", { mode: 0o755 });
  }
  const look = (below: string, found: Record<string, string>): Record<string, string> => {
    for (const { name, isDirectory, isSymlink } of Deno.readDirSync(`${path}${below}`)) {
      const at = `${below}/${name}`;
      if (isSymlink) found[at] = `-> ${Deno.readLinkSync(path + at)}`;
      else if (isDirectory) look(at, { ...found, [at]: "" }) && Object.assign(found, look(at, {}));
      else found[at] = Deno.readTextFileSync(path + at);
    }
    return found;
  };
  return {
    path,
    programs,
    install: async (...words) => {
      const context = testContext({
        env: { HOME: path, PATH: `${programs}:${BIN}`, ...env },
        cwd: path,
      });
      const shells = words.includes("--shell") ? [] : ["--shell", "bash,zsh,fish"];
      return { code: await main(["install", ...words, ...shells], context), ...context.written };
    },
    tree: () => look("", {}),
    [Symbol.dispose]: () => dir[Symbol.dispose](),
  };
}

const NOTHING_NEW = {
  code: 0,
  stdout: "",
  stderr: "Everything is installed; nothing was changed.\n",
};

for (
  const [what, rc] of [
    ["of several lines", "export A=1\nalias ll='ls -l'\n"],
    ["without a final newline", "export A=1"],
    ["that is empty", ""],
    ["with CRLF", "export A=1\r\nexport B=2\r\n"],
    ["with CRLF and no end to its last line", "export A=1\r\nexport B=2"],
    ["that ends in blank lines", "export A=1\n\n\n"],
    ["that does not exist", undefined],
  ] as const
) {
  Deno.test(`install twice, then --uninstall, leaves an rc file ${what} as it was`, async () => {
    using home = newHome();
    Deno.mkdirSync(`${home.path}/.ssh`);
    for (const name of [".bashrc", ".zshrc", ".ssh/config"]) {
      if (rc !== undefined) Deno.writeTextFileSync(`${home.path}/${name}`, rc);
    }
    const before = home.tree();
    const first = await home.install("--yes");
    assert.deepEqual([first.code, first.stdout], [0, ""]);
    const installed = home.tree();
    assert.deepEqual(
      Object.keys(installed).filter((path) => before[path] !== installed[path]).sort(),
      [
        "/.bashrc",
        "/.config/dockerdo/dockerdo.bash",
        "/.config/dockerdo/dockerdo.yaml",
        "/.config/dockerdo/dockerdo.zsh",
        "/.config/fish/completions/dockerdo.fish",
        "/.config/fish/completions/dodo.fish",
        "/.config/fish/conf.d/dockerdo.fish",
        "/.local/share/man/man1/dockerdo.1",
        "/.ssh/config",
        "/.zshrc",
      ],
    );
    assert.deepEqual(await home.install("--yes"), NOTHING_NEW);
    // Without a question: there is none.
    assert.deepEqual(await home.install(), NOTHING_NEW);
    assert.deepEqual(home.tree(), installed);
    assert.equal((await home.install("--uninstall", "--yes")).code, 0);
    assert.deepEqual(home.tree(), before);
    assert.deepEqual(await home.install("--uninstall", "--yes"), {
      code: 0,
      stdout: "",
      stderr: "Nothing to remove.\n",
    });
  });
}

Deno.test("what was added behind our lines stays when they go", async () => {
  const path = "rc";
  const text = await withBlock("a", { path, lines: ["x"] });
  assert.equal(await withoutBlock(`${text}b\n`, { path }), "a\nb\n");
  const crlf = text.replaceAll("\n", "\r\n");
  assert.equal(await withoutBlock(crlf, { path }), "a");
  assert.equal(
    await withoutBlock(`${await withBlock(undefined, { path, lines: [] })}b`, { path }),
    "b",
  );
});

Deno.test("other lines than those of an earlier version take their place", async () => {
  const path = "rc";
  const old = await withBlock("a\n", { path, lines: ["x"] });
  const now = await withBlock(`${old}b\n`, { path, lines: ["y", "z"] });
  assert.equal(now, `${await withBlock("a\n", { path, lines: ["y", "z"] })}b\n`);
});

for (
  const [what, damage] of [
    ["edited", (text: string) => text.replace("alias dodo", "alias doit")],
    ["not closed", (text: string) => text.replace("# <<< dockerdo <<<\n", "")],
    ["closed without a beginning", (text: string) => text.replace(/# >>> .*\n/, "")],
    ["there twice", (text: string) => text + text],
  ] as const
) {
  Deno.test(`lines of ours that are ${what} are left alone, and the rest is done`, async () => {
    using home = newHome();
    assert.equal((await home.install("--yes", "--shell", "bash")).code, 0);
    const rc = `${home.path}/.bashrc`;
    const damaged = damage(Deno.readTextFileSync(rc));
    Deno.writeTextFileSync(rc, damaged);
    for (const words of [["--yes"], ["--yes", "--uninstall"]]) {
      const { code, stderr } = await home.install(...words);
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^dockerdo: .*\/ho me\/\.bashrc:\d+: (dockerdo's lines have been edited|the marks of)/m,
      );
      assert.equal(Deno.readTextFileSync(rc), damaged);
      assert.equal(".bashrc" in home.tree(), false);
      assert.equal("/.config/fish/conf.d/dockerdo.fish" in home.tree(), words.length === 1);
    }
  });
}

Deno.test("a read-only rc file is said to be one, and stays", async () => {
  using home = newHome();
  Deno.writeTextFileSync(`${home.path}/.bashrc`, "a\n", { mode: 0o444 });
  const { code, stderr } = await home.install("--yes", "--shell", "bash");
  assert.equal(code, 1);
  assert.ok(
    stderr.endsWith(
      `dockerdo: ${home.path}/.bashrc is read-only\n  chmod u+w makes it writable.\n`,
    ),
    stderr,
  );
  assert.equal(Deno.readTextFileSync(`${home.path}/.bashrc`), "a\n");
});

Deno.test("of a symbolic link the file that it means is changed, with its mode, and the link stays", async () => {
  using home = newHome();
  Deno.mkdirSync(`${home.path}/dot files`);
  Deno.writeTextFileSync(`${home.path}/dot files/bash`, "a\n", { mode: 0o600 });
  Deno.symlinkSync("dot files/bash", `${home.path}/.bashrc`);
  Deno.symlinkSync("nowhere", `${home.path}/.zshrc`);
  const before = home.tree();
  const { code, stderr } = await home.install("--yes");
  assert.equal(code, 1);
  assert.match(
    stderr,
    /dockerdo: .*\.zshrc is a symbolic link to nowhere, which does not exist\n {2}Create the target/,
  );
  assert.equal(home.tree()["/.bashrc"], "-> dot files/bash");
  assert.match(Deno.readTextFileSync(`${home.path}/dot files/bash`), /^a\n# >>> dockerdo >>> /);
  assert.equal((Deno.statSync(`${home.path}/dot files/bash`).mode ?? 0) & 0o777, 0o600);
  await home.install("--uninstall", "--yes");
  assert.deepEqual(home.tree(), before);
});

Deno.test("an rc file with a second name is changed under both", async () => {
  using home = newHome();
  Deno.writeTextFileSync(`${home.path}/repo`, "a\n");
  Deno.linkSync(`${home.path}/repo`, `${home.path}/.bashrc`);
  await home.install("--yes", "--shell", "bash");
  assert.match(Deno.readTextFileSync(`${home.path}/repo`), /^a\n# >>> dockerdo >>> /);
});

Deno.test("the one line for ssh is the first of its file, which nobody else may read, and is not offered with --no-ssh-config", async () => {
  using home = newHome();
  const config = `${home.path}/.ssh/config`;
  await home.install("--yes", "--no-ssh-config");
  assert.equal("/.ssh/config" in home.tree(), false);
  await home.install("--yes");
  const line = 'Include "~/.local/state/dockerdo/ssh_hosts"';
  assert.match(
    Deno.readTextFileSync(config),
    /^# >>> dockerdo >>> [0-9a-f]{8} new-file\n# Written .*\nInclude "~\/\.local\/state\/dockerdo\/ssh_hosts"\n# <<< dockerdo <<<\n$/,
  );
  assert.deepEqual(
    [config, `${home.path}/.ssh`].map((path) => (Deno.statSync(path).mode ?? 0) & 0o777),
    [0o600, 0o700],
  );
  await home.install("--yes", "--uninstall");
  assert.throws(() => Deno.lstatSync(`${home.path}/.ssh`), Deno.errors.NotFound);
  Deno.mkdirSync(`${home.path}/.ssh`);
  Deno.writeTextFileSync(config, "Match host x\n  User y\nHost a\n  Port 3", { mode: 0o640 });
  await home.install("--yes", "--no-bashrc", "--shell", "bash");
  const text = Deno.readTextFileSync(config);
  assert.equal(text.split("\n")[2], line);
  assert.ok(text.endsWith("\n# <<< dockerdo <<<\nMatch host x\n  User y\nHost a\n  Port 3"), text);
  assert.equal((Deno.statSync(config).mode ?? 0) & 0o777, 0o640);
});

for (const state of ["%h", "a${HOME}b", 'quo"te', "st*r"]) {
  Deno.test(`a state directory called ${state} is not included in ~/.ssh/config, and install says so`, async () => {
    using dir = temporaryDir();
    using home = newHome({ XDG_STATE_HOME: `${dir.path}/${state}` });
    const { code, stderr } = await home.install("--yes", "--shell", "bash");
    assert.equal(code, 0);
    assert.match(stderr, /^\[local\] .*\/\.ssh\/config is left as it is: ssh cannot include /m);
    assert.equal("/.ssh/config" in home.tree(), false);
  });
}

Deno.test("letters that are no UTF-8 stay as they are", async () => {
  using home = newHome();
  const bytes = Uint8Array.from([0xff, 0xfe, 0xe9, 0x0a]);
  Deno.writeFileSync(`${home.path}/.bashrc`, bytes);
  await home.install("--yes", "--shell", "bash");
  assert.deepEqual(Deno.readFileSync(`${home.path}/.bashrc`).subarray(0, 4), bytes);
  await home.install("--yes", "--uninstall");
  assert.deepEqual(Deno.readFileSync(`${home.path}/.bashrc`), bytes);
});

Deno.test("ZDOTDIR and the XDG directories are where the files go", async () => {
  using dir = temporaryDir();
  using home = newHome({
    ZDOTDIR: `${dir.path}/z`,
    XDG_CONFIG_HOME: `${dir.path}/config`,
    XDG_DATA_HOME: `${dir.path}/data`,
  });
  const before = home.tree();
  await home.install("--yes", "--no-ssh-config", "--shell", "zsh,fish");
  assert.deepEqual(home.tree(), before);
  assert.match(
    Deno.readTextFileSync(`${dir.path}/z/.zshrc`),
    new RegExp(`\\. ${dir.path}/config/dockerdo/dockerdo.zsh`),
  );
  for (const path of ["config/dockerdo/dockerdo.yaml", "config/fish/conf.d/dockerdo.fish"]) {
    assert.ok(Deno.statSync(`${dir.path}/${path}`).isFile);
  }
  assert.ok(Deno.statSync(`${dir.path}/data/man/man1/dockerdo.1`).isFile);
});

Deno.test("a configuration of the user's is never touched, nor what is not ours", async () => {
  using home = newHome();
  const config = `${home.path}/.config/dockerdo/dockerdo.yaml`;
  const foreign = `${home.path}/.config/fish/completions/dodo.fish`;
  for (const path of [config, foreign]) {
    Deno.mkdirSync(path.replace(/\/[^/]*$/, ""), { recursive: true });
    Deno.writeTextFileSync(path, "default_image: x:1\n");
  }
  const before = home.tree();
  const { stderr } = await home.install("--yes");
  assert.match(stderr, /^\[local\] .*dodo\.fish is kept: it is not dockerdo's$/m);
  const gone = await home.install("--yes", "--uninstall");
  assert.match(gone.stderr, /^\[local\] .*dockerdo\.yaml is kept: it was changed after install$/m);
  assert.deepEqual(home.tree(), before);
});

Deno.test("--dry-run shows and changes nothing; --no-bashrc leaves ~/.bashrc alone", async () => {
  using home = newHome();
  const before = home.tree();
  const { code, stdout, stderr } = await home.install("-n", "--shell", "bash");
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "" });
  assert.match(stderr, /^\+# >>> dockerdo >>> [0-9a-f]{8} new-file$/m);
  assert.deepEqual(home.tree(), before);
  assert.equal((await home.install("--yes", "--no-bashrc", "--shell", "bash")).code, 0);
  assert.equal("/.bashrc" in home.tree(), false);
  assert.equal("/.config/dockerdo/dockerdo.bash" in home.tree(), true);
});

Deno.test("without a terminal and --yes install shows the first change, and is a usage error", async () => {
  using home = newHome();
  const before = home.tree();
  const { code, stderr } = await system([`${BIN}/dockerdo`, "install"], { env: source(home) });
  assert.equal(code, 2);
  assert.match(stderr, /dockerdo: cannot ask: stdin is not a terminal\n {2}Use --yes/);
  assert.deepEqual(home.tree(), before);
});

/** What the programs of the checkout need to start: a deno, with what it has loaded already. */
function source({ path, programs }: Home): Record<string, string> {
  const cache = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  return { HOME: path, DENO_DIR: cache, PATH: `${programs}:${Deno.env.get("PATH")}` };
}

Deno.test("where dockerdo is not on the PATH, launchers of both go to ~/.local/bin, and work", async () => {
  using home = newHome({ PATH: "/nonexistent" });
  const { stderr } = await home.install("--yes", "--shell", "bash");
  assert.match(stderr, /^\[local\] .*\/\.local\/bin is not on your PATH: add it there$/m);
  for (
    const [name, usage] of [["dockerdo", "usage: dockerdo COMMAND"], [
      "dodo",
      "usage: dockerdo exec",
    ]]
  ) {
    const { code, stdout } = await system([`${home.path}/.local/bin/${name}`, "--help"], {
      env: source(home),
    });
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`${usage}`));
  }
  await home.install("--yes", "--uninstall");
  assert.deepEqual(Object.keys(home.tree()), []);
});

for (const shipped of ["release/dodo", "bin/dodo"]) {
  Deno.test(`install leaves a copy of ${shipped} as it is, and does not call it foreign`, async () => {
    using home = newHome({ PATH: "/nonexistent" });
    const dodo = `${home.path}/.local/bin/dodo`;
    Deno.mkdirSync(`${home.path}/.local/bin`, { recursive: true });
    Deno.copyFileSync(new URL(`../../../${shipped}`, import.meta.url), dodo);
    const before = Deno.readTextFileSync(dodo);
    for (const words of [["--yes"], ["--yes", "--uninstall"]]) {
      const { stderr } = await home.install(...words);
      assert.doesNotMatch(stderr, /dodo stays/);
      assert.equal(Deno.readTextFileSync(dodo), before);
    }
  });
}

Deno.test("a change is shown as a unified diff", () => {
  assert.equal(
    showChange({
      path: "rc",
      before: asBytes("1\n2\n3\n4\né"),
      after: asBytes("1\n2\n3\n4\né\nx\n"),
    }),
    `--- rc
+++ rc
@@ -2,4 +2,5 @@
 2
 3
 4
-é
\\ No newline at end of file
+é
+x
`,
  );
  assert.equal(
    showChange({ path: "rc", before: undefined, after: "a\nb\n" }),
    "--- /dev/null\n+++ rc\n@@ -0,0 +1,2 @@\n+a\n+b\n",
  );
});
