import assert from "node:assert/strict";
import { addHost, london, poll, reykjavik, startLink } from "../lab/lab.ts";
import { newUser, type User } from "./user.ts";

/** Debian's language servers; built once, the engine keeps the layers. */
const DOCKERFILE = `FROM lab/debian:bookworm
RUN apt-get update -q && apt-get install -qy --no-install-recommends \
  clangd-14 libc6-dev python3-pylsp python3-autopep8 gopls golang-go python3-debugpy gcc make && \
  ln -sf clangd-14 /usr/bin/clangd
`;
const IMAGE = "lab/servers:1";
const HERE = new URL("editors/", import.meta.url).pathname;

/** A user with a container that has the servers, 20 ms away. */
async function newEditorUser(): Promise<User & { readonly mount: string }> {
  const built = await reykjavik(["docker", "build", "-q", "-t", IMAGE, "-"], { stdin: DOCKERFILE });
  assert.equal(built.code, 0, built.stderr);
  const link = startLink({ to: "10.77.0.2:22", rttMs: 20 });
  const host = await addHost("reykjavik-far", { port: link.port });
  const user = await newUser();
  await user.runs(`editing --remote reykjavik-far --image ${IMAGE}`);
  return {
    ...user,
    mount: `${user.workDir}/container`,
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
    const { code, stderr } = await london(["tee", path], { stdin: text });
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

async function nvim(user: User & { readonly mount: string }, of: object): Promise<Seen> {
  const { stdout, stderr } = await london(
    [
      "bash",
      "-c",
      `cd "$1" && timeout 100 nvim --headless -u NONE -S "$2"`,
      "_",
      `${user.mount}/srv/app`,
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

Deno.test("neovim with the container's clangd, 20 ms away", async (t) => {
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
    },
  );

  await t.step(
    "--map-output: nvim's :make jumps to the line, and all else is as without it",
    async () => {
      await user.does(`mkdir ${app}/sub`);
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
});
