import assert from "node:assert/strict";
import { addHost, london, poll, reykjavik, startLink } from "../lab/lab.ts";
import type { Link } from "../lab/link.ts";
import { newUser, storedSession, type User } from "./user.ts";

/** Debian's language servers; built once, the engine keeps the layers. */
const DOCKERFILE = `FROM lab/debian:bookworm
RUN apt-get update -q && apt-get install -qy --no-install-recommends \
  clangd-14 libc6-dev python3-pylsp python3-setuptools python3-autopep8 \
  python3-pyflakes gopls golang-go python3-debugpy gcc make && \
  ln -sf clangd-14 /usr/bin/clangd
`;
const IMAGE = "lab/servers:2";
const TERMINAL = new URL("../lab/terminal.py", import.meta.url).pathname;
const HERE = new URL("editors/", import.meta.url).pathname;

/** A user with a container that has the servers, 20 ms away. */
async function newEditorUser(): Promise<User & { readonly mount: string; readonly link: Link }> {
  const built = await reykjavik(["docker", "build", "-q", "-t", IMAGE, "-"], { stdin: DOCKERFILE });
  assert.equal(built.code, 0, built.stderr);
  const link = startLink({ to: "10.77.0.2:22", rttMs: 20 });
  const host = await addHost("reykjavik-far", { port: link.port });
  const user = await newUser();
  await user.runs(`editing --remote reykjavik-far --image ${IMAGE}`);
  return {
    ...user,
    mount: `${user.workDir}/container`,
    link,
    async [Symbol.asyncDispose](): Promise<void> {
      await user[Symbol.asyncDispose]();
      await host[Symbol.asyncDispose]();
      await link[Symbol.asyncDispose]();
    },
  };
}

/** Writes files into the container's /srv/app; in a child, for the link is in this process. */
async function write(
  user: { readonly mount: string },
  files: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = `${user.mount}/srv/app/${name}`;
    const { code, stderr } = await london(
      ["sh", "-c", 'mkdir -p "${1%/*}" && cat >"$1"', "sh", path],
      { stdin: text },
    );
    assert.equal(code, 0, stderr);
  }
}

interface Seen {
  readonly error?: string;
  readonly diagnostics: readonly string[];
  readonly definitions: readonly string[];
  readonly completion?: readonly string[];
  readonly references?: readonly string[];
  readonly symbols?: readonly string[];
  readonly published: readonly string[];
  readonly buffers: readonly string[];
}

async function nvim(
  user: User & { readonly mount: string },
  of: { readonly directory?: string; readonly [name: string]: unknown },
): Promise<Seen> {
  const { stdout, stderr } = await london(
    [
      "bash",
      "-c",
      `cd "$1" && timeout 100 nvim --headless -u NONE -S "$2"`,
      "_",
      `${user.mount}/srv/app/${of.directory ?? ""}`,
      `${HERE}nvim.lua`,
    ],
    { env: { ...user.env(), CASE: JSON.stringify(of) } },
  );
  const line = stdout.split("\n").find((line) => line.startsWith("{"));
  assert.ok(line !== undefined, stdout + stderr);
  const seen = JSON.parse(line) as Seen;
  assert.equal(seen.error, undefined, stderr);
  return seen;
}

