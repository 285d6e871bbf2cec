/** install.sh against releases that these tests make, by file: or from 127.0.0.1. */
// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { system, temporaryDir } from "../unit/fixture.ts";

const INSTALL = new URL("../../install.sh", import.meta.url).pathname;
const PLATFORMS = ["linux-x64", "linux-arm64", "macos-x64", "macos-arm64"];

interface Release {
  /** Its files. */
  readonly dir: string;
  /** What DOCKERDO_RELEASES is then. */
  readonly url: string;
}

/** A release whose executables say `dockerdo VERSION` or, with `runs: false`, do not run. */
async function makeRelease(
  root: string,
  { version = "1.2.3", where = "latest/download", runs = true } = {},
): Promise<Release> {
  const dir = `${root}/releases/${where}`;
  Deno.mkdirSync(dir, { recursive: true });
  Deno.writeTextFileSync(
    `${root}/dockerdo`,
    runs ? `#!/bin/sh\necho "dockerdo ${version}"\n` : "#!/bin/sh\necho cannot >&2; exit 127\n",
    { mode: 0o755 },
  );
  Deno.writeTextFileSync(`${root}/dodo`, "#!/bin/sh\necho dodo\n", { mode: 0o755 });
  for (const platform of PLATFORMS) {
    const archive = `${dir}/dockerdo-${platform}.tar.gz`;
    await system(["tar", "-czf", archive, "-C", root, "dockerdo", "dodo"]);
  }
  await system(["sh", "-c", "sha256sum dockerdo-*.tar.gz > SHA256SUMS"], { cwd: dir });
  return { dir, url: `file://${root}/releases` };
}

/** A PATH with these programs alone, and others in the place of some. */
function pathOf(
  root: string,
  { programs, fakes = {} }: {
    readonly programs: readonly string[];
    readonly fakes?: Readonly<Record<string, string>>;
  },
): string {
  const dir = Deno.makeTempDirSync({ dir: root });
  const all = ["cat", "mkdir", "mktemp", "mv", "rm", "sed", "sh", "tar", "gzip", "uname"];
  for (const program of [...all, ...programs]) {
    if (Object.hasOwn(fakes, program)) continue;
    const found = ["/usr/bin", "/bin"].map((bin) => `${bin}/${program}`)
      .find((path) => {
        try {
          return Deno.statSync(path).isFile;
        } catch {
          return false;
        }
      });
    assert.ok(found, `${program} is needed for this test`);
    Deno.symlinkSync(found, `${dir}/${program}`);
  }
  for (const [program, text] of Object.entries(fakes)) {
    Deno.writeTextFileSync(`${dir}/${program}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  return dir;
}

const uname = (system: string, machine: string): string =>
  `case $1 in -s) echo ${system} ;; -m) echo ${machine} ;; esac`;
const linux = { uname: uname("Linux", "x86_64") };

function everything(dir: string): string[] {
  const found: string[] = [];
  const walk = (path: string): void => {
    for (const entry of Deno.readDirSync(path)) {
      found.push(`${path}/${entry.name}`.slice(dir.length + 1));
      if (entry.isDirectory) walk(`${path}/${entry.name}`);
    }
  };
  walk(dir);
  return found.sort();
}

for (
  const { name, kernel, machine, platform, programs, fakes } of [
    {
      name: "Linux on x64",
      kernel: "Linux",
      machine: "x86_64",
      platform: "linux-x64",
      programs: ["curl", "sha256sum"],
      fakes: {},
    },
    {
      name: "Linux on arm64",
      kernel: "Linux",
      machine: "aarch64",
      platform: "linux-arm64",
      programs: ["curl", "sha256sum"],
      fakes: {},
    },
    {
      name: "macOS on arm64, which has shasum",
      kernel: "Darwin",
      machine: "arm64",
      platform: "macos-arm64",
      programs: ["curl"],
      fakes: { sysctl: "exit 1", shasum: '[ "$*" = "-a 256" ] && exec /usr/bin/sha256sum' },
    },
    {
      name: "macOS on arm64 in a shell under Rosetta",
      kernel: "Darwin",
      machine: "x86_64",
      platform: "macos-arm64",
      programs: ["curl", "sha256sum"],
      fakes: { sysctl: "echo 1" },
    },
  ]
) {
  Deno.test(`install.sh installs dockerdo and dodo: ${name}`, async () => {
    using dir = temporaryDir();
    const { url } = await makeRelease(dir.path);
    const home = `${dir.path}/it's home`;
    const PATH = pathOf(dir.path, {
      programs,
      fakes: { ...fakes, uname: uname(kernel, machine) },
    });
    const bin = `${home}/.local/bin`;
    assert.deepEqual(
      await system([INSTALL], { env: { HOME: home, PATH, DOCKERDO_RELEASES: url } }),
      {
        code: 0,
        stdout: "",
        stderr: `Downloading ${url}/latest/download/dockerdo-${platform}.tar.gz
Installed dockerdo 1.2.3: ${bin}/dockerdo, ${bin}/dodo
${bin} is not on your PATH; add to your shell's configuration:
  export PATH="${bin}:$PATH"
Next, the configuration file and your shell's completions: ${bin}/dockerdo install
`,
      },
    );
    assert.deepEqual(everything(home), [
      ".local",
      ".local/bin",
      ".local/bin/dockerdo",
      ".local/bin/dodo",
    ]);
    assert.equal(((Deno.statSync(`${bin}/dodo`).mode ?? 0) & 0o111) !== 0, true);
  });
}

