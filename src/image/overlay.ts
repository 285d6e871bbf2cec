import { type Distro, distroOfName, distroOfRelease, DISTROS } from "./distro.ts";
import {
  captureDocker,
  docker,
  type EngineHost,
  inspectImage,
  OVERLAY_LABEL,
  SESSION_LABEL,
} from "../docker.ts";
import { Failure, usageFailure } from "../error.ts";
import { parseReference } from "./reference.ts";
import { progress } from "../output.ts";
import { joinPath } from "../paths.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { SSHD } from "../ssh/config_file.ts";

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

const ADD_USER: Readonly<Record<Distro, string>> = {
  debian: "useradd -m",
  alpine: "adduser -D",
  fedora: "useradd -m",
  opensuse: "useradd -m",
  arch: "useradd -m",
};

/** Checks the name of the container's user, which goes into a Dockerfile and shell lines. */
export function checkUserName(user: string): string {
  if (/^[a-z_][a-z0-9_-]{0,31}$/.test(user)) return user;
  throw usageFailure(
    `${JSON.stringify(user)} cannot be a user of the container`,
    "Use a lower-case letter, then letters, digits, dashes or underscores.",
  );
}

/**
 * The text of Dockerfile.dockerdo: the base image with sshd, the public key in authorized_keys, and a CMD
 * that keeps the container running. Needs neither BuildKit nor a build context. Host keys are not in it:
 * each container makes its own at its start.
 */
export function overlayDockerfile(
  { baseImage, distro, user }: {
    readonly baseImage: string;
    readonly distro: Distro;
    readonly user: string;
  },
): string {
  const sshdConfig = [
    "HostKey /etc/dockerdo/ssh_host_ed25519_key",
    "AuthenticationMethods publickey",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PermitRootLogin prohibit-password",
    "PermitUserEnvironment no",
    "AcceptEnv DODO_*",
    "AuthorizedKeysFile .ssh/authorized_keys",
    "StrictModes no",
    "Subsystem sftp internal-sftp",
    "MaxSessions 1000",
    "MaxStartups 100",
    "ClientAliveInterval 4",
    "ClientAliveCountMax 2",
    "PidFile none",
    "PrintMotd no",
    "PrintLastLog no",
    "UseDNS no",
  ];
  // Two starters at once must end with one key: ln(1) fails where the name is taken.
  const start = [
    "#!/bin/sh",
    "# sshd with a host key of this container; further arguments go to sshd.",
    "set -e",
    'PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"',
    "key=/etc/dockerdo/ssh_host_ed25519_key",
    'if [ ! -s "$key" ]; then',
    '  ssh-keygen -q -t ed25519 -N "" -C dockerdo -f "$key.$$"',
    '  ln "$key.$$" "$key" 2>/dev/null || [ -s "$key" ]; rm -f "$key.$$" "$key.$$.pub"',
    "fi",
    "mkdir -p /run/sshd; chmod 755 /run/sshd",
    'exec "$(command -v sshd)" -f /etc/dockerdo/sshd_config "$@"',
  ];
  return `# Made by dockerdo: ${baseImage} with what an ssh session needs.
# Edit it as you like: \`dockerdo build\` takes it as it is, \`dockerdo overlay --force\` makes it anew.
FROM ${baseImage}
USER root

# sshd; host keys that a package makes at its installation must not stay in an image.
RUN command -v sshd || [ -x /usr/sbin/sshd ] || { ${INSTALL_SSHD[distro]}; }; \\
    rm -f /etc/ssh/ssh_host_*; command -v ssh-keygen && { command -v sshd || [ -x /usr/sbin/sshd ]; }
RUN mkdir -p /etc/dockerdo && printf '%s\\n' \\
${lines(sshdConfig)} > /etc/dockerdo/sshd_config
RUN printf '%s\\n' \\
${lines(start)} > ${SSHD} && chmod 755 ${SSHD}

# The user that logs in: there, with a shell, and not locked; sshd takes nothing but the key.
RUN id -u ${user} >/dev/null 2>&1 || ${ADD_USER[distro]} ${user}; \\
    sed -i 's#^\\(${user}:.*:\\)[^:]*/\\(nologin\\|false\\)$#\\1/bin/sh#' /etc/passwd; \\
    if [ -f /etc/shadow ]; then sed -i 's/^${user}:!*[^:]*:/${user}:*:/' /etc/shadow; fi
ARG SSH_PUB_KEY
RUN : "\${SSH_PUB_KEY:?give your public key with --build-arg}" && home=~${user} && mkdir -p "$home/.ssh" && \\
    printf '%s\\n' "$SSH_PUB_KEY" >> "$home/.ssh/authorized_keys" && \\
    chmod 700 "$home/.ssh" && chmod 600 "$home/.ssh/authorized_keys" && chown -R "$(id -u ${user}):$(id -g ${user})" "$home/.ssh"

LABEL ${OVERLAY_LABEL}="1"
EXPOSE 22
ENTRYPOINT []
CMD ["${SSHD}", "-D", "-e"]
`;
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `    '${text}'`).join(" \\\n");
}

