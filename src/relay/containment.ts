/**
 * Symbolic links that cannot leave the mount.
 *
 * The kernel follows a link's target on this machine, so a target that the container chose must
 * be turned into one that cannot lead out, whatever other links stand on its way. The rule: what
 * is shown is either the target itself, when its `..` all stand in front and are no more than the
 * link is deep (the kernel counts them from the directory in which it found the link), or an
 * absolute path below the mount point without any `..`. A `..` behind a name, which a second link
 * could turn into a climb, is never given out. What lies outside the mounted directory is shown
 * below a name that does not exist there: such a link dangles.
 */

export interface Mapping {
  /** The directory of the server that is mounted, absolute, without a final slash ("" for "/"). */
  readonly base: string;
  /** Where it is mounted on this machine, absolute, as a binary string. */
  readonly mountPoint: string;
}

/** In the mounted directory, the name that never exists; links to the outside lead there. */
export const OUTSIDE = ".dockerdo-outside";
/** Bytes of the longest path that a C program takes (PATH_MAX without its NUL). */
const MAX_TARGET_BYTES = 4095;

/** The mapping of a mount; throws where it is not by absolute paths. */
export function mappingOf(base: string, mountPoint: string): Mapping {
  const isPath = (path: string) => path.startsWith("/") && !path.includes("\0");
  const mapping = { base: base.replace(/\/+$/, ""), mountPoint };
  if (isPath(base) && isPath(mountPoint) && !words(base).includes("..")) return mapping;
  throw new Error(`${JSON.stringify(base)} at ${JSON.stringify(mountPoint)} is no absolute path`);
}

/**
 * Whether this can be the target of a link at all. sshfs and the kernel read it as a C string: a
 * NUL would end it earlier for them than for us.
 */
export function isTarget(target: string): boolean {
  return target !== "" && target.length <= MAX_TARGET_BYTES && !target.includes("\0");
}

/** Whether a target has to be resolved by the server before it can be contained. */
export function needsServer(target: string): boolean {
  let named = false;
  for (const part of target.split("/")) {
    if (part === "..") {
      if (named) return true;
    } else if (part !== "" && part !== ".") named = true;
  }
  return false;
}

/**
 * The target to show for a link at the absolute path `link` of the server; undefined for one that
 * cannot be shown. `target` is what the server said, or its resolved absolute form where
 * `needsServer`.
 */
export function contain(link: string, target: string, mapping: Mapping): string | undefined {
  if (!isTarget(target) || !link.startsWith("/")) return undefined;
  const parent = words(link.slice(0, link.lastIndexOf("/")));
  const path = words(target);
  if (!target.startsWith("/") && !parent.includes("..")) {
    const depth = inside(parent, mapping.base)?.length ?? -1;
    const named = path.findIndex((word) => word !== "..");
    const climbs = named === -1 ? path.length : named;
    if (climbs <= depth && !path.includes("..", climbs)) return target;
  }
  const settled = settle(target.startsWith("/") ? path : [...parent, ...path]);
  const kept = inside(settled, mapping.base) ?? [OUTSIDE, ...settled];
  const shown = [mapping.mountPoint, ...kept].join("/");
  return isTarget(shown) ? shown : undefined;
}

/** The target to store for a link that a local program makes: a path inside the mount is the container's. */
export function release(target: string, { base, mountPoint }: Mapping): string {
  if (target === mountPoint) return base === "" ? "/" : base;
  if (!target.startsWith(mountPoint + "/")) return target;
  const path = target.slice(mountPoint.length);
  if (base !== "" && path.startsWith(`/${OUTSIDE}/`)) return path.slice(OUTSIDE.length + 1);
  return base + path;
}

/** Whether a path of the server is one that only links to the outside have. */
export function isOutside(path: string, { base }: Mapping): boolean {
  if (base === "" || !path.includes(OUTSIDE)) return false;
  return inside(words(path), base)?.[0] === OUTSIDE;
}

function words(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** The part of a path below the base; undefined when it lies elsewhere. */
function inside(path: string[], base: string): string[] | undefined {
  const root = words(base);
  return root.every((part, i) => path[i] === part) ? path.slice(root.length) : undefined;
}

/** `..` resolved by name alone; at the root it stays there, as in the container. */
function settle(path: string[]): string[] {
  const settled: string[] = [];
  for (const word of path) {
    if (word === "..") settled.pop();
    else settled.push(word);
  }
  return settled;
}
