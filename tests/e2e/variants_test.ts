import assert from "node:assert/strict";
import { BASE_IMAGE, ENTRYPOINT_IMAGE, london, reykjavik } from "../lab/lab.ts";
import { secondEngine } from "./engine.ts";
import { isThere, newUser, nothingRemains, storedSession } from "./user.ts";

for (const shell of ["bash", "zsh"]) {
  Deno.test(`source $(dockerdo init) activates the session in ${shell}, deactivate_dockerdo undoes it`, async () => {
    await using user = await newUser();
    const script = `source $(dockerdo init by-${shell} --remote reykjavik)
      echo "$DOCKERDO_SESSION_NAME $DOCKERDO_SESSION_DIR"
      dockerdo status --json | tr -d ' \\n' | grep -o '"masters":{[^}]*}'
      dockerdo rm --delete
      deactivate_dockerdo
      echo "left: \${DOCKERDO_SESSION_NAME-none} \${DOCKERDO_SESSION_DIR-none} $(type deactivate_dockerdo 2>&1 | grep -c 'is a.*function')"`;
    const dir = `${user.home}/data/dockerdo/by-${shell}`;
    assert.equal(
      await user.does(`${shell} -c '${script.replaceAll("'", "'\\''")}'`),
      `by-${shell} ${dir}\n"masters":{"remote":true,"container":false}\nleft: none none 0\n`,
    );
    assert.equal(await isThere(dir), false);
  });
}

Deno.test("source (dockerdo init) activates the session in fish, deactivate_dockerdo undoes it", async () => {
  await using user = await newUser();
  const script = `source (dockerdo init by-fish --remote reykjavik)
    echo $DOCKERDO_SESSION_NAME (basename $DOCKERDO_SESSION_DIR)
    dockerdo rm --delete
    deactivate_dockerdo
    echo left: (set -q DOCKERDO_SESSION_DIR; echo $status) (functions -q deactivate_dockerdo; echo $status)`;
  assert.equal(await user.does(`fish -c '${script}'`), "by-fish by-fish\nleft: 1 1\n");
});

Deno.test("sourcing activate again brings masters and mounts back after everything was killed", async () => {
  await using user = await newUser();
  await user.runs(`again --remote reykjavik --image ${BASE_IMAGE}`);
  const { id, socketDir } = await storedSession(user) as { id: string; socketDir: string };
  // What a reboot does: processes, mounts and the runtime directory are gone.
  for (
    const pattern of [`ssh: [^ ]*${id}/`, `dockerdo:${id}:`, `-F ${user.sessionDir()}/ssh_config`]
  ) {
    await london(["pkill", "-KILL", "-f", "--", pattern]);
  }
  await user.does(
    `for point in container reykjavik; do fusermount3 -uz $point; done; rm -rf ${socketDir}`,
  );
  const out = await user.does(
    `source ${user.sessionDir()}/activate 2>/dev/null; dodo echo up; ls container/etc/os-release; ls -d reykjavik`,
  );
  assert.equal(out, "up\ncontainer/etc/os-release\nreykjavik\n");
  const status = JSON.parse(await user.does("dockerdo status --json"));
  assert.deepEqual(status.masters, { remote: true, container: true });
  assert.deepEqual(status.mounts.map(({ mounted }: { mounted: boolean }) => mounted), [true, true]);
  await user.does("dockerdo rm --force --delete");
  await nothingRemains(id);
});

Deno.test("a home and a work dir whose names have odd characters hold a session", async () => {
  await using user = await newUser();
  // In a variable of the test's own, since the name has both kinds of quotes.
  const home = `${user.home}/a b'c"d$HOME\\e%h*[f];#ü`;
  await Deno.mkdir(`${home}/.ssh`, { recursive: true });
  await Deno.mkdir(`${home}/run`, { mode: 0o700 });
  const enter = `IFS= read -r HOME; export HOME XDG_RUNTIME_DIR="$HOME/run"
    unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME; mkdir -p "$HOME/work" && cd "$HOME/work"`;
  const { code, stdout, stderr } = await user.types(
    `${enter}; ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_ed25519" &&
      script=$(dockerdo init odd --local --image ${BASE_IMAGE}) && . "$script" &&
      dockerdo build && dockerdo run && echo it >container/srv/x && (cd container/srv && dodo cat x) &&
      dockerdo stop && dockerdo start && dodo cat /srv/x; dockerdo rm --force --delete && ls -A`,
    { stdin: `${home}\n` },
  );
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "it\nit\n" }, stderr);
});