Deno.test("editors of this host with the container's servers, 20 ms away", async (t) => {
  await using user = await newEditorUser();
  const { mount } = user;
  const app = `${mount}/srv/app`;

  await t.step(
    "clangd: definitions into /usr/include, rename across files, completion, format",
    async () => {
      const main = "ä b+c (1).c";
      await write(user, {
        [main]:
          '#include <stdio.h>\n#include "lib.h"\nint main(void) {\n  int unused_thing = add_up(1, 2);\n  puts("x");\n return 0;\n}\n',
        "lib.h": "int add_up(int a, int b);\n",
        "lib.c": '#include "lib.h"\nint add_up(int a, int b) { return a + b; }\n',
        "compile_commands.json": JSON.stringify([main, "lib.c"].map((file) => ({
          directory: "/srv/app",
          file,
          arguments: ["cc", "-Wall", "-c", file],
        }))),
      });
      const seen = await nvim(user, {
        cmd: ["dodo", "--lsp", "clangd", "--clang-tidy=0"],
        file: main,
        language: "c",
        definitions: ["puts", "lib.h"],
        complete: "add_",
        rename: ["add_up", "sum_up", 3],
        format: true,
        symbols: "add_up",
      });
      assert.deepEqual(seen.diagnostics, ["4: Unused variable 'unused_thing'"]);
      assert.deepEqual(seen.definitions.map((line) => line.replace(/ \(?const char.*/, "")), [
        `${mount}/usr/include/stdio.h: extern int puts`,
        `${app}/lib.h: int add_up(int a, int b);`,
      ]);
      assert.ok(seen.completion?.some((item) => item.startsWith("add_up")), `${seen.completion}`);
      // The declaration, or the definition where it is in the index already.
      assert.match(`${seen.symbols}`, new RegExp(`^add_up ${app}/lib\\.[ch]$`));
      assert.equal(
        await user.does(`dodo sh -c 'cat "${main}" lib.h lib.c'`),
        '#include "lib.h"\n#include <stdio.h>\nint main(void) {\n  int unused_thing = sum_up(1, 2);\n' +
          '  puts("x");\n  return 0;\n}\nint sum_up(int a, int b);\n' +
          '#include "lib.h"\nint sum_up(int a, int b) { return a + b; }\n',
      );
      assert.deepEqual(seen.references, [`${app}/lib.c`, `${app}/lib.h`, `${app}/${main}`]);
      assert.equal(seen.buffers.filter((name) => name.endsWith(main)).length, 1);
    },
  );

  await t.step(
    "dockerdo editor: each editor of Debian's runs the server with what it prints",
    async () => {
      const main = "int main(void) {\n  int unused_thing = 1;\n  return 0;\n}\n";
      await write(user, { "conf/main.c": main, "conf/.clangd": "CompileFlags: {Add: [-Wall]}\n" });
      const starts = {
        nvim:
          `nvim --headless -u $TMPDIR/nvim.lua main.c -c 'lua vim.wait(15000, function() return #vim.diagnostic.get(0) > 0 end, 20); ` +
          `io.stdout:write(vim.diagnostic.get(0)[1].message)' -c 'qa!'`,
        vim:
          `script -qc "vim -N --cmd 'set rtp+=/usr/share/vim-ale' -u $TMPDIR/vim.lua -S ${HERE}ale.vim" /dev/null </dev/null >/dev/null; cat $TMPDIR/seen`,
        emacs:
          `env CASE='{"file": "main.c"}' emacs --batch -l $TMPDIR/emacs.lua -l ${HERE}emacs.el`,
        kakoune:
          `kak -n -ui dummy -e "declare-option str-list lsp_servers; source $TMPDIR/kakoune.lua; edit main.c; ` +
          `set-option buffer filetype c; echo -to-file $TMPDIR/seen %opt{lsp_servers}; quit!"; cat $TMPDIR/seen`,
      };
      for (const [editor, start] of Object.entries(starts)) {
        const { stdout, stderr } = await user.types(
          `dockerdo editor ${editor} --lsp clangd >$TMPDIR/${editor}.lua; cd ${app}/conf && timeout 40 ${start}`,
        );
        const expected = editor === "kakoune"
          ? /args = \["--lsp", "clangd"\]/
          : /nused variable 'unused_thing'/;
        assert.match(stdout, expected, `${editor}: ${stdout}${stderr}`);
      }
    },
  );

  await t.step(
    "emacs with clangd: definitions, completion, rename across files, format",
    async () => {
      await write(user, {
        "emacs/main.c":
          '#include <stdio.h>\n#include "lib.h"\nint main(void) {\n  int unused_thing = add_up(1, 2);\n  puts("x");\n return 0;\n}\n',
        "emacs/lib.h": "int add_up(int a, int b);\n",
        "emacs/lib.c": '#include "lib.h"\nint add_up(int a, int b) { return a + b; }\n',
        "emacs/compile_commands.json": JSON.stringify(["main.c", "lib.c"].map((file) => ({
          directory: "/srv/app/emacs",
          file,
          arguments: ["cc", "-Wall", "-c", file],
        }))),
      });
      const of = {
        file: "main.c",
        definitions: ["puts", "lib.h"],
        complete: "add_",
        rename: ["add_up", "sum_up"],
        format: true,
      };
      const { stdout, stderr } = await user.types(
        `cd ${app}/emacs && CASE='${
          JSON.stringify(of)
        }' timeout 60 emacs --batch -l $TMPDIR/emacs.lua -l ${HERE}emacs.el`,
      );
      const seen = JSON.parse(stdout.split("\n").find((line) => line.startsWith("{")) ?? "{}");
      assert.equal(seen.error, undefined, stdout + stderr);
      assert.deepEqual(seen.completion, ["add_up"]);
      assert.deepEqual(seen.definitions, [
        `${mount}/usr/include/stdio.h: extern int puts (const char *__s);`,
        `${app}/emacs/lib.h: int add_up(int a, int b);`,
      ]);
      assert.equal(
        await user.does(
          "dodo sh -c 'cd /srv/app/emacs; grep -c sum_up main.c lib.h lib.c; grep return main.c'",
        ),
        "main.c:1\nlib.h:1\nlib.c:1\n  return 0;\n",
      );
    },
  );

  await t.step(
    "pylsp and gopls: diagnostics, definitions in the standard library, completion, rename",
    async () => {
      await write(user, {
        "py/main.py": "import json\nimport lib\njson.dumps(lib.add_up(1,2))\n",
        "py/lib.py": "def add_up(a, b):\n    return a + b\n",
        "go/go.mod": "module demo\n\ngo 1.19\n",
        "go/main.go":
          'package main\n\nimport "strings"\n\nfunc main() {\n\tvar unused int\n\tstrings.ToUpper(addUp("a"))\n}\n',
        "go/lib.go": "package main\n\nfunc addUp(a string) string { return a }\n",
      });
      const python = await nvim(user, {
        cmd: ["dodo", "--lsp", "pylsp"],
        directory: "py",
        file: "main.py",
        language: "python",
        definitions: ["dumps", "add_up"],
        complete: "add_",
        rename: ["add_up", "sum_up", 2],
        format: true,
      });
      assert.match(`${python.diagnostics}`, /^3: E231 /);
      assert.match(
        `${python.definitions[0]}`,
        new RegExp(`^${mount}/usr/lib/python3[.0-9]*/json/__init__.py: def dumps`),
      );
      assert.equal(python.definitions[1], `${app}/py/lib.py: def add_up(a, b):`);
      const go = await nvim(user, {
        cmd: ["dodo", "--lsp", "gopls"],
        directory: "go",
        file: "main.go",
        language: "go",
        definitions: ["ToUpper", "addUp"],
        complete: "addU",
        rename: ["addUp", "sumUp", 2],
      });
      assert.match(`${go.diagnostics}`, /^6: unused declared/);
      assert.match(
        `${go.definitions[0]}`,
        new RegExp(`^${mount}/usr/(lib|share)/go-[.0-9]*/src/strings/strings.go: func ToUpper`),
      );
      assert.equal(go.definitions[1], `${app}/go/lib.go: func addUp(a string) string { return a }`);
      assert.equal(
        await user.does(
          "dodo sh -c 'cd /srv/app; grep -c sum_up py/main.py py/lib.py; grep -c sumUp go/main.go go/lib.go'",
        ),
        "py/main.py:1\npy/lib.py:1\ngo/main.go:1\ngo/lib.go:1\n",
      );
    },
  );

  await t.step(
    "local paths within arguments and values are the container's, unless --no-map",
    async () => {
      const script =
        `'printf "%s\\n" "$X" "$@"' sh -I${app}/inc --sysroot=${mount} a:${app}:file://${app}/x ${app}`;
      assert.equal(
        await user.does(`dodo -e X=${app}:/bin sh -c ${script}`),
        "/srv/app:/bin\n-I/srv/app/inc\n--sysroot=/\na:/srv/app:file:///srv/app/x\n/srv/app\n",
      );
      assert.equal(
        await user.does(`dodo --no-map -e X=${app} sh -c 'echo $X $1' sh -I${app}`),
        `${app} -I${app}\n`,
      );
      assert.equal(
        await user.does(
          "dodo echo container/srv/x ./container/etc container; dodo --no-map echo container/x",
        ),
        "/srv/x /etc container\ncontainer/x\n",
      );
    },
  );

  await t.step(
    "--map-output: nvim's :make jumps to the line, and all else is as without it",
    async () => {
      await write(user, { "sub/Makefile": "all:\n\tcc -Wall -c wrong.c /srv/app/far.c\n" });
      await write(user, {
        "sub/wrong.c": "int f(void) {\n  return nope;\n}\n",
        "far.c": "int g(\n",
      });
      // gcc names the one file relative to make's directory, and the other in full.
      const jumps =
        `nvim --headless -u NONE -c 'set makeprg=dodo\\ -M\\ make' -c 'silent make -C sub' ` +
        `-c 'call writefile([expand("%:p") .. " " .. line(".")], "/dev/stdout")' ` +
        `-c 'call writefile(map(getqflist(), {_, e -> bufname(e.bufnr) .. ":" .. e.lnum}), "/dev/stdout", "a")' -c qa`;
      const jumped = await user.does(`cd ${app} && timeout 60 ${jumps} 2>/dev/null`);
      assert.ok(jumped.startsWith(`${app}/sub/wrong.c 2\n`), jumped);
      assert.match(jumped, /\bfar\.c:1$/m);
      const codes = (option: string): Promise<string> =>
        user.does(
          `cd ${app}; for c in 'exit 7' 'kill -KILL $$' 'echo /srv/x.c:1 >&2; exec head -c 300 /bin/true'; do ` +
            `dodo ${option} sh -c "$c" 2>$TMPDIR/err | md5sum; echo \${PIPESTATUS[0]} $(sed "s,${mount},," $TMPDIR/err); done; ` +
            `dodo ${option} yes | head -n 1; echo \${PIPESTATUS[0]}; echo in | dodo ${option} cat`,
        );
      assert.equal(await codes("--map-output"), await codes(""));
      // With a terminal the command has one too: gcc's colours, with the path within them.
      const { code, stdout: shown } = await user.types(
        `python3 ${TERMINAL} '[["far.c:1", ""]]' dodo -M gcc -c /srv/app/far.c`,
      );
      assert.equal(code, 1, shown);
      assert.match(shown, new RegExp(`^\x1b\\[01m\x1b\\[K${app}/far.c:1:1:\x1b\\[m`, "m"));
      // A prompt is shown before the answer is there.
      assert.equal(
        await user.does(
          `mkfifo answer; dodo -M sh -c 'printf "in /srv? "; read x; echo "$x"' <answer | ` +
            `{ exec 3>answer; head -c 9; echo; echo yes >&3; cat; }; rm answer`,
        ),
        "in /srv? \nyes\n",
      );
    },
  );

  await t.step("a debugging session with debugpy has local files", async () => {
    await write(user, {
      "debugged.py":
        "import json\ndef called(value):\n    return 'x'\nprint(json.dumps([object()], default=called))\n",
    });
    const program = `${app}/debugged.py`;
    for (const console of ["internalConsole", "integratedTerminal"]) {
      const stdout = await user.does(
        `cd ${app} && timeout 60 ${HERE}dap.py ${console} ${program} 3 dodo --dap python3 -m debugpy.adapter`,
      );
      const seen = JSON.parse(stdout) as { stack: string[] };
      assert.deepEqual({ ...seen, stack: undefined }, {
        breakpoints: [[true, program]],
        stack: undefined,
        process: program,
        value: "'/srv/app/lib:/usr/lib --data=/srv/app/debugged.py'",
        code: 0,
      });
      assert.equal(seen.stack[0], program);
      assert.match(
        `${seen.stack[1]}`,
        new RegExp(`^${mount}/usr/lib/python3[.0-9]*/json/encoder.py$`),
      );
    }
  });

  await t.step(
    "a server that dies ends with its code; an editor that dies ends the server and its children",
    async () => {
      assert.equal(
        (await user.types("dodo --lsp sh -c 'exit 7' </dev/null")).code,
        7,
      );
      const running = (): Promise<string> =>
        user.does(
          'dodo sh -c \'cat /proc/[0-9]*/cmdline | tr "\\0" " " | grep -oE "sleep (9[0-9]+)" || :\'',
        );
      // A server that does not look at its stdin, with a child in the background.
      const server = `sh -c 'sleep 901 & sleep 902'`;
      await user.types(`dodo --lsp ${server} </dev/null`);
      assert.equal(await running(), "");
      await user.types(
        `mkfifo in; sleep 60 >in 2>&- & q=$!; dodo --lsp ${server} <in & p=$!; sleep 3; kill -KILL $p $q`,
      );
      await poll(async () => await running() === "", { what: "the server's end", limitMs: 15_000 });
    },
  );

  await t.step("a server whose link is lost ends, with its children", async () => {
    const { containerId } = await storedSession(user);
    const running = async (): Promise<boolean> => {
      const look = await reykjavik([
        ...["docker", "exec", `${containerId}`, "sh", "-c"],
        'cat /proc/[0-9]*/cmdline | tr "\\0" " " | grep -qE "sleep 9[0]3"',
      ]);
      return look.code === 0;
    };
    const lost = user.types(
      `mkfifo gone; sleep 60 >gone & dodo --lsp sh -c 'sleep 903 & sleep 903' <gone; kill $!; rm gone`,
    );
    await poll(running, { what: "the server", limitMs: 15_000 });
    // Nothing says goodbye: the container's sshd has to notice by itself.
    user.link.freeze();
    await poll(async () => !await running(), { what: "the server's end", limitMs: 40_000 });
    user.link.thaw();
    await lost;
  });
});
