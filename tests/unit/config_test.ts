// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import { loadConfig, nearest, parseConfig } from "../../src/config.ts";
import { Failure } from "../../src/error.ts";
import { temporaryDir, testContext } from "./fixture.ts";

const DEFAULTS = {
  always_interactive: false,
  always_record_inotify: false,
  default_connect: "exec",
  default_distro: null,
  default_docker_registry: null,
  default_docker_run_args: [],
  default_image: "ubuntu:latest",
  default_image_name_template: "dockerdo-{base_image}:{base_image_tag}-{session_name}",
  default_mount: "relay",
  default_remote_delay: 0,
  default_remote_host: null,
  ssh_key_path: null,
};

function parse(source: string): { config: unknown; warnings: string[] } {
  const warnings: string[] = [];
  const config = parseConfig(source, {
    path: "/c/dockerdo.yaml",
    warn: (line) => warnings.push(line),
  });
  return { config, warnings };
}

function failureOf(source: string): Failure {
  try {
    parse(source);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("no failure");
}

Deno.test("loadConfig() gives the defaults where there is no file", async () => {
  using dir = temporaryDir();
  const context = testContext({ env: { HOME: dir.path } });
  assert.deepEqual(await loadConfig(context), DEFAULTS);
  assert.equal(context.written.stderr, "");
});

Deno.test("loadConfig() reads the file and warns on stderr", async () => {
  using dir = temporaryDir();
  Deno.mkdirSync(`${dir.path}/dockerdo`);
  Deno.writeTextFileSync(`${dir.path}/dockerdo/dockerdo.yaml`, "default_imag: alpine\n");
  const context = testContext({ env: { XDG_CONFIG_HOME: dir.path } });
  assert.deepEqual(await loadConfig(context), DEFAULTS);
  assert.equal(
    context.written.stderr,
    `dockerdo: ${dir.path}/dockerdo/dockerdo.yaml: unknown key default_imag is ignored; did you mean default_image?\n`,
  );
});

Deno.test("loadConfig() names a file that cannot be read", async () => {
  using dir = temporaryDir();
  Deno.mkdirSync(`${dir.path}/dockerdo/dockerdo.yaml`, { recursive: true });
  await assert.rejects(loadConfig(testContext({ env: { XDG_CONFIG_HOME: dir.path } })), {
    name: "Failure",
    message: new RegExp(`^cannot read ${dir.path}/dockerdo/dockerdo\\.yaml: `),
  });
});

Deno.test("parseConfig() takes the original's whole file, every key unchanged", () => {
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
  assert.deepEqual(parse(source), {
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
      default_remote_delay: 0.3,
      default_remote_host: "reykjavik",
      ssh_key_path: "~/.ssh/id_rsa.pub",
    },
    warnings: [],
  });
});

Deno.test("parseConfig() takes the file that the original's install writes", () => {
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
  assert.deepEqual(parse(source), {
    config: {
      ...DEFAULTS,
      default_distro: "ubuntu",
      default_mount: "relay",
      default_remote_delay: 0.3,
      ssh_key_path: "~/.ssh/id_rsa.pub",
    },
    warnings: [],
  });
});

for (const source of ["", "\n \n", "# only\n  # comments\n", "---\n", "{}\n", "null\n"]) {
  Deno.test(`parseConfig() of ${JSON.stringify(source)} gives the defaults`, () => {
    assert.deepEqual(parse(source), { config: DEFAULTS, warnings: [] });
  });
}

Deno.test("parseConfig() takes run arguments as a list too", () => {
  assert.deepEqual(
    parse("default_docker_run_args: [--gpus, all, 'a b']\n").config,
    { ...DEFAULTS, default_docker_run_args: ["--gpus", "all", "a b"] },
  );
});

Deno.test("parseConfig() warns of an unknown key, with the near match where there is one", () => {
  assert.deepEqual(
    parse("ssh_key_pth: x\nsomething_else_entirely: 1\n").warnings,
    [
      "/c/dockerdo.yaml: unknown key ssh_key_pth is ignored; did you mean ssh_key_path?",
      "/c/dockerdo.yaml: unknown key something_else_entirely is ignored",
    ],
  );
});

for (
  const [source, message] of [
    ["# c\nalways_interactive: maybe\n", ":2: always_interactive: expected true or false"],
    ["default_image: 7\n", ":1: default_image: expected a string"],
    [
      "default_image: a\ndefault_remote_delay: soon\n",
      ":2: default_remote_delay: expected a number of seconds",
    ],
    ["default_connect: tcp\n", ":1: default_connect: expected exec or port"],
    [
      'default_docker_run_args: "--gpus \'all"\n',
      ":1: default_docker_run_args: a quote is not closed",
    ],
    [
      "default_docker_run_args: 7\n",
      ":1: default_docker_run_args: expected a string or a list of strings",
    ],
    [
      "default_docker_run_args:\n  - -p\n  - 8080\n",
      ":1: default_docker_run_args: expected a string or a list of strings",
    ],
    ["just words\n", ": the file: "],
    ["- default_image: a\n", ": the file: "],
  ] as const
) {
  Deno.test(`parseConfig() names key and line in ${JSON.stringify(source)}`, () => {
    assert.ok(
      failureOf(source).message.startsWith(`/c/dockerdo.yaml${message}`),
      failureOf(source).message,
    );
  });
}

Deno.test("parseConfig() names the file and the place of bad YAML", () => {
  const { message, exitCode } = failureOf("default_image: a\n  b: [\n");
  assert.match(message, /^\/c\/dockerdo\.yaml is not valid YAML: .*2:/s);
  assert.equal(exitCode, 1);
});

Deno.test("parseConfig() refuses a key that stands there twice", () => {
  assert.match(
    failureOf("default_image: a\ndefault_image: b\n").message,
    /not valid YAML.*duplicate/s,
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
