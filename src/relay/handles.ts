/**
 * The handles that sshfs holds. None of them is the server's own: so the relay can answer from
 * memory, turn such a handle into a real one later, and open it again on a new connection.
 */
import type { Stream } from "./stream.ts";
import type { Listing } from "./directory.ts";
import { u32 } from "./wire.ts";

export interface Handle {
  readonly key: number;
  path: string;
  /** Flags of OPEN; 0 for a directory. */
  readonly flags: number;
  /** False where nothing may be remembered or read ahead: the server answers everything. */
  readonly kept: boolean;
  /** The server's handle, when there is one. */
  remote: Uint8Array | undefined;
  /** Bytes of a small file, answered from memory, and whether any were. */
  content: Uint8Array | undefined;
  contentRead: boolean;
  /** We have changed the file itself since: what its path leads to is it. */
  changed: boolean;
  /** Whether size and time can tell that the file is still the one in memory. */
  vouched: boolean;
  /** Entries of a directory, answered from memory, and how many of them were given. */
  entries: Listing | undefined;
  given: number;
  /** The end of the directory was told: who asks again has rewound it. */
  ended: boolean;
  stream: Stream | undefined;
  /** The name was deleted or replaced by us: the path means another file now. */
  detached: boolean;
  /** It was open on a connection that is gone, and cannot be opened again. */
  dead: boolean;
  /** Who waits for `remote`. */
  waiting: (() => void)[] | undefined;
  /** Attributes that were true after our request with this sequence number, at this time. */
  known: { attrs: Uint8Array; sequence: number; at: number } | undefined;
  /** It is counted in the tree among those that write under this name. */
  writing: boolean;
  /** Something was written through it, and up to where. */
  written: boolean;
  end: number;
  /** Sequence number of the last write that no fsync has followed; 0: none. */
  unsynced: number;
  /** Such a write was taken by a machine that has been started again since. */
  unsyncedLost: boolean;
}

const LENGTH = 12;

export class Handles {
  readonly all = new Map<number, Handle>();
  #next = 1;
  readonly #magic = crypto.getRandomValues(new Uint8Array(8));

  create(path: string, flags: number, kept = true): Handle {
    const handle: Handle = {
      key: this.#next++,
      path,
      flags,
      kept,
      remote: undefined,
      content: undefined,
      contentRead: false,
      changed: false,
      vouched: false,
      entries: undefined,
      given: 0,
      ended: false,
      stream: undefined,
      detached: false,
      dead: false,
      waiting: undefined,
      known: undefined,
      writing: false,
      written: false,
      end: 0,
      unsynced: 0,
      unsyncedLost: false,
    };
    this.all.set(handle.key, handle);
    return handle;
  }

  /** The handle as sshfs knows it: 8 secret bytes, so that it can be recognised anywhere, and 4. */
  name(handle: Handle): Uint8Array {
    const name = new Uint8Array(LENGTH);
    name.set(this.#magic);
    new DataView(name.buffer).setUint32(8, handle.key);
    return name;
  }

  get(name: Uint8Array): Handle | undefined {
    if (name.length !== LENGTH) return undefined;
    for (let i = 0; i < 8; i++) if (name[i] !== this.#magic[i]) return undefined;
    return this.all.get(u32(name, 8));
  }

  /** Handles inside a packet that nobody here can read: where they begin, and which they are. */
  scan(body: Uint8Array): { at: number; handle: Handle }[] {
    const found = [];
    for (let at = 0; at + 4 + LENGTH <= body.length; at++) {
      if (u32(body, at) !== LENGTH) continue;
      const handle = this.get(body.subarray(at + 4, at + 4 + LENGTH));
      if (handle !== undefined) found.push({ at, handle });
    }
    return found;
  }

  /**
   * A change of this name is on its way: what is read from memory stays the file that it was, for whoever looks
   * under the name may find another one. Returns those handles.
   */
  detach(path: string): Handle[] {
    const found = [...this.all.values()].filter((handle) =>
      handle.path === path && handle.content !== undefined && !handle.detached
    );
    for (const handle of found) handle.detached = true;
    return found;
  }

  /** Our own rename has succeeded: what was open under the old name is open under the new one. */
  renamed(from: string, to: string): void {
    for (const handle of this.all.values()) {
      if (handle.detached) continue;
      if (handle.path === to) handle.detached = true;
      else if (handle.path === from) handle.path = to;
      else if (handle.path.startsWith(from + "/")) {
        handle.path = to + handle.path.slice(from.length);
      }
    }
  }

  removed(path: string): void {
    for (const handle of this.all.values()) if (handle.path === path) handle.detached = true;
  }
}
