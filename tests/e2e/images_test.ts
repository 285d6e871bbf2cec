import assert from "node:assert/strict";
import { BASE_IMAGE, london } from "../lab/lab.ts";
import { lives, onTerminal } from "./life.ts";
import { newUser, storedSession, type User } from "./user.ts";

/** An image that real people have, or what resembles it. */
interface Image {
  readonly name: string;
  /** What follows FROM in its Dockerfile. */
  readonly lines: readonly string[];
  /** Of dockerdo init, build and run. */
  readonly init?: string;
  readonly build?: string;
  readonly run?: string;
  /** Begin from the lab's Debian, and not from the one that has sshd and some shells. */
  readonly bare?: boolean;
  /** What `dodo` alone starts. */
  readonly loginShell?: string;
  /** The loader says of every program that it cannot preload what it should. */
  readonly preloads?: boolean;
  /** Who `dodo` is. */
  readonly user?: string;
  readonly before?: (user: User) => Promise<unknown>;
  /** What is special about it, while it runs. */
  readonly check?: (user: User) => Promise<unknown>;
}

const ZOO = "lab/zoo:1";
const ZOO_LINES =
  "RUN apt-get update && apt-get install -y --no-install-recommends openssh-server fish tcsh \\\n" +
  "  python3-minimal busybox-static && rm -rf /var/lib/apt/lists/*\n" +
  // A user of the image's own, and a program by which rows see that a variable arrives.
  "RUN useradd --create-home --uid 1000 --shell /bin/bash app";

async function makeImage(tag: string, lines: readonly string[], from: string): Promise<void> {
  const stdin = [`FROM ${from}`, ...lines, ""].join("\n");
  const { code, stdout, stderr } = await london(["docker", "build", "-q", "-t", tag, "-"], {
    stdin,
  });
  assert.equal(code, 0, `${stdin}\n${stdout}${stderr}`);
}

