/**
 * Whether a directory is this user's alone: his own (a link to it too), and others have none of the rights in
 * `others` (by default: to write). Asked before
 * anything in a session's, a socket's or a runtime directory is believed: on a shared /tmp the name of one that is
 * gone can be taken by anybody. Throws `Deno.errors.NotFound` where there is none.
 */
export function isOwnDirectory(path: string, others = 0o022): boolean {
  const named = Deno.lstatSync(path);
  const meant = named.isSymlink ? Deno.statSync(path) : named;
  const user = Deno.uid();
  return meant.isDirectory && named.uid === user && meant.uid === user &&
    ((meant.mode ?? 0) & others) === 0;
}

/** {@link isOwnDirectory}, and false where it does not exist or cannot be seen. */
export function isThereAndOwn(path: string, others?: number): boolean {
  try {
    return isOwnDirectory(path, others);
  } catch {
    return false;
  }
}
