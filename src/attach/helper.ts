import { captureDocker, type Container, docker, inspectImage, SESSION_LABEL } from "../docker.ts";
import { sessionContainers } from "../session_containers.ts";
import { Failure } from "../error.ts";
import { type Distro, distroOfName } from "../image/distro.ts";
import { overlayDockerfile } from "../image/overlay.ts";
import { parseReference } from "../image/reference.ts";
import { progress } from "../output.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import COMMAND from "./command.sh" with { type: "text" };
import HELPER from "./helper.sh" with { type: "text" };
import SFTP from "./sftp.sh" with { type: "text" };
import { enginePlace } from "../session/remote_host.ts";

/** The label of a helper: the value is the id of the container that it is for. */
export const HELPER_LABEL = "dockerdo.helper";

// What sshd needs, what opens the root of any container, and what root may do to files.
const CAPABILITIES = [
  ...["SYS_PTRACE", "SYS_CHROOT", "SETUID", "SETGID", "KILL"],
  ...["CHOWN", "FOWNER", "FSETID", "DAC_OVERRIDE", "AUDIT_WRITE"],
];

// Beside sshd: its sftp-server, a chroot that changes the user, and what gives a user of no name an entry.
const INSTALL: Readonly<Record<Distro, string>> = {
  debian: "apt-get update && apt-get install -y --no-install-recommends openssh-sftp-server " +
    "libnss-wrapper && rm -rf /var/lib/apt/lists/*",
  alpine: "apk add --no-cache openssh-sftp-server coreutils nss_wrapper",
  fedora: '"$(command -v dnf || command -v microdnf || command -v yum)" install -y nss_wrapper',
  opensuse: "zypper -n install nss_wrapper",
  arch: "pacman -Sy --noconfirm --needed nss_wrapper",
};

/** The Dockerfile of a helper's image: the overlay, whose sftp serves the files of another container. */
export function helperDockerfile(baseImage: string): string {
  const distro = distroOfName(
    parseReference(baseImage).repository.split("/").at(-1) ?? "",
  ) ?? "debian";
  return `${overlayDockerfile({ baseImage, distro, user: "root" })}
# A helper of dockerdo attach: no key of its own, and the files of the container that it is started for.
RUN ${INSTALL[distro]}
RUN sed -i 's#^Subsystem .*#Subsystem sftp /etc/dockerdo/sftp\\nForceCommand /etc/dockerdo/command#' \\
    /etc/dockerdo/sshd_config && \\
    : >/etc/dockerdo/authorized_keys
RUN printf '%s\\n' \\
${asLines(SFTP)} >/etc/dockerdo/sftp
RUN printf '%s\\n' \\
${asLines(COMMAND)} >/etc/dockerdo/command
RUN printf '%s\\n' \\
${
    asLines(HELPER)
  } >/etc/dockerdo/helper && chmod 755 /etc/dockerdo/sftp /etc/dockerdo/command /etc/dockerdo/helper
`;
}

function asLines(script: string): string {
  return script.trimEnd().split("\n").filter((line) => !/^\s*#(?!!)/.test(line))
    .map((line) => `    '${line.replaceAll("'", "'\\''")}'`).join(" \\\n");
}

/** Makes the helper's image where it is not there yet, and says so first; returns its tag. */
export async function provideHelperImage(
  context: Context,
  session: Session,
  baseImage: string,
): Promise<string> {
  const text = helperDockerfile(baseImage);
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const tag = `dockerdo-helper:${new Uint8Array(hash).toHex().slice(0, 12)}`;
  if (await inspectImage(context, session, tag) !== undefined) return tag;
  const where = session.remoteHost?.name ?? "the local host";
  progress(
    context,
    enginePlace(session),
    `Building the helper's image on ${where}, once: ${baseImage} with sshd`,
  );
  await docker(context, session, {
    words: ["build", "-t", tag, "--build-arg", "SSH_PUB_KEY=ssh-ed25519 none", "-"],
    input: text,
    doing: "Building the helper's image",
  });
  return tag;
}

/**
 * Starts the helper of an attached session unless one runs: a container of ours in the pid and network namespaces
 * of the target, out of whose root it serves files. Those of an earlier life of the target go. Returns its id.
 */
export async function startHelper(
  context: Context,
  session: Session,
  { target, image }: { readonly target: Container; readonly image: string },
): Promise<string> {
  const helpers = await sessionContainers(context, session);
  const fit = helpers.find(({ status, labels }) =>
    status === "running" && labels[HELPER_LABEL] === target.id
  );
  for (const helper of helpers) if (helper !== fit) await removeHelper(context, session, helper.id);
  if (fit !== undefined) return fit.id;
  const { pidMode, networkMode, appArmor } = target;
  const started = await captureDocker(context, session, {
    words: [
      ...["run", "-d", "--rm", "--pull", "never"],
      ...["--label", `${SESSION_LABEL}=${session.id}`, "--label", `${HELPER_LABEL}=${target.id}`],
      ...["--pid", pidMode === "host" ? "host" : `container:${target.id}`],
      ...["--network", networkMode === "host" ? "host" : `container:${target.id}`],
      ...["--cap-drop", "ALL", ...CAPABILITIES.flatMap((name) => ["--cap-add", name])],
      ...appArmor === "" ? [] : ["--security-opt", `apparmor=${appArmor}`],
      ...["--log-driver", "none", "--no-healthcheck", "--entrypoint", "/etc/dockerdo/helper"],
      ...[image, target.id, session.attached?.user || target.user],
    ],
  });
  if (started.code !== 0) {
    throw new Failure(`the helper of ${target.name} does not start: ${started.stderr.trim()}`, {
      hint: "docker must allow it to join the container's namespaces, with CAP_SYS_PTRACE.",
    });
  }
  return started.stdout.trim();
}

/** Ends the helpers of a session; the containers that they are for stay as they are. */
export async function removeHelpers(context: Context, session: Session): Promise<void> {
  for (const { id } of await sessionContainers(context, session)) {
    await removeHelper(context, session, id);
  }
}

async function removeHelper(context: Context, session: Session, id: string): Promise<void> {
  const removed = await captureDocker(context, session, { words: ["rm", "-f", id] });
  if (removed.code !== 0 && !/no such container|already in progress/i.test(removed.stderr)) {
    throw new Failure(`the helper ${id.slice(0, 12)} stays: ${removed.stderr.trim()}`);
  }
}

/** Whether the target has a shell, asked of it by running it. */
export async function hasShell(
  context: Context,
  session: Session,
  target: Container,
): Promise<boolean> {
  const words = ["exec", "-w", "/", target.id, "/bin/sh", "-c", ":"];
  const { code, stdout, stderr } = await captureDocker(context, session, { words, readOnly: true });
  if (code === 0) return true;
  // docker writes it on either stream.
  const complaint = `${stdout}${stderr}`.trim();
  if (/no such file|not found|permission denied/i.test(complaint)) return false;
  throw new Failure(`docker exec in ${target.name} fails: ${complaint}`);
}
