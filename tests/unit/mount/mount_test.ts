// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { takeMountKind } from "../../../src/commands/run.ts";
import { selfCommand } from "../../../src/process/own_command.ts";
import { checkMountPoint, mount, unmount } from "../../../src/mount/mount.ts";
import { mountPoint, parseMountInfo } from "../../../src/mount/table.ts";
import { quoteAll } from "../../../src/quote.ts";
import { fakes, temporaryDir, testContext, testSession } from "../fixture.ts";
import { poll } from "../../poll.ts";

for (
  const [what, line, expected] of [
    [
      "an sshfs mount",
      "36 25 0:41 / /home/me/project/container rw,nosuid,nodev shared:20 - fuse.sshfs dockerdo:0a1b:container rw,user_id=0",
      [{
        point: "/home/me/project/container",
        type: "fuse.sshfs",
        source: "dockerdo:0a1b:container",
      }],
    ],
    [
      "octal escapes of blank, tab, newline and backslash",
      "36 25 0:41 / /a\\040b\\011c\\012d\\134e rw - fuse.sshfs x\\040y rw",
      [{ point: "/a b\tc\nd\\e", type: "fuse.sshfs", source: "x y" }],
    ],
    [
      "characters beyond ASCII beside an escape",
      "36 25 0:41 / /é\\040🐳 rw - fuse.sshfs x rw",
      [{ point: "/é 🐳", type: "fuse.sshfs", source: "x" }],
    ],
    [
      "an escaped backslash before digits",
      "36 25 0:41 / /a\\134040 rw - ext4 x rw",
      [{ point: "/a\\040", type: "ext4", source: "x" }],
    ],
    [
      "a dash as a directory",
      "36 25 0:41 / /a\\040-\\040b rw - fuse.sshfs x rw",
      [{ point: "/a - b", type: "fuse.sshfs", source: "x" }],
    ],
    [
      "a deleted root",
      "36 25 8:1 /gone//deleted /mnt rw - ext4 /dev/sda1 rw",
      [{ point: "/mnt", type: "ext4", source: "/dev/sda1" }],
    ],
    [
      "several optional fields",
      "36 25 0:41 / /m rw shared:1 master:2 propagate_from:3 - tmpfs none rw",
      [{ point: "/m", type: "tmpfs", source: "none" }],
    ],
    ["an empty source", "36 25 0:41 / /m rw - tmpfs  rw", [{
      point: "/m",
      type: "tmpfs",
      source: "",
    }]],
    ["no separator", "36 25 0:41 / /m rw tmpfs none rw", []],
    ["nothing after the separator", "36 25 0:41 / /m rw - ", []],
    ["too few fields", "36 25 - tmpfs none rw", []],
    ["nothing", "", []],
  ] as const
) {
  Deno.test(`parseMountInfo() of a line with ${what}`, () => {
    assert.deepEqual(parseMountInfo(`${line}\n`), expected);
  });
}

Deno.test("parseMountInfo() keeps the order of stacked mounts", () => {
  const line = (source: string): string => `36 25 0:41 / /m rw - tmpfs ${source} rw\n`;
  assert.deepEqual(parseMountInfo(line("a") + "odd\n" + line("b")).map(({ source }) => source), [
    "a",
    "b",
  ]);
});

Deno.test("mountPoint() of the remote host is undefined where it is the local one", () => {
  assert.deepEqual(
    [testSession(), testSession({ remoteHost: null })].map((session) => [
      mountPoint(session, "container"),
      mountPoint(session, "remote"),
    ]),
    [
      ["/home/me/project/container", "/home/me/project/reykjavik"],
      ["/home/me/project/container", undefined],
    ],
  );
});

