import { type Distro, distroOfName, distroOfRelease, DISTROS } from "./distro.ts";
import {
  captureDocker,
  docker,
  type EngineHost,
  inspectImage,
  OVERLAY_LABEL,
  OVERLAY_VERSION,
  SESSION_LABEL,
} from "../docker.ts";
import { Failure, usageFailure } from "../error.ts";
import { parseReference } from "./reference.ts";
import { progress } from "../output.ts";
import { joinPath } from "../paths.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { SSHD } from "../ssh/config_file.ts";
import STARTER from "./sshd_starter.sh" with { type: "text" };

const INSTALL_SSHD: Readonly<Record<Distro, string>> = {
  // With ids of their own, so that a session's packages get the ids that they get without sshd: adduser counts up
  // from 100, useradd -r down from 999. openssh's packages take the user and the group that are there.
  debian: "{ getent group _ssh || groupadd -g 550 _ssh; getent passwd sshd || " +
    "useradd -u 550 -g nogroup -M -d /run/sshd -s /usr/sbin/nologin sshd; } >/dev/null; " +
    "apt-get update && " +
    "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends openssh-server && " +
    "rm -rf /var/lib/apt/lists/*",
  alpine: "apk add --no-cache openssh-server openssh-keygen",
  fedora: '"$(command -v dnf || command -v microdnf || command -v yum)" install -y openssh-server',
  opensuse: "zypper -n install openssh-server || zypper -n install openssh",
  arch: "pacman -Sy --noconfirm --needed openssh",
};

/** What an image's variables must not do to our programs in it; the user's get them all. */
const CLEAN = "unset LD_LIBRARY_PATH LD_PRELOAD LD_AUDIT OPENSSL_CONF ENV BASH_ENV; " +
  'PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH"';

// $1 the name, $2 the uid or nothing. A group of the name is taken, where there is one.
const ADD_USER: Readonly<Record<"useradd" | "adduser", string>> = {
  useradd: 'useradd -m ${2:+-u "$2"} $(grep -q "^$1:" /etc/group && echo "-g $1") "$1"',
  adduser: 'adduser -D ${2:+-u "$2"} $(grep -q "^$1:" /etc/group && echo "-G $1") "$1"',
};

/** Checks the name of the container's user, which is written into a Dockerfile and shell lines. */
export function checkUserName(user: string): string {
  if (/^([A-Za-z_][A-Za-z0-9_.-]{0,31}|[0-9]{1,10})$/.test(user)) return user;
  throw usageFailure(
    `${JSON.stringify(user)} cannot be a user of the container`,
    "Use a name of letters, digits, dots, dashes and underscores that begins with a letter, or a number.",
  );
}

/**
 * The text of Dockerfile.dockerdo: the base image with sshd, the public key that may log in, and a CMD that keeps the
 * container running. Needs neither BuildKit nor a build context. Host keys are not in it: each container makes its
 * own at its start. `shell` is what the base image's RUN lines use; ours are sh's.
 */
