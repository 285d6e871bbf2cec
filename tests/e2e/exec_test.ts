import assert from "node:assert/strict";
import {
  addHost,
  BASE_IMAGE,
  ENTRYPOINT_IMAGE,
  london,
  poll,
  reykjavik,
  startLink,
} from "../lab/lab.ts";
import { isThere, newUser, storedSession, type User } from "./user.ts";

/** The container's processes, a line each, its own view. */
async function processes(user: User): Promise<string> {
  const { containerId } = await storedSession(user) as { containerId: string };
  const list = 'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline 2>/dev/null; echo; done';
  return (await reykjavik(["docker", "exec", containerId, "sh", "-c", list])).stdout;
}

/** Sends a signal to the one dodo that runs `words`, from source or compiled. */
async function signalDodo(signal: string, words: string): Promise<void> {
  const { code } = await london([
    "pkill",
    `-${signal}`,
    "-f",
    `(/dodo[.]ts|/dockerdo exec) ${words}`,
  ]);
  assert.equal(code, 0, `no dodo runs ${words}`);
}

/** Begins a session with a running container on reykjavik. */
type Ready = (
  name: string,
  runArguments?: string,
  options?: { readonly image?: string; readonly remote?: string },
) => Promise<User>;

const ready: Ready = async (name, runArguments = "", options = {}) => {
  const { image = BASE_IMAGE, remote = "reykjavik" } = options;
  const user = await newUser();
  await user.runs(`${name} --remote ${remote} --image ${image}`, runArguments);
  return user;
};

const attached: Ready = async (name, runArguments = "", options = {}) => {
  const { image = BASE_IMAGE, remote = "reykjavik" } = options;
  const container = `attached-${name}-${crypto.randomUUID().slice(0, 6)}`;
  const run =
    `docker run -d --name ${container} --entrypoint sleep ${runArguments} ${image} infinity`;
  const { code, stderr } = await reykjavik(["bash", "-c", run]);
  assert.equal(code, 0, stderr);
  const user = await newUser();
  const remove = async (): Promise<void> => {
    await user[Symbol.asyncDispose]();
    await reykjavik(["docker", "rm", "-f", container]);
  };
  try {
    await user.attaches(`${container} ${name} --remote ${remote}`);
  } catch (error) {
    await remove();
    throw error;
  }
  return { ...user, [Symbol.asyncDispose]: remove };
};

/** A test of dodo over either transport: sshd in a container of our own, and docker exec in one that was there. */
function bothWays(name: string, body: (ready: Ready) => Promise<void>): void {
  Deno.test(name, () => body(ready));
  Deno.test(`attached: ${name}`, () => body(attached));
}

bothWays("words arrive as they were typed", async (ready) => {
  await using user = await ready("words");
  const words = [
    "a  b",
    "it's",
    '"',
    "$HOME",
    "`id`",
    "*",
    "new\nline\n",
    "ü 🐳",
    "",
    "--",
    "-n",
    "--help",
    "\\",
    "a\\nb",
    "!x",
    ";",
    "&&",
    "#",
    "~",
    "{a,b}",
    "=x",
  ];
  const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const expected = words.map((word) => `<${word}>`).join("");
  assert.equal(await user.does(`dodo printf '<%s>' ${quoted}`), expected);
  assert.equal(await user.does(`dodo -- printf '<%s>' ${quoted}`), expected);
  assert.equal(await user.does("dodo echo git checkout -- file"), "git checkout -- file\n");
  assert.match(await user.does("dodo ls --help"), /^Usage: ls /);
  assert.equal(await user.does("dodo echo -n x 'a\\tb'"), "x a\\tb");
  assert.equal(
    await user.does("dodo -c 'echo a | tr a b > /tmp/q; cat /tmp/q; echo $1' second"),
    "b\nsecond\n",
  );
});

Deno.test("attached: arguments of half a megabyte are refused with a sentence", async () => {
  await using user = await attached("long");
  const { code, stderr } = await user.types("dodo printf %s $(seq 1 70000)");
  assert.equal(code, 125);
  assert.match(stderr, /^dockerdo: the command line is longer than the system takes/);
});

