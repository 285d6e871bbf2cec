import assert from "node:assert/strict";
import { system, type TemporaryDir, temporaryDir, testSession, testWith } from "../../fixture.ts";

const SCRIPTS = new URL("../../../../completions", import.meta.url).pathname;

/** A home with ssh hosts and two sessions, and a docker and an ssh that answer from a list. */
function home(): TemporaryDir & { readonly env: Readonly<Record<string, string>> } {
  const dir = temporaryDir();
  const { path } = dir;
  Deno.mkdirSync(`${path}/.ssh/conf d`, { recursive: true });
  Deno.writeTextFileSync(
    `${path}/.ssh/config`,
    'Host reykjavik *.lan !x web-?\n  HostName 10.0.0.1\nhost = "two words" # none\n' +
      'Include "conf d/*" missing\nMatch host elsewhere\n',
  );
  Deno.writeTextFileSync(`${path}/.ssh/conf d/a`, "\tHOST\tbergen\r\nInclude deep");
  Deno.writeTextFileSync(
    `${path}/.ssh/deep`,
    "Host oslo alpha.dockerdo -oProxyCommand=id\nInclude config",
  );
  for (const name of ["alpha", "beta"]) {
    const session = testSession({
      name,
      env: { name: "none" },
      workDir: `${path}/${name} "w"`,
      socketDir: path,
    });
    const { dir: _, ...stored } = {
      ...session,
      containerId: "c0ffee",
      image: { env: { PATH: "/opt/my bin:/bin" }, workdir: "/srv/app", loginShell: "" },
    };
    Deno.mkdirSync(`${path}/.local/share/dockerdo/${name}`, { recursive: true });
    Deno.mkdirSync(`${session.workDir}/container/etc`, { recursive: true });
    Deno.writeTextFileSync(
      `${path}/.local/share/dockerdo/${name}/session.json`,
      JSON.stringify(stored, null, 2),
    );
  }
  Deno.mkdirSync(`${path}/bin`);
  const program = (name: string, text: string): void =>
    Deno.writeTextFileSync(`${path}/bin/${name}`, `#!/bin/sh\n${text}`, { mode: 0o755 });
  program(
    "docker",
    `case "$1 $2" in
  "image ls") printf '%s\\n' lab/debian:bookworm lab/alpine:3 '<none>:<none>' ;;
  "ps --format") echo web ;;
  "__complete run") printf -- '--volumes-from\\tMount\\n--volume\\tBind\\n:4\\nEnded\\n' ;;
esac`,
  );
  // The container is a directory here, and what ssh would run there runs in it; beta has none.
  Deno.mkdirSync(`${path}/there/my dir`, { recursive: true });
  Deno.mkdirSync(`${path}/there/my bin`);
  for (const name of ["my file", "it's", "x$y", "plain", "new\nline"]) {
    Deno.writeTextFileSync(`${path}/there/${name}`, "");
  }
  Deno.writeTextFileSync(`${path}/there/my bin/mycc`, "", { mode: 0o755 });
  program(
    "ssh",
    `printf '%s\\n' "$*" >>${path}/ssh-calls
for word; do line=$word; done
case $* in */beta/*) exit 255 ;; esac
DODO_2=${path}/there DODO_5="${path}/there/my bin"
export DODO_2 DODO_5
eval "$line"`,
  );
  const env = {
    // The machine may be busy.
    DOCKERDO_COMPLETION_SECONDS: "20",
    HOME: path,
    PATH: `${path}/bin:${Deno.env.get("PATH")}`,
    DOCKERDO_SESSION_DIR: `${path}/.local/share/dockerdo/alpha`,
  };
  return { ...dir, path, env, [Symbol.dispose]: () => dir[Symbol.dispose]() };
}

interface Asked {
  readonly line: string;
  /** As bash takes the line apart, where that is not at blanks alone. */
  readonly pieces?: readonly string[];
  readonly offered: readonly string[];
  /** Where bash replaces only what is behind a = or :. */
  readonly inBash?: readonly string[];
  /** Where zsh adds the rest as a suffix. */
  readonly inZsh?: readonly string[];
}