export function overlayDockerfile(
  { baseImage, distro, user, shell }: {
    readonly baseImage: string;
    readonly distro: Distro;
    readonly user: string;
    readonly shell?: readonly string[] | undefined;
  },
): string {
  const sshdConfig = [
    "AuthenticationMethods publickey",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PermitRootLogin prohibit-password",
    "PermitUserEnvironment no",
    // With SHLVL bash reads no start-up file for a command, as with docker exec.
    "AcceptEnv DODO_* SHLVL",
    "AllowAgentForwarding no",
    "X11Forwarding no",
    "StrictModes no",
    "Subsystem sftp internal-sftp",
    "MaxSessions 1000",
    "MaxStartups 100",
    // Before the other end gives up (15 to 20 s), so that no request of a dead link is done after it.
    "ClientAliveInterval 4",
    "ClientAliveCountMax 2",
    "PidFile none",
    "PrintMotd no",
    "PrintLastLog no",
    "UseDNS no",
  ];
  const add = ADD_USER[distro === "alpine" ? "adduser" : "useradd"];
  return `# Made by dockerdo: ${baseImage} with what an ssh session needs.
# You may edit it: \`dockerdo build\` uses it as it is, \`dockerdo overlay --force\` writes it again.
FROM ${baseImage}
USER root
SHELL ["/bin/sh", "-c"]

# sshd; host keys that a package makes at its installation, or that the base image has, must not stay in an image.
RUN ${CLEAN}; \\
    command -v sshd || [ -x /usr/sbin/sshd ] || { ${INSTALL_SSHD[distro]}; }; \\
    rm -rf /etc/ssh/ssh_host_* /etc/dockerdo; command -v ssh-keygen && { command -v sshd || [ -x /usr/sbin/sshd ]; }
RUN ${CLEAN}; mkdir -p /etc/dockerdo /run/sshd && printf '%s\\n' \\
${lines(sshdConfig)} > /etc/dockerdo/sshd_config
RUN ${CLEAN}; printf '%s\\n' \\
${lines(STARTER.trimEnd().split("\n"))} > ${SSHD} && chmod 755 ${SSHD}

# The user that logs in: there, with a shell that is there, neither locked nor expired; sshd takes nothing but the key.
RUN set -e; ${CLEAN}; add() { ${add}; }; wanted=${user}; name=; \\
    case $wanted in \\
      *[!0-9]*) if id -u "$wanted" >/dev/null 2>&1; then name=$wanted; else add "$wanted" "" && name=$wanted; fi ;; \\
      *) name=$(sed -n "s/^\\([^:]*\\):[^:]*:$wanted:.*/\\1/p" /etc/passwd | head -n 1); \\
        [ -n "$name" ] || { add "u$wanted" "$wanted" && name=u$wanted; } ;; \\
    esac; \\
    shell=$(sed -n "s/^$name:.*:\\([^:]*\\)$/\\1/p" /etc/passwd); \\
    case $shell in */nologin | */false) shell=/nonexistent ;; esac; \\
    [ -z "$shell" ] || [ -x "$shell" ] || sed -i "s#^\\($name:.*:\\)[^:]*\\$#\\1/bin/sh#" /etc/passwd; \\
    if [ -f /etc/shadow ]; then sed -i "s/^$name:.*/$name:*:::::::/" /etc/shadow; fi; \\
    printf '%s\\n' "$name" > /etc/dockerdo/user
# Your key, without its comment; \`dockerdo run\` puts the key of whoever runs the image in its place.
ARG SSH_PUB_KEY
RUN ${CLEAN}; : "\${SSH_PUB_KEY:?give your public key with --build-arg}" && set -f && set -- $SSH_PUB_KEY && \\
    printf '%s %s\\n' "$1" "$2" > /etc/dockerdo/authorized_keys && chmod 644 /etc/dockerdo/authorized_keys

LABEL ${OVERLAY_LABEL}="${OVERLAY_VERSION}"
EXPOSE 22
STOPSIGNAL SIGTERM
HEALTHCHECK NONE
SHELL ${JSON.stringify(shell ?? ["/bin/sh", "-c"]).replaceAll('","', '", "')}
ENTRYPOINT []
CMD ["${SSHD}", "-D", "-e"]
`;
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `    '${text}'`).join(" \\\n");
}

/**
 * Whether a build takes files from its context, so that there must be one: by COPY, ADD or a bind mount of the
 * Dockerfile, or by what the base image adds to it (ONBUILD).
 */
