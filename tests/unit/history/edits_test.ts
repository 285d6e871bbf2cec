// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import type { ContainerChange } from "../../../src/docker.ts";
import { readEdits } from "../../../src/history/edits.ts";
import { decideRecording } from "../../../src/lifecycle/recording.ts";
import { type Edit, Story } from "../../../src/history/story.ts";
import { renderEdit, renderInsideChange } from "../../../src/history/render.ts";
import { insideChanges } from "../../../src/history/inside_changes.ts";
import { formatStep, type JournalStep } from "../../../src/relay/journal.ts";
import { journalPath } from "../../../src/session/session.ts";
import { temporaryDir, testContext, testSession } from "../fixture.ts";

type Words = readonly [JournalStep["kind"], string, string?, ("replaces" | "directory")?];

function steps(words: readonly Words[]): JournalStep[] {
  return words.map(([kind, path, other, mark], i) => ({
    time: i,
    kind,
    // A rename reads as it is typed: from, to.
    path: kind === "renamed" ? other ?? "" : path,
    ...kind === "renamed" ? { from: path } : other !== undefined && { from: other },
    ...mark && { [mark]: true },
  }));
}

function told(words: readonly Words[]): string[] {
  const story = new Story();
  for (const step of steps(words)) story.add(step);
  const edits = story.tell().map(({ kind, path, from }) =>
    [kind, ...from === undefined ? [] : [from], path].join(" ")
  );
  assert.deepEqual(story.tell(), []);
  return edits;
}

const STORIES: readonly (readonly [string, readonly Words[], readonly string[]])[] = [
  ["each plain step", [
    ["created", "/a"],
    ["changed", "/b"],
    ["deleted", "/c"],
    ["chmodded", "/d"],
    ["linked", "/e"],
    ["touched", "/f"],
    ["renamed", "/g", "/h"],
  ], [
    "created /a",
    "changed /b",
    "deleted /c",
    "chmodded /d",
    "linked /e",
    "touched /f",
    "renamed /g /h",
  ]],
  ["many steps on one file", [
    ["created", "/a"],
    ["changed", "/a"],
    ["chmodded", "/a"],
    ["touched", "/a"],
    ["chmodded", "/b"],
    ["changed", "/b"],
  ], ["created /a", "changed /b"]],
  ["what comes and goes", [["created", "/a"], ["changed", "/a"], ["deleted", "/a"]], []],
  ["a file deleted and made again", [["deleted", "/a"], ["created", "/a"]], ["changed /a"]],
  ["a file renamed away and back", [["renamed", "/a", "/b"], ["renamed", "/b", "/a"]], []],
  ["vim with a backup by rename", [
    ["created", "/.file.swp"],
    ["changed", "/.file.swp"],
    ["created", "/4913"],
    ["deleted", "/4913"],
    ["renamed", "/file", "/file~"],
    ["created", "/file"],
    ["changed", "/file"],
    ["chmodded", "/file"],
    ["deleted", "/file~"],
  ], ["changed /file"]],
  ["vim with a backup that stays", [
    ["renamed", "/file", "/file~"],
    ["created", "/file"],
    ["changed", "/file"],
  ], ["changed /file"]],
  ["emacs: lock, autosave, backup", [
    ["linked", "/.#file"],
    ["created", "/#file#"],
    ["deleted", "/#file#"],
    ["renamed", "/file", "/file.~3~"],
    ["created", "/file"],
    ["changed", "/file"],
    ["deleted", "/.#file"],
  ], ["changed /file"]],
  ["sed -i and most others", [
    ["created", "/d/sedAbC"],
    ["changed", "/d/sedAbC"],
    ["chmodded", "/d/sedAbC"],
    ["renamed", "/d/sedAbC", "/d/file", "replaces"],
  ], ["changed /d/file"]],
  ["a new file by way of a temporary one", [
    ["created", "/.goutputstream-X"],
    ["renamed", "/.goutputstream-X", "/new"],
  ], ["created /new"]],
  ["git's index by way of its lock", [
    ["created", "/.git/index.lock"],
    ["changed", "/.git/index.lock"],
    ["renamed", "/.git/index.lock", "/.git/index", "replaces"],
    ["created", "/.git/HEAD.lock"],
    ["deleted", "/.git/HEAD.lock"],
  ], ["changed /.git/index"]],
  ["git's object by way of a link", [
    ["created", "/tmp_obj"],
    ["changed", "/tmp_obj"],
    ["linked", "/2f/ab", "/tmp_obj"],
    ["deleted", "/tmp_obj"],
  ], ["created /2f/ab"]],
  ["a hard link that stays beside its file", [
    ["created", "/a"],
    ["linked", "/b", "/a"],
  ], ["created /a", "linked /b"]],
  ["a file that is deleted while it is open", [
    ["renamed", "/open", "/.fuse_hidden0000000a00000001"],
    ["changed", "/x"],
    ["deleted", "/.fuse_hidden0000000a00000001"],
  ], ["changed /x", "deleted /open"]],
  ["a file that is deleted, and still open", [
    ["renamed", "/open", "/.fuse_hidden0000000a00000001"],
  ], ["deleted /open"]],
  ["a file that is replaced while it is open", [
    ["created", "/tmp"],
    ["renamed", "/open", "/.fuse_hidden0000000a00000001"],
    ["renamed", "/tmp", "/open"],
    ["deleted", "/.fuse_hidden0000000a00000001"],
  ], ["changed /open"]],
  ["a rename over a file", [["renamed", "/a", "/b", "replaces"]], ["changed /b", "deleted /a"]],
  ["a directory that moves with what was done in it", [
    ["changed", "/d/file"],
    ["created", "/d/new"],
    ["renamed", "/d", "/e", "directory"],
    ["changed", "/e/new"],
    ["changed", "/e/other"],
    ["changed", "/dd"],
  ], [
    "renamed /d/file /e/file",
    "renamed /d /e",
    "created /e/new",
    "changed /e/other",
    "changed /dd",
  ]],
  ["a file that somebody renames as a backup", [["renamed", "/f", "/f~"]], ["renamed /f /f~"]],
  ["names that only look like an editor's", [
    ["created", "/4913"],
    ["created", "/file.swp"],
    ["created", "/alone~"],
  ], ["created /4913", "created /file.swp", "created /alone~"]],
];