Deno.test("two sessions on one host do not get in each other's way", async () => {
  await using one = await newUser();
  await using two = await newUser();
  await Promise.all([
    one.runs(`one --remote reykjavik --image ${BASE_IMAGE}`),
    two.runs(`two --remote reykjavik --image ${BASE_IMAGE}`),
  ]);
  await Promise.all([
    one.does("dodo sh -c 'echo 1 > /only'"),
    two.does("dodo sh -c 'echo 2 > /only'"),
  ]);
  assert.deepEqual(
    await Promise.all([one.does("cat container/only"), two.does("cat container/only")]),
    ["1\n", "2\n"],
  );
  await one.does("dockerdo rm --force --delete");
  assert.equal(await two.does("dodo cat /only"), "2\n");
});

for (const network of ["none", "host"]) {
  Deno.test(`a container with --network ${network} works, and publishes nothing`, async () => {
    await using user = await newUser();
    await user.runs(
      `net-${network} --remote reykjavik --image ${BASE_IMAGE}`,
      `--network ${network}`,
    );
    assert.equal(
      await user.does("dodo cat /etc/debian_version"),
      await Deno.readTextFile(`${user.workDir}/container/etc/debian_version`),
    );
    const { containerId } = await storedSession(user) as { containerId: string };
    const { stdout } = await reykjavik(["docker", "port", containerId]);
    assert.equal(stdout, "");
  });
}

Deno.test("--connect port reaches sshd on a loopback port of the remote host, and survives a restart", async () => {
  await using user = await newUser();
  await user.runs(`by-port --remote reykjavik-forward --image ${BASE_IMAGE} --connect port`);
  const { containerId } = await storedSession(user) as { containerId: string };
  const published = async (): Promise<string> =>
    (await reykjavik(["docker", "port", containerId])).stdout;
  const before = await published();
  assert.match(before, /^22\/tcp -> 127\.0\.0\.1:\d+\n$/);
  assert.equal(await user.does("dodo echo through the port"), "through the port\n");
  await reykjavik(["docker", "restart", containerId]);
  assert.notEqual(await published(), before);
  await user.does("dockerdo start");
  assert.equal(
    await user.does("dodo echo through another; ls -d container/etc"),
    "through another\ncontainer/etc\n",
  );
});

Deno.test("--connect port where the remote host forbids forwarding says what does without", async () => {
  await using user = await newUser();
  await user.begins(`by-no-port --remote reykjavik --image ${BASE_IMAGE}`);
  await user.does("dockerdo build --remote");
  const { code, stderr } = await user.types("dockerdo run --connect port");
  assert.equal(code, 1);
  assert.match(stderr, /AllowTcpForwarding no\) .*\n {2}dockerdo run --connect exec does without/);
});

Deno.test("--connect port works on the local host", async () => {
  await using user = await newUser();
  await user.runs(`by-local-port --local --image ${BASE_IMAGE} --connect port`);
  assert.equal(await user.does("dodo echo here"), "here\n");
});

Deno.test("an image with an ENTRYPOINT and a USER of its own becomes a session's container", async () => {
  await using user = await newUser();
  await user.runs(`entry --remote reykjavik --image ${ENTRYPOINT_IMAGE}`);
  assert.equal(
    await user.does("dodo id -un; dodo -u app id -un; dodo -u 1000 id -u"),
    "root\napp\n1000\n",
  );
});

for (const name of ["dev", "app"]) {
  Deno.test(`--user ${name} logs in as that user, ${name === "dev" ? "made for it" : "the image's own"}`, async () => {
    await using user = await newUser();
    await user.runs(`user-${name} --local --image ${ENTRYPOINT_IMAGE} --user ${name}`);
    assert.equal(
      await user.does("dodo id -un; dodo sh -c 'touch ~/mine && stat -c %U ~/mine'"),
      `${name}\n${name}\n`,
    );
    const home = (await user.does("dodo sh -c 'echo ~'")).trim();
    await Deno.writeTextFile(`${user.workDir}/container${home}/edited`, "x");
    assert.equal(await user.does("dodo sh -c 'stat -c %U ~/edited'"), `${name}\n`);
    assert.equal((await user.types("dodo sh -c 'echo > /etc/passwd'")).code !== 0, true);
  });
}