export function needsContext(dockerfile: string, onBuild: readonly string[] = []): boolean {
  const own = dockerfile.replace(/^\s*#.*$/gm, "");
  return /^\s*(COPY|ADD)\s/im.test(own) || /^\s*RUN\s+(\S+\s+)*?--mount=/im.test(own) ||
    onBuild.some((line) => /^\s*(COPY|ADD)\s/i.test(line));
}

/** The image that a Dockerfile starts with; "" where it names no image. */
export function baseOf(dockerfile: string): string {
  return /^FROM\s+(?:--\S+\s+)*(\S+)/im.exec(dockerfile)?.[1] ?? "";
}

/** The overlay's Dockerfile in the session's work dir. */
export function overlayPath(session: Session): string {
  return joinPath(session.workDir, "Dockerfile.dockerdo");
}

/** The overlay's Dockerfile as it stands in the work dir; undefined where there is no such file. */
export async function readOverlay(session: Session): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(overlayPath(session));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Writes the overlay's Dockerfile for a session and returns its text. One that is there already is replaced
 * only if it is as dockerdo wrote it, or with `force`.
 */
export async function writeOverlay(
  context: Context,
  session: Session,
  { defaultDistro, force }: {
    /** The configured distribution, for an image that neither an engine nor its name says more of. */
    readonly defaultDistro: string | null;
    readonly force: boolean;
  },
): Promise<string> {
  await refuseLink(overlayPath(session));
  const existing = await readOverlay(session);
  if (existing !== undefined && !force && !isGenerated(existing)) {
    throw new Failure(`${overlayPath(session)} has been edited`, {
      hint: "dockerdo overlay --force replaces it; dockerdo build uses it as it is.",
    });
  }
  const { distro, shell } = await findDistro(context, session, defaultDistro);
  const { baseImage, user } = session;
  const text = overlayDockerfile({ baseImage, distro, user, shell });
  progress(
    context,
    "local",
    `Writing ${overlayPath(session)} for ${session.baseImage} (${distro})`,
  );
  if (!context.dryRun) await Deno.writeTextFile(overlayPath(session), text);
  return text;
}

/** Whether a Dockerfile is as {@link writeOverlay} made it, for whatever image and user. */
export function isGenerated(text: string): boolean {
  const user = / wanted=([^;\s]+);/.exec(text)?.[1] ?? "";
  const shell = asShell(text.match(/^SHELL .+$/gm)?.at(-1)?.slice("SHELL ".length) ?? "");
  const baseImage = baseOf(text);
  return DISTROS.some((distro) => overlayDockerfile({ baseImage, distro, user, shell }) === text);
}

/** Whether a Dockerfile is what this session would get, as far as its text shows. */
export function isForSession(text: string, { baseImage, user }: Session): boolean {
  return isGenerated(text) && baseOf(text) === baseImage && text.includes(` wanted=${user};`);
}

function asShell(json: string): string[] | undefined {
  try {
    const found: unknown = JSON.parse(json);
    return Array.isArray(found) && found.every((word) => typeof word === "string")
      ? found
      : undefined;
  } catch {
    return undefined;
  }
}

// A repository may have put a link there, to a place of its own choice.
async function refuseLink(path: string): Promise<void> {
  const found = await Deno.lstat(path).catch(() => undefined);
  if (found?.isSymlink !== true) return;
  throw new Failure(`${path} is a symbolic link, and dockerdo does not write through it`, {
    hint: "Remove it, or put a file of your own in its place.",
  });
}

async function findDistro(
  context: Context,
  session: Session,
  defaultDistro: string | null,
): Promise<{ readonly distro: Distro; readonly shell?: readonly string[] | undefined }> {
  if (session.distro !== null) {
    const named = distroOfName(session.distro);
    if (named !== undefined) return { distro: named };
    throw usageFailure(
      `${JSON.stringify(session.distro)} is not a distribution that the overlay knows`,
      `Use one of ${DISTROS.join(", ")}.`,
    );
  }
  const engines: EngineHost[] = session.remoteHost === null ? ["local"] : ["local", session];
  for (const engine of engines) {
    const release = await readRelease(context, engine, session);
    if (release === undefined) continue;
    const { id, distro } = distroOfRelease(release.text);
    if (distro !== undefined) return { distro, shell: release.shell };
    throw new Failure(
      `the overlay does not know the distribution of ${session.baseImage}: ${id || "no ID"}`,
      {
        hint: `Name the nearest one with --distro: ${DISTROS.join(", ")}.`,
      },
    );
  }
  const lastPart = parseReference(session.baseImage).repository.split("/").at(-1) ?? "";
  const guess = distroOfName(lastPart) ?? distroOfName(defaultDistro ?? "");
  if (guess !== undefined) return { distro: guess };
  if (context.dryRun) return { distro: "debian" };
  throw new Failure(
    `the distribution of ${session.baseImage} is not known, and no engine has the image yet`,
    {
      hint: `Get it first (docker pull ${session.baseImage}), or name it with --distro: ${
        DISTROS.join(", ")
      }.`,
    },
  );
}

// Nothing of the image runs: the file is copied out of a container that is made and never started.
async function readRelease(
  context: Context,
  engine: EngineHost,
  session: Session,
): Promise<{ readonly text: string; readonly shell: readonly string[] | undefined } | undefined> {
  const known = await inspectImage(context, engine, session.baseImage).catch(() => undefined);
  if (known === undefined) return undefined;
  const id = await docker(context, engine, {
    words: ["create", "--label", `${SESSION_LABEL}=${session.id}`, session.baseImage, "x"],
    doing: "Looking into the base image",
  });
  try {
    const { code, stdout } = await captureDocker(context, engine, {
      words: ["cp", "-L", `${id}:/etc/os-release`, "-"],
    });
    // Only printed: what is in the image is not known then.
    if (context.dryRun) return undefined;
    return { text: code === 0 ? stdout.replaceAll("\0", "\n") : "", shell: known.shell };
  } finally {
    await captureDocker(context, engine, { words: ["rm", "-fv", id] });
  }
}
