import assert from "node:assert/strict";
import { BASE_IMAGE, london, poll, reykjavik } from "../lab/lab.ts";
import { newUser, nothingRemains, storedSession, type User } from "./user.ts";

const CONFIG = `default_image: ${BASE_IMAGE}\n`;

// An image with busybox alone, one more without any shell, made of the base image's static parts.
const IMAGES = `set -e
docker image inspect lab/bare:1 >/dev/null 2>&1 && exit
docker build -q -t lab/busybox:1 - <<END
FROM ${BASE_IMAGE} AS made
RUN apt-get update && apt-get install -y --no-install-recommends busybox-static
RUN mkdir -p /root.new/bin /root.new/etc /root.new/home/app /root.new/data && cp /bin/busybox /root.new/bin/ && \\
    for name in sh sleep ls id cat env pwd kill echo stat ps touch head wc; do ln -s busybox /root.new/bin/\\$name; done && \\
    echo app:x:1000:1001::/home/app:/bin/sh >/root.new/etc/passwd && echo grp:x:77:app >/root.new/etc/group && \\
    ln -s /etc/passwd /root.new/absolute && chown 1000:1001 /root.new/home/app /root.new/data
FROM scratch
COPY --from=made /root.new /
LABEL dockerdo.lab=1
END
docker build -q -t lab/bare:1 - <<END
FROM lab/busybox:1 AS made
RUN rm /bin/sh
FROM scratch
COPY --from=made / /
LABEL dockerdo.lab=1
END`;

async function there(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await reykjavik(words);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

interface Target extends AsyncDisposable {
  readonly name: string;
  readonly id: string;
}

async function target(options: string, image = "lab/busybox:1"): Promise<Target> {
  await there("bash", "-c", IMAGES);
  const name = `target-${crypto.randomUUID().slice(0, 6)}`;
  const run = `docker run -d --name ${name} ${options} ${image} /bin/sleep 100000`;
  const id = await there("bash", "-c", run);
  return {
    name,
    id,
    [Symbol.asyncDispose]: async () => void await reykjavik(["docker", "rm", "-f", name]),
  };
}

async function attached(user: User, words: string): Promise<string> {
  await Deno.mkdir(`${user.home}/config/dockerdo`, { recursive: true });
  await Deno.writeTextFile(`${user.home}/config/dockerdo/dockerdo.yaml`, CONFIG);
  const script = (await user.does(`dockerdo attach ${words}`)).trim();
  return script.slice(0, script.lastIndexOf("/"));
}

Deno.test("a read-only container without capabilities, network and root is attached to, and left as it was", async () => {
  await using held = await target(
    "--read-only --cap-drop ALL --security-opt no-new-privileges --user app --network none -v /data -e A=b",
  );
  await using user = await newUser();
  const dir = await attached(user, `${held.name} held --remote reykjavik`);
  assert.match(dir, /\/held$/);
  const does = (script: string): Promise<string> =>
    user.does(`DOCKERDO_SESSION_DIR=${dir}; export DOCKERDO_SESSION_DIR; ${script}`);
  assert.equal(await does("dodo id"), "uid=1000(app) gid=1001 groups=77(grp),1001\n");
  assert.equal(await does("dodo env | grep ^A="), "A=b\n");
  assert.equal(await does("cd container/etc && dodo pwd"), "/etc\n");
  assert.equal(
    await does("dodo sh -c 'echo out; echo err >&2; exit 7' 2>/dev/null; echo $?"),
    "out\n7\n",
  );
  assert.equal(
    await does("dodo no-such 2>/dev/null; echo $?; echo typed | dodo cat"),
    "127\ntyped\n",
  );
  // Links are the container's, files made here are its user's.
  assert.equal(await does("cat container/absolute"), "app:x:1000:1001::/home/app:/bin/sh\n");
  await does("echo here > container/data/new && dodo cat /data/new");
  assert.equal(
    await there("docker", "exec", held.id, "stat", "-c", "%u:%g", "/data/new"),
    "1000:1001",
  );
  assert.equal(await does("touch container/etc/new 2>/dev/null; echo $?"), "1\n");
  assert.equal(await there("docker", "diff", held.id), "");
  for (const [signal, code] of [["INT", 130], ["TERM", 143], ["KILL", 137]] as const) {
    const running = user.types(
      `DOCKERDO_SESSION_DIR=${dir} exec dodo sh -c 'sleep 23456 & sleep 23457'`,
    );
    const processes = (): Promise<string> => there("docker", "exec", held.id, "ps");
    await poll(async () => (await processes()).includes("sleep 23457"), { what: "the command" });
    await london(["pkill", `-${signal}`, "-f", "(/dodo[.]ts|/dockerdo exec) sh -c sleep 23456"]);
    assert.equal((await running).code, code);
    await poll(async () => !(await processes()).includes("sleep 2345"), {
      what: `the end after ${signal}`,
    });
  }
  for (const verb of ["build", "overlay", "push", "run"]) {
    const refused = await user.types(`DOCKERDO_SESSION_DIR=${dir} dockerdo ${verb}`);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /^dockerdo: held is attached to target-\w+: there is nothing to /m,
    );
  }
  const { id } = JSON.parse(await Deno.readTextFile(`${dir}/session.json`)) as { id: string };
  await does("dockerdo rm");
  assert.equal(await there("docker", "inspect", "-f", "{{.State.Running}}", held.id), "true");
  assert.doesNotMatch(await there("docker", "top", held.id), /sshd|sftp/);
  await nothingRemains(id);
});