Deno.test("DOCKERDO_VERSION takes that release, DOCKERDO_INSTALL_DIR that directory, in place of what was there", async () => {
  using dir = temporaryDir();
  for (const version of ["1.0.0", "1.1.0"]) {
    await makeRelease(dir.path, { version, where: `download/v${version}` });
  }
  const bin = `${dir.path}/my bin`;
  const PATH = `${pathOf(dir.path, { programs: ["curl", "sha256sum"], fakes: linux })}:${bin}`;
  const env = {
    HOME: dir.path,
    PATH,
    DOCKERDO_RELEASES: `file://${dir.path}/releases`,
    DOCKERDO_INSTALL_DIR: bin,
  };
  for (const version of ["1.1.0", "v1.0.0"]) {
    const { code, stderr } = await system([INSTALL], {
      env: { ...env, DOCKERDO_VERSION: version },
    });
    assert.equal(code, 0);
    assert.match(stderr, /completions: dockerdo install\n$/);
  }
  assert.deepEqual(everything(bin), ["dockerdo", "dodo"]);
  assert.equal((await system([`${bin}/dockerdo`])).stdout, "dockerdo 1.0.0\n");
});

Deno.test("with wget in the place of curl, from a server; a download that breaks off changes nothing", async () => {
  using dir = temporaryDir();
  const { dir: files } = await makeRelease(dir.path);
  let half = false;
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => {
      const name = new URL(request.url).pathname.split("/").at(-1) ?? "";
      const bytes = Deno.readFileSync(`${files}/${name}`);
      if (!half || name === "SHA256SUMS") return new Response(bytes);
      return new Response(bytes.subarray(0, bytes.length / 2));
    },
  );
  const env = {
    HOME: dir.path,
    DOCKERDO_RELEASES: `http://127.0.0.1:${server.addr.port}`,
    DOCKERDO_INSTALL_DIR: `${dir.path}/bin`,
  };
  for (const program of ["wget", "curl"]) {
    const PATH = pathOf(dir.path, { programs: [program, "sha256sum"], fakes: linux });
    half = false;
    assert.equal((await system([INSTALL], { env: { ...env, PATH } })).code, 0, program);
    const before = Deno.readTextFileSync(`${dir.path}/bin/dockerdo`);
    half = true;
    const broken = await system([INSTALL], { env: { ...env, PATH } });
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /the checksum is not that of the release; nothing was changed/);
    assert.equal(Deno.readTextFileSync(`${dir.path}/bin/dockerdo`), before);
    assert.deepEqual(everything(`${dir.path}/bin`), ["dockerdo", "dodo"]);
  }
});