const IMAGES: readonly Image[] = [
  {
    name: "variables of the loader, of openssl and of shells; sshd comes with the overlay",
    bare: true,
    lines: [
      "RUN mkdir /opt/l && : > /opt/l/libcrypto.so.3 && echo 'echo noise; exit 9' > /opt/rc",
      "ENV OPENSSL_CONF=/nope BASH_ENV=/opt/rc ENV=/opt/rc LD_LIBRARY_PATH=/opt/l",
      "ENV LC_ALL=nope IFS=x PROMPT_COMMAND=boom TZ=No/Where TERM=odd HOME= USER= CDPATH=/ TMPDIR=/nope",
    ],
    check: async (user) =>
      assert.deepEqual(await user.types("dodo printenv LD_LIBRARY_PATH OPENSSL_CONF BASH_ENV"), {
        code: 0,
        stdout: "/opt/l\n/nope\n/opt/rc\n",
        stderr: "",
      }),
  },
  {
    name: "LD_PRELOAD of what is not there; SHELL python; root's login shell is not there",
    lines: [
      "ENV LD_PRELOAD=/nope.so",
      `SHELL ["/usr/bin/python3", "-c"]`,
      `RUN import re; p = "/etc/passwd"; s = open(p).read(); open(p, "w").write(s.replace("root:/bin/bash", "root:/bin/zsh"))`,
    ],
    preloads: true,
    loginShell: "sh",
  },
  {
    name: "WORKDIR that goes while it runs; a VOLUME on the home; STOPSIGNAL; HEALTHCHECK",
    lines: [
      "WORKDIR /app/deep",
      "VOLUME /root",
      "STOPSIGNAL SIGWINCH",
      "HEALTHCHECK --interval=1s --retries=1 CMD false",
    ],
    check: async (user) => {
      assert.equal(await user.does("dodo pwd; dodo -w / rm -rf /app"), "/app/deep\n");
      assert.deepEqual(await user.types("dodo true"), {
        code: 126,
        stdout: "",
        stderr: "dodo: no such directory in the container: /app/deep\n",
      });
    },
  },
  {
    name: "WORKDIR that others may not enter; SHELL fish; ONBUILD COPY; a login shell of fish",
    lines: [
      "RUN " +
      "chmod 700 /root && chsh -s /usr/bin/fish root",
      "WORKDIR /root",
      "ONBUILD COPY kept /kept",
      `SHELL ["/usr/bin/fish", "-c"]`,
    ],
    before: (user) => user.does("echo copied > kept"),
    loginShell: "fish",
    check: async (user) => {
      assert.equal(await user.does("dodo cat /kept"), "copied\n");
      assert.deepEqual(await user.types("dodo -u app pwd"), {
        code: 126,
        stdout: "",
        stderr: "dodo: the container's user may not enter the directory: /root\n",
      });
      const alone = await onTerminal(user, "dodo -u app -w /", [
        ["$", "echo this is $0, $SHELL\r"],
        ["this is /bin/bash, /bin/bash", "exit 3\r"],
      ]);
      assert.equal(alone.code, 3, alone.stdout);
    },
  },
  {
    name: "SHELL bash -euxo pipefail; WORKDIR never made; a login shell of tcsh",
    lines: [
      "RUN chsh -s /usr/bin/tcsh root",
      `SHELL ["/bin/bash", "-euxo", "pipefail", "-c"]`,
      "WORKDIR /made/late",
    ],
    loginShell: "tcsh",
    check: async (user) => {
      await user.does("dodo sh -c 'echo echo welcome > ~/.tcshrc'; dockerdo stop");
      const { code, stderr } = await user.types("dockerdo start");
      assert.equal(code, 0, stderr);
      assert.match(
        stderr,
        /the start-up files of \/usr\/bin\/tcsh, the login shell of root in the container, write to stdout.*"welcome"/,
      );
      await user.does("dodo sh -c 'echo exec fish > ~/.tcshrc'; dockerdo stop");
      const { code: failed, stderr: why } = await user.types("dockerdo start");
      assert.equal(failed, 1, why);
      assert.match(why, /the login shell of root in the container, does not run commands/);
      await user.does("dodo -u 0 -w / rm /root/.tcshrc; dockerdo start");
    },
  },
  {
    name:
      "root's shell field is empty; noise in every start-up file of sh and bash, one of which starts fish",
    lines: [
      "RUN sed -i 's#^root:.*#root:x:0:0::/root:#' /etc/passwd && " +
      "for f in /etc/bash.bashrc /etc/profile /root/.bashrc /root/.profile; do " +
      "printf 'echo noise\\nexport PATH=/nowhere\\n' > $f; done; echo 'exec fish' >> /root/.bashrc",
    ],
    loginShell: "sh",
  },
  {
    name: "a user whose group is there; no network at build",
    lines: ["RUN groupadd users2 && groupadd -f John.Doe || echo 'John.Doe:x:1500:' >> /etc/group"],
    init: "--user John.Doe",
    build: "--network none",
    user: "John.Doe",
    loginShell: "sh",
  },
  {
    name: "a user by number, whose home is not there; ENTRYPOINT that changes user",
    lines: ["RUN rm -r /home/app", "USER app", `ENTRYPOINT ["setpriv", "--reuid=app", "--"]`],
    init: "--user 1000",
    user: "app",
  },
  {
    name: "a user by number that nobody has",
    lines: [],
    init: "--user 4242",
    user: "u4242",
    loginShell: "sh",
  },
  {
    name: "sshd configured by somebody else, PAM that refuses, and a user whose account has ended",
    lines: [
      "RUN printf '%s\\n' 'Port 2222' 'UsePAM yes' 'ForceCommand /bin/false' 'DenyUsers app root' " +
      "'ChrootDirectory /srv' 'Subsystem sftp /bin/false' > /etc/ssh/sshd_config && " +
      "echo 'account required pam_deny.so' > /etc/pam.d/sshd && chage -E 0 app && passwd -l app && " +
      "mkdir -p /home/app/.ssh && echo garbage > /home/app/.ssh/authorized_keys && chmod 777 /home/app /home/app/.ssh",
    ],
    init: "--user app",
    user: "app",
  },
  {
    name: "the programs are busybox's",
    lines: [
      "RUN cp /bin/busybox /bin/bb && sed -i 's#/bin/bash#/bin/sh#' /etc/passwd && for name in $(/bin/bb --list); do " +
      "path=$(command -v $name); case $path in /bin/bb) ;; /*) /bin/bb ln -sf /bin/bb $path ;; esac; done",
    ],
    loginShell: "sh",
    check: async (user) => {
      const ended = await user.types(
        `dodo -w / sleep 333 & until dodo -w / pgrep -f '^sleep 33[3]' >/dev/null; do :; done
         kill -TERM $!; wait $!; echo $?; until ! dodo -w / pgrep -f '^sleep 33[3]'; do :; done`,
      );
      assert.match(ended.stdout, /^143\n/);
    },
  },
  {
    name: "a read-only root, with few processes and little memory",
    lines: [],
    run: "--read-only -v /tmp --pids-limit 40 --memory 100m",
  },
];

