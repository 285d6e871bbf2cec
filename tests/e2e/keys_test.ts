import assert from "node:assert/strict";
import { BASE_IMAGE, london, reykjavik } from "../lab/lab.ts";
import { newUser, storedSession } from "./user.ts";

/** Owner, mode, name and content of all below a directory of reykjavik's. */
async function state(dir: string): Promise<string> {
  const { stdout } = await reykjavik([
    "sh",
    "-c",
    `cd ${dir} && find . -printf '%u %m %p %s\\n' | sort; cat .ssh/* *.txt 2>/dev/null`,
  ]);
  return stdout;
}

Deno.test("nothing below a home that is a mount is touched, and its owner still logs in on the host", async () => {
  await using user = await newUser();
  await user.begins(`--remote reykjavik-forward --image ${BASE_IMAGE}`);
  await user.does("dockerdo build --remote");
  const before = await state("/home/ada");
  for (
    const mounted of [
      "-v /home/ada/.ssh:/root/.ssh",
      "-v /home/ada/.ssh:/root/.ssh:ro",
      "-v /home/ada:/root",
      "--read-only -v /home/ada:/root",
    ]
  ) {
    await user.does(`dockerdo run ${mounted}`);
    assert.equal(await user.does("dodo sh -c 'ls -d ~/.ssh'"), "/root/.ssh\n", mounted);
    await user.does("dockerdo stop && dockerdo start && dodo true");
    assert.equal(await state("/home/ada"), before, mounted);
    const { code } = await london(["ssh", "-o", "ControlPath=none", "reykjavik-forward", "true"]);
    assert.equal(code, 0, mounted);
    await user.does("dockerdo rm --force");
  }
});

Deno.test("the container lets in the key of whoever runs it, and no key that its image brought", async () => {
  await using user = await newUser();
  await user.does(`ssh-keygen -q -t ed25519 -N '' -f other
docker build -q -t lab/keyed:1 - >/dev/null <<END
FROM ${BASE_IMAGE}
RUN useradd -m dev && mkdir -m 700 /root/.ssh /home/dev/.ssh && echo '$(cat other.pub)' | tee /root/.ssh/authorized_keys > /home/dev/.ssh/authorized_keys && chown -R dev /home/dev/.ssh && \\
  mkdir -p /etc/dockerdo && echo forged > /etc/dockerdo/ssh_host_ed25519_key
END`);
  try {
    await user.begins("--local --image lab/keyed:1 --connect port");
    await user.does("dockerdo build && dockerdo run");
    assert.equal(await user.does("dodo echo in"), "in\n");
    const image = await user.does(
      'docker run --rm --entrypoint cat $(dockerdo status --json | sed -n \'s/.*"tag": "\\(.*\\)".*/\\1/p\' | head -1) /etc/dockerdo/authorized_keys',
    );
    assert.match(image, /^ssh-ed25519 \S+\n$/);
    for (const name of ["root", "dev"]) {
      const { code, stderr } = await user.types(
        `sed "s#IdentityFile .*#IdentityFile $PWD/other#" "$DOCKERDO_SESSION_DIR/ssh_config" >other.config
ssh -F other.config -o ControlPath=none -l ${name} container true`,
      );
      assert.equal(code, 255, stderr);
      assert.match(stderr, /Permission denied \(publickey\)/);
    }
    const { containerId } = await storedSession(user) as { containerId: string };
    const keys = await user.does(`docker exec ${containerId} cat /etc/dockerdo/authorized_keys`);
    assert.equal(keys.trim().split("\n").length, 1);
  } finally {
    await user.does("dockerdo rm --force --delete");
    await london(["docker", "rmi", "lab/keyed:1"]);
  }
});

/** Keys that only ssh's configuration knows: $KEY is the one that reykjavik lets in. */
const CONFIGURED: readonly (readonly [name: string, config: string, script: string])[] = [
  [
    "in an agent that no variable names",
    'IdentityAgent "~/.ssh/an agent.sock"',
    'ssh-agent -a ~/.ssh/"an agent.sock" >agent && SSH_AUTH_SOCK=~/.ssh/"an agent.sock" ssh-add -q $KEY',
  ],
  [
    "in such an agent among others, chosen by its public part",
    "IdentityAgent ~/.ssh/agent.sock\nIdentityFile ~/.ssh/work.pub\nIdentitiesOnly yes",
    "ssh-agent -a ~/.ssh/agent.sock >agent && ssh-keygen -q -t ed25519 -N '' -f other && " +
    "SSH_AUTH_SOCK=~/.ssh/agent.sock ssh-add -q other $KEY && ssh-keygen -y -f $KEY >~/.ssh/work.pub",
  ],
  [
    "in a file without a public part, and the variable's agent has another one",
    'IdentityFile "~/.ssh/%u/100%% mine"\nIdentitiesOnly yes',
    "ssh-agent -a $SSH_AUTH_SOCK >agent && ssh-keygen -q -t ed25519 -N '' -f other && ssh-add -q other && " +
    "mkdir ~/.ssh/root && cp $KEY ~/.ssh/root/'100% mine'",
  ],
];

Deno.test("a key that only ssh's configuration knows opens the container", async (t) => {
  for (const [name, config, script] of CONFIGURED) {
    await t.step(name, async () => {
      await using user = await newUser();
      await user.does(
        `mkdir -m 700 ssh && cp ~/.ssh/config ~/.ssh/known_hosts ssh && cp ~/.ssh/id_ed25519 key && mount --bind ssh ~/.ssh`,
      );
      const own = "export USER=root SSH_AUTH_SOCK=$PWD/none KEY=$PWD/key;";
      try {
        await user.does(`${own} ${script}; printf '\n%b\n' 'Host *\n${config}' >> ~/.ssh/config`);
        const session = `export DOCKERDO_SESSION_DIR="$(dirname "$(cat script)")";`;
        await user.does(
          `${own} dockerdo init --remote reykjavik --image ${BASE_IMAGE} >script && ${session} ` +
            "dockerdo build --remote && dockerdo run",
        );
        assert.deepEqual(
          await user.types(
            `${own} ${session} dockerdo stop && dockerdo start && dodo echo in 2>&1 && dockerdo rm --force`,
          ).then(({ code, stdout }) => ({ code, stdout })),
          { code: 0, stdout: "in\n" },
        );
      } finally {
        // The masters of the session would be left without a way to end them, and the mount busy.
        await user.types(". ./agent; kill $SSH_AGENT_PID; umount -l ~/.ssh");
      }
    });
  }
});
