/** The families of distributions that the overlay knows how to equip with sshd. */
export const DISTROS = ["debian", "alpine", "fedora", "opensuse", "arch"] as const;
export type Distro = typeof DISTROS[number];

// ID and ID_LIKE words of os-release(5), and what users write for --distro.
const FAMILY: Readonly<Record<string, Distro>> = {
  debian: "debian",
  ubuntu: "debian",
  alpine: "alpine",
  wolfi: "alpine",
  chainguard: "alpine",
  fedora: "fedora",
  rhel: "fedora",
  centos: "fedora",
  rocky: "fedora",
  almalinux: "fedora",
  amzn: "fedora",
  opensuse: "opensuse",
  suse: "opensuse",
  sles: "opensuse",
  "opensuse-leap": "opensuse",
  "opensuse-tumbleweed": "opensuse",
  arch: "arch",
};

/** The family named by the text of an os-release(5) file: by ID, then by the words of ID_LIKE. */
export function distroOfRelease(osRelease: string): { id: string; distro: Distro | undefined } {
  const value = (key: string): string =>
    new RegExp(`^${key}=["']?([^"'\\n]*)`, "m").exec(osRelease)?.[1]?.toLowerCase() ?? "";
  const id = value("ID");
  const known = [id, ...value("ID_LIKE").split(/\s+/)].find((word) => Object.hasOwn(FAMILY, word));
  return { id, distro: known === undefined ? undefined : FAMILY[known] };
}

/** The family that a name means: one of --distro, or the last part of an image's repository. */
export function distroOfName(name: string): Distro | undefined {
  const word = name.toLowerCase();
  return Object.hasOwn(FAMILY, word) ? FAMILY[word] : undefined;
}