/** Options of docker run that take something away, and the sentence where that is too much. */
const CONFINED: readonly (readonly [options: string, says?: RegExp])[] = [
  ["--cap-drop CHOWN"],
  ["--cap-drop DAC_OVERRIDE"],
  ["--cap-drop FOWNER"],
  ["--cap-drop KILL"],
  ["--cap-drop SETPCAP"],
  ["--cap-drop AUDIT_WRITE"],
  ["--cap-drop SYS_CHROOT", /sshd says: .*\n {2}sshd needs the capability SYS_CHROOT/],
  ["--cap-drop SETUID", /sshd says: .*\n {2}sshd needs the capability SETUID/],
  ["--cap-drop SETGID", /sshd says: .*\n {2}sshd needs the capability SETGID/],
  ["--cap-drop NET_BIND_SERVICE --cap-drop NET_RAW --cap-drop MKNOD --cap-drop SETFCAP --cap-drop FSETID"],
  ["--security-opt no-new-privileges"],
  ["--user 1000"],
  [
    "--pids-limit 3",
    /Preparing sshd in the container .* Cannot fork\n {2}The container may have 3 processes: /,
  ],
  ["--memory 32m"],
];

Deno.test("a container that is confined works, or run says what it lacks and leaves nothing", async (t) => {
  await makeImage(ZOO, [ZOO_LINES], BASE_IMAGE);
  await using user = await newUser();
  await user.begins(`confined --local --image ${ZOO}`);
  await user.does("dockerdo build");
  const { id } = await storedSession(user) as { id: string };
  for (const [options, says] of CONFINED) {
    await t.step(options, async () => {
      const { code, stderr } = await user.types(`dockerdo run ${options}`);
      if (says !== undefined) {
        assert.equal(code, 1, stderr);
        assert.match(stderr, says);
        const label = `label=dockerdo.session=${id}`;
        assert.equal((await london(["docker", "ps", "-aq", "--filter", label])).stdout, "");
        return;
      }
      assert.equal(code, 0, stderr);
      assert.equal(
        await user.does(
          "dodo -w /tmp sh -c 'echo it > x; cat x' && cat container/tmp/x && dockerdo rm --force",
        ),
        "it\nit\n",
      );
    });
  }
});

Deno.test("where no directory of PATH is there the image is built and run, and a program is found by its path", async () => {
  await makeImage("lab/zoo:pathless", ["ENV PATH=/nowhere"], ZOO);
  await using user = await newUser();
  await user.begins("pathless --local --image lab/zoo:pathless");
  await user.does("dockerdo build && dockerdo run");
  assert.equal(
    await user.does("dodo /bin/echo ran; dodo /usr/bin/printenv PATH"),
    "ran\n/nowhere\n",
  );
});

Deno.test("images, each through its whole life", async (t) => {
  await makeImage(ZOO, [ZOO_LINES], BASE_IMAGE);
  for (const [at, image] of IMAGES.entries()) {
    await t.step(image.name, async () => {
      const tag = `lab/zoo:row-${at}`;
      await makeImage(tag, image.lines, image.bare ? BASE_IMAGE : ZOO);
      await using user = await newUser();
      await image.before?.(user);
      await lives(user, {
        init: `zoo --local --image ${tag} ${image.init ?? ""}`,
        build: `dockerdo build ${image.build ?? ""}`,
        run: `dockerdo run ${image.run ?? ""}`,
        loginShell: image.loginShell ?? "bash",
        quiet: !image.preloads,
        who: image.user ?? "root",
        check: image.check,
      });
    });
  }
});
