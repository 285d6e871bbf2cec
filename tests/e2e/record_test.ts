// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import type { Edit } from "../../src/history/story.ts";
import { type JournalStep, parseStep } from "../../src/relay/journal.ts";
import { BASE_IMAGE, london, poll } from "../lab/lab.ts";
import { modeOf, newUser, storedSession, type User } from "./user.ts";

function steps(user: User): JournalStep[] {
  const lines = Deno.readTextFileSync(`${user.sessionDir()}/changes.jsonl`).split("\n");
  return lines.filter(Boolean).map((line) => {
    const step = parseStep(line);
    assert.ok(step, line);
    return step;
  });
}

async function edits(user: User): Promise<string[]> {
  const { edits } = JSON.parse(await user.does("dockerdo history --json")) as { edits: Edit[] };
  return edits.map(({ kind, path, from }) => [kind, ...from ? [from] : [], path].join(" "));
}

/** What find(1) finds in the container, each name as a binary string. */
async function find(user: User, words: string): Promise<string[]> {
  const encoded = await user.does(`dodo find ${words} -print0 | base64 -w0`);
  return atob(encoded).split("\0").filter(Boolean).sort();
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

const PROGRAMS = String.raw`
set -e
cd container/srv/work
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
printf 'one\ntwo\n' > shell
printf 'more\n' >> old/appended
vim -u NONE -N -i NONE -es -c '%s/a/b/' -c wq old/by-vim
vim -u NONE -N -i NONE -es -c 'set backup backupcopy=no' -c '%s/a/b/' -c wq old/by-vim-backup
vim -u NONE -N -i NONE -es -c 'set backupcopy=yes' -c '%s/a/b/' -c wq old/by-vim-copy
vim -u NONE -N -i NONE -es -c 'normal inew' -c wq made-by-vim
sed -i s/a/b/ old/by-sed
sed -i.orig s/a/b/ old/by-sed-orig
git init -q repo
git -C repo config user.email a@b
git -C repo config user.name a
echo 1 > repo/file; git -C repo add file; git -C repo commit -qm one
echo 2 >> repo/file; git -C repo commit -qam two
git -C repo gc -q
tar xf "$OLDPWD/archive.tar"
cp -a old/tree copied
mv old/tree moved
mv old/plain old/renamed
mv old/replaces old/replaced
ln old/linked hard
ln -s old/linked soft
ln -sfn elsewhere soft
chmod 600 old/chmodded
chown 1 old/chowned
touch old/touched
touch touched-new
touch -d 2001-01-01 old/touched-back
truncate -s 3 old/truncated
truncate -s 3 truncated-new
rm old/removed
rm -r old/removed-tree
mkdir -p a/b/c
rmdir a/b/c
python3 - <<'P'
import mmap, os, sqlite3
with open('old/mapped', 'r+b') as f:
    with mmap.mmap(f.fileno(), 0) as m:
        m[0:1] = b'M'
with open('open-while-removed', 'w+') as f:
    os.remove('open-while-removed')
    f.write('x')
f = open('old/open-while-replaced', 'r')
open('fresh', 'w').write('new')
os.replace('fresh', 'old/open-while-replaced')
f.close()
fd = os.open('exclusive', os.O_CREAT | os.O_EXCL | os.O_WRONLY)
os.write(fd, b'x'); os.fsync(fd); os.close(fd)
os.mkdir(b'odd \xff\n$(id)')
open(b'odd \xff\n$(id)/\xc3\xbc \xfe', 'w').close()
fd = os.open('old/rdwr-untouched', os.O_RDWR); os.close(fd)
db = sqlite3.connect('data.sqlite')
db.execute('create table t (x)'); db.executemany('insert into t values (?)', [(i,) for i in range(99)]); db.commit(); db.close()
P
`;

Deno.test("the journal has all that find -cnewer finds after real programs, and nothing else", async () => {
  await using user = await newUser();
  await user.runs(`complete --remote reykjavik --image ${BASE_IMAGE} --record`);
  await user.does(String.raw`dodo sh -c 'mkdir -p /srv/work/old && cd /srv/work/old
    for f in appended by-vim by-vim-backup by-vim-copy by-sed by-sed-orig plain replaces replaced linked chmodded \
      chowned touched touched-back truncated removed mapped open-while-replaced rdwr-untouched untouched; do
      echo "a a a" > $f; done
    mkdir -p tree/sub removed-tree/sub; echo 1 > tree/sub/file; echo 2 > removed-tree/sub/file'`);
  await user.does(
    "mkdir -p t/in && echo x > t/in/file && ln -s file t/in/link && tar cf archive.tar -C t in && rm -r t",
  );
  const before = await find(user, "/srv");
  await user.does("dodo touch /stamp");
  const { code, stderr } = await user.types(PROGRAMS);
  assert.equal(code, 0, stderr);
  const after = await find(user, "/srv");
  const found = await find(
    user,
    "/ -xdev -cnewer /stamp -not -path '/tmp*' -not -path '/run*' -not -path '/var/*' -not -path '/root*' -not -path /",
  );

  const told = steps(user).filter(({ kind }) => kind !== "mounted");
  const named = new Set(
    told.flatMap(({ path, from }) => [path, ...from === undefined ? [] : [from]]),
  );
  const parents = new Set([...named].map(parentOf));
  const isUnderMoved = (path: string): boolean =>
    told.some(({ from, directory }) => directory === true && path.startsWith(`${from}/`));
  assert.deepEqual(found.filter((path) => !named.has(path) && !parents.has(path)), []);
  assert.deepEqual(
    before.filter((path) => !after.includes(path) && !named.has(path) && !isUnderMoved(path)),
    [],
  );
  const isThere = new Set(after);
  const isFound = new Set(found);
  assert.deepEqual([...named].filter((path) => isThere.has(path) && !isFound.has(path)), []);

  // As a person would tell it.
  const history = await edits(user);
  const inGit = / \/srv\/work\/repo\/\.git\b/;
  assert.deepEqual(
    history.filter((line) => !inGit.test(line)).sort(),
    [
      "changed /srv/work/old/appended",
      "changed /srv/work/old/by-sed",
      "changed /srv/work/old/by-sed-orig",
      "changed /srv/work/old/by-vim",
      "changed /srv/work/old/by-vim-backup",
      "changed /srv/work/old/by-vim-copy",
      "changed /srv/work/old/mapped",
      "changed /srv/work/old/open-while-replaced",
      "changed /srv/work/old/replaced",
      "changed /srv/work/old/truncated",
      "chmodded /srv/work/old/chmodded",
      "chmodded /srv/work/old/chowned",
      "created /srv/work/a",
      "created /srv/work/a/b",
      "created /srv/work/copied",
      "created /srv/work/copied/sub",
      "created /srv/work/copied/sub/file",
      "created /srv/work/data.sqlite",
      "created /srv/work/exclusive",
      "created /srv/work/in",
      "created /srv/work/in/file",
      "created /srv/work/made-by-vim",
      "created /srv/work/odd \uFFFD\n$(id)",
      "created /srv/work/odd \uFFFD\n$(id)/ü \uFFFD",
      "created /srv/work/old/by-sed-orig.orig",
      "created /srv/work/repo",
      "created /srv/work/repo/file",
      "created /srv/work/shell",
      "created /srv/work/touched-new",
      "created /srv/work/truncated-new",
      "deleted /srv/work/old/removed",
      "deleted /srv/work/old/removed-tree",
      "deleted /srv/work/old/removed-tree/sub",
      "deleted /srv/work/old/removed-tree/sub/file",
      "deleted /srv/work/old/replaces",
      "linked /srv/work/hard",
      "linked /srv/work/in/link",
      "linked /srv/work/soft",
      "renamed /srv/work/old/plain /srv/work/old/renamed",
      "renamed /srv/work/old/tree /srv/work/moved",
      "touched /srv/work/old/touched",
      "touched /srv/work/old/touched-back",
    ],
  );
  const git = history.filter((line) => inGit.test(line));
  assert.deepEqual(git.filter((line) => /\.lock$|tmp_/.test(line)), []);
  assert.ok(git.includes("created /srv/work/repo/.git/index"), git.join("\n"));
});

Deno.test("history lists edits and what changed inside, and follows both as they come", async () => {
  await using user = await newUser();
  await user.runs(`told --remote reykjavik --image ${BASE_IMAGE} --record`);
  const container = `${user.workDir}/container`;
  const journal = `${user.sessionDir()}/changes.jsonl`;
  assert.equal(await modeOf(journal), 0o600);
  assert.match(
    await user.does("dockerdo status"),
    /container: mounted \(relay, edits are recorded\)/,
  );

  // follow begins before anything was done, without a history and even without a journal.
  await user.does(`rm ${journal}`);
  const followed = user.types("exec dockerdo history --follow > followed", {});
  const soFar = (): string => {
    try {
      return Deno.readTextFileSync(`${user.workDir}/followed`);
    } catch {
      return "";
    }
  };
  Deno.writeTextFileSync(`${container}/etc/by-london`, "1");
  await poll(() => /^# \S+ {2}created {3}\/etc\/by-london$/m.test(soFar()), { what: "an edit" });
  await user.does("dodo sh -c 'echo 2 > /etc/by-container; rm /etc/motd'", { cwd: container });
  await poll(() => soFar().includes("rm /etc/motd"), { what: "a command" });
  await user.does(`mv ${journal} journal.1`);
  Deno.writeTextFileSync(`${container}/etc/after`, "1");
  await poll(() => /created {3}\/etc\/after$/m.test(soFar()), { what: "an edit after a rotation" });
  await london([
    "sh",
    "-c",
    `for pid in $(pgrep -f 'history --follow'); do
      case $(readlink /proc/$pid/cwd) in ${user.workDir}) kill -INT $pid;; esac; done`,
  ]);
  const { code } = await followed;
  assert.equal(code, 130);

  const { stdout, stderr } = await user.types("dockerdo history");
  assert.equal(stderr, "");
  assert.match(
    stdout,
    /^cd \/\nsh -c '.*'\n\n# Edited through the mount:\n# {3}\S+Z {2}created {3}\/etc\/after\n\n# Changed in the container by its own programs \(docker diff\):\n((?:# {3}.*\n)*)$/,
  );
  // What the journal has lost, docker still knows.
  assert.match(
    stdout,
    /^# {3}added {4}\/etc\/by-container\n# {3}added {4}\/etc\/by-london\n# {3}deleted {2}\/etc\/motd$/m,
  );
  assert.doesNotMatch(stdout, /added.*\/etc\/after|\/root|\/tmp|\/etc\/dockerdo/);
  // It still is a script.
  assert.deepEqual(await user.types("bash -n", { stdin: stdout }), {
    code: 0,
    stdout: "",
    stderr: "",
  });
});

Deno.test("what is edited while relays are killed and come back is all in the journal", async () => {
  await using user = await newUser();
  await user.runs(`killed-relay --local --image ${BASE_IMAGE} --record`);
  const app = `${user.workDir}/container/srv/app`;
  const relay = (): number => Number(Deno.readTextFileSync(`${user.sessionDir()}/relay/relay.pid`));
  const written: string[] = [];
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 20; i++) {
      const name = `r${round}-${i}`;
      Deno.writeTextFileSync(`${app}/${name}`, name);
      written.push(`/srv/app/${name}`);
    }
    const old = relay();
    Deno.kill(old, "SIGKILL");
    // Its successor comes with the next question.
    await poll(async () => {
      await london(["timeout", "-s", "KILL", "2", "ls", `${app}/none-${round}`]);
      return relay() !== old;
    }, { what: "another relay" });
    await poll(async () => (await london(["timeout", "-s", "KILL", "2", "ls", app])).code === 0, {
      what: "an answer",
    });
  }
  const created = steps(user).filter(({ kind }) => kind === "created").map(({ path }) => path);
  assert.deepEqual(created, written);
  // One line for each time that a relay began.
  assert.equal(steps(user).filter(({ kind }) => kind === "mounted").length, 4);
});