Deno.test("arguments of half a megabyte arrive, of ten are refused with a sentence", async () => {
  await using user = await ready("long");
  assert.equal(
    await user.does("dodo printf %s $(seq 1 70000) | md5sum"),
    await user.does("printf %s $(seq 1 70000) | md5sum"),
  );
  const { code, stderr } = await user.types(
    "A=$(head -c 120000 /dev/zero | tr '\\0' \"'\"); dodo echo $A $A $A $A $A $A $A $A $A $A $A $A",
  );
  assert.equal(code, 125);
  assert.match(stderr, /^dockerdo: the command line is longer than the system takes/);
});

bothWays(
  "without a terminal stdout and stderr are apart and byte-exact, with one there is one of the right size",
  async (ready) => {
    await using user = await ready("terminal");
    assert.deepEqual(await user.types('dodo sh -c \'printf "a\\nb"; printf "e\\n" >&2; tty\''), {
      code: 1,
      stdout: "a\nbnot a tty\n",
      stderr: "e\n",
    });
    const inTerminal = (line: string): Promise<string> =>
      user.does(
        `script -qec ${
          JSON.stringify(`stty rows 40 cols 101; ${line}`)
        } /dev/null </dev/null | tr -d '\\r\\004\\b' | sed 's/\\^[@D]//g'`,
      );
    assert.match(await inTerminal("dodo sh -c 'tty; stty size'"), /\/dev\/pts\/\d+\n40 101\n/);
    assert.match(await inTerminal("dodo -T tty"), /not a tty/);
    assert.match(await inTerminal("dodo tty </dev/null"), /not a tty/);
    assert.match(await user.does("dodo -t tty </dev/null"), /\/dev\/pts\/\d+/);
    const { code } = await user.types("script -qec 'dodo sh -c \"exit 9\"' /dev/null </dev/null");
    assert.equal(code, 9);
  },
);

bothWays(
  "dodo alone is a login shell in the right directory, with the image's PATH",
  async (ready) => {
    await using user = await ready("shell");
    const typed = "pwd; command -v tool; exit 5\\n";
    const { stdout, code } = await user.types(
      `cd container/usr; printf '${typed}' | script -qec dodo /dev/null; exit \${PIPESTATUS[1]}`,
    );
    assert.match(stdout, /\/usr\r\n[^]*\/opt\/tool\/bin\/tool\r\n/);
    assert.equal(code, 5);
    const refused = await user.types("dodo </dev/null");
    assert.deepEqual([refused.code, refused.stdout], [2, ""]);
  },
);

for (
  const [signal, code] of [["INT", 130], ["TERM", 143], ["HUP", 129], ["QUIT", 131], [
    "KILL",
    137,
  ]] as const
) {
  bothWays(
    `SIG${signal} to dodo ends the command and its children in the container, exit code ${code}`,
    async (ready) => {
      await using user = await ready(`signal-${signal.toLowerCase()}`);
      const running = user.types("exec dodo sh -c 'sleep 12345 & sleep 12346'");
      await poll(async () => (await processes(user)).includes("sleep 12346"), {
        what: "the command",
      });
      await signalDodo(signal, "sh -c sleep 12345");
      const ended = await running;
      assert.deepEqual([ended.code, ended.stderr], [code, ""]);
      await poll(async () => !(await processes(user)).includes("sleep 1234"), {
        what: "the end of the command's children",
      });
    },
  );
}

bothWays("killing dodo's whole process group ends the command there", async (ready) => {
  await using user = await ready("group");
  const running = user.types("setsid timeout -s KILL 4 dodo sh -c 'sleep 12345 & sleep 12346'");
  await poll(async () => (await processes(user)).includes("sleep 12346"), { what: "the command" });
  await running;
  await poll(async () => !(await processes(user)).includes("sleep 1234"), {
    what: "the end of the command's children",
  });
});

