import assert from "node:assert/strict";
import { BASE_IMAGE, london, type Outcome } from "../lab/lab.ts";
import { newUser, type User } from "./user.ts";

const TERMINAL = new URL("../lab/terminal.py", import.meta.url).pathname;

/** What the screen must show, then the keys. */
type Steps = readonly (readonly [awaited: string, keys: string])[];

/** A habit: what is typed, and what must come of it. Without `keys` there is no terminal. */
interface Habit {
  readonly name: string;
  readonly typed: string;
  readonly keys?: Steps;
  readonly code?: number;
  /** The whole of stdout, or what it must match; on a terminal what it shows. */
  readonly stdout?: string | RegExp;
  readonly stderr?: string | RegExp;
}

function play(user: User, { typed, keys }: Habit): Promise<Outcome> {
  if (keys === undefined) return user.types(typed);
  return london(["python3", TERMINAL, JSON.stringify(keys), "bash", "-c", typed], {
    cwd: user.workDir,
    env: { ...user.env(), TERM: "xterm" },
  });
}

function compare(text: string, expected: string | RegExp): void {
  if (typeof expected === "string") assert.equal(text, expected);
  else assert.match(text, expected);
}

/** Rows in one session, one after another; a row leaves the session as it found it. */
const HABITS: readonly Habit[] = [
  {
    name: "LD_LIBRARY_PATH and LD_PRELOAD are set, as with CUDA, conda and ROS",
    typed: "export LD_LIBRARY_PATH=/opt/cuda/lib64 LD_PRELOAD=; dockerdo list >/dev/null && " +
      "dockerdo status >/dev/null && dodo -e LD_LIBRARY_PATH printenv LD_LIBRARY_PATH; " +
      "dodo printenv LD_LIBRARY_PATH",
    code: 1,
    stdout: "/opt/cuda/lib64\n",
    stderr: "",
  },
  {
    name: "nohup, and a HUP to all of it",
    typed: `cd /; nohup dodo -c 'echo begun; sleep 2; echo done' >$TMPDIR/out 2>&1 & job=$!
      until grep -q begun $TMPDIR/out; do sleep 0.05; done
      kill -HUP $job; wait $job; code=$?; cat $TMPDIR/out; exit $code`,
    stdout: "begun\ndone\n",
  },
  {
    name: "a job in a script's background, and the Ctrl-C that is for the script",
    typed: `dodo -c 'echo begun; sleep 2; echo done' >$TMPDIR/out 2>&1 & job=$!
      until grep -q begun $TMPDIR/out; do sleep 0.05; done
      kill -INT $job; wait $job; code=$?; cat $TMPDIR/out; exit $code`,
    stdout: "begun\ndone\n",
  },
  {
    name: "nohup dockerdo, whose children ignore the HUP too",
    typed: `set -m; nohup dockerdo build --remote >$TMPDIR/out 2>&1 & job=$!
      until grep -q Building $TMPDIR/out; do sleep 0.05; done
      kill -HUP -- -$job; wait $job || cat $TMPDIR/out`,
    stdout: "",
  },
  {
    name: "while read, whose lines dodo would read, with -N",
    typed:
      "seq 3 | while read -r n; do dodo -N echo $n; done; dodo --no-stdin cat; seq 3 | dodo cat",
    stdout: "1\n2\n3\n1\n2\n3\n",
  },
  {
    name: "a job in an interactive shell's background writes and is not stopped",
    typed: "set -m; dodo -c 'tty; echo ran' & wait $!; echo code $?",
    keys: [["code 0", ""]],
    stdout: /^not a tty\r\nran\r\n(\[1\]\+ *Done .*\r\n)?code 0\r\n$/,
  },
  {
    name: "timeout in a script on a terminal",
    typed: "timeout 20 dodo echo ran; echo code $?; timeout 1 dodo sleep 30; echo code $?",
    keys: [["ran", ""], ["code 0", ""], ["code 124", ""]],
  },
  {
    name: "timeout in the container, whose program reads the terminal",
    typed: "dodo timeout 20 sh -c 'echo type; read -r line; echo got $line'",
    keys: [["type", "it\r"], ["got it", ""]],
  },
  {
    name: "a program that stops itself, as top does at Ctrl-Z, goes on at once",
    typed: "dodo sh -c 'kill -STOP $$; echo back; read -r line; exit 7'",
    keys: [["back", "\r"]],
    code: 7,
  },
  {
    name: "Ctrl-Z is ignored, Ctrl-C ends the command",
    // Not sh: a dash that is stopped between vfork and exec is no child that stopped, anywhere.
    typed: `dodo bash -c 'trap "echo went on" CONT; echo begun; while :; do sleep 0.1; done'`,
    keys: [["begun", "\x1a"], ["went on", "\x03"]],
    code: 130,
  },
  {
    name: "exit codes that look like a stop are the command's own",
    typed: 'for n in 1 147 148 149 150; do dodo sh -c "exit $n"; echo code $?; done',
    keys: [["code 1\r", ""], ["code 147", ""], ["code 148", ""], ["code 149", ""], [
      "code 150",
      "",
    ]],
  },
  {
    name: "a shell within a shell suspends and goes on, and its jobs are its own",
    typed: "dodo bash --norc",
    keys: [
      ["#", "suspend\r"],
      // What it prints shows that it has the terminal; the line that is typed does not have it.
      [
        "#",
        "bash -c 'trap \"echo c$((1))nt\" CONT; echo $((40 + 2)); while :; do sleep 0.1; done'\r",
      ],
      ["42", "\x1a"],
      ["Stopped", "fg\r"],
      ["c1nt", "\x03"],
      ["#", "exit 3\r"],
    ],
    code: 3,
  },
  {
    name: "carriage returns in an argument, at its end too",
    typed: "dodo printf '<%s>' $'a\\r' $'\\r\\r' $'b\\rc' d.",
    stdout: "<a\r><\r\r><b\rc><d.>",
  },
  {
    name: "every verb with -n: exit code 0, and nothing happens",
    typed: `(mkdir below && cd below && dockerdo init other --local -n >/dev/null 2>&1 || echo init)
      for verb in overlay build 'build --remote' push run start stop \\
        'rm --force' 'rm --force --delete' prune status list history config reconnect; do
        dockerdo $verb -n >$TMPDIR/out 2>&1 || { echo "$verb: $?"; cat $TMPDIR/out; }
      done
      dodo -n true 2>/dev/null || echo exec; dockerdo export -n A=1 2>/dev/null || echo export
      dodo true && cat container/etc/hostname >/dev/null && echo whole`,
    stdout: /^(run: 1\n.*already exists[^]*)?whole\n$/,
  },
  {
    name: "a variable of the user's that begins with DODO_ stays here",
    typed: "DODO_PAYMENTS_API_KEY=secret DODO_MODE=x dodo env | grep -c ^DODO_[PM]",
    code: 1,
    stdout: "0\n",
  },
  {
    name: "cron's environment",
    typed: "env -i HOME=$HOME XDG_DATA_HOME=$XDG_DATA_HOME XDG_STATE_HOME=$XDG_STATE_HOME " +
      "PATH=$PATH SHELL=/bin/sh bash -c 'cd container/etc && dodo pwd </dev/null | cat'",
    stdout: "/etc\n",
  },
  {
    name: "xargs, four at once",
    typed: "seq 8 | xargs -P 4 -I{} dodo echo {} | sort",
    stdout: "1\n2\n3\n4\n5\n6\n7\n8\n",
  },
  {
    name: "a git hook",
    typed: `git init -q repo && cd repo && printf '#!/bin/sh\\nexec dodo echo hooked >&2\\n' \\
      >.git/hooks/pre-commit && chmod +x .git/hooks/pre-commit &&
      git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x; cd .. && rm -rf repo`,
    stderr: "hooked\n",
  },
  {
    name: "make -j into a pager's pipe",
    typed: `printf 'all: a b c\\na b c:\\n\\t@dodo seq 300000 | tail -1\\n' >Makefile
      make -j3 2>&1 | (sleep 1; sort | uniq -c | tr -s ' '); rm Makefile`,
    stdout: " 3 300000\n",
  },
  {
    name: "a TERM that the image does not know",
    typed: "TERM=xterm-nobody-knows dodo -t sh -c 'echo $TERM' </dev/null | tr -d '\\r'",
    stdout: "xterm-256color\n",
  },
  {
    name: "a terminal's colours and letters come along, the command's own words for them count",
    typed:
      "LANG=da_DK.UTF-8 COLORTERM=truecolor dodo -t sh -c 'echo $LANG $COLORTERM' </dev/null | tr -d '\\r'; " +
      "LANG=da_DK.UTF-8 dodo -e LANG=C -t sh -c 'echo $LANG' </dev/null | tr -d '\\r'; " +
      "LANG=da_DK.UTF-8 dodo sh -c 'echo $LANG'",
    stdout: "C.UTF-8 truecolor\nC\n\n",
  },
  {
    name: "a program that is not there, for another user too",
    typed: "dodo nosuch; echo code $?; dodo -u daemon /no/such; echo code $?",
    stdout: "code 127\ncode 127\n",
    stderr:
      /^dodo: nosuch: not found in the container dockerdo-habits-\w+\ndodo: \/no\/such: not found in the container dockerdo-habits-\w+\n$/,
  },
  {
    name: "UTF-8 where neither side has set a locale",
    typed: "env -u LANG -u LC_ALL dodo printf %s 'blåbær 🐳'",
    stdout: "blåbær 🐳",
  },
  {
    name: "export prints, and copies a local value",
    typed:
      'COPIED="it\'s" dockerdo export COPIED B=2 && dockerdo export && dockerdo export COPIED= B=',
    stdout: "export COPIED='it'\\''s'\nexport B=2\n",
  },
  {
    name: "a current directory that was removed and made again",
    typed: "mkdir again && cd again && rmdir ../again && mkdir ../again && dodo echo here",
    stdout: "here\n",
  },
  {
    name: "-e NAME and --env-file of run take their values from the local shell",
    typed: "dodo printenv FROM_LONDON IN_FILE LOCAL_ONLY",
    stdout: "a  'b'\n1\n2\n",
  },
  {
    name: "find, rg and fd from the mount's root do not walk through /proc and /sys",
    typed: `dodo sh -c 'echo needle-in-here >/srv/app/hay'
      find container -name hay; rg -l needle-in-here container; fdfind -u '^hay$' container
      ls -A container/proc container/sys; ls -d container/proc/1/comm; dodo rm /srv/app/hay`,
    stdout: "container/srv/app/hay\ncontainer/srv/app/hay\ncontainer/srv/app/hay\n" +
      "container/proc:\n\ncontainer/sys:\ncontainer/proc/1/comm\n",
    stderr: "",
  },
  {
    name: "top goes on after Ctrl-Z, and q ends it",
    typed: "dodo top",
    keys: [["PID USER", "\x1a"], ["PID USER", ""], ["PID USER", "q"]],
  },
  {
    name: "vi writes a file that is seen outside at once",
    typed: "dodo vim.tiny -u NONE /srv/app/new && cat container/srv/app/new",
    keys: [
      ["[New", "\x1a"],
      ["~", "ihei verden\x1b:wq\r"],
      ["written", ""],
      ["hei verden\r\n", ""],
    ],
  },
  {
    name: "less goes on after Ctrl-Z, searches, and q ends it",
    typed: "dodo less /etc/passwd",
    keys: [["root:x:0", "\x1a"], ["root:x:0", "/nobody\r"], ["nobody", "q"]],
  },
  {
    name: "watch here and watch there, each ended by Ctrl-C",
    typed: "watch -n 1 dodo echo here; dodo watch -n 1 echo there",
    keys: [["here", "\x03"], ["there", "\x03"]],
  },
  {
    name: "sudo -E",
    typed: `cd container/etc && sudo -E env "PATH=$PATH" dodo -e A pwd`,
    stdout: "/etc\n",
  },
  {
    name: "two terminals at once are two terminals there",
    typed: `for n in 1 2; do
        script -qec "dodo sh -c 'tty; touch /srv/app/$n; until [ -e /srv/app/1 -a -e /srv/app/2 ]; do sleep 0.1; done'" \
          /dev/null </dev/null >$TMPDIR/$n &
      done; wait; cat $TMPDIR/1 $TMPDIR/2 | tr -d '\\r' | sort -u | grep -c pts; dodo rm /srv/app/1 /srv/app/2`,
    stdout: "2\n",
  },
  {
    name: "a command that waits for another one's lock is ended by a signal",
    typed: `flock $DOCKERDO_SESSION_DIR/lifecycle.lock sleep 60 & holder=$!
      until ! flock -n $DOCKERDO_SESSION_DIR/lifecycle.lock true; do sleep 0.05; done
      dockerdo stop 2>$TMPDIR/out & job=$!; until grep -q Waiting $TMPDIR/out; do sleep 0.05; done
      kill -TERM $job; wait $job; code=$?; pkill -P $holder; cat $TMPDIR/out; exit $code`,
    code: 143,
    stdout:
      /^\[local\] Waiting for another dockerdo command in habits[^]*interrupted by SIGTERM\n$/,
  },
];