Deno.test("checkMountPoint() takes a directory that is empty or not there, and nothing else", async () => {
  using dir = temporaryDir();
  const context = testContext();
  await checkMountPoint(context, `${dir.path}/none`);
  await checkMountPoint(context, dir.path);
  Deno.writeTextFileSync(`${dir.path}/file`, "");
  await assert.rejects(checkMountPoint(context, dir.path), {
    name: "Failure",
    message: `${dir.path} is not empty (it holds file), and a mount would hide that`,
  });
  await assert.rejects(checkMountPoint(context, `${dir.path}/file`), {
    name: "Failure",
    message: new RegExp(`^${dir.path}/file cannot be a mount point: `),
  });
  await assert.rejects(checkMountPoint(context, "/proc"), {
    name: "Failure",
    message: /^\/proc is already a mount \(proc, /,
  });
});

for (
  const [kind, help, expected] of [
    ["plain", "", "attr_timeout=0,entry_timeout=0,fsname=F,follow_symlinks"],
    ["plain", "no_contain_symlinks", "attr_timeout=0,entry_timeout=0,fsname=F,follow_symlinks"],
    [
      "relay",
      "",
      "sync_readdir,workaround=renamexdev,attr_timeout=0.03,entry_timeout=0.03,fsname=F",
    ],
    [
      "relay",
      "no_contain_symlinks",
      "sync_readdir,workaround=renamexdev,attr_timeout=0.03,entry_timeout=0.03,fsname=F,no_contain_symlinks",
    ],
  ] as const
) {
  Deno.test(`mount() of a ${kind} session, where sshfs lists ${help || "no containment"}`, async () => {
    using dir = temporaryDir();
    using fake = fakes(dir.path, { FAKE_sshfs__h: help, FAKE_sshfs: "" });
    const socketDir = `${dir.path}/b,c\\d`;
    Deno.mkdirSync(socketDir);
    const session = testSession({
      dir: dir.path,
      workDir: dir.path,
      socketDir,
      mount: kind,
      record: true,
      containerId: "c0ffee",
    });
    const context = testContext({ env: fake.env });
    await mount(context, session, { destination: "container", path: "/" });
    const config = `${dir.path}/ssh_config`;
    const wrapper = `${dir.path}/b\\,c\\\\d/relay`;
    const point = `${dir.path}/container`;
    const options = `reconnect,idmap=user,dir_cache=no,${expected}`
      .replace("=F", "=dockerdo:0a1b2c3d4e5f:container");
    assert.deepEqual(fake.calls(), [
      ...kind === "relay" ? [["sshfs", "-h"]] : [],
      kind === "plain"
        ? ["sshfs", "-F", config, "container:/", point, "-o", options]
        : ["sshfs", "container:/", point, "-o", `ssh_command=/bin/sh ${wrapper},${options}`],
    ]);
    const words = [
      ...selfCommand(["--max-semi-space-size=1", "--optimize-for-size"]),
      ...["relay", `${dir.path}/relay`, point, "/", "30"],
      ...[`${dir.path}/changes.jsonl`, "c0ffee", "--", "ssh", "-oBatchMode=yes", "-F", config],
    ];
    const script = (): string | undefined => {
      try {
        return Deno.readTextFileSync(`${socketDir}/relay`);
      } catch {
        return undefined;
      }
    };
    const expectedScript = `#!/bin/sh\ncd / && MALLOC_ARENA_MAX=1 exec ${quoteAll(words)} "$@"\n`;
    assert.equal(script(), kind === "plain" ? undefined : expectedScript);
    await unmount(context, session, { destination: "container", force: false });
    assert.equal(script(), undefined);
  });
}

Deno.test("mount() gives the build dir a relay of its own, which records nothing", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, { FAKE_sshfs__h: "", FAKE_sshfs: "" });
  const socketDir = `${dir.path}/sockets`;
  Deno.mkdirSync(socketDir);
  const session = testSession({
    dir: dir.path,
    workDir: dir.path,
    socketDir,
    mount: "relay",
    record: true,
  });
  const context = testContext({ env: fake.env });
  await mount(context, session, { destination: "remote", path: "/home/me/build dir" });
  const point = `${dir.path}/reykjavik`;
  assert.deepEqual(fake.calls().at(-1), [
    "sshfs",
    "reykjavik:/home/me/build dir",
    point,
    "-o",
    `ssh_command=/bin/sh ${socketDir}/relay-remote,reconnect,idmap=user,dir_cache=no,sync_readdir,workaround=renamexdev,` +
    "attr_timeout=0.03,entry_timeout=0.03,fsname=dockerdo:0a1b2c3d4e5f:remote",
  ]);
  const words = ["relay", `${dir.path}/relay-remote`, point, "/home/me/build dir", "30", "--"];
  assert.ok(
    Deno.readTextFileSync(`${socketDir}/relay-remote`).includes(` ${quoteAll(words)} ssh `),
  );
  // Nobody writes into it by mistake while nothing is mounted there.
  assert.equal((Deno.statSync(point).mode ?? 0) & 0o777, 0o555);
  await unmount(context, session, { destination: "remote", force: false });
  assert.throws(() => Deno.lstatSync(point), Deno.errors.NotFound);
});

