/** What kind of file system lies where on the server, and what its clock says: asked once. */
import type { Link } from "./link.ts";
import { binary, isPlain, mtimeOf, Open, Type } from "./wire.ts";

/** File systems whose files are what they seem: their names and sizes hold still. */
const PLAIN = new Set([
  "overlay",
  "ext2",
  "ext3",
  "ext4",
  "xfs",
  "btrfs",
  "zfs",
  "f2fs",
  "aufs",
  "tmpfs",
  "ramfs",
  "vfat",
  "exfat",
  "ntfs",
  "ntfs3",
  "bcachefs",
  "squashfs",
  "erofs",
  "reiserfs",
  "jfs",
  "iso9660",
]);
const ALWAYS_SPECIAL = ["/proc", "/sys", "/dev"];

/** The file systems of /proc and /sys; below the first such mount there may be others. */
const PROC_AND_SYS = new Set(["proc", "sysfs"]);
const PIECE = 32 * 1024;
const LONGEST = 1 << 20;

export class Areas {
  #mounts = new Map<string, boolean>(ALWAYS_SPECIAL.map((path) => [path, false]));
  #procAndSys: ReadonlySet<string> = new Set();
  #offset: number | undefined;
  #boot: string | undefined;

  /** `base`: the mounted directory, without a final slash. Nothing above it is ever looked at. */
  constructor(private readonly base: string) {}

  /** Asks the server; to be called on each connection. `same`: it has not been started again in between. */
  learn(link: Link, same: () => void = () => {}): void {
    readAll(link, "/proc/sys/kernel/random/boot_id", (text) => {
      if (text !== undefined && text === this.#boot) same();
      this.#boot = text;
    });
    // The directory of the process that answers was made a moment ago: its time is now.
    link.send(Type.STAT, (to) => to.text("/proc/self"), (type, answer) => {
      if (type !== Type.ATTRS || answer === undefined) return;
      const attrs = answer.rest();
      if (isPlain(attrs)) this.#offset = mtimeOf(attrs) - performance.now() / 1000;
    });
    readAll(link, "/proc/self/mountinfo", (text) => {
      if (text === undefined) return;
      this.#mounts = parseMounts(text);
      this.#procAndSys = parseProcAndSys(text);
    });
  }

  /** Whether a path lies where nothing may be kept or fetched ahead. */
  isSpecial(path: string): boolean {
    if (
      !path.startsWith(this.base) ||
      (path.length > this.base.length && path[this.base.length] !== "/")
    ) {
      return true;
    }
    for (let at = path.length; at > 0; at = path.lastIndexOf("/", at - 1)) {
      const plain = this.#mounts.get(at === path.length ? path : path.substring(0, at));
      if (plain !== undefined) return !plain;
    }
    return false;
  }

  /**
   * Whether a directory is the server's /proc or /sys, whose names are listed to nobody: a program that walks the
   * mount would fall into a tree without an end. What is named there is there.
   */
  isProcOrSys(path: string): boolean {
    return this.#procAndSys.has(path);
  }

  /**
   * Seconds since 1970 on the server, good to a second or two. It stands still while this machine sleeps: too
   * early is the safe side.
   */
  serverTime(): number | undefined {
    return this.#offset === undefined ? undefined : performance.now() / 1000 + this.#offset;
  }
}

/** Mount points, and whether what is mounted there is plain. */
export function parseMounts(text: string): Map<string, boolean> {
  const mounts = new Map(mountsIn(text).map(({ path, type }) => [path, PLAIN.has(type)]));
  for (const path of ALWAYS_SPECIAL) mounts.set(path, false);
  return mounts;
}

/** The outermost mount points of proc and sysfs. */
export function parseProcAndSys(text: string): ReadonlySet<string> {
  const paths = mountsIn(text).filter(({ type }) => PROC_AND_SYS.has(type)).map(({ path }) => path);
  return new Set(paths.filter((path) => !paths.some((above) => path.startsWith(`${above}/`))));
}

/** Mount points and types in the text of /proc/self/mountinfo (proc(5)). */
function mountsIn(text: string): { readonly path: string; readonly type: string }[] {
  return text.split("\n").flatMap((line) => {
    const [before, after] = line.split(" - ");
    const point = before?.split(" ")[4];
    const type = after?.split(" ")[0];
    if (point === undefined || type === undefined || point === "/") return [];
    const path = point.replace(
      /\\([0-7]{3})/g,
      (_, code) => String.fromCharCode(parseInt(code, 8)),
    );
    return [{ path, type }];
  });
}

function readAll(link: Link, path: string, done: (text: string | undefined) => void): void {
  link.send(Type.OPEN, (to) => to.text(path).u32(Open.READ).u32(0), (type, answer) => {
    if (type !== Type.HANDLE || answer === undefined) return done(undefined);
    const handle = answer.blob().slice();
    let text = "";
    const more = () => {
      link.send(
        Type.READ,
        (to) => to.blob(handle).u64(text.length).u32(PIECE),
        (type, answer) => {
          const data = type === Type.DATA ? answer?.blob() : undefined;
          if (data !== undefined && data.length > 0 && text.length < LONGEST) {
            text += binary(data);
            return more();
          }
          link.closeHandle(handle);
          done(text);
        },
      );
    };
    more();
  });
}
