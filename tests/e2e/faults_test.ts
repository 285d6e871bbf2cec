import assert from "node:assert/strict";
import { addHost, BASE_IMAGE, london, poll, reykjavik, startLink } from "../lab/lab.ts";
import { isThere, newUser, nothingRemains, storedSession, type User } from "./user.ts";

async function refuses(
  user: User,
  script: string,
  expected: { code: number; says: RegExp },
): Promise<void> {
  const { code, stdout, stderr } = await user.types(script);
  assert.equal(code, expected.code, `${script}: ${stderr}`);
  assert.match(stderr, expected.says);
  assert.equal(stdout, "");
  assert.doesNotMatch(stderr, /\.ts:\d+/);
}

Deno.test("init refuses what it cannot use, with a hint, and leaves nothing behind", async () => {
  await using user = await newUser();
  await using _dead = await addHost("reykjavik-dead", { port: 9 });
  const before = await user.traces();
  for (const name of ["../x", "''", "'a b'", "';rm'", "-x", "x".repeat(300)]) {
    await refuses(user, `dockerdo init --local -- ${name}`, {
      code: 2,
      says: /cannot be a session's name\n {2}Use /,
    });
  }
  for (const host of ["-oProxyCommand=id", "'a b'", "container", "'a;id'", "ssh://h:99999"]) {
    await refuses(user, `dockerdo init --remote=${host}`, {
      code: 2,
      says: /cannot be a remote host\n {2}/,
    });
  }
  await refuses(user, "dockerdo init --local --image 'Not An Image'", {
    code: 2,
    says: /is not an image/,
  });
  await refuses(user, "dockerdo init --local --user 'x;id'", { code: 2, says: /cannot be a user/ });
  await refuses(user, "dockerdo init --local --remote reykjavik", {
    code: 2,
    says: /exclude each other/,
  });
  await refuses(user, "dockerdo init --remote reykjavik-dead", {
    code: 1,
    says: /cannot connect to reykjavik-dead: .*refused\n {2}Check that the host is up/,
  });
  await refuses(user, "dockerdo init --remote no-such-host.invalid", {
    code: 1,
    says: /cannot connect to no-such-host.invalid: /,
  });
  assert.equal(await user.does("ls -A"), "");
  assert.equal(await user.traces(), before);
});

Deno.test("init asks for no password and accepts no unknown host key", async () => {
  await using user = await newUser();
  const before = await user.traces();
  await using link = await startLink({ to: "10.77.0.2:22", rttMs: 0 });
  await refuses(user, `dockerdo init --remote ssh://127.0.0.1:${link.port}`, {
    code: 1,
    says: /Host key verification failed.\n {2}Log in once by hand/,
  });
  await refuses(user, "dockerdo init --remote nobody@reykjavik", {
    code: 1,
    says: /Permission denied.*\n {2}Check that this works without a password/,
  });
  assert.equal(await user.traces(), before);
});

Deno.test("a mount point that is not empty, a file, or a mount is refused and stays as it is", async () => {
  await using user = await newUser();
  const before = await user.traces();
  await user.does("mkdir container && echo precious > container/file");
  await refuses(user, "dockerdo init --local", {
    code: 1,
    says: /container is not empty \(it holds file\)/,
  });
  await user.does("rm -r container; mkdir reykjavik && touch reykjavik/x");
  await refuses(user, "dockerdo init --remote reykjavik", {
    code: 1,
    says: /reykjavik is not empty/,
  });
  await user.does("rm -r reykjavik; echo file > container");
  await refuses(user, "dockerdo init --local", {
    code: 1,
    says: /container cannot be a mount point/,
  });
  await user.does("rm container; mkdir container; mount -t tmpfs none container");
  await refuses(user, "dockerdo init --local", {
    code: 1,
    says: /container is already a mount \(tmpfs, none\)\n {2}Unmount it first/,
  });
  await user.does("umount container; rmdir container");
  assert.equal(await user.traces(), before);
});

Deno.test("a session's name is taken once", async () => {
  await using user = await newUser();
  await user.begins("taken --local");
  await refuses(user, "dockerdo init taken --local", {
    code: 1,
    says: /the session taken already exists\n {2}Activate it with: source /,
  });
});

