import assert from "node:assert/strict";
import { system, temporaryDir } from "./fixture.ts";

const BIN = new URL("../../bin", import.meta.url).pathname;

// As npx does: the nearest node_modules from its directory up comes first.
const NPX = `echo "npx in $PWD" >>"$HOME/log"
dir=$PWD
while [ -n "$dir" ]; do
  if [ -x "$dir/node_modules/.bin/deno@2.9.6" ]; then exec "$dir/node_modules/.bin/deno@2.9.6"; fi
  dir=\${dir%/*}
done
echo '${Deno.execPath()}'`;

const PLANTED = [
  "work/node_modules/.bin/deno@2.9.6",
  "work/below/deno",
  "work/below/ssh",
  "work/below/npx",
];

function plant(home: string): void {
  Deno.mkdirSync(`${home}/work/below`, { recursive: true });
  Deno.mkdirSync(`${home}/work/node_modules/.bin`, { recursive: true });
  Deno.mkdirSync(`${home}/bin`);
  const program = (path: string, text: string): void =>
    Deno.writeTextFileSync(`${home}/${path}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  program("bin/npx", NPX);
  for (const path of PLANTED) program(path, 'echo planted >>"$HOME/hit"');
  const file = (name: string, text: string): void =>
    Deno.writeTextFileSync(`${home}/work/below/${name}`, text);
  file("deno.json", '{"imports":{"@stricli/core":"./planted.ts"}}');
  file("package.json", '{"type":"module","imports":{"#x":"./planted.ts"}}');
  file("planted.ts", 'Deno.writeTextFileSync(Deno.env.get("HOME") + "/hit", "");');
  file(".npmrc", "script-shell=./sh\nregistry=http://127.0.0.1:1\n");
  file(".env", "DOCKERDO_SESSION_DIR=/nonexistent\n");
}

Deno.test("from a checkout nothing in the current directory decides what runs, with Node.js alone", async () => {
  using dir = temporaryDir();
  plant(dir.path);
  const start = (name: string, ...words: string[]): ReturnType<typeof system> =>
    system([`${BIN}/${name}`, ...words], {
      env: {
        HOME: dir.path,
        DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
        // An empty part and a dot are the current directory.
        PATH: `.::${dir.path}/bin:/usr/bin:/bin`,
      },
      cwd: `${dir.path}/work/below`,
    });
  assert.match((await start("dodo", "true")).stderr, /^dockerdo: no session is active/);
  assert.match((await start("dockerdo", "--version")).stdout, /^dockerdo \d/);
  const found = await system(["sh", "-c", "ls; cat log"], { cwd: dir.path });
  const root = BIN.slice(0, -"/bin".length);
  assert.equal(found.stdout, `bin\nlog\nwork\nnpx in ${root}\n`);
});

Deno.test("arguments keep their carriage returns, which Deno takes off the end", async () => {
  using dir = temporaryDir();
  await Deno.symlink(Deno.execPath(), `${dir.path}/deno`);
  const { stderr } = await system([`${BIN}/dodo`, "--no-such\r\r"], {
    env: {
      HOME: dir.path,
      DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
      PATH: `${dir.path}:/usr/bin:/bin`,
    },
  });
  assert.match(stderr, /^dockerdo: exec has no option --no-such\\x0d\\x0d\n/);
});

Deno.test("a stream that takes nothing is named, and what dodo cannot say on stderr leaves its exit code", async () => {
  using dir = temporaryDir();
  const start = (line: string): ReturnType<typeof system> =>
    system(["/bin/sh", "-c", line], {
      env: {
        HOME: dir.path,
        BIN,
        DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
        PATH: `${Deno.execPath().replace(/\/[^/]*$/, "")}:/usr/bin:/bin`,
      },
      cwd: dir.path,
    });
  const full = "cannot write to the standard output: No space left on device (os error 28)\n";
  const lines = [
    "dockerdo config >/dev/full",
    "dockerdo --help >/dev/full",
    "dodo --help >/dev/full",
  ];
  const seen = await Promise.all(lines.map((line) => start(`"$BIN"/${line}`)));
  assert.deepEqual(seen.map(({ code, stderr }) => [code, stderr]), [
    [1, `dockerdo: ${full}`],
    [1, `dockerdo: ${full}`],
    [125, `dockerdo: ${full}`],
  ]);
  assert.equal((await start('"$BIN"/dodo true 2>/dev/full')).code, 125);
  assert.equal((await start('"$BIN"/dockerdo nosuch 2>/dev/full')).code, 2);
});

Deno.test("without a deno and an npx dockerdo ends with 1, dodo with 125", async () => {
  using dir = temporaryDir();
  const start = (name: string): ReturnType<typeof system> =>
    system(["/bin/sh", `${BIN}/${name}`, "list"], {
      env: { HOME: dir.path, PATH: "/nonexistent" },
    });
  assert.deepEqual([(await start("dockerdo")).code, (await start("dodo")).code], [1, 125]);
});