for (const [host, kind] of [["noisy", "a noisy fish"], ["csh", "a csh"]] as const) {
  Deno.test(`a host whose login shell is ${kind} is as good as any`, async () => {
    await using user = await newUser();
    await user.runs(`${host} --remote reykjavik-${host} --image ${BASE_IMAGE}`);
    const words = `printf '%s\\n' 'a\\b' "it's" '$x!' 'two
lines' ''`;
    const out = { code: 0, stdout: "a\\b\nit's\n$x!\ntwo\nlines\n\n", stderr: "" };
    assert.deepEqual(await user.types(`dodo ${words}`), out);
    // -u goes through the host's login shell, and its noise comes along, as with ssh.
    const other = await user.types(`dodo -u daemon ${words} | grep -v '^grace: '`);
    assert.deepEqual(other, out);
    assert.equal(
      JSON.parse(await user.does("dockerdo status --json")).container.state,
      "running",
    );
    await user.does("dockerdo stop && dockerdo start && dockerdo rm --force --delete");
  });
}

Deno.test("a session works on a newer Docker with containerd's image store", async () => {
  await using engine = await secondEngine({ megabytes: 1200, store: "containerd" });
  await using user = await newUser();
  await user.begins(`newer --remote ${engine.host} --image ${BASE_IMAGE}`);
  await user.does("dockerdo build && dockerdo push && dockerdo run --network none");
  const script = `'cat > /kept; cat /kept; exit 7'`;
  assert.deepEqual(await user.types(`dodo sh -c ${script}`, { stdin: "it's\n" }), {
    code: 7,
    stdout: "it's\n",
    stderr: "",
  });
  await Deno.writeTextFile(`${user.workDir}/container/kept`, "edited");
  assert.equal(await user.does("dockerdo stop && dockerdo start && dodo cat /kept"), "edited");
  const { container, image } = JSON.parse(await user.does("dockerdo status --json"));
  assert.deepEqual([container.state, image.remote], ["running", true]);
  await user.does("dockerdo rm --force --delete");
  assert.equal(await engine.docker(["ps", "-aq"]), "");
});

Deno.test("build sends the work dir to a Dockerfile that copies, without mounts, keys and ignored files", async () => {
  await using user = await newUser();
  await user.begins(`copies --remote reykjavik --image ${BASE_IMAGE}`);
  await user.does(`dockerdo overlay && echo 'COPY . /context/' >> Dockerfile.dockerdo
    mkdir -p "a dir" .ssh && touch "a dir/file one" .ssh/config id_ed25519 secret.txt && echo secret.txt > .dockerignore
    dockerdo build && dockerdo push && dockerdo run`);
  const copied = await user.does("dodo find . -type f", {
    cwd: `${user.workDir}/container/context`,
  });
  assert.deepEqual(copied.split("\n").filter(Boolean).sort(), [
    "./.dockerignore",
    "./Dockerfile.dockerdo",
    "./a dir/file one",
  ]);
});

Deno.test("build --remote takes the build dir of the remote host as its context", async () => {
  await using user = await newUser();
  await reykjavik([
    "sh",
    "-c",
    "mkdir -p ~/copies/.ssh && cd ~/copies && echo there > there.txt && touch .ssh/key",
  ]);
  await user.begins(`copies-there --remote reykjavik --image ${BASE_IMAGE} --build-dir copies`);
  await user.does(`dockerdo overlay && echo 'COPY . /context/' >> Dockerfile.dockerdo
    dockerdo build --remote --label a.b=c && dockerdo run`);
  const copied = await user.does("dodo find . -type f", {
    cwd: `${user.workDir}/container/context`,
  });
  assert.deepEqual(copied.split("\n").filter(Boolean).sort(), [
    "./Dockerfile.dockerdo",
    "./there.txt",
  ]);
  const { imageTag } = await storedSession(user) as { imageTag: string };
  const { stdout } = await reykjavik([
    "docker",
    "image",
    "inspect",
    "--format",
    '{{index .Config.Labels "a.b"}}',
    imageTag,
  ]);
  assert.equal(stdout, "c\n");
});

Deno.test("the configuration's default arguments reach docker run, --no-default-args keeps them out", async () => {
  await using user = await newUser();
  await user.does(
    `mkdir $XDG_CONFIG_HOME/dockerdo && echo "default_docker_run_args: -e 'FROM_CONFIG=a b'" > $XDG_CONFIG_HOME/dockerdo/dockerdo.yaml`,
  );
  await user.runs(`configured --local --image ${BASE_IMAGE}`);
  assert.equal(await user.does("dodo printenv FROM_CONFIG"), "a b\n");
  await user.does("dockerdo rm --force && dockerdo run --no-default-args");
  assert.equal((await user.types("dodo printenv FROM_CONFIG")).code, 1);
});