Deno.test("run says what is missing: the image, the overlay, the session, the container", async () => {
  await using user = await newUser();
  await refuses(user, "dockerdo run", {
    code: 1,
    says: /no session is active.*\n {2}Start one with: source/,
  });
  await refuses(user, "dodo true", { code: 125, says: /no session is active/ });
  await user.begins(`missing --remote reykjavik --image ${BASE_IMAGE}`);
  await refuses(user, "dodo true", { code: 125, says: /has no container\n {2}dockerdo run/ });
  await refuses(user, "dockerdo run", {
    code: 1,
    says: /reykjavik has no image .*\n {2}dockerdo build && dockerdo push/,
  });
  await refuses(user, "dockerdo push", { code: 1, says: /the local engine has no image/ });
  await reykjavik(["docker", "tag", BASE_IMAGE, String((await storedSession(user))["imageTag"])]);
  await refuses(user, "dockerdo run", {
    code: 1,
    says: /was not made with this version's overlay/,
  });
  await refuses(user, "dockerdo start", { code: 1, says: /has no container\n {2}dockerdo run/ });
  for (const clash of ["--name=x", "-it", "--entrypoint sh"]) {
    await refuses(user, `dockerdo run ${clash}`, { code: 2, says: /cannot be used here/ });
  }
});

Deno.test("a container of somebody else's with the name is left alone", async () => {
  await using user = await newUser();
  await user.begins(`foreign --remote reykjavik --image ${BASE_IMAGE} --container somebody`);
  await user.does("dockerdo build --remote");
  const { stdout: id } = await reykjavik([
    "docker",
    "run",
    "-d",
    "--name",
    "somebody",
    BASE_IMAGE,
    "sleep",
    "1000",
  ]);
  try {
    await refuses(user, "dockerdo run", {
      code: 1,
      says: /the name somebody belongs to another container/,
    });
    await user.does("dockerdo rm --force");
    assert.equal(
      (await reykjavik(["docker", "inspect", "--format", "{{.State.Status}}", id.trim()])).stdout,
      "running\n",
    );
  } finally {
    await reykjavik(["docker", "rm", "-f", id.trim()]);
  }
});

Deno.test("a container whose sshd does not come up is shown with its log and removed", async () => {
  await using user = await newUser();
  await user.begins(`broken --remote reykjavik --image ${BASE_IMAGE}`);
  await user.does("dockerdo build --remote");
  const { id } = await storedSession(user) as { id: string };
  for (
    const [options, says] of [["--cap-drop ALL", /cannot connect to container|Preparing sshd/], [
      "-v /no/such/dir:/x:badmode",
      /Starting the container on reykjavik failed/,
    ]] as const
  ) {
    const { code, stderr } = await user.types(`dockerdo run ${options}`);
    assert.equal(code, 1, stderr);
    assert.match(stderr, says);
    assert.equal(
      (await reykjavik(["docker", "ps", "-aq", "--filter", `label=dockerdo.session=${id}`])).stdout,
      "",
      options,
    );
    assert.equal(await isThere(`${user.workDir}/container`), false);
  }
  await user.does("dockerdo run && dodo true");
});

Deno.test("a container that somebody removed is gone for dodo, and run and rm go on", async () => {
  await using user = await newUser();
  await user.runs(`removed --remote reykjavik --image ${BASE_IMAGE}`);
  const { containerId } = await storedSession(user) as { containerId: string };
  await reykjavik(["docker", "rm", "-f", containerId]);
  await poll(async () => !(await user.does("dockerdo status")).includes("master container  up"), {
    what: "the master's end",
  });
  await refuses(user, "dodo true", {
    code: 125,
    says: /is gone\n {2}dockerdo run makes a new one/,
  });
  assert.equal(JSON.parse(await user.does("dockerdo status --json")).container.state, "none");
  await user.does("dockerdo run");
  assert.equal(await user.does("dodo echo new; ls -d container/etc"), "new\ncontainer/etc\n");
});

Deno.test("rm on a dead host says so, and with --force removes what is on this host", async () => {
  await using user = await newUser();
  await using link = await startLink({ to: "10.77.0.2:22", rttMs: 0 });
  await using _far = await addHost("reykjavik-far", { port: link.port });
  await user.runs(`far --remote reykjavik-far --image ${BASE_IMAGE}`);
  const { id, containerId } = await storedSession(user) as { id: string; containerId: string };
  await link.refuse();
  link.cut();
  await poll(async () => !(await user.does("dockerdo status")).includes("master remote     up"), {
    what: "the master's end",
  });
  const { code, stderr } = await user.types("dodo true");
  assert.equal(code, 125);
  assert.match(stderr, /cannot connect to reykjavik-far/);
  await refuses(user, "dockerdo rm --delete", {
    code: 1,
    says:
      /cannot connect to reykjavik-far.*\n {2}dockerdo rm --force removes what is on this host/s,
  });
  const forced = await user.types("dockerdo rm --force --delete");
  assert.equal(forced.code, 0, forced.stderr);
  assert.match(forced.stderr, /Left on the remote host, perhaps: ssh reykjavik-far docker rm -f /);
  assert.equal(await isThere(user.sessionDir()), false);
  assert.equal(await user.does("ls -A"), "");
  await reykjavik(["docker", "rm", "-f", containerId]);
  await nothingRemains(id);
});

