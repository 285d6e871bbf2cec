/** A handle of the server's for a file that is open already, by its path: which file is it? */
import { PIECE_BYTES } from "./contents.ts";
import type { Handle, Handles } from "./handles.ts";
import type { Link } from "./link.ts";
import { isPlain, Open, type Reader, sameVersion, Type, type Writer } from "./wire.ts";

/**
 * Opens a handle on the server by its path, where that is sure to be the same file. What is answered from memory
 * and is not there any more, or is another file now, goes on in memory, as an open file does that was deleted.
 */
export function reopen(
  { link, handles }: { readonly link: Link; readonly handles: Handles },
  handle: Handle,
  done: () => void,
): void {
  if (handle.waiting !== undefined) {
    handle.waiting.push(done);
    return;
  }
  if (handle.dead || handle.detached || handle.flags === 0) return done();
  handle.waiting = [done];
  const finish = (remote?: Uint8Array) => {
    if (remote !== undefined) {
      if (handles.all.has(handle.key)) {
        handle.remote = remote;
        handle.content = undefined;
      } else link.closeHandle(remote);
    }
    const waiting = handle.waiting ?? [];
    handle.waiting = undefined;
    for (const call of waiting) call();
  };
  const another = (remote?: Uint8Array) => {
    if (remote !== undefined) link.closeHandle(remote);
    if (handle.content !== undefined) handle.detached = true;
    else handle.dead = true;
    finish();
  };
  /** No answer: a silent connection that speaks again still has what was opened on it. */
  const lost = (remote?: Uint8Array) => {
    if (remote !== undefined) link.closeHandle(remote);
    finish();
  };
  let remote: Uint8Array | undefined;
  const decide = (type: number, answer: Reader | undefined) => {
    if (answer === undefined) return lost(remote);
    if (remote === undefined || handle.detached) return another(remote);
    if (handle.changed) return finish(remote);
    const same = type === Type.ATTRS ? sameFile(handle, answer.rest()) : false;
    if (same !== undefined) return same ? finish(remote) : another(remote);
    const opened = remote;
    begins(link, opened, handle.content, (same) => {
      if (same === undefined) lost(opened);
      else if (same && !handle.detached) finish(opened);
      else another(opened);
    });
  };
  const flags = handle.flags & ~(Open.CREATE | Open.TRUNCATE | Open.EXCLUSIVE);
  const fromMemory = handle.content !== undefined;
  link.send(Type.OPEN, (to) => to.text(handle.path).u32(flags).u32(0), (type, answer) => {
    if (type === Type.HANDLE && answer !== undefined) remote = answer.blob().slice();
    if (fromMemory) return;
    if (remote === undefined) return decide(type, answer);
    const opened = remote;
    link.send(Type.FSTAT, (to) => to.blob(opened), decide);
  });
  // Right behind it, so that next to nothing can happen in between.
  if (fromMemory) link.send(Type.LSTAT, (to) => to.text(handle.path), decide);
}

/**
 * Whether a file begins with what is in memory of it: then it goes on as it began, whichever file it is. Undefined
 * when the connection was lost.
 */
function begins(
  link: Link,
  remote: Uint8Array,
  content: Uint8Array | undefined,
  done: (same: boolean | undefined) => void,
): void {
  const size = content?.length ?? 0;
  let waiting = 1;
  let same: boolean | undefined = true;
  const one = (matches: boolean | undefined) => {
    same = matches === undefined ? undefined : same && matches;
    if (--waiting === 0) done(same);
  };
  for (let at = 0; at < size; at += PIECE_BYTES) {
    const expected = content?.subarray(at, at + PIECE_BYTES) ?? new Uint8Array(0);
    waiting++;
    const body = (to: Writer) => void to.blob(remote).u64(at).u32(expected.length);
    link.send(Type.READ, body, (type, answer) => {
      if (answer === undefined) return one(undefined);
      const data = type === Type.DATA ? answer.blob() : undefined;
      one(data?.length === expected.length && data.every((byte, i) => byte === expected[i]));
    });
  }
  one(true);
}

/**
 * Version 3 has no inode numbers. A file that was only read must look as it did; one that was
 * written may have grown and be newer, but has its owner and mode and all that was acknowledged.
 * Undefined: one that is read from memory, and that only its bytes can tell from another.
 */
function sameFile(handle: Handle, attrs: Uint8Array): boolean | undefined {
  const known = handle.known?.attrs;
  if (known === undefined || !isPlain(attrs) || !isPlain(known)) return false;
  const before = new DataView(known.buffer, known.byteOffset);
  const now = new DataView(attrs.buffer, attrs.byteOffset);
  if (now.getUint32(20) !== before.getUint32(20)) return false;
  if (now.getUint32(12) !== before.getUint32(12)) return false;
  if (handle.content !== undefined) {
    // Nobody has seen a byte of it yet, or its time tells. Else only its bytes can.
    const sure = !handle.contentRead || (handle.vouched && sameVersion(attrs, known));
    return sure ? true : undefined;
  }
  if (handle.flags === Open.READ) {
    return now.getBigUint64(4) === before.getBigUint64(4) &&
      now.getUint32(28) === before.getUint32(28);
  }
  return now.getBigUint64(4) >= BigInt(handle.end) && now.getUint32(28) >= before.getUint32(28);
}