bothWays(
  "keys are for the pager where the output goes into a pipe, and the command's with -T",
  async (ready) => {
    await using user = await ready("keys");
    const counted = (dodo: string): Promise<string> =>
      user.does(
        `printf 'abc\\n\\004' | timeout 30 script -qec '${dodo} | wc -c' /dev/null | tail -n 1`,
      );
    assert.equal((await counted("dodo cat")).trim(), "0");
    assert.equal((await counted("dodo -T cat")).trim(), "4");
  },
);

bothWays(
  "a history that cannot be written is told of, and the exit code is the command's",
  async (ready) => {
    await using user = await ready("unwritten");
    await user.does(
      "rm -f $DOCKERDO_SESSION_DIR/history.jsonl; mkdir $DOCKERDO_SESSION_DIR/history.jsonl",
    );
    const { code, stderr } = await user.types("dodo sh -c 'exit 7'");
    assert.equal(code, 7);
    assert.match(stderr, /^dockerdo: this command was not recorded in the history: Is a directory/);
    await user.does("rmdir $DOCKERDO_SESSION_DIR/history.jsonl");
  },
);

bothWays("closing the terminal, or killing dodo in one, ends the command there", async (ready) => {
  await using user = await ready("hangup");
  for (const signal of ["HUP", "TERM", "KILL"]) {
    const running = user.types(
      "mkfifo keys; script -qec 'dodo sh -c \"sleep 12345 & sleep 12346\"' /dev/null <>keys; rm keys",
    );
    await poll(async () => (await processes(user)).includes("sleep 12346"), {
      what: "the command",
    });
    await signalDodo(signal, "sh -c sleep 12345");
    await running;
    await poll(async () => !(await processes(user)).includes("sleep 1234"), {
      what: `the end after ${signal}`,
    });
  }
});

bothWays("a command that handles SIGINT goes on, a second one ends it by force", async (ready) => {
  await using user = await ready("handles");
  const running = user.types(
    "exec dodo sh -c 'trap \"echo caught\" INT; while :; do sleep 0.1; done'",
  );
  await poll(async () => (await processes(user)).includes("trap"), { what: "the command" });
  const interrupt = (): Promise<void> => signalDodo("INT", "sh -c trap");
  await interrupt();
  await poll(async () => (await processes(user)).includes("trap"), {
    what: "the command to go on",
  });
  await interrupt();
  assert.equal((await running).code, 130);
  await poll(async () => !(await processes(user)).includes("trap"), { what: "its end" });
});

bothWays("exit codes are the command's, 255 and signals included", async (ready) => {
  await using user = await ready("codes");
  const codes = await user.does(`
    for code in 0 1 2 42 125 126 127 130 254 255; do dodo sh -c "exit $code"; echo "$code=$?"; done
    for signal in TERM KILL SEGV; do dodo sh -c "kill -$signal \\$\\$"; echo "$signal=$?"; done
    dodo no-such-command 2>/dev/null; echo none=$?; dodo /etc/passwd 2>/dev/null; echo denied=$?`);
  assert.equal(
    codes,
    "0=0\n1=1\n2=2\n42=42\n125=125\n126=126\n127=127\n130=130\n254=254\n255=255\nTERM=143\nKILL=137\nSEGV=139\nnone=127\ndenied=126\n",
  );
});

bothWays("streams: any size, both ends, no message when a reader leaves", async (ready) => {
  await using user = await ready("streams");
  assert.equal(
    await user.does("head -c 300000000 /dev/zero | tr '\\0' x | dodo cat | md5sum"),
    await user.does("head -c 300000000 /dev/zero | tr '\\0' x | md5sum"),
  );
  assert.deepEqual(await user.types("yes | dodo head -1"), { code: 0, stdout: "y\n", stderr: "" });
  assert.deepEqual(await user.types("dodo yes | head -1; echo ${PIPESTATUS[0]}"), {
    code: 0,
    stdout: "y\n141\n",
    stderr: "",
  });
  assert.deepEqual(await user.types("dodo cat </dev/null; dodo wc -c <&-"), {
    code: 0,
    stdout: "0\n",
    stderr: "",
  });
});

