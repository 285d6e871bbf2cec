/**
 * Somebody else's tests, on plain sshfs and on ours: stress-ng's of files and directories, which verify what they
 * read, and those of Python's standard library that work on files (Debian's package libpython3.11-testsuite).
 * Ours fails nothing that plain sshfs passes.
 */
import assert from "node:assert/strict";
import { type Mount, run, Server } from "./server.ts";

/** Each is a number of workers' work for stress-ng; those that no sshfs can do are left out (xattr, verity). */
const STRESSORS = ["access", "chdir", "chmod", "chown", "copy-file", "dentry", "dir", "dirdeep"]
  .concat(
    [
      "dup",
      "fallocate",
      "fcntl",
      "filename",
      "flock",
      "fpunch",
      "fstat",
      "getdent",
      "hdd",
      "io",
      "iomix",
    ],
    [
      "lease",
      "link",
      "locka",
      "lockf",
      "lockofd",
      "mknod",
      "open",
      "readahead",
      "rename",
    ],
    ["revio", "seek", "sendfile", "symlink", "sync-file", "touch", "utime"],
  );

/** The stressors that fail on a mount, with what stress-ng says of them. */
async function failedStressors(
  mount: Mount,
  names: readonly string[],
): Promise<Map<string, string>> {
  const failed = new Map<string, string>();
  for (const name of names) {
    const place = `${mount.point}/stress-${name}`;
    await Deno.mkdir(place);
    const words = ["stress-ng", "--temp-path", place, `--${name}`, "2", `--${name}-ops`, "20"];
    const { code, stderr } = await new Deno.Command("timeout", {
      // Only what hangs is ended: a busy machine may take its time.
      args: ["-s", "KILL", "300", ...words, "--verify", "--timeout", "3"],
      cwd: place,
      stdout: "null",
    }).output();
    if (code !== 0) failed.set(name, new TextDecoder().decode(stderr));
    await run("rm", "-rf", place);
  }
  return failed;
}

Deno.test({
  name: "ours fails nothing of stress-ng's file tests that plain sshfs passes",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(): Promise<void> {
    const server = await Server.start();
    try {
      const [ours, plain] = [await server.mount(), await server.mount({ kind: "plain" })];
      const failed = await failedStressors(ours, STRESSORS);
      const theirs = await failedStressors(plain, [...failed.keys()]);
      for (const [name, words] of theirs) {
        assert.doesNotMatch(words, /unrecognized option/);
        failed.delete(name);
      }
      assert.deepEqual(failed, new Map());
    } finally {
      await server.stop();
    }
  },
});

const SUITES = ["test_os", "test_posix", "test_tempfile", "test_glob", "test_fileio"].concat(
  ["test_mmap", "test_fcntl", "test_dbm", "test_shelve", "test_posixpath"],
);
/** A chown of a link, on which plain sshfs stands still for ever. */
const LEFT_OUT = ["test_lchown"];
/**
 * They make a link to a program or a file of this machine and want it back. Ours is the
 * container's, and never leads out of the mount.
 */
const LINKS = ["ReadlinkTests.test_bytes", "ReadlinkTests.test_pathlike"].concat(
  ["ReadlinkTests.test_pathlike_bytes", "TestPosixSpawnP.test_posix_spawnp"],
);
const PYTHON = "/usr/bin/python3";

async function isThere(): Promise<boolean> {
  const question = run(PYTHON, "-c", "import test.test_os");
  return await question.then(() => true, () => false);
}

/** The tests that fail in a directory. */
async function failures(directory: string, words: string[]): Promise<Set<string>> {
  const failed = new Set<string>();
  for (const suite of words.length > 0 ? [words[0] ?? ""] : SUITES) {
    const place = `${directory}/${suite}${words.length}`;
    await Deno.mkdir(place);
    const left = LEFT_OUT.flatMap((name) => ["-i", name]);
    const { stdout, stderr } = await new Deno.Command("timeout", {
      args: ["-s", "KILL", "150", PYTHON, "-m", "test", "-v", "--tempdir", place, ...left]
        .concat(words.slice(1).flatMap((name) => ["-m", name]), suite),
      cwd: place,
      env: { TMPDIR: place },
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    if (!/^Ran [1-9]\d* tests? in/m.test(text)) failed.add(`${suite} did not run`);
    for (const [, name] of text.matchAll(/^(?:FAIL|ERROR): \S+ \(test\.(\S+)\)/gm)) {
      failed.add(name ?? "");
    }
  }
  return failed;
}

const isInstalled = await isThere();
const NAME = "ours fails nothing of Python's file tests that plain sshfs passes";

Deno.test({
  name: isInstalled ? NAME : `${NAME} (ignored: there is no libpython3.11-testsuite here)`,
  ignore: !isInstalled,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(): Promise<void> {
    const server = await Server.start();
    try {
      const ours = await server.mount();
      const plain = await server.mount({ kind: "plain" });
      await Deno.mkdir(`${server.served}/ours`);
      await Deno.mkdir(`${server.served}/plain`);
      ours.drop();
      const failed = await failures(`${ours.point}/ours`, []);
      const theirs = await failures(`${plain.point}/plain`, []);
      const suspects = [...failed].filter((name) =>
        !theirs.has(name) && !LINKS.some((end) => name.endsWith(end))
      );
      // libfuse hides an open file that is removed; how long, is a race that either mount may lose.
      const again = [];
      for (const [i, name] of suspects.entries()) {
        const [suite = "", , test = ""] = name.split(".");
        const place = `${ours.point}/ours/again${i}`;
        await Deno.mkdir(place);
        again.push(...await failures(place, [suite, test]));
      }
      assert.deepEqual(again.filter((name) => !theirs.has(name)), []);
      assert.equal(ours.log(), "");
    } finally {
      await server.stop();
    }
  },
});