for (const [what, words, expected] of STORIES) {
  Deno.test(`the story of ${what}`, () => assert.deepEqual(told(words), expected));
}

Deno.test("readEdits() of a session without a journal is empty", async () => {
  using dir = temporaryDir();
  const context = testContext();
  const { edits, lost, explains } = await readEdits(context, testSession({ dir: dir.path }));
  assert.deepEqual([edits, lost, explains({ letter: "C", path: "/a" })], [[], 0, false]);
  assert.equal(context.written.stderr, "");
});

Deno.test("readEdits() tells all containers' edits, and explains only the present one's changes", async () => {
  using dir = temporaryDir();
  const session = testSession({ dir: dir.path, containerId: "new" });
  const mounted = (container: string): JournalStep => ({
    time: 0,
    kind: "mounted",
    path: "/",
    container,
  });
  const all = [
    mounted("old"),
    ...steps([["changed", "/a"], ["created", "/\xff"]]),
    mounted("new"),
    ...steps([["changed", "/b/c"], ["renamed", "/d", "/e", "directory"]]),
    // The relay was started again.
    mounted("new"),
    ...steps([["changed", "/b/c"]]),
    { time: 9, kind: "lost", path: "/", count: 3 } as const,
  ].map(formatStep);
  Deno.writeTextFileSync(journalPath(session), [...all, "half a line\n"].join(""));
  const context = testContext();
  const { edits, lost, explains } = await readEdits(context, session);
  assert.deepEqual(
    edits.map(({ kind, path, pathBytes }) => [kind, path, pathBytes]),
    [
      ["changed", "/a", undefined],
      ["created", "/\uFFFD", "L/8="],
      ["changed", "/b/c", undefined],
      ["renamed", "/e", undefined],
    ],
  );
  assert.equal(lost, 3);
  assert.equal(
    context.written.stderr,
    `dockerdo: ${journalPath(session)}:10 is damaged and left out\n`,
  );
  const explained = (letter: ContainerChange["letter"], path: string): boolean =>
    explains({ letter, path });
  assert.deepEqual(
    [
      explained("C", "/a"),
      explained("C", "/b/c"),
      explained("C", "/b"),
      explained("A", "/b"),
      explained("A", "/e/inner"),
      explained("D", "/d"),
      explained("A", "/ee"),
    ],
    [false, true, true, false, true, true, false],
  );
});