Deno.test("a container is there again after its restart, without a shell dodo runs programs, and refusals say why", async () => {
  await using bare = await target("", "lab/bare:1");
  await using user = await newUser();
  const dir = await attached(user, `${bare.name} bare --remote reykjavik`);
  const does = (script: string): Promise<string> =>
    user.does(`export DOCKERDO_SESSION_DIR=${dir}; ${script}`);
  assert.equal(
    await does("cd container/etc; dodo cat passwd | head -1; dodo -w /bin pwd"),
    "app:x:1000:1001::/home/app:/bin/sh\n/bin\n",
  );
  const shell = await user.types(`DOCKERDO_SESSION_DIR=${dir} dodo -c 'echo x'`);
  assert.equal(shell.code, 125);
  assert.match(shell.stderr, /^dockerdo: there is no shell in target-/);
  await there("docker", "restart", "-t", "0", bare.id);
  await poll(
    async () => (await user.types(`DOCKERDO_SESSION_DIR=${dir} dodo echo up`)).stdout === "up\n",
    {
      what: "dodo after the restart",
      limitMs: 30_000,
    },
  );
  await poll(
    async () =>
      (await user.types(`DOCKERDO_SESSION_DIR=${dir} dodo ls / >/dev/null; ls container/bin`))
        .stdout.includes("busybox"),
    {
      what: "the mount after the restart",
      limitMs: 30_000,
    },
  );
  const again = await user.types(
    `mkdir -p x && cd x && dockerdo attach no-such --remote reykjavik`,
  );
  assert.equal(again.code, 1);
  assert.match(again.stderr, /^dockerdo: reykjavik has no container no-such\n/m);
  await there("docker", "pause", bare.id);
  const paused = await user.types(`cd x && dockerdo attach ${bare.name} --remote reykjavik`);
  assert.match(
    paused.stderr,
    new RegExp(`^dockerdo: ${bare.name} is paused\n.*docker unpause`, "m"),
  );
  await there("docker", "unpause", bare.id);
  assert.equal((await user.does("dockerdo list --json | grep -c bare")) !== "0\n", true);
  assert.notEqual((await storedSession(user).catch(() => ({ id: dir }))).id, "");
  // With the container gone for good, prune takes the session, and what is left of its helper.
  await there("docker", "rm", "-f", bare.id);
  const pruned = await user.types("dockerdo prune --yes");
  assert.deepEqual(pruned, { code: 0, stdout: "", stderr: pruned.stderr });
  assert.match(pruned.stderr, /^bare: its container is gone from reykjavik$/m);
  assert.equal((await user.does("dockerdo list --json")).trim(), "[]");
});

Deno.test("a service of compose is found by its labels", async () => {
  const label = (service: string, more = ""): string =>
    `--label com.docker.compose.project=shop --label com.docker.compose.service=${service} ${more}`;
  await using web = await target(label("web"));
  await using _one = await target(label("db"));
  await using _two = await target(label("db"));
  await using _off = await target(label("web", "--label com.docker.compose.oneoff=True"));
  await using user = await newUser();
  const several = await user.types("dockerdo attach --service db --remote reykjavik");
  assert.equal(several.code, 1);
  assert.match(
    several.stderr,
    /2 containers on reykjavik are the service db\n.*\n +target-\w+ \(shop\)\n +target-/,
  );
  const dir = await attached(user, "--service web --remote reykjavik");
  assert.equal(JSON.parse(await Deno.readTextFile(`${dir}/session.json`)).containerId, web.id);
  const states = async (): Promise<unknown[]> =>
    (JSON.parse(await user.does("dockerdo list --json")) as { state: unknown }[]).map((
      { state },
    ) => state);
  assert.deepEqual(await states(), ["running"]);
  await there("docker", "stop", "-t", "0", web.id);
  assert.deepEqual(await states(), ["detached"]);
  assert.equal(
    (await user.types("dockerdo prune --yes")).stderr,
    "Nothing to remove.\n",
  );
  // Compose makes it again, under a name of its own choice.
  await there("docker", "rm", "-f", web.id);
  await using _again = await target(label("web"));
  // The connection to the helper that is gone may still seem to be up: then the first command is not run, and says so.
  const first = await user.types(`DOCKERDO_SESSION_DIR=${dir} dodo echo again`);
  if (first.code !== 0) {
    assert.equal(first.code, 125);
    assert.match(first.stderr, /is another one now; the command was not run\n {2}The session uses/);
    assert.equal(await user.does(`DOCKERDO_SESSION_DIR=${dir} dodo echo again`), "again\n");
  }
  assert.deepEqual(await states(), ["running"]);
});