const CASES: readonly Asked[] = [
  { line: "dockerdo in", offered: ["init", "install"] },
  { line: "dockerdo help r", offered: ["rm", "run"] },
  { line: "dockerdo init --rem", offered: ["--remote"] },
  { line: "dockerdo init --remote ", offered: ["bergen", "oslo", "reykjavik"] },
  {
    line: "dockerdo init --remote=b",
    pieces: ["dockerdo", "init", "--remote", "=", "b"],
    offered: ["--remote=bergen"],
    inBash: ["bergen"],
  },
  { line: "dockerdo init --connect ", offered: ["exec", "port"] },
  {
    line: "dockerdo init --image lab/debian:",
    pieces: ["dockerdo", "init", "--image", "lab/debian", ":"],
    offered: ["lab/debian:bookworm"],
    inBash: ["bookworm"],
  },
  { line: "dockerdo init --container ", offered: ["web"] },
  { line: "dockerdo completions ", offered: ["bash", "fish", "zsh"] },
  { line: "dockerdo export HOM", offered: ["HOME="], inZsh: ["HOME"] },
  { line: "dockerdo run --volumes", offered: ["--volumes-from"] },
  { line: "dodo --work", offered: ["--workdir"] },
  { line: "dodo ls --work", offered: [] },
  {
    line: "dodo -w my",
    offered: ["my bin/", "my dir/"],
    inBash: ["my\\ bin/", "my\\ dir/"],
  },
  { line: "dodo my", offered: ["mycc"] },
  {
    line: "dodo ls -l my",
    offered: ["my bin/", "my dir/", "my file"],
    inBash: ["my\\ bin/", "my\\ dir/", "my\\ file"],
  },
  {
    line: "dodo -e A=b ls pl",
    pieces: ["dodo", "-e", "A", "=", "b", "ls", "pl"],
    offered: ["plain"],
  },
  { line: "dockerdo exec -- ls pl", offered: ["plain"] },
  { line: "dodo --session beta ls pl", offered: [] },
  { line: "dodo --session alpha ls pl", offered: ["plain"] },
  { line: "dodo --session ", offered: ["alpha", "beta"] },
  { line: "dockerdo rm ", offered: ["alpha", "beta"] },
  { line: "dockerdo start a", offered: ["alpha"] },
  {
    line: "dodo ls my\\ d",
    pieces: ["dodo", "ls", "my\\ d"],
    offered: ["my dir/"],
    inBash: ["my\\ dir/"],
  },
  { line: "dodo ls 'my d", pieces: ["dodo", "ls", "'my d"], offered: ["my dir/"] },
  { line: 'dodo ls "my f', pieces: ["dodo", "ls", '"my f'], offered: ["my file"] },
  { line: "dodo ls it", offered: ["it's"], inBash: ["it\\'s"] },
  { line: "dodo ls x", offered: ["x$y"], inBash: ["x\\$y"] },
];

const BASH = `source "$1/dockerdo.bash"
COMP_LINE=$2 COMP_POINT=\${#2}
COMP_WORDS=("\${@:3}") COMP_CWORD=$(($# - 3))
_dockerdo
if [ "\${#COMPREPLY[@]}" -gt 0 ]; then printf '%s\\n' "\${COMPREPLY[@]}"; fi`;

// A shell in a terminal of its own; what its compadd takes is what it offers.
const ZSH = `zmodload zsh/zpty zsh/zselect
zpty shell zsh -f -i
zpty -w shell "PS1=; autoload -Uz compinit; compinit -D -i; source ${"${(q)1}"}/_dockerdo"
zpty -w shell 'compadd() {
  if (( ! \${@[(I)-[ADO]]} )); then
    local -a taken=()
    builtin compadd -O taken "$@"
    [[ -z $taken ]] || print -rl -- "${"${IPREFIX}${(@)^taken}"}" >>$HOME/offered
  fi
  builtin compadd "$@"
}'
zpty -w shell 'offer() { zle list-choices; echo "DONE" >>$HOME/offered; zle kill-buffer }'
zpty -w shell 'zle -N offer; bindkey "^X" offer; LISTMAX=999; echo REA""DY'
zpty -r shell seen '*READY*'
for line in "${"${@:2}"}"; do
  zpty -w -n shell "$line"$'\\C-x'
  until grep -qs "^DONE" $HOME/offered || (( SECONDS > 60 )); do zselect -t 1; done
  print -r -- ">$line"
  cat $HOME/offered
  rm $HOME/offered
done
zpty -d shell
`;

const FISH = `source $argv[1]/dockerdo.fish
complete -C $argv[2] | string replace -r '\\t.*' ''`;

for (const { line, pieces, offered, inBash, inZsh } of CASES) {
  const words = pieces ?? line.split(" ");
  Deno.test(`bash completes ${line}`, async () => {
    using user = home();
    const { stdout, stderr } = await system(
      ["bash", "--norc", "-c", BASH, "bash", SCRIPTS, line, ...words],
      { env: user.env, cwd: user.path },
    );
    assert.deepEqual({ found: linesOf(stdout), stderr }, { found: inBash ?? offered, stderr: "" });
  });
  testWith("zsh", `zsh completes ${line}`, async () => {
    const { stdout, stderr } = await (zshAnswers ??= askZsh());
    const [, answer = "unanswered"] = stdout.split(`>${line}\n`);
    const [found = ""] = answer.split("DONE\n");
    assert.deepEqual({ found: linesOf(found), stderr }, { found: inZsh ?? offered, stderr: "" });
  });
  testWith("fish", `fish completes ${line}`, async () => {
    using user = home();
    const { stdout, stderr } = await system(
      ["fish", "--no-config", "-c", FISH, SCRIPTS, line],
      { env: user.env, cwd: user.path },
    );
    assert.deepEqual({ found: linesOf(stdout), stderr }, { found: offered, stderr: "" });
  });
}