Deno.test("rm --delete keeps files that are not dockerdo's and names them", async () => {
  await using user = await newUser();
  await user.begins("kept --local");
  const dir = user.sessionDir();
  await user.does("touch $DOCKERDO_SESSION_DIR/mine");
  await refuses(user, "dockerdo rm --delete", {
    code: 1,
    says: /holds files that are not dockerdo's: mine/,
  });
  assert.equal(await user.does(`ls -A ${dir}; rm -r ${dir}`), "mine\n");
});

Deno.test("a Dockerfile.dockerdo that was edited is built as it is, and replaced only by force", async () => {
  await using user = await newUser();
  await user.begins(`edited --local --image ${BASE_IMAGE}`);
  await user.does(
    "dockerdo overlay && dockerdo overlay && sed -i 's/^EXPOSE 22$/EXPOSE 22 80/' Dockerfile.dockerdo",
  );
  await refuses(user, "dockerdo overlay", {
    code: 1,
    says: /has been edited\n {2}dockerdo overlay --force/,
  });
  assert.equal(await user.does("grep EXPOSE Dockerfile.dockerdo"), "EXPOSE 22 80\n");
  await user.does("dockerdo build");
  assert.equal(
    await user.does(
      `docker image inspect --format '{{json .Config.ExposedPorts}}' ${
        (await storedSession(user))["imageTag"]
      }`,
    ),
    '{"22/tcp":{},"80/tcp":{}}\n',
  );
  await user.does("dockerdo overlay --force");
  assert.equal(await user.does("grep EXPOSE Dockerfile.dockerdo"), "EXPOSE 22\n");
  await user.does("echo 'RUN exit 3' >> Dockerfile.dockerdo");
  const { code, stderr } = await user.types("dockerdo build");
  assert.equal(code, 3);
  assert.match(stderr, /docker build failed with exit code 3\n {2}docker has printed the reason/);
});

Deno.test("export refuses what is no variable and changes nothing then", async () => {
  await using user = await newUser();
  await user.begins("exports --local");
  await user.does("dockerdo export A=1 B=b=c");
  await refuses(user, "dockerdo export C=3 1A=x", {
    code: 2,
    says: /"1A" cannot be a variable's name/,
  });
  await refuses(user, "dockerdo export NOWHERE_SET", { code: 2, says: /"NOWHERE_SET" has no =/ });
  assert.equal(await user.does("dockerdo export"), "export A=1\nexport B=b=c\n");
  assert.equal(await user.does("dockerdo history"), "export A=1\nexport B=b=c\n");
  assert.match(await user.does("dockerdo status --json"), /"A": "\*\*\*"/);
});

Deno.test("status tells all the rest where docker does not answer", async () => {
  await using user = await newUser();
  await user.begins("engineless --local");
  const asked = await user.types("DOCKER_HOST=unix:///nonexistent dockerdo status --json");
  assert.equal(asked.code, 0);
  assert.match(asked.stderr, /^dockerdo: Asking docker .* failed/);
  const { container, session } = JSON.parse(asked.stdout);
  assert.deepEqual([container.state, session.name], ["unknown", "engineless"]);
});

Deno.test("twenty exports at once are all kept", async () => {
  await using user = await newUser();
  await user.begins("parallel --local");
  await user.does("seq 20 | xargs -P 20 -I{} dockerdo export V{}={}");
  assert.equal((await user.does("dockerdo history | wc -l")).trim(), "20");
});