Deno.test("insideChanges() leaves out noise, parents, what is below a whole directory, and what is explained", () => {
  const diff = [
    "C /etc",
    "C /etc/passwd",
    "A /etc/dockerdo/ssh_host_ed25519_key",
    "C /root",
    "A /root/.bash_history",
    "A /root/.ssh",
    "A /root/.ssh/authorized_keys",
    "A /opt/app",
    "A /opt/app/bin",
    "A /opt/app/bin/x",
    "A /opt/app-2",
    "C /opt",
    "D /srv/old",
    "A /srv/edited",
    "C /srv",
    "A /tmp/x",
    "C /tmp",
    "C /run",
    "A /run/sshd",
    "C /var/lib/apt/lists",
    "C /usr/bin",
  ].map((line) => ({ letter: line[0] as ContainerChange["letter"], path: line.slice(2) }));
  const explains = ({ path }: ContainerChange): boolean => path === "/srv/edited";
  assert.deepEqual(insideChanges(diff, { explains }), [
    { kind: "changed", path: "/etc/passwd" },
    { kind: "added", path: "/opt/app" },
    { kind: "added", path: "/opt/app-2" },
    { kind: "deleted", path: "/srv/old" },
    { kind: "changed", path: "/usr/bin" },
  ]);
});

Deno.test("edits and changes are one line each, whatever the name", () => {
  const edit: Edit = { time: "2025-01-02T03:04:05.678Z", kind: "changed", path: "/é 🐳" };
  assert.deepEqual(
    [
      renderEdit(edit),
      renderEdit({ ...edit, kind: "renamed", from: "/a", path: "/b\n'\\\x1b[2J" }),
      renderEdit({ ...edit, path: "/\uFFFD", pathBytes: "L/8=" }),
      renderInsideChange({ kind: "added", path: "/x\ny " }),
    ],
    [
      "2025-01-02T03:04:05Z  changed   /é 🐳",
      "2025-01-02T03:04:05Z  renamed   /a -> $'/b\\x0a\\'\\\\\\x1b[2J'",
      "2025-01-02T03:04:05Z  changed   $'/\\xff'",
      "added    $'/x\\x0ay '",
    ],
  );
});

Deno.test("decideRecording() refuses what was asked of a plain mount, and gives up what was only configured", () => {
  const context = testContext();
  const decide = (asked: boolean | undefined, otherwise: boolean, mount: "plain" | "relay") =>
    decideRecording(context, { asked, otherwise, mount });
  assert.deepEqual(
    [
      decide(undefined, false, "relay"),
      decide(undefined, true, "relay"),
      decide(true, false, "relay"),
      decide(false, true, "relay"),
      decide(false, true, "plain"),
    ],
    [false, true, true, false, false],
  );
  assert.throws(() => decide(true, false, "plain"), {
    name: "Failure",
    message: "edits cannot be recorded through a plain mount",
    exitCode: 2,
  });
  assert.equal(context.written.stderr, "");
  assert.equal(decide(undefined, true, "plain"), false);
  assert.equal(
    context.written.stderr,
    "[local] Edits are not recorded: a plain mount does not report them\n",
  );
});