Deno.test("a mount's log keeps the first MiB of what sshfs and what is below it write, and what a failure says", async () => {
  using dir = temporaryDir();
  Deno.mkdirSync(`${dir.path}/bin`);
  const session = testSession({ dir: dir.path, workDir: dir.path, mount: "plain" });
  const context = testContext({
    env: { PATH: `${dir.path}/bin:${Deno.env.get("PATH")}` },
  });
  const sshfs = (script: string): void =>
    Deno.writeTextFileSync(`${dir.path}/bin/sshfs`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const log = `${dir.path}/mount-container.log`;
  // It goes on in the background, as sshfs does.
  sshfs("{ head -c 3000000 /dev/zero; echo done >$0.done; } >&2 &");
  await mount(context, session, { destination: "container", path: "/" });
  await poll(() => Promise.resolve(Deno.statSync(log).size === 1024 * 1024), { what: "the log" });
  await poll(
    () => Deno.stat(`${dir.path}/bin/sshfs.done`).then(() => true, () => false),
    { what: "the end of what writes on" },
  );
  assert.equal(Deno.statSync(log).size, 1024 * 1024);
  Deno.removeSync(`${dir.path}/container`);
  sshfs("echo 'read: Connection reset by peer' >&2; exit 1");
  await assert.rejects(mount(context, session, { destination: "container", path: "/" }), {
    message: `mounting ${dir.path}/container failed: read: Connection reset by peer`,
  });
  const left = [...Deno.readDirSync(dir.path)].map(({ name }) => name).sort();
  assert.deepEqual(left, ["bin", "mount-container.log"]);
});

Deno.test("mount() of a relay that does not answer fails, and leaves nothing behind", async () => {
  using dir = temporaryDir();
  using fake = fakes(dir.path, { FAKE_sshfs__h: "", FAKE_sshfs: "" });
  Deno.mkdirSync(`${dir.path}/bin`);
  for (const look of ["ls", "stat"]) {
    Deno.writeTextFileSync(`${dir.path}/bin/${look}`, "#!/bin/sh\nexit 2\n", { mode: 0o755 });
  }
  const socketDir = `${dir.path}/sockets`;
  Deno.mkdirSync(socketDir);
  const session = testSession({
    dir: dir.path,
    workDir: dir.path,
    socketDir,
    mount: "relay",
  });
  const env = { ...fake.env, PATH: `${dir.path}/bin:${fake.env["PATH"]}` };
  const context = testContext({ env });
  const options = { destination: "container", path: "/", answerLimitMs: 50 } as const;
  await assert.rejects(mount(context, session, options), {
    name: "Failure",
    message: `${dir.path}/container does not answer`,
    hint: `${dir.path}/relay/relay.log may say why. ` +
      "dockerdo start tries again; --mount plain works without the relay.",
  });
  const left = [...Deno.readDirSync(dir.path)].map(({ name }) => name).sort();
  assert.deepEqual(left, ["bin", "fake-calls", "mount-container.log", "relay", "sockets"]);
  assert.deepEqual([...Deno.readDirSync(socketDir)], []);
});

for (
  const [words, expected] of [
    [[], { kind: undefined, rest: [] }],
    [["-v", "/a:/a", "--mount", "relay", "--init"], {
      kind: "relay",
      rest: ["-v", "/a:/a", "--init"],
    }],
    [["--mount=relay", "--mount=plain"], { kind: "plain", rest: [] }],
    [["--mount", "type=tmpfs,dst=/x", "--mount=type=bind,src=/,dst=/y"], {
      kind: undefined,
      rest: ["--mount", "type=tmpfs,dst=/x", "--mount=type=bind,src=/,dst=/y"],
    }],
    [["--mount"], { kind: undefined, rest: ["--mount"] }],
  ] as const
) {
  Deno.test(`run takes its own --mount out of ${JSON.stringify(words)}`, () => {
    assert.deepEqual(takeMountKind(words), expected);
  });
}