bothWays(
  "dodo env is docker exec's env, but for LOGNAME, PWD, SHELL, USER and _",
  async (ready) => {
    await using user = await ready("env", "-e 'RUN=a b' -e A.B=dotted -e 'LINES2=1\n2'");
    const { containerId } = await storedSession(user) as { containerId: string };
    const sorted = (text: string): string[] =>
      text.split("\0").filter((entry) => !/^(LOGNAME|PWD|SHELL|USER|_)=/.test(entry)).sort();
    const expected = sorted((await reykjavik(["docker", "exec", containerId, "env", "-0"])).stdout);
    assert.deepEqual(sorted(await user.does("dodo env -0")), expected);
    assert.equal(
      await user.does(
        "dockerdo export E=exported; LOCAL=here dodo -e E=once -e LOCAL sh -c 'echo $E $LOCAL'; dodo printenv E",
      ),
      "once here\nexported\n",
    );
  },
);

bothWays("variables that bash has itself arrive too", async (ready) => {
  await using user = await ready("bashs-own", "-e UID=7 -e GROUPS=8");
  assert.deepEqual(await user.types("dodo -e PPID=9 printenv UID GROUPS PPID"), {
    code: 0,
    stdout: "7\n8\n9\n",
    stderr: "",
  });
  assert.match(await user.does("dockerdo status --json"), /"UID": "\*\*\*"/);
});

Deno.test("exported values are in no process's arguments, here or there", async () => {
  await using user = await ready("hidden");
  await user.does("dockerdo export SECRET=s3cr3t-value");
  const running = user.types("exec dodo sleep 12347");
  await poll(async () => (await processes(user)).includes("sleep 12347"), { what: "the command" });
  assert.equal((await processes(user)).includes("s3cr3t"), false);
  assert.equal((await london(["pgrep", "-f", "s3cr3t"])).stdout, "");
  await signalDodo("TERM", "sleep 12347");
  await running;
});

bothWays("the directory is the one that a person expects", async (ready) => {
  await using user = await ready("directories");
  await user.does("dodo mkdir -p '/srv/my dir;touch pwn' '/srv/ü\"$x'");
  assert.equal(
    await user.does("cd 'container/srv/my dir;touch pwn' && dodo pwd && dodo ls"),
    "/srv/my dir;touch pwn\n",
  );
  assert.equal(await user.does("cd 'container/srv/ü\"$x' && dodo pwd"), '/srv/ü"$x\n');
  assert.equal(
    await user.does("cd container && dodo pwd; dodo -w etc pwd; dodo -w /usr/bin pwd"),
    "/\n/etc\n/usr/bin\n",
  );
  assert.equal(
    await user.does(
      "ln -s container/usr linked && cd linked/bin && dodo pwd && dodo echo $PWD/x $PWD",
    ),
    "/usr/bin\n/usr/bin/x /usr/bin\n",
  );
  await user.does("rm linked; mkdir sub");
  assert.equal(await user.does("cd sub && dodo pwd"), "/srv/app\n");
  const missing = await user.types("dodo -w /no/such pwd");
  assert.deepEqual(missing, {
    code: 126,
    stdout: "",
    stderr: "dodo: no such directory in the container: /no/such\n",
  });
  const removed = await user.types("mkdir gone && cd gone && rmdir ../gone && dodo pwd");
  assert.equal(removed.code, 125);
  assert.match(removed.stderr, /the current directory has been removed/);
});

bothWays("a local path below the mount becomes the container's, unless --no-map", async (ready) => {
  await using user = await ready("mapping");
  const etc = `${user.workDir}/container/etc`;
  assert.equal(
    await user.does(`dodo echo ${etc}/hosts ${user.workDir}/container x${etc}`),
    `/etc/hosts / x${etc}\n`,
  );
  assert.equal(await user.does(`dodo --no-map echo ${etc}/hosts`), `${etc}/hosts\n`);
  // By a symbolic link, and with a PWD that whoever starts us elsewhere has left.
  await user.does(`ln -s ${etc} link`);
  assert.equal(await user.does("cd link && dodo echo $PWD/hosts"), "/etc/hosts\n");
  const root = new URL("../..", import.meta.url).pathname;
  const unshelled =
    `env PWD=/ deno run --quiet --no-prompt --config ${root}deno.json -P ${root}dodo.ts`;
  assert.equal(await user.does(`${unshelled} echo /etc/hosts`, { cwd: etc }), "/etc/hosts\n");
});