/** Whether a Dockerfile takes files from the build context, so that there must be one. */
export function needsContext(dockerfile: string): boolean {
  return /^\s*(COPY|ADD)\s/im.test(dockerfile.replace(/^\s*#.*$/gm, ""));
}

/** The overlay's Dockerfile in the session's work dir. */
export function overlayPath(session: Session): string {
  return joinPath(session.workDir, "Dockerfile.dockerdo");
}

/** The overlay's Dockerfile as it stands in the work dir; undefined where there is none. */
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
  const existing = await readOverlay(session);
  if (existing !== undefined && !force && !isGenerated(existing, session.user)) {
    throw new Failure(`${overlayPath(session)} has been edited`, {
      hint: "dockerdo overlay --force writes it anew; dockerdo build takes it as it is.",
    });
  }
  const distro = await findDistro(context, session, defaultDistro);
  const text = overlayDockerfile({ baseImage: session.baseImage, distro, user: session.user });
  progress(
    context,
    "local",
    `Writing ${overlayPath(session)} for ${session.baseImage} (${distro})`,
  );
  if (!context.dryRun) await Deno.writeTextFile(overlayPath(session), text);
  return text;
}

function isGenerated(text: string, user: string): boolean {
  const baseImage = /^FROM (.+)$/m.exec(text)?.[1] ?? "";
  return DISTROS.some((distro) => overlayDockerfile({ baseImage, distro, user }) === text);
}

async function findDistro(
  context: Context,
  session: Session,
  defaultDistro: string | null,
): Promise<Distro> {
  if (session.distro !== null) {
    const named = distroOfName(session.distro);
    if (named !== undefined) return named;
    throw usageFailure(
      `${JSON.stringify(session.distro)} is not a distribution that the overlay knows`,
      `Use one of ${DISTROS.join(", ")}.`,
    );
  }
  const engines: EngineHost[] = session.remoteHost === null ? ["local"] : ["local", session];
  for (const engine of engines) {
    const release = await readRelease(context, engine, session);
    if (release === undefined) continue;
    const { id, distro } = distroOfRelease(release);
    if (distro !== undefined) return distro;
    throw new Failure(
      `the overlay does not know the distribution of ${session.baseImage}: ${id || "no ID"}`,
      {
        hint: `Name the nearest one with --distro: ${DISTROS.join(", ")}.`,
      },
    );
  }
  const lastPart = parseReference(session.baseImage).repository.split("/").at(-1) ?? "";
  const guess = distroOfName(lastPart) ?? distroOfName(defaultDistro ?? "");
  if (guess !== undefined) return guess;
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
): Promise<string | undefined> {
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
    return code === 0 ? stdout.replaceAll("\0", "\n") : "";
  } finally {
    await captureDocker(context, engine, { words: ["rm", "-f", id] });
  }
}
