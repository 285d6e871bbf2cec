import type { ContainerChange } from "../docker.ts";
import type { Edits } from "./edits.ts";

/** A path that differs from the image's, and that no local program touched. */
export interface InsideChange {
  readonly kind: "added" | "changed" | "deleted";
  readonly path: string;
}

// Directories in which programs leave files that no user edits, and what dockerdo itself installs.
const NOISE = [
  "/tmp",
  "/run",
  "/var/run",
  "/var/tmp",
  "/var/lib/apt/lists",
  "/var/cache",
  "/var/log",
  "/etc/dockerdo",
  // What `docker run --init` mounts, on this path or, after a merge of the two, on that.
  "/sbin/docker-init",
  "/usr/sbin/docker-init",
  "/dev",
  "/proc",
  "/sys",
];

const NOISY_FILE =
  /^(\/root|\/home\/[^/]+)(\/\.(bash|ash|zsh|python|sqlite)_history|\/\.viminfo|\/\.lesshst|\/\.ssh(\/authorized_keys)?)$/;

/**
 * What was changed in the container by anything but local programs, in what `docker diff` says. A directory that was
 * added or deleted stands for all that is below it; one that only holds a change is left out.
 */
export function insideChanges(
  diff: readonly ContainerChange[],
  { explains }: Pick<Edits, "explains">,
): InsideChange[] {
  const KIND = { A: "added", C: "changed", D: "deleted" } as const;
  const sorted = [...diff].sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
  const parents = new Set(sorted.map(({ path }) => path.slice(0, path.lastIndexOf("/"))));
  const told: InsideChange[] = [];
  const whole = new Set<string>();
  for (const change of sorted) {
    const { letter, path } = change;
    if (NOISE.some((dir) => path === dir || path.startsWith(`${dir}/`))) continue;
    if (NOISY_FILE.test(path)) continue;
    if (letter === "C" && parents.has(path)) continue;
    if (isBelow(path, whole) || explains(change)) continue;
    if (letter !== "C") whole.add(path);
    told.push({ kind: KIND[letter], path });
  }
  return told;
}

function isBelow(path: string, directories: ReadonlySet<string>): boolean {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    if (directories.has(path.slice(0, at))) return true;
  }
  return false;
}