bothWays(
  "the session is found from the current directory, and the mount one stands in wins",
  async (ready) => {
    await using one = await ready("found-one");
    await using two = await ready("found-two");
    await one.does("dodo sh -c 'echo one > /which'");
    await two.does("dodo sh -c 'echo two > /which'");
    const without = "unset DOCKERDO_SESSION_DIR";
    assert.equal(
      await one.does(`${without}; dodo cat /which; cd container/etc; dodo cat /which`),
      "one\none\n",
    );
    const state = `${two.home}/state/dockerdo/sessions`;
    await one.does(`cp ${state}/* $XDG_STATE_HOME/dockerdo/sessions/`);
    assert.equal(
      await one.does("dodo cat /which", { cwd: `${two.workDir}/container/etc` }),
      "two\n",
    );
    assert.equal(await one.does("dodo cat /which", { cwd: two.workDir }), "one\n");
    const { id } = await storedSession(two) as { id: string };
    await one.does(`rm $XDG_STATE_HOME/dockerdo/sessions/${id}`);
  },
);

bothWays("a hundred at once all succeed, each once in the history", async (ready) => {
  await using user = await ready("hundred");
  const out = await user.types("seq 100 | xargs -P 20 -I{} dodo echo {} | sort -n");
  assert.deepEqual(out, {
    code: 0,
    stdout: Array.from({ length: 100 }, (_, i) => `${i + 1}\n`).join(""),
    stderr: "",
  });
  const { commands } = JSON.parse(await user.does("dockerdo history --json")) as {
    commands: { command: string[] }[];
  };
  assert.deepEqual(
    commands.map(({ command }) => Number(command[1])).sort((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i + 1),
  );
});

bothWays(
  "dodo heals the link after its masters were killed, with and without their sockets left",
  async (ready) => {
    await using user = await ready("heals");
    const { id, socketDir } = await storedSession(user) as { id: string; socketDir: string };
    for (const leave of [true, false]) {
      await london(["pkill", "-KILL", "-f", `ssh: [^ ]*${id}/`]);
      await london(["pkill", "-KILL", "-f", `-F ${user.sessionDir()}/ssh_config .*-fN`]);
      if (!leave) await user.does(`rm -f ${socketDir}/*`);
      assert.deepEqual(await user.types("dodo echo healed"), {
        code: 0,
        stdout: "healed\n",
        stderr: "",
      });
    }
    await user.does(`rm -f ${socketDir}/*`);
    const out = await user.types("seq 20 | xargs -P 20 -I{} dodo echo {} | sort -n | tail -1");
    assert.deepEqual(out, { code: 0, stdout: "20\n", stderr: "" });
  },
);

bothWays(
  "control masters whose socket directory was removed do not outlive the next command, nor rm",
  async (ready) => {
    await using user = await ready("orphans");
    const { socketDir } = await storedSession(user) as { socketDir: string };
    const masters = async (): Promise<string[]> => {
      const started = `^[^ ]*ssh -F ${user.sessionDir()}/ssh_config[^ ]* .*-fN `;
      const { stdout } = await london(["pgrep", "-f", `${started}|^ssh: ${socketDir}/`]);
      return stdout.split("\n").filter(Boolean);
    };
    const before = await masters();
    assert.equal(before.length, 2);
    await user.does(`rm -r ${socketDir}`);
    assert.equal(
      await user.does("dodo echo back && cat container/etc/hostname | wc -l"),
      "back\n1\n",
    );
    const after = await masters();
    assert.deepEqual(
      { count: after.length, kept: after.filter((pid) => before.includes(pid)) },
      { count: 2, kept: [] },
    );
    await user.does(`rm -r ${socketDir} && dockerdo rm --force`);
    assert.deepEqual(await masters(), []);
  },
);

bothWays(
  "dodo goes on after the container was restarted, and says what a paused or stopped one needs",
  async (ready) => {
    await using user = await ready("states");
    const { containerId } = await storedSession(user) as { containerId: string };
    await reykjavik(["docker", "restart", containerId]);
    await poll(async () => (await user.types("dodo true")).code === 0, { what: "the link" });
    await reykjavik(["docker", "stop", containerId]);
    const stopped = await poll(async () => {
      const outcome = await user.types("dodo true");
      return outcome.stderr.includes("exited") ? outcome : undefined;
    }, { what: "the word about the stop" });
    assert.equal(stopped.code, 125);
    assert.match(stopped.stderr, /the container of states is exited\n {2}dockerdo start/);
  },
);

bothWays("a link that is cut in the middle ends dodo with 125 and a sentence", async (ready) => {
  await using link = await startLink({ to: "10.77.0.2:22", rttMs: 0 });
  await using _far = await addHost("reykjavik-cut", { port: link.port });
  await using user = await ready("cut", "", { remote: "reykjavik-cut" });
  const running = user.types("dodo sh -c 'echo begun; sleep 12348'");
  await poll(async () => (await processes(user)).includes("sleep 12348"), { what: "the command" });
  link.cut();
  const { code, stderr } = await running;
  assert.equal(code, 125);
  assert.match(
    stderr,
    /the connection was lost, and is back now; the command may have ended or still run/,
  );
  assert.equal(await user.does("dodo echo again"), "again\n");
});

Deno.test("a link that sleeps ends dodo with a sentence, and the next one after it wakes is as ever", async () => {
  await using link = await startLink({ to: "10.77.0.2:22", rttMs: 0 });
  await using _far = await addHost("reykjavik-asleep", { port: link.port });
  await using user = await newUser();
  await user.runs(`asleep --remote reykjavik-asleep --image ${BASE_IMAGE}`);
  link.freeze();
  // ServerAliveInterval by ServerAliveCountMax, then ConnectTimeout.
  const { code, stdout, stderr } = await user.types("timeout 90 dodo true </dev/null");
  assert.deepEqual({ code, stdout }, { code: 125, stdout: "" });
  assert.match(stderr, /^dockerdo: cannot connect to reykjavik-asleep: .*\n {2}Check that /m);
  link.thaw();
  assert.deepEqual(await user.types("dodo echo awake </dev/null"), {
    code: 0,
    stdout: "awake\n",
    stderr: "",
  });
});

Deno.test("sixty as another user, thirty at once, all succeed without a word of ssh", async () => {
  await using user = await ready("many");
  const { code, stdout, stderr } = await user.types(
    "seq 60 | xargs -P 30 -I{} dodo -u daemon -w / echo {} | sort -n | tr '\\n' ' '",
  );
  assert.deepEqual({ code, stdout, stderr }, {
    code: 0,
    stdout: Array.from({ length: 60 }, (_, at) => `${at + 1} `).join(""),
    stderr: "",
  });
});

bothWays(
  "-u runs the command as another user, by name or number, with docker's environment",
  async (ready) => {
    await using user = await ready("other-user", "", { image: ENTRYPOINT_IMAGE });
    assert.equal(
      await user.does(
        "dodo -u app sh -c 'id -un; echo $HOME'; dodo -u 1234:5 id -u; dodo -u app sh -c 'exit 6' || echo $?",
      ),
      "app\n/home/app\n1234\n6\n",
    );
  },
);

Deno.test("the options of the original stay accepted", async () => {
  await using user = await newUser();
  await user.does(`dockerdo init old --local --remote-delay 0.3 --image ${BASE_IMAGE}`);
  assert.equal(await isThere(`${user.home}/data/dockerdo/old`), true);
  await user.begins(`old2 --local --image ${BASE_IMAGE} --remote-delay 0.5`);
  await user.does("dockerdo build && dockerdo run --remote-delay 0.1 --no-default-args --verbose");
  assert.equal(await user.does("dodo -i echo hi | tr -d '\\r'"), "hi\n");
});