Deno.test("ten programs that write 2,000 files at once are recorded whole", async () => {
  await using user = await newUser();
  await user.runs(`many --local --image ${BASE_IMAGE} --record`);
  await user.does(
    `mkdir container/srv/many && cd container/srv/many && seq 10 | xargs -P 10 -I{} sh -c 'for i in $(seq 200); do echo x > {}-$i; done'`,
  );
  const created = steps(user).filter(({ kind }) => kind === "created").map(({ path }) => path);
  assert.deepEqual(created.sort(), await find(user, "/srv/many"));
});

Deno.test("edits are recorded unless init, run, start or the configuration says no, and never through a plain mount", async () => {
  await using user = await newUser();
  const journal = (): string[] =>
    [...Deno.readDirSync(user.sessionDir())].map(({ name }) => name)
      .filter((name) => name === "changes.jsonl");
  const refused = await user.types("dockerdo init refused --local --mount plain --record");
  assert.deepEqual([refused.code, refused.stdout], [2, ""]);
  assert.match(
    refused.stderr,
    /edits cannot be recorded through a plain mount\n {2}Leave out --record/,
  );
  await user.does(
    "mkdir $XDG_CONFIG_HOME/dockerdo && echo 'always_record_inotify: false' > $XDG_CONFIG_HOME/dockerdo/dockerdo.yaml",
  );
  await user.runs(`asked --local --image ${BASE_IMAGE}`);
  Deno.writeTextFileSync(`${user.workDir}/container/srv/app/1`, "");
  assert.deepEqual(journal(), []);
  assert.match(
    (await user.types("dockerdo history")).stderr,
    /^Edits through the mount are not recorded\. .*: dockerdo start --record\n$/,
  );
  await user.does("dockerdo start --record");
  Deno.writeTextFileSync(`${user.workDir}/container/srv/app/2`, "");
  assert.deepEqual(await edits(user), ["created /srv/app/2"]);
  await user.does("dockerdo stop; dockerdo start");
  Deno.writeTextFileSync(`${user.workDir}/container/srv/app/3`, "");
  await user.does("dockerdo start --no-record");
  Deno.writeTextFileSync(`${user.workDir}/container/srv/app/4`, "");
  assert.deepEqual(await edits(user), ["created /srv/app/2", "created /srv/app/3"]);
  assert.equal((await user.types("dockerdo start --mount plain --record")).code, 2);
  await user.does("dockerdo start --mount plain");
  assert.match(await user.does("dockerdo status"), /container: mounted \(plain\)/);
  await user.does("rm $XDG_CONFIG_HOME/dockerdo/dockerdo.yaml; dockerdo rm --force --delete");
  const plain = await user.types(`dockerdo init plain --local --image ${BASE_IMAGE} --mount plain`);
  assert.match(plain.stderr, /Edits are not recorded: a plain mount does not report them/);
  await user.runs(`default --local --image ${BASE_IMAGE}`);
  Deno.writeTextFileSync(`${user.workDir}/container/srv/app/5`, "");
  assert.deepEqual(await edits(user), ["created /srv/app/5"]);
});