for (
  const { name, spoil, runs = true, expected } of [
    {
      name: "an archive with another checksum",
      spoil: (dir: string) => Deno.writeTextFileSync(`${dir}/dockerdo-linux-x64.tar.gz`, "other"),
      expected: /^install\.sh: the checksum is not that of the release; nothing was changed$/m,
    },
    {
      name: "checksums that do not name the archive",
      spoil: (dir: string) => Deno.writeTextFileSync(`${dir}/SHA256SUMS`, "<html>\n"),
      expected: /^ {2}wanted \(SHA256SUMS does not name dockerdo-linux-x64\.tar\.gz\)$/m,
    },
    {
      name: "a release without the archive",
      spoil: (dir: string) => Deno.removeSync(`${dir}/dockerdo-linux-x64.tar.gz`),
      expected: /^install\.sh: the download failed; nothing was changed$/m,
    },
    {
      name: "an executable that does not run here",
      spoil: () => {},
      runs: false,
      expected: /^install\.sh: the executable does not run on this system; nothing was changed$/m,
    },
  ]
) {
  Deno.test(`install.sh refuses ${name}, and what was installed stays`, async () => {
    using dir = temporaryDir();
    const release = await makeRelease(dir.path, { runs });
    spoil(release.dir);
    const bin = `${dir.path}/bin`;
    Deno.mkdirSync(bin);
    Deno.writeTextFileSync(`${bin}/dockerdo`, "the old one");
    const PATH = pathOf(dir.path, { programs: ["curl", "sha256sum"], fakes: linux });
    const tmp = `${dir.path}/tmp`;
    Deno.mkdirSync(tmp);
    const { code, stdout, stderr } = await system([INSTALL], {
      env: {
        HOME: dir.path,
        PATH,
        TMPDIR: tmp,
        DOCKERDO_RELEASES: release.url,
        DOCKERDO_INSTALL_DIR: bin,
      },
    });
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.match(stderr, expected);
    assert.equal(Deno.readTextFileSync(`${bin}/dockerdo`), "the old one");
    assert.deepEqual(everything(bin), ["dockerdo"]);
    assert.deepEqual(everything(tmp), []);
  });
}

for (
  const { name, env = {}, programs = ["curl", "sha256sum"], fakes = linux, expected } of [
    {
      name: "another system",
      fakes: { uname: uname("FreeBSD", "amd64") },
      expected:
        "there is no executable for FreeBSD on amd64, only for Linux and macOS on x64 and arm64",
    },
    {
      name: "another processor",
      fakes: { uname: uname("Linux", "riscv64") },
      expected:
        "there is no executable for Linux on riscv64, only for Linux and macOS on x64 and arm64",
    },
    {
      name: "neither curl nor wget",
      programs: ["sha256sum"],
      expected: "curl or wget is needed to download",
    },
    {
      name: "neither sha256sum nor shasum",
      programs: ["curl"],
      expected: "sha256sum or shasum is needed to verify the download",
    },
    {
      name: "a version that is none",
      env: { DOCKERDO_VERSION: "../1" },
      expected: "DOCKERDO_VERSION=../1 is no version",
    },
    {
      name: "a place that cannot be made",
      env: { DOCKERDO_INSTALL_DIR: "/dev/null/bin" },
      expected: "/dev/null/bin cannot be made",
    },
  ]
) {
  Deno.test(`install.sh says what it lacks: ${name}`, async () => {
    using dir = temporaryDir();
    const { url } = await makeRelease(dir.path);
    const home = `${dir.path}/home`;
    const PATH = pathOf(dir.path, { programs, fakes });
    const { code, stdout, stderr } = await system([INSTALL], {
      env: { HOME: home, PATH, DOCKERDO_RELEASES: url, ...env },
    });
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.ok(stderr.includes(`install.sh: ${expected}\n`), stderr);
    assert.throws(() => Deno.statSync(home), Deno.errors.NotFound);
  });
}

Deno.test("half of install.sh does nothing", async () => {
  using dir = temporaryDir();
  const text = Deno.readTextFileSync(INSTALL);
  for (const end of [0.3, 0.6, 0.9]) {
    Deno.writeTextFileSync(`${dir.path}/half`, text.slice(0, Math.floor(text.length * end)));
    const { stdout } = await system(["sh", `${dir.path}/half`], { env: { HOME: dir.path } });
    assert.equal(stdout, "");
  }
  assert.deepEqual(everything(dir.path), ["half"]);
});
