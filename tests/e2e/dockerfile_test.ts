/**
 * Sessions as people have them, each to be a Dockerfile that builds the same: `scenarios/NAME.sh` is what was typed,
 * `scenarios/NAME.Dockerfile` what an expert would write for it.
 */
import assert from "node:assert/strict";
import { BASE_IMAGE, ENTRYPOINT_IMAGE, london, type Outcome, reykjavik } from "../lab/lab.ts";
import { countOf, lint } from "./dockerfile_lint.ts";
import { secondEngine, type Store } from "./engine.ts";
import {
  differences,
  exportContainer,
  type Exported,
  exportImage,
  type ExportOptions,
} from "./exported.ts";
import { newUser, storedSession, type User } from "./user.ts";

interface Scenario {
  readonly name: string;
  readonly image?: string;
  /** By how many RUN and COPY it may differ from the expert's. */
  readonly distance: number;
  /** Patterns that the file's comments match. */
  readonly remarks?: readonly string[];
  /** Nowhere to be found: not in the image, not in the context. */
  readonly secrets?: readonly string[];
  /** Made otherwise in each run, by this scenario's programs. */
  readonly isKnown?: (path: string) => boolean;
}

const SCENARIOS: readonly Scenario[] = [
  { name: "hello-c", distance: 1 },
  { name: "venv-wheel", distance: 1 },
  { name: "nginx-site", distance: 1 },
  { name: "user-sudo", distance: 1 },
  { name: "locale", distance: 1, isKnown: (path) => path === "/usr/lib/locale/locale-archive" },
  { name: "ca-cert", distance: 1 },
  { name: "entrypoint-user", image: ENTRYPOINT_IMAGE, distance: 1 },
  { name: "pipes", distance: 1, secrets: ["geheim123"] },
  {
    name: "accounts",
    distance: 2,
    secrets: ["geheim123"],
    isKnown: (path) => path === "/etc/shadow:dev" || path === "/home/dev/.ssh/id_ed25519",
    remarks: ["secret.*:\n#   /home/dev/.ssh/id_ed25519"],
  },
  { name: "source-tree", distance: 2 },
  { name: "service", distance: 1 },
  { name: "packages", distance: 3 },
];

const DIR = new URL("scenarios/", import.meta.url).pathname;

// Plays a scenario: `d CODE WORDS…` runs a command in the container that must end with that exit code.
const PLAY = `set -u
C=$PWD/container
d() {
  local wanted=$1 code=0
  shift
  dodo "$@" || code=$?
  if [[ $code != "$wanted" ]]; then echo "dodo $*: exit code $code, not $wanted" >&2; exit 1; fi
}
set -e
`;

const WHEEL = `import zipfile
with zipfile.ZipFile("hello-1.0-py3-none-any.whl", "w") as wheel:
    info = "hello-1.0.dist-info"
    wheel.writestr("hello.py", "print('hello')\\n")
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: hello\\nVersion: 1.0\\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(f"{info}/RECORD", "hello.py,,\\n" + "".join(f"{info}/{name},,\\n" for name in ("METADATA", "WHEEL", "RECORD")))
`;

/** What scenarios bring along: a certificate and a wheel. */
async function bringAlong(dir: string): Promise<void> {
  await Deno.mkdir(dir);
  const argv =
    "openssl req -x509 -newkey rsa:2048 -nodes -keyout corp.key -out corp.crt -days 30 -subj /CN=corp";
  for (const words of [argv.split(" "), ["python3", "-c", WHEEL]]) {
    const { code, stderr } = await london(words, { cwd: dir });
    assert.equal(code, 0, stderr);
  }
}

/** File systems of images, each walked once. */
const walked = new Map<string, Promise<Exported>>();

async function walkedImage(reference: string, options: ExportOptions): Promise<Exported> {
  const { socket } = options;
  const argv = ["docker", "-H", socket, "image", "inspect", "-f", "{{.RootFS.Layers}}", reference];
  const key = `${socket} ${(await reykjavik(argv)).stdout}`;
  const known = walked.get(key) ?? exportImage(reference, options);
  walked.set(key, known);
  return await known;
}

interface Place {
  /** The name by which ssh reaches it. */
  readonly host: string;
  readonly socket: string;
  /** Its containers have no network: the session's image is brought there. */
  readonly isOffline?: boolean;
}

const CLASSIC: Place = { host: "reykjavik", socket: "unix:///var/run/docker.sock" };

async function play(
  user: User,
  { name, image = BASE_IMAGE }: Scenario,
  { host, isOffline = false }: Place,
): Promise<void> {
  await bringAlong(`${user.home}/brought`);
  await user.begins(`${name} --remote ${host} --image ${image}`);
  const built = isOffline ? "dockerdo build && dockerdo push" : "dockerdo build --remote";
  await user.does(`${built} && dockerdo run`);
  const script = await Deno.readTextFile(`${DIR}${name}.sh`);
  await user.does(`${PLAY}W=${user.home}/brought\n${script}`);
}

/** Builds what is in a directory, without the product. */
async function buildOf(
  dir: string,
  { tag, socket }: Pick<Place, "socket"> & { readonly tag: string },
): Promise<Outcome> {
  const packed = await Deno.makeTempFile();
  try {
    const made = await london(["tar", "-C", dir, "-cf", packed, "."]);
    assert.equal(made.code, 0, made.stderr);
    const stdin = await Deno.readFile(packed);
    return await reykjavik(["docker", "-H", socket, "build", "-t", tag, "-"], { stdin });
  } finally {
    await Deno.remove(packed);
  }
}

