/**
 * Symbolic links that can't leave the mount.
 *
 * The kernel follows a link's target on this machine, so a target that the container chose must
 * be turned into one that can't lead out, whatever other links stand on its way. The rule: what
 * is shown is either the target itself, when its `..` all stand in front and are no more than the
 * link is deep (the kernel counts them from the directory in which it found the link), or an
 * absolute path below the mount point without any `..`. A `..` behind a name, which a second link
 * could turn into a climb, is never given out.
 */

export interface Mapping {
  /** The directory of the server that is mounted, absolute, without a final slash ("" for "/"). */
  base: string;
  /** Where it is mounted on this machine, absolute, as a binary string. */
  mountPoint: string;
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
 * The target to show for a link at the absolute path `link` of the server. `target` is what the
 * server said, or its resolved absolute form where `needsServer`.
 */
export function contain(link: string, target: string, mapping: Mapping): string {
  const home = inside(words(link.slice(0, link.lastIndexOf("/"))), mapping.base);
  const path = words(target);
  if (target.startsWith("/")) {
    const settled = settle(path);
    return place(inside(settled, mapping.base) ?? settled, mapping);
  }
  const named = path.findIndex((word) => word !== "..");
  const climbs = named === -1 ? path.length : named;
  if (home !== undefined && climbs <= home.length && !path.includes("..", climbs)) return target;
  return place(settle([...home ?? [], ...path]), mapping);
}

/** The target to store for a link that a local program makes: a path inside the mount is the container's. */
export function release(target: string, { base, mountPoint }: Mapping): string {
  if (target === mountPoint) return base === "" ? "/" : base;
  return target.startsWith(mountPoint + "/") ? base + target.slice(mountPoint.length) : target;
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

function place(path: string[], { mountPoint }: Mapping): string {
  return [mountPoint, ...path].join("/");
}