Deno.test("a dry run of every command prints lines for the shell and changes nothing", async () => {
  await using user = await newUser();
  const before = await user.traces();
  assert.match(
    (await user.types(`dockerdo init dry --remote reykjavik -n`)).stderr,
    /^ssh -F .* -fN /m,
  );
  assert.equal(await user.traces(), before);
  await user.begins(`dry --remote reykjavik --image ${BASE_IMAGE}`);
  const state = async (): Promise<string> => {
    const engines = await Promise.all(
      [london, reykjavik].map((host) =>
        host([
          "sh",
          "-c",
          // Docker lists images of the same second in no order of its own.
          "docker ps -a --format '{{.ID}} {{.State}}' | sort; docker image ls -q --no-trunc | sort -u",
        ])
      ),
    );
    return JSON.stringify([
      // In drop.done the mount's relay says whether it is quiet.
      await user.does(
        "ls -lAR --time-style=full-iso . $DOCKERDO_SESSION_DIR | grep -Ev 'total|drop.done'",
      ),
      engines.map(({ stdout }) => stdout),
    ]);
  };
  const quiet = await state();
  for (
    const command of [
      "overlay",
      "build",
      "build --remote",
      "push",
      "run -e A=1",
      "start",
      "export A=1",
      "status",
      "history",
      "stop",
      "rm --force --delete",
    ]
  ) {
    const { stderr } = await user.types(`dockerdo ${command} --dry-run`);
    assert.doesNotMatch(stderr, /unexpected failure/, command);
    assert.equal(await state(), quiet, command);
  }
});

Deno.test("run killed at any moment is taken up by the next run, with one container in the end", async () => {
  await using user = await newUser();
  await user.begins(`killed --remote reykjavik --image ${BASE_IMAGE}`);
  await user.does("dockerdo build --remote");
  const { id } = await storedSession(user) as { id: string };
  const containers = async (): Promise<string[]> =>
    (await reykjavik(["docker", "ps", "-aq", "--filter", `label=dockerdo.session=${id}`])).stdout
      .split("\n").filter(Boolean);
  const running = user.types(`exec dockerdo run -e FROM=${user.home}`);
  await poll(async () => (await containers()).length > 0, { what: "a container" });
  await london(["pkill", "-KILL", "-f", `(main[.]ts|/dockerdo) run -e FROM=${user.home}`]);
  await running;
  const again = await user.types("dockerdo run || dockerdo start");
  assert.equal(again.code, 0, again.stderr);
  assert.equal((await containers()).length, 1);
  assert.equal(await user.does("dodo echo well; ls -d container/etc"), "well\ncontainer/etc\n");
});

for (const [signal, expected] of [["INT", 130], ["TERM", 143]] as const) {
  Deno.test(`run undoes what it did on SIG${signal} and ends with ${expected}`, async () => {
    await using user = await newUser();
    await user.begins(
      `interrupted-${signal.toLowerCase()} --remote reykjavik --image ${BASE_IMAGE}`,
    );
    await user.does("dockerdo build --remote");
    const { id } = await storedSession(user) as { id: string };
    const running = user.types(`exec dockerdo run -e FROM=${user.home}`);
    const label = `label=dockerdo.session=${id}`;
    await poll(
      async () => (await reykjavik(["docker", "ps", "-aq", "--filter", label])).stdout !== "",
      { what: "a container" },
    );
    await london(["pkill", `-${signal}`, "-f", `(main[.]ts|/dockerdo) run -e FROM=${user.home}`]);
    const { code, stderr } = await running;
    assert.equal(code, expected, stderr);
    assert.equal((await reykjavik(["docker", "ps", "-aq", "--filter", label])).stdout, "");
    assert.equal(await isThere(`${user.workDir}/container`), false);
  });
}

Deno.test("verbose lines can be pasted into a shell", async () => {
  await using user = await newUser();
  await user.runs(`pasted --remote reykjavik --image ${BASE_IMAGE}`);
  const { stderr } = await user.types(`dodo -v printf '%s|' "it's" 'a  b' '$x' 'ü'`);
  assert.equal(await user.does(stderr), "it's|a  b|$x|ü|");
});

Deno.test("stop names who keeps the mount busy, and --force goes on", async () => {
  await using user = await newUser();
  await user.runs(`busy --local --image ${BASE_IMAGE}`);
  const { code, stdout } = await user.types(
    "(cd container/etc && exec sleep 1000) >/dev/null & dockerdo stop 2>&1; echo; kill $!",
  );
  assert.equal(code, 0);
  assert.match(stdout, /container is in use by sleep 1000 \(pid \d+\)\n {2}Leave that directory/);
  const forced = await user.types(
    "(cd container/etc && exec sleep 1000) >/dev/null & dockerdo stop --force; echo $?; kill $!",
  );
  assert.equal(forced.stdout, "0\n", forced.stderr);
  assert.equal(JSON.parse(await user.does("dockerdo status --json")).container.state, "exited");
});