Deno.test("history reads like what one did, and changes tells who changed what, of a container that runs, is stopped and is gone", async () => {
  await using user = await newUser();
  await user.runs(`causes --local --image ${BASE_IMAGE}`);
  const container = `${user.workDir}/container`;
  const sweeps = `${user.sessionDir()}/sweeps.jsonl`;
  /** Runs a command, and waits until somebody has looked at what it changed. */
  const step = async (line: string, code = 0): Promise<void> => {
    const before = Date.now() / 1000;
    assert.equal((await user.types(`cd container/srv/app && ${line}`)).code, code, line);
    await poll(() => lastSweep(sweeps) > before, { what: `a sweep after ${line}` });
  };
  await step("dodo ls /");
  await step("dodo nosuch", 127);
  await step("dodo -e MODE=fast -e API_TOKEN=tops3cret -u nobody true");
  await step("dodo -c 'echo 1 > /etc/by-command && rm /etc/motd'");
  await step("dodo env API_TOKEN=tops3cret touch /etc/with-secret");
  await step("dodo mkdir -p /var/lib/dpkg/info");
  await step("dockerdo export LEVEL=3; dodo touch /etc/late");
  Deno.writeTextFileSync(`${container}/etc/by-edit`, "1");
  await step(
    `dodo -c 'touch /run/go; setsid sh -c "while [ -e /run/go ]; do sleep 0.1; done; echo 1 > /etc/by-process; exec sleep 1000" >/dev/null 2>&1 &'`,
  );
  const { containerName } = await storedSession(user) as { containerName: string };
  await user.does(`docker exec ${containerName} rm /run/go`);
  await poll(
    async () =>
      (await user.types(`docker exec ${containerName} test -e /etc/by-process`)).code === 0,
    { what: "the process's file" },
  );

  const loop =
    `/bin/sh -c 'touch /run/go; setsid sh -c "while [ -e /run/go ]; do sleep 0.1; done; echo 1 > /etc/by-process; exec sleep 1000" >/dev/null 2>&1 &' dodo`;
  const plain = (text: string): string =>
    text.replaceAll(/\d{4}-\d\d-\d\d(T[\d:]+Z| \d\d:\d\d)/g, "TIME")
      .replaceAll(containerName, "NAME");
  const history = await user.does("dockerdo history");
  assert.equal(
    plain(history),
    `export LEVEL=3

# cd /srv/app
# ls /  # changed nothing
# nosuch  # exit code 127
# MODE=fast true  # -u nobody, -e MODE -e API_TOKEN, changed nothing, a secret is not shown
cd /srv/app
echo 1 > /etc/by-command && rm /etc/motd
# env API_TOKEN=… touch /etc/with-secret  # a secret is not shown
# mkdir -p /var/lib/dpkg/info  # changed nothing
# dockerdo export LEVEL
touch /etc/late
${loop}

# Edited through the mount:
#   TIME  created   /etc/by-edit

# Changed in the container by its own programs (docker diff):
#   added    /etc/by-command
#   added    /etc/by-process
#   added    /etc/late
#   deleted  /etc/motd
#   added    /etc/with-secret
`,
  );
  assert.deepEqual(await user.types("bash -n", { stdin: history }), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  assert.deepEqual(
    (await user.types(`grep -rl tops3cret ${user.sessionDir()}`)).stdout,
    "",
  );

  const byCommands = (added: string): string =>
    `By a command, TIME: echo 1 > /etc/by-command && rm /etc/motd
  ${added}/etc/by-command
${added === "added    " ? "  deleted  /etc/motd\n" : ""}
By a command, TIME: env API_TOKEN=… touch /etc/with-secret
  ${added}/etc/with-secret

By a command, TIME: touch /etc/late
  ${added}/etc/late
`;
  const byEdit = (added: string): string =>
    `By you, through the mount:\n  ${added}/etc/by-edit\n\n`;
  const runs = await user.types("dockerdo changes");
  assert.deepEqual([plain(runs.stdout), runs.stderr], [
    `${byEdit("added    ")}${byCommands("added    ")}
While no command ran, but processes that commands had left (sleep):
  added    /etc/by-process

Differs in every run: 3 paths (dockerdo's own 2, docker's own 1)
`,
    "",
  ]);
  await user.does("dockerdo stop --force");
  const stopped = await user.types("dockerdo changes");
  assert.deepEqual([plain(stopped.stdout), plain(stopped.stderr)], [
    `${byEdit("added    ")}${byCommands("added    ")}
By whom is not known:
  added    /etc/by-process

Differs in every run: 3 paths (dockerdo's own 2, docker's own 1)
`,
    "dockerdo: the container NAME does not run (exited): causes are known only of what was seen when it changed\n",
  ]);
  await user.does("dockerdo rm --force");
  const gone = await user.types("dockerdo changes");
  assert.deepEqual([plain(gone.stdout), gone.stderr], [
    `${byEdit("changed  ")}${byCommands("changed  ")}`,
    "dockerdo: the session has no container: this is what was seen when it changed, and may have changed since\n",
  ]);
});

/** When the last sweep began, by the local clock. */
function lastSweep(path: string): number {
  try {
    const line = Deno.readTextFileSync(path).trimEnd().split("\n").at(-1) ?? "";
    return (JSON.parse(line) as { local: number }).local;
  } catch {
    return 0;
  }
}
