/** What differs between two file systems on one engine, before anybody has read a file. */
import { type Entry, isSameFile, type Tree } from "./tree.ts";

export interface Difference {
  /** Entries of the first that the second lacks, or has otherwise. */
  readonly changed: readonly Entry[];
  /** Paths that the first lacks. */
  readonly removed: readonly string[];
  /** Of the changed: files that look the same but for their inode. Their content must be compared. */
  readonly doubtful: readonly string[];
}

/** Compares two trees. Of directories mode and owner count, of links the target, of files what they are. */
export function diffPaths(now: Tree, before: Tree): Difference {
  const changed: Entry[] = [];
  const doubtful: string[] = [];
  for (const [path, entry] of now) {
    const old = before.get(path);
    if (old === undefined || old.type !== entry.type) {
      changed.push(entry);
      continue;
    }
    const sameOwner = old.mode === entry.mode && old.uid === entry.uid && old.gid === entry.gid;
    if (entry.type !== "f") {
      const isLink = entry.type === "l";
      const same = isLink
        ? old.target === entry.target && old.uid === entry.uid && old.gid === entry.gid
        : sameOwner;
      if (!same) changed.push(entry);
      continue;
    }
    if (sameOwner && isSameFile(old, entry)) continue;
    changed.push(entry);
    if (old.size === entry.size) doubtful.push(path);
  }
  return { changed, removed: [...before.keys()].filter((path) => !now.has(path)), doubtful };
}