Deno.test("habits of a shell", async (t) => {
  await using user = await newUser();
  await user.begins(`habits --remote reykjavik --image ${BASE_IMAGE}`);
  await user.does(`dockerdo build --remote && printf 'IN_FILE=1\\n# none\\nLOCAL_ONLY\\n' >vars &&
    LOCAL_ONLY=2 FROM_LONDON="a  'b'" dockerdo run -e FROM_LONDON --env-file vars`);
  // What a Debian's small image has not.
  await user.does(
    "cp -L $(command -v less) $(readlink -f $(command -v vim.tiny || command -v vi)) container/usr/bin/",
  );
  for (const habit of HABITS) {
    await t.step(habit.name, async () => {
      const { code, stdout, stderr } = await play(user, habit);
      const seen = `${stdout}${stderr}`;
      assert.equal(code, habit.code ?? 0, seen);
      if (habit.stdout !== undefined) compare(stdout, habit.stdout);
      if (habit.stderr !== undefined) compare(stderr, habit.stderr);
    });
  }
});

Deno.test("every verb works from inside the mount, also one that takes it away, and where it has died", async (t) => {
  await using user = await newUser();
  await user.runs(`inside --local --image ${BASE_IMAGE}`);
  await t.step(
    "a mount whose sshfs was killed: dodo works there, start brings it back",
    async () => {
      const dead =
        "cd container/etc && pkill -KILL -f 'sshf[s] .*dockerdo:.*:container'; until ! ls . >/dev/null 2>&1; do sleep 0.1; done";
      const { code, stdout, stderr } = await user.types(
        `${dead}; dodo pwd && dockerdo start && cd . && pwd && ls hosts`,
      );
      assert.equal(code, 0, stderr);
      assert.equal(stdout, `/etc\n${user.workDir}/container/etc\nhosts\n`);
      assert.match(stderr, /^dockerdo: this shell is still in the mount that died; cd \. enters/m);
    },
  );
  await t.step("a busy mount names the shell, and not dockerdo itself", async () => {
    const { code, stderr } = await user.types("cd container/etc; dockerdo stop; exit $?");
    assert.equal(code, 1);
    assert.match(
      stderr,
      /is in use by this shell \(\S*bash .*, pid \d+\)\n {2}Leave that directory .*stop --force detaches it/,
    );
    assert.equal(stderr.includes("deno run"), false);
  });
  for (const [typed, state] of [["stop --force", "exited"], ["rm --force", "none"]] as const) {
    await t.step(typed, async () => {
      await user.does("dockerdo start");
      const { code, stderr } = await user.types(`cd container/etc; dockerdo ${typed}; exit $?`);
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^dockerdo: the current directory was in that mount: cd \//m);
      assert.match(await user.does("dockerdo status --json"), new RegExp(`"state": "${state}"`));
    });
  }
});
