/** What comes into an image by COPY, and what the language of Dockerfiles has no COPY for. */
import { isSecretPath } from "../secrets.ts";
import { type Decision, isCopied } from "./decide.ts";
import type { Evidence } from "./evidence.ts";
import { parseApt } from "./packages.ts";
import { isServerData, volatileBy } from "./rules.ts";
import { type Entry, named, parentOf, type Survey, type Tree } from "./tree.ts";

/** One path that a Dockerfile brings in as it stands in the container. */
export interface Copy {
  readonly entry: Entry;
  /** What differs from the image: its content (or its being there), or no more than mode and owner. */
  readonly whole: boolean;
  /** When it belongs there, in seconds of the container's clock. */
  readonly time: number;
  /** As COPY has it: `user:group`; undefined for root's. */
  readonly owner: string | undefined;
}

/** A path that is not copied although nothing else makes it, and why. */
export interface Omission {
  readonly path: string;
  readonly why: "secret" | "big" | "socket" | "mount";
}

export interface Copies {
  readonly copies: readonly Copy[];
  readonly removals: readonly { readonly path: string; readonly time: number }[];
  readonly omissions: readonly Omission[];
}

/** Bytes from which a file is named and not copied. */
export const BIG_FILE = 100 * 2 ** 20;

/** What is to be copied, made or removed by the Dockerfile itself, in no order. */
export function findCopies(
  { evidence, decisions, survey, image, isSecret, isAllowed, hasSameContent, baseUsers }: {
    readonly evidence: Evidence;
    readonly decisions: readonly Decision[];
    readonly survey: Survey;
    /** The tree of the image that the container was started from. */
    readonly image: Tree;
    /** Files whose content looks like a secret. */
    readonly isSecret: (path: string) => boolean;
    readonly isAllowed: (path: string) => boolean;
    /** Whether a file has the content that it has in that image. */
    readonly hasSameContent: (path: string) => boolean;
    /** Whether the base image has this user or group already. */
    readonly baseUsers: (owner: string) => boolean;
  },
): Copies {
  const copies: Copy[] = [];
  const omissions: Omission[] = [];
  const removals: { path: string; time: number }[] = [];
  for (const [path, toucher] of evidence.last) {
    if (isLeftOut(path) || !isCopied(path, evidence, decisions)) continue;
    const entry = survey.tree.get(path);
    if (entry === undefined && isBelowOther(path, survey.tree)) continue;
    const time = timeOf(
      path,
      evidence,
      toucher.by === "command" ? evidence.commands[toucher.number]?.end ?? 0 : toucher.time,
    );
    if (entry === undefined) {
      removals.push({ path, time });
      continue;
    }
    if (entry.type === "s") {
      omissions.push({ path, why: "socket" });
      continue;
    }
    if ((isSecretPath(path) || isSecret(path)) && !isAllowed(path)) {
      omissions.push({ path, why: "secret" });
      continue;
    }
    if (entry.type === "f" && entry.size > BIG_FILE) {
      omissions.push({ path, why: "big" });
      continue;
    }
    const name = ownerOf(entry, survey);
    const known = name === undefined || baseUsers(name);
    // A name that nothing in the Dockerfile makes would end its build.
    const owner = known || makesAccount(entry, evidence, decisions)
      ? name
      : `${entry.uid}:${entry.gid}`;
    copies.push({
      entry,
      whole: !(image.get(path)?.type === entry.type &&
        (entry.type === "d" || entry.type === "f" && hasSameContent(path))),
      time: known ? time : Math.max(time, entry.ctime),
      owner,
    });
  }
  return { copies, removals: topmost(removals), omissions };
}

/** Whether a kept command may have added a file's owner; packages bring none of the ids that people have. */
function makesAccount(
  { uid, gid }: Entry,
  evidence: Evidence,
  decisions: readonly Decision[],
): boolean {
  const isPersons = uid >= 1000 || gid >= 1000;
  return decisions.some(({ keep, command: { number, command } }) =>
    keep && !(isPersons && parseApt(command) !== undefined) &&
    (evidence.verdicts[number] !== "changed" ||
      [...evidence.touched[number] ?? []].some(isAccountFile))
  );
}

/** Whether a path takes no part: what git keeps belongs to a tree that is copied whole. */
function isLeftOut(path: string): boolean {
  const rule = volatileBy(path);
  return isServerData(path) || /^(\/var)?\/tmp(\/|$)/.test(path) ||
    isAccountFile(path) || rule !== undefined && !/\/\.git\//.test(path);
}

/** Files that the overlay has changed too: they are never copied, for its users and packages are in them. */
export function isAccountFile(path: string): boolean {
  return /^\/etc\/(passwd|group|shadow|gshadow|subuid|subgid)$|^\/var\/lib\/(dpkg\/status|apt\/extended_states)$/
    .test(path);
}

function timeOf(path: string, { edited }: Evidence, otherwise: number): number {
  return edited.get(path)?.first ?? otherwise;
}

/** The owner as COPY and chown have it; undefined for root and its group. */
export function ownerOf(entry: Entry, { users, groups }: Survey): string | undefined {
  return entry.uid === 0 && entry.gid === 0
    ? undefined
    : `${named(users, entry.uid)}:${named(groups, entry.gid)}`;
}

/** Whether a path is below what is no directory any more: through a link, it would be another path. */
function isBelowOther(path: string, tree: Tree): boolean {
  for (let at = parentOf(path); at !== "/"; at = parentOf(at)) {
    const holder = tree.get(at);
    if (holder !== undefined && holder.type !== "d") return true;
  }
  return false;
}

/** Of paths that are gone: those whose directory is still there. */
function topmost(
  removals: readonly { readonly path: string; readonly time: number }[],
): { readonly path: string; readonly time: number }[] {
  const all = new Set(removals.map(({ path }) => path));
  return removals.filter(({ path }) => {
    for (let at = parentOf(path); at !== "/"; at = parentOf(at)) if (all.has(at)) return false;
    return true;
  });
}
