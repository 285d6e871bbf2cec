/** A file system in memory, with the history of every name and every file: what was true, and when. */
import { Status } from "../../../../src/relay/wire.ts";

export interface Inode {
  readonly number: number;
  readonly kind: "file" | "dir" | "link";
  mode: number;
  mtime: number;
  links: number;
  data: Uint8Array;
  readonly target: string;
  /** Of a directory. */
  readonly names: Map<string, Inode>;
  /** Every content it ever had, each with the time from which on it had it. */
  readonly past: { at: number; data: Uint8Array; mode: number }[];
}

/** An operation that cannot be done, with SFTP's number for it. */
export class Refused extends Error {
  constructor(readonly code: number) {
    super(`status ${code}`);
  }
}

export class FileSystem {
  readonly root: Inode;
  /** What each path led to, from when on; undefined: nothing. */
  readonly history = new Map<string, { at: number; inode: Inode | undefined }[]>();
  /** How often anything was changed. */
  changes = 0;
  #inodes = 1;

  constructor(readonly clock: { readonly now: number; readonly seconds: number }) {
    this.root = this.#make("dir", 0o40755);
  }

  #make(kind: Inode["kind"], mode: number, target = ""): Inode {
    const data = new Uint8Array(0);
    const inode: Inode = {
      number: this.#inodes++,
      kind,
      mode,
      mtime: this.clock.seconds,
      links: 1,
      data,
      target,
      names: new Map(),
      past: [],
    };
    this.#note(inode);
    return inode;
  }

  #note(inode: Inode): void {
    inode.past.push({ at: this.clock.now, data: inode.data, mode: inode.mode });
  }

  #named(path: string, inode: Inode | undefined): void {
    const past = this.history.get(path) ?? [];
    past.push({ at: this.clock.now, inode });
    this.history.set(path, past);
    for (const [name, child] of inode?.names ?? []) this.#named(`${path}/${name}`, child);
  }

  #gone(path: string, inode: Inode): void {
    for (const [name, child] of inode.names) this.#gone(`${path}/${name}`, child);
    this.#named(path, undefined);
  }

  find(path: string): Inode | undefined {
    let at: Inode | undefined = this.root;
    for (const word of path.split("/")) if (word !== "") at = at?.names.get(word);
    return at;
  }

  get(path: string): Inode {
    const found = this.find(path);
    if (found === undefined) throw new Refused(Status.NO_SUCH_FILE);
    return found;
  }

  #place(path: string): { parent: Inode; name: string } {
    const slash = path.lastIndexOf("/");
    const parent = this.get(path.slice(0, slash));
    if (parent.kind !== "dir" || slash === path.length - 1) throw new Refused(Status.FAILURE);
    return { parent, name: path.slice(slash + 1) };
  }

  #put(path: string, inode: Inode): void {
    const { parent, name } = this.#place(path);
    parent.names.set(name, inode);
    parent.mtime = this.clock.seconds;
    this.changes++;
    this.#named(path, inode);
  }

  #take(path: string): Inode {
    const { parent, name } = this.#place(path);
    const inode = this.get(path);
    parent.names.delete(name);
    parent.mtime = this.clock.seconds;
    this.changes++;
    this.#gone(path, inode);
    return inode;
  }

  create(path: string, { exclusive = false } = {}): Inode {
    const there = this.find(path);
    if (there !== undefined && (exclusive || there.kind !== "file")) {
      throw new Refused(Status.FAILURE);
    }
    if (there !== undefined) return there;
    const inode = this.#make("file", 0o100644);
    this.#put(path, inode);
    return inode;
  }

  mkdir(path: string): void {
    if (this.find(path)) throw new Refused(Status.FAILURE);
    this.#put(path, this.#make("dir", 0o40755));
  }

  symlink(path: string, target: string): void {
    if (this.find(path)) throw new Refused(Status.FAILURE);
    this.#put(path, this.#make("link", 0o120777, target));
  }

  link(from: string, to: string): void {
    const inode = this.get(from);
    if (this.find(to) || inode.kind !== "file") throw new Refused(Status.FAILURE);
    inode.links++;
    this.#put(to, inode);
  }

  remove(path: string): void {
    if (this.get(path).kind === "dir") throw new Refused(Status.FAILURE);
    this.#take(path).links--;
  }

  rmdir(path: string): void {
    const inode = this.get(path);
    if (inode.kind !== "dir" || inode.names.size > 0) throw new Refused(Status.FAILURE);
    this.#take(path);
  }

  rename(from: string, to: string): void {
    const inode = this.get(from);
    const there = this.find(to);
    this.#place(to);
    if (to === from || there === inode) return;
    if (to.startsWith(`${from}/`)) throw new Refused(Status.FAILURE);
    if (there !== undefined) {
      if ((there.kind === "dir") !== (inode.kind === "dir") || there.names.size > 0) {
        throw new Refused(Status.FAILURE);
      }
      this.#take(to).links--;
    }
    this.#take(from);
    this.#put(to, inode);
  }

  write(inode: Inode, offset: number, bytes: Uint8Array): void {
    const data = new Uint8Array(Math.max(inode.data.length, offset + bytes.length));
    data.set(inode.data);
    data.set(bytes, offset);
    this.#set(inode, data);
  }

  truncate(inode: Inode, size: number): void {
    if (inode.kind !== "file") throw new Refused(Status.FAILURE);
    const data = new Uint8Array(size);
    data.set(inode.data.subarray(0, size));
    this.#set(inode, data);
  }

  chmod(inode: Inode, mode: number): void {
    inode.mode = (inode.mode & 0o170000) | (mode & 0o7777);
    this.changes++;
    this.#note(inode);
  }

  #set(inode: Inode, data: Uint8Array): void {
    inode.data = data;
    inode.mtime = this.clock.seconds;
    this.changes++;
    this.#note(inode);
  }

  /** What a path led to at some moment from `since` on. */
  during(path: string, since: number): (Inode | undefined)[] {
    const past = this.history.get(path) ?? [];
    const found = past.filter(({ at }, i) => (past[i + 1]?.at ?? Infinity) >= since || at >= since);
    const before = past.length === 0 || (past[0]?.at ?? 0) > since;
    return [...before ? [undefined] : [], ...found.map(({ inode }) => inode)];
  }

  /** What was in a file at some moment from `since` on. */
  contentDuring({ past }: Inode, since: number): { data: Uint8Array; mode: number }[] {
    return past.filter((_, i) => (past[i + 1]?.at ?? Infinity) >= since);
  }
}