// One shell for all lines: to start its completion takes it most of a second.
let zshAnswers: ReturnType<typeof askZsh> | undefined;
async function askZsh(): Promise<{ stdout: string; stderr: string }> {
  using user = home();
  const lines = CASES.map(({ line }) => line);
  return await system(["zsh", "-f", "-c", ZSH, "zsh", SCRIPTS, ...lines], {
    env: user.env,
    cwd: user.path,
  });
}

function linesOf(text: string): string[] {
  return text.split("\n").filter(Boolean).sort();
}

const QUOTED: readonly {
  readonly name: string;
  readonly typed: string;
  readonly candidates: readonly string[];
  readonly offered: readonly string[];
}[] = [
  {
    name: "escapes what the shell would read",
    typed: "a",
    candidates: ["a`touch p`b", "a $(x)", "a;b", "~a", "a\\b"],
    offered: ["a\\`touch\\ p\\`b", "a\\ \\$\\(x\\)", "a\\;b", "\\~a", "a\\\\b"],
  },
  {
    name: "escapes what double quotes let through, and drops what they cannot hold",
    typed: '"a',
    candidates: ["a`touch p`$x", 'a"b', "a\\b", "a!b"],
    offered: ["a\\`touch p\\`\\$x", 'a\\"b', "a\\\\b", " "],
  },
  {
    name: "closes and opens single quotes around one",
    typed: "'a",
    candidates: ["a'`x`", "a$y"],
    offered: ["a'\\''`x`", "a$y"],
  },
  {
    name: "drops control characters",
    typed: "a",
    candidates: ["a\rb", "a\x1b[2J", "ab"],
    offered: ["ab"],
  },
  {
    name: "offers nothing after a quote in the middle",
    typed: 'a"b',
    candidates: ['a"bc'],
    offered: [],
  },
  {
    name: "offers nothing after a command substitution",
    typed: "$(a",
    candidates: ["$(ab"],
    offered: [],
  },
];

for (const { name, typed, candidates, offered } of QUOTED) {
  Deno.test(`bash ${name}`, async () => {
    const script = `source "$1/dockerdo.bash"
words=(dodo "$2") cword=1 COMPREPLY=("\${@:3}")
__dockerdo_quote
if [ "\${#COMPREPLY[@]}" -gt 0 ]; then printf '%s\\n' "\${COMPREPLY[@]}"; fi`;
    const { stdout } = await system(
      ["bash", "--norc", "-c", script, "bash", SCRIPTS, typed, ...candidates],
      { env: { PATH: Deno.env.get("PATH") ?? "" }, cwd: "/" },
    );
    assert.deepEqual(stdout.split("\n").slice(0, -1), offered);
  });
}

// As an attacker in the container would have it: a name that is a command where the shell reads it.
const ATTACKS = ["a`touch hit`b", "q`touch hit`$x", "s'`touch hit`", "b;touch hit"];

function plantAttacks(home: string): void {
  for (const name of ATTACKS) Deno.writeTextFileSync(`${home}/there/${name}`, "");
  const dodo = '#!/bin/sh\nprintf "took:<%s>\\n" "$@"\n';
  Deno.writeTextFileSync(`${home}/bin/dodo`, dodo, { mode: 0o755 });
}

const TYPED = ["a", '"a', "'a", "q", '"q', "'s", '"s', "b", "'b"];

testWith("python3", "no name in the container is run by bash after TAB and Enter", async () => {
  using user = home();
  plantAttacks(user.path);
  const terminal = new URL("../../../lab/terminal.py", import.meta.url).pathname;
  for (const typed of TYPED) {
    const name = ATTACKS.find((attack) => attack.startsWith(typed.at(-1) ?? "")) ?? "";
    const steps = [
      ["", `PS1=re''ady:; source ${SCRIPTS}/dockerdo.bash\r`],
      ["ready:", `dodo cat ${typed}\t`],
      ["touch", "\r"],
      ["took:<cat>", ""],
      [">", "exit\r"],
    ];
    const { stdout } = await system(
      ["python3", terminal, JSON.stringify(steps), "bash", "--norc", "--noprofile", "-i"],
      { env: { ...user.env, TERM: "dumb" }, cwd: user.path },
    );
    assert.ok(stdout.replaceAll("\r", "").includes(`took:<${name}>`), `${typed}: ${stdout}`);
  }
  assert.equal((await system(["ls"], { cwd: user.path })).stdout.includes("hit"), false);
});