/** For people: DOCKERFILES is a directory in which to keep what was written and said. */
async function keep(name: string, text: string): Promise<void> {
  const dir = Deno.env.get("DOCKERFILES");
  if (dir !== undefined) await Deno.writeTextFile(`${dir}/${name}`, text);
}

async function becomesDockerfile(scenario: Scenario, place: Place): Promise<void> {
  const { name, image = BASE_IMAGE, distance, secrets = [], isKnown, remarks = [] } = scenario;
  const { socket } = place;
  const options: ExportOptions = { on: reykjavik, socket };
  const tag = `lab/built:${name}`;
  await using user = await newUser();
  await play(user, scenario, place);

  const written = await user.types("dockerdo dockerfile -o made");
  assert.equal(written.code, 0, written.stderr);
  const made = `${user.workDir}/made`;
  const first = await Deno.readTextFile(`${made}/Dockerfile`);
  try {
    const once = await buildOf(made, { tag, socket });
    assert.equal(once.code, 0, `${first}\n${once.stdout}${once.stderr}`);

    const verified = await user.types("dockerdo dockerfile -o made --verify --yes");
    const text = await Deno.readTextFile(`${made}/Dockerfile`);
    await keep(
      name,
      `${text}
${verified.stdout}${verified.stderr}`,
    );
    assert.equal(verified.code, 0, `${text}\n${verified.stdout}${verified.stderr}`);
    assert.match(verified.stdout, /\(100 %\)/);

    if (text !== first) {
      const again = await buildOf(made, { tag, socket });
      assert.equal(again.code, 0, again.stderr);
    }
    const session = await storedSession(user);
    const words = [...secrets, session["id"] as string];
    const sides = {
      container: await exportContainer(session["containerId"] as string, options),
      built: await exportImage(tag, { ...options, words }),
      base: await walkedImage(image, options),
      overlay: await walkedImage(session["imageTag"] as string, options),
    };
    const found = differences(sides, { ...isKnown !== undefined && { isKnown } });
    assert.deepEqual(found.differences, [], text);
    assert.ok(found.changed > 0);
    const passing = Object.keys(sides.built.entries).filter((path) =>
      /^(\/var)?\/tmp\/./.test(path) && !(path in sides.container.entries)
    );
    assert.deepEqual(passing, [], text);

    assert.deepEqual(sides.built.marked, []);
    assert.equal(sides.built.entries["/etc/dockerdo"], undefined);
    const context = await london(["grep", "-rlE", [...words, "authorized_keys"].join("|"), made]);
    assert.equal(context.stdout, "");

    const expert = await Deno.readTextFile(`${DIR}${name}.Dockerfile`);
    for (const keyword of ["RUN", "COPY"]) {
      const [ours, theirs] = [countOf(text, keyword), countOf(expert, keyword)];
      assert.ok(
        ours - theirs <= distance,
        `${ours} ${keyword}, where an expert has ${theirs}:\n${text}`,
      );
    }
    assert.deepEqual(await lint(text), [], text);
    for (const remark of remarks) assert.match(text, new RegExp(remark));
  } finally {
    await reykjavik(["docker", "-H", socket, "image", "rm", "-f", tag]);
  }
}

for (const scenario of SCENARIOS) {
  Deno.test(`dockerdo dockerfile: the session ${scenario.name} becomes a Dockerfile that builds the same`, () =>
    becomesDockerfile(scenario, CLASSIC));
}

for (
  const [store, names] of [["containerd", ["pipes"]], ["overlay2", ["ca-cert"]]] as [
    Store,
    string[],
  ][]
) {
  Deno.test(`dockerdo dockerfile: a newer engine with ${store} builds the same`, async () => {
    await using engine = await secondEngine({ megabytes: 1500, store });
    const saved = await reykjavik([
      "bash",
      "-c",
      'docker save "$1" | docker -H "unix://$2" load -q',
      "sh",
      BASE_IMAGE,
      engine.socket,
    ]);
    assert.equal(saved.code, 0, saved.stderr);
    for (const scenario of SCENARIOS.filter(({ name }) => names.includes(name))) {
      await becomesDockerfile(scenario, {
        host: engine.host,
        socket: `unix://${engine.socket}`,
        isOffline: true,
      });
    }
  });
}

Deno.test("dockerdo dockerfile --verify asks before it runs again what may have changed nothing", async () => {
  await using user = await newUser();
  await user.runs(`asks --remote reykjavik --mount plain --image ${BASE_IMAGE}`);
  await user.does("dodo true && dodo touch /srv/app/new");
  const unasked = await user.types("dockerdo dockerfile -o made --verify");
  assert.deepEqual([unasked.code, unasked.stdout], [2, ""]);
  assert.match(unasked.stderr, /not known .*\n {2}dodo true\n[^]*--yes/);
  const asked = await user.types(
    "echo n | script -qec 'dockerdo dockerfile -o made --verify' /dev/null",
  );
  assert.equal(asked.code, 1, asked.stdout);
  assert.match(asked.stdout, /Build with them\? \[y\/N\][^]*nothing was built/);
  const verified = await user.does("dockerdo dockerfile -o made --verify --yes");
  assert.match(verified, /\(100 %\)/);
});
