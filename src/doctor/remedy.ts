import { type Distro, distroOfRelease } from "../image/distro.ts";
import { quote, quoteAll } from "../quote.ts";

/** What kind of system a command is for. */
export interface System {
  /** undefined where it is unknown to us. */
  readonly family: Distro | "macos" | undefined;
  /** os-release(5)'s ID. */
  readonly id: string;
  readonly root: boolean;
  readonly systemd: boolean;
  /** The words in front of a command that is for another host: `ssh -t HOST`. */
  readonly reach: readonly string[];
}

type Program = "ssh" | "sshfs" | "fuse" | "docker";

const INSTALL: Readonly<Record<NonNullable<System["family"]>, string>> = {
  debian: "apt-get install",
  fedora: "dnf install",
  alpine: "apk add",
  opensuse: "zypper install",
  arch: "pacman -S",
  macos: "brew install",
};

const PACKAGES: Readonly<Record<Program, Readonly<Record<keyof typeof INSTALL, string>>>> = {
  ssh: {
    debian: "openssh-client",
    fedora: "openssh-clients",
    alpine: "openssh-client",
    opensuse: "openssh-clients",
    arch: "openssh",
    macos: "openssh",
  },
  sshfs: {
    debian: "sshfs",
    fedora: "fuse-sshfs",
    alpine: "sshfs",
    opensuse: "sshfs",
    arch: "sshfs",
    macos: "gromgit/fuse/sshfs-mac",
  },
  fuse: {
    debian: "fuse3",
    fedora: "fuse3",
    alpine: "fuse3",
    opensuse: "fuse3",
    arch: "fuse3",
    macos: "--cask macfuse",
  },
  docker: {
    debian: "docker.io",
    fedora: "moby-engine",
    alpine: "docker",
    opensuse: "docker",
    arch: "docker",
    macos: "--cask docker",
  },
};

// Of this family Fedora alone has an engine of its own.
const DOCKER_REPOSITORY = "dnf config-manager --add-repo " +
  "https://download.docker.com/linux/centos/docker-ce.repo";

/** The system that a host is, from the text of its os-release file. */
export function systemOf(
  { os, release, root, systemd, reach = [] }: {
    readonly os: "linux" | "macos";
    readonly release: string;
    readonly root: boolean;
    readonly systemd: boolean;
    readonly reach?: readonly string[];
  },
): System {
  const { id, distro } = distroOfRelease(release);
  return { family: os === "macos" ? "macos" : distro, id, root, systemd, reach };
}

/** The command that installs a program. */
export function install(system: System, program: Program): string {
  const { family, id } = system;
  if (family === undefined) return `Install ${program} with the system's packages.`;
  if (family === "fedora" && program === "docker" && id !== "fedora") {
    return asAdmin(system, [DOCKER_REPOSITORY, "dnf install docker-ce docker-ce-cli"]);
  }
  return asAdmin(system, [`${INSTALL[family]} ${PACKAGES[program][family]}`]);
}

/** The command that starts docker's engine. */
export function startDocker(system: System): string {
  if (system.family === "macos") return "open -a Docker";
  if (system.systemd) return asAdmin(system, ["systemctl enable --now docker"]);
  return asAdmin(system, [
    system.family === "alpine" ? "rc-service docker start" : "service docker start",
  ]);
}

/** The command that lets the user use docker's engine; it counts from the next login on. */
export function allowDocker(system: System): string {
  const add = system.family === "alpine" ? 'addgroup "$USER" docker' : 'usermod -aG docker "$USER"';
  const then = system.reach.length === 0 ? "; then log in again" : "";
  return `${asAdmin(system, [add])}${then}`;
}

/** A line of shell for the administrator of a system, to be typed here. */
export function asAdmin(system: System, lines: readonly string[]): string {
  const sudo = system.root || system.family === "macos" ? "" : "sudo ";
  return reaching(system, lines.map((line) => sudo + line).join(" && "));
}

/** A line of shell for a system, to be typed here. */
export function reaching(system: System, line: string): string {
  return system.reach.length === 0 ? line : `${quoteAll(system.reach)} ${quote(line)}`;
}
