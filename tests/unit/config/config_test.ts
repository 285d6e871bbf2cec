// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import {
  configOfEnvironment,
  explainConfig,
  loadConfig,
  showValue,
} from "../../../src/config/config.ts";
import { nearest } from "../../../src/nearest.ts";
import { Failure } from "../../../src/error.ts";
import type { Session } from "../../../src/session/session.ts";
import { failureOf, temporaryDir, testContext, testSession } from "../fixture.ts";

const DEFAULTS = {
  always_interactive: false,
  always_record_inotify: true,
  default_connect: "exec",
  default_distro: null,
  default_docker_registry: null,
  default_docker_run_args: [],
  default_image: "ubuntu:latest",
  default_image_name_template: "dockerdo-{base_image}:{base_image_tag}-{session_name}",
  default_mount: "relay",
  default_forward: "none",
  forward_ignore: [],
  default_remote_delay: 0,
  default_remote_host: null,
  ssh_key_path: null,
};

interface Read {
  readonly config: unknown;
  /** stderr, the file's directory taken out. */
  readonly warnings: string[];
}

/** What the user's file of this content, and these variables, come to. */
async function read(
  source: string | Uint8Array,
  env: Readonly<Record<string, string>> = {},
): Promise<Read> {
  using dir = temporaryDir();
  Deno.mkdirSync(`${dir.path}/dockerdo`);
  const bytes = typeof source === "string" ? new TextEncoder().encode(source) : source;
  Deno.writeFileSync(`${dir.path}/dockerdo/dockerdo.yaml`, bytes);
  const context = testContext({
    env: { HOME: "/h", XDG_CONFIG_HOME: dir.path, ...env },
    cwd: "/w",
  });
  try {
    const config = await loadConfig(context);
    const warnings = context.written.stderr.replaceAll(dir.path, "").split("\n").filter(Boolean);
    return { config, warnings };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.message.replaceAll(dir.path, ""), {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

const FILE = "/dockerdo/dockerdo.yaml";

Deno.test("loadConfig() gives the defaults where there is no file", async () => {
  using dir = temporaryDir();
  const context = testContext({ env: { HOME: dir.path } });
  assert.deepEqual(await loadConfig(context), DEFAULTS);
  assert.equal(context.written.stderr, "");
});

Deno.test("loadConfig() names a file that cannot be read", async () => {
  using dir = temporaryDir();
  Deno.mkdirSync(`${dir.path}/dockerdo/dockerdo.yaml`, { recursive: true });
  await assert.rejects(loadConfig(testContext({ env: { XDG_CONFIG_HOME: dir.path } })), {
    name: "Failure",
    message: new RegExp(`^cannot read ${dir.path}/dockerdo/dockerdo\\.yaml: `),
    hint: "Fix its permissions, or move it away to use the defaults.",
  });
});

Deno.test("the original's whole file is taken, every key unchanged", async () => {
  const source = `always_interactive: true
always_record_inotify: true
default_distro: alpine
default_docker_registry: reg.example:5000
default_docker_run_args: --gpus all -e 'A=x y'
default_image: alpine:3.20
default_image_name_template: dockerdo-{base_image}:{base_image_tag}-{session_name}
default_remote_delay: 0.3
default_remote_host: reykjavik
ssh_key_path: ~/.ssh/id_rsa.pub
`;
  assert.deepEqual(await read(source), {
    config: {
      always_interactive: true,
      always_record_inotify: true,
      default_connect: "exec",
      default_distro: "alpine",
      default_docker_registry: "reg.example:5000",
      default_docker_run_args: ["--gpus", "all", "-e", "A=x y"],
      default_image: "alpine:3.20",
      default_image_name_template: "dockerdo-{base_image}:{base_image_tag}-{session_name}",
      default_mount: "relay",
      default_forward: "none",
      forward_ignore: [],
      default_remote_delay: 0.3,
      default_remote_host: "reykjavik",
      ssh_key_path: "/h/.ssh/id_rsa.pub",
    },
    warnings: [],
  });
});

Deno.test("the file that the original's install writes is taken as it is", async () => {
  const source = `always_interactive: false
always_record_inotify: false
default_distro: ubuntu
default_docker_registry: null
default_docker_run_args: ''
default_image: ubuntu:latest
default_image_name_template: dockerdo-{base_image}:{base_image_tag}-{session_name}
default_remote_delay: 0.3
default_remote_host: null
ssh_key_path: ~/.ssh/id_rsa.pub
`;
  assert.deepEqual(await read(source), {
    config: {
      ...DEFAULTS,
      always_record_inotify: false,
      default_distro: "ubuntu",
      default_remote_delay: 0.3,
      ssh_key_path: "/h/.ssh/id_rsa.pub",
    },
    warnings: [],
  });
});

for (
  const [source, config] of [
    ["always_interactive: yes\nalways_record_inotify: 'on'\n", {
      always_interactive: true,
      always_record_inotify: true,
    }],
    ["always_interactive: OFF\n", {}],
    ["default_remote_delay: '0.5'\n", { default_remote_delay: 0.5 }],
    ["default_docker_registry: ''\ndefault_remote_host: ''\nssh_key_path: ''\n", {}],
    ["default_docker_run_args: [--gpus, all, 'a b']\n", {
      default_docker_run_args: ["--gpus", "all", "a b"],
    }],
    ["{default_image: 'a:1', default_connect: port}\n", {
      default_image: "a:1",
      default_connect: "port",
    }],
    ["\ufeffdefault_image: a\n", { default_image: "a" }],
    ["default_image: a\r\ndefault_mount: relay\r\n", {
      default_image: "a",
      default_mount: "relay",
    }],
    ["'default_image': \"a\" # here\n", { default_image: "a" }],
    ["ssh_key_path: keys/my key.pub\n", { ssh_key_path: "@/dockerdo/keys/my key.pub" }],
    ["ssh_key_path: /k.pub\n", { ssh_key_path: "/k.pub" }],
  ] as const
) {
  Deno.test(`the file ${JSON.stringify(source)} means what a reader thinks`, async () => {
    const { config: found, warnings } = await read(source);
    const { ssh_key_path: path } = found as { ssh_key_path: string | null };
    const expected = { ...DEFAULTS, ...config };
    // "@": the directory of the file.
    const ending = expected.ssh_key_path?.replace("@", "") ?? null;
    assert.deepEqual(
      { ...found as object, ssh_key_path: path?.slice(-(ending?.length ?? 0)) ?? null },
      { ...expected, ssh_key_path: ending },
    );
    assert.equal(path?.startsWith("/") ?? true, true);
    assert.deepEqual(warnings, []);
  });
}

for (const source of ["", "\n \n", "# only\n  # comments\n", "---\n", "{}\n", "null\n", "\t\n"]) {
  Deno.test(`the file ${JSON.stringify(source)} gives the defaults`, async () => {
    assert.deepEqual(await read(source), { config: DEFAULTS, warnings: [] });
  });
}

Deno.test("a key that nobody knows is a warning with its line, and the near match where there is one", async () => {
  assert.deepEqual(
    (await read("\nssh_key_pth: x\nsomething_else_entirely: 1\n")).warnings,
    [
      `dockerdo: ${FILE}:2: unknown key ssh_key_pth is ignored; did you mean ssh_key_path?`,
      `dockerdo: ${FILE}:3: unknown key something_else_entirely is ignored`,
    ],
  );
});

for (
  const [source, expected] of [
    [
      "# c\nalways_interactive: maybe\n",
      ':2: always_interactive: expected true or false, found "maybe"',
    ],
    ["default_image: 7\n", ":1: default_image: expected a string, found 7"],
    [
      "default_image: A B\n",
      ':1: default_image: expected NAME:TAG or REGISTRY/NAME:TAG, the name in lower case, found "A B"',
    ],
    ["default_image: {a: 1}\n", ":1: default_image: expected a string, found a mapping"],
    [
      "default_image: a\ndefault_remote_delay: soon\n",
      ':2: default_remote_delay: expected a number of seconds, found "soon"',
    ],
    [
      "default_remote_delay: -1\n",
      ":1: default_remote_delay: expected a number of seconds, 0 or more, found -1",
    ],
    ["default_connect: tcp\n", ':1: default_connect: expected exec or port, found "tcp"'],
    [
      "default_connect: prot\n",
      ':1: default_connect: expected exec or port, found "prot"; did you mean port?',
    ],
    [
      "default_distro: gentoo\n",
      ':1: default_distro: expected ubuntu or one of debian, alpine, fedora, opensuse, arch, found "gentoo"',
    ],
    [
      "default_remote_host: -oProxyCommand=id\n",
      ':1: default_remote_host: expected HOST, USER@HOST, [IPV6] or ssh://USER@HOST:PORT, found "-oProxyCommand=id"',
    ],
    [
      "default_docker_registry: a b\n",
      ':1: default_docker_registry: expected HOST, HOST:PORT or one of them with a path, found "a b"',
    ],
    [
      "default_image_name_template: x-{image}\n",
      `:1: default_image_name_template: expected an image's name and tag with {base_image}, {base_image_tag} or {session_name} in it, found "x-{image}"`,
    ],
    [
      "ssh_key_path: ~bob/.ssh/x.pub\n",
      ':1: ssh_key_path: expected a path; of ~NAME only ~ itself is known, found "~bob/.ssh/x.pub"',
    ],
    ["ssh_key_path: [a]\n", ":1: ssh_key_path: expected a string, found a list"],
    // The value may hold a secret.
    [
      'default_docker_run_args: "-e TOKEN=hush \'all"\n',
      ":1: default_docker_run_args: a quote is not closed",
    ],
    [
      "default_docker_run_args: 7\n",
      ":1: default_docker_run_args: expected a string or a list of strings, found 7",
    ],
    [
      "default_docker_run_args:\n  - -p\n  - 8080\n",
      ":1: default_docker_run_args: expected a string or a list of strings, found a list",
    ],
    ["# c\njust words\n", ':2: expected lines of KEY: VALUE, found "just words"'],
    ["- default_image: a\n", ":1: expected lines of KEY: VALUE, found a list"],
    ["default_image: a\n  b: [\n", ":2: not valid YAML: "],
    ["default_image: a\nb\n", ":2: not valid YAML: "],
    ["default_image: a\ndefault_connect: [\n\n", ":2: not valid YAML: "],
    [
      "default_image:\n\tdefault_connect: port\n",
      ":2: not valid YAML: a tab stands in front; use spaces",
    ],
    ["\tdefault_image: a\n", ":1: not valid YAML: a tab stands in front; use spaces"],
    ["default_image: a\n---\ndefault_image: b\n", ":2: not valid YAML: expected a single document"],
    ["default_image: a\n# c\ndefault_image: b\n", ":3: default_image is set twice"],
    [
      "default_image: a\nx: {default_image: c}\n'default_image': b\n",
      ":3: default_image is set twice",
    ],
    [
      new Uint8Array([...new TextEncoder().encode("a: 1\nb: "), 0xe9, 10]),
      ":2: invalid UTF-8",
    ],
  ] as const
) {
  const shown = typeof source === "string" ? JSON.stringify(source) : "of Latin-1";
  Deno.test(`the file ${shown} is refused with file, line, key, what was found and what is allowed`, async () => {
    const { message, exitCode } = await failureOf(() => read(source));
    assert.equal(exitCode, 1);
    // Of bad YAML the parser's own words follow.
    if (expected.endsWith(": ") || expected.endsWith("document")) {
      assert.ok(message.startsWith(`${FILE}${expected}`), message);
    } else assert.equal(message, `${FILE}${expected}`);
  });
}

Deno.test("every mistake of a file is named at once", async () => {
  assert.equal(
    (await failureOf(() => read("default_mount: fast\nalways_interactive: 2\n"))).message,
    `${FILE}:2: always_interactive: expected true or false, found 2\n` +
      `${FILE}:1: default_mount: expected plain or relay, found "fast"`,
  );
});

Deno.test("a variable is stronger than the file, an empty one is none, and null takes a value away", async () => {
  const file =
    "default_image: a\ndefault_remote_host: h\ndefault_connect: port\nssh_key_path: ~/k.pub\n";
  const { config, warnings } = await read(file, {
    DOCKERDO_DEFAULT_IMAGE: "b:1",
    DOCKERDO_DEFAULT_REMOTE_HOST: "null",
    DOCKERDO_DEFAULT_CONNECT: "",
    DOCKERDO_DEFAULT_DOCKER_RUN_ARGS: "--gpus 'all of them'",
    DOCKERDO_DEFAULT_REMOTE_DELAY: "0.5",
    DOCKERDO_ALWAYS_INTERACTIVE: "true",
    DOCKERDO_SSH_KEY_PATH: "here.pub",
    DOCKERDO_SESSION_DIR: "/s",
    DOCKERDO_DEBUG: "1",
  });
  assert.deepEqual({ config, warnings }, {
    config: {
      ...DEFAULTS,
      always_interactive: true,
      default_image: "b:1",
      default_connect: "port",
      default_docker_run_args: ["--gpus", "all of them"],
      default_remote_delay: 0.5,
      ssh_key_path: "/w/here.pub",
    },
    warnings: [],
  });
});

for (
  const [name, value, message] of [
    ["DEFAULT_CONNECT", "tcp", 'expected exec or port, found "tcp"'],
    ["DEFAULT_MOUNT", "rely", 'expected plain or relay, found "rely"; did you mean relay?'],
    ["ALWAYS_INTERACTIVE", "maybe", 'expected true or false, found "maybe"'],
    ["DEFAULT_REMOTE_DELAY", "soon", 'expected a number of seconds, found "soon"'],
    ["DEFAULT_DOCKER_RUN_ARGS", "-e 'A", "a quote is not closed"],
    [
      "DEFAULT_IMAGE",
      "null me",
      'expected NAME:TAG or REGISTRY/NAME:TAG, the name in lower case, found "null me"',
    ],
  ] as const
) {
  Deno.test(`the variable DOCKERDO_${name}=${value} is refused by its name`, async () => {
    assert.equal(
      (await failureOf(() => read("default_image: a\n", { [`DOCKERDO_${name}`]: value }))).message,
      `DOCKERDO_${name}: ${message}`,
    );
  });
}

Deno.test("a misspelt variable is a warning with the near match", async () => {
  assert.deepEqual((await read("", { DOCKERDO_DEFAULT_IMAG: "a" })).warnings, [
    "dockerdo: the variable DOCKERDO_DEFAULT_IMAG is ignored; did you mean DOCKERDO_DEFAULT_IMAGE?",
  ]);
});

Deno.test("configOfEnvironment() has what the environment says and nothing else", () => {
  const env = { DOCKERDO_DEFAULT_MOUNT: "relay", DOCKERDO_DEFAULT_IMAGE: "" };
  assert.deepEqual(configOfEnvironment(testContext({ env })), { default_mount: "relay" });
});

Deno.test("explainConfig() says where each value comes from: environment, session, file, default", async () => {
  using dir = temporaryDir();
  Deno.mkdirSync(`${dir.path}/dockerdo`);
  Deno.writeTextFileSync(
    `${dir.path}/dockerdo/dockerdo.yaml`,
    "default_mount: relay\ndefault_image: a\ndefault_remote_delay: 1\n",
  );
  const context = testContext({
    env: {
      HOME: "/h",
      XDG_CONFIG_HOME: dir.path,
      DOCKERDO_DEFAULT_CONNECT: "port",
      DOCKERDO_DEFAULT_IMAGE: "b",
    },
  });
  const short = async (session?: Session): Promise<string[]> =>
    (await explainConfig(context, session))
      .map(({ key, value, source, where }) =>
        `${key} ${showValue(value)} ${source} ${where?.replace(dir.path, "") ?? "-"}`
      );
  const rest = ["default_connect port environment DOCKERDO_DEFAULT_CONNECT"];
  assert.deepEqual(await short(), [
    "always_record_inotify true default -",
    ...rest,
    "default_distro none default -",
    "default_docker_registry none default -",
    "default_docker_run_args none default -",
    "default_forward none default -",
    "default_image b environment DOCKERDO_DEFAULT_IMAGE",
    `default_image_name_template ${DEFAULTS.default_image_name_template} default -`,
    `default_mount relay file ${FILE}:1`,
    `default_remote_delay 1 file ${FILE}:3`,
    "default_remote_host none default -",
    "forward_ignore none default -",
    "ssh_key_path none default -",
  ]);
  const remoteHost = { name: "::1", user: "me", port: 22 };
  assert.deepEqual(await short(testSession({ remoteHost, distro: "alpine" })), [
    "always_record_inotify false session demo",
    ...rest,
    "default_distro alpine session demo",
    "default_docker_registry none session demo",
    "default_docker_run_args none default -",
    "default_forward none session demo",
    // What init has settled, the environment does not change any more.
    "default_image debian:bookworm session demo",
    `default_image_name_template ${DEFAULTS.default_image_name_template} default -`,
    "default_mount plain session demo",
    `default_remote_delay 1 file ${FILE}:3`,
    "default_remote_host me@[::1]:22 session demo",
    "forward_ignore none default -",
    "ssh_key_path none default -",
  ]);
});

Deno.test("explainConfig() of a session that records says so, unless the environment says otherwise", async () => {
  const recording = async (env: Readonly<Record<string, string>>): Promise<unknown[]> => {
    const context = testContext({ env: { HOME: "/nonexistent", ...env } });
    return (await explainConfig(context, testSession({ record: true })))
      .flatMap(({ key, value, source }) => key === "always_record_inotify" ? [value, source] : []);
  };
  assert.deepEqual(await recording({}), [true, "session"]);
  assert.deepEqual(await recording({ DOCKERDO_ALWAYS_RECORD_INOTIFY: "no" }), [
    false,
    "environment",
  ]);
});

Deno.test("showValue() hides what -e gives the container", () => {
  const words = ["--gpus", "all", "-e", "A=x y", "--env", "B=1", "--env=C=2", "-eD=3", "-e", "E"];
  assert.equal(
    showValue(words),
    "--gpus all -e 'A=***' --env 'B=***' '--env=C=***' '-eD=***' -e E",
  );
});

Deno.test("nearest() finds a misspelt word and nothing for a word that is far from all", () => {
  const verbs = ["init", "overlay", "build", "push", "run", "status", "stop", "start"];
  assert.deepEqual(
    ["biuld", "sttaus", "Init", "inti", "overlays", "frobnicate", ""].map((word) =>
      nearest(word, verbs)
    ),
    ["build", "status", "init", "init", "overlay", undefined, undefined],
  );
});
