/** What one check has found. */
export interface Finding {
  /** What was looked at, in a word or two. */
  readonly check: string;
  /** missing: a session cannot do without it; warning: it may fail, or some part of it will. */
  readonly status: "ok" | "missing" | "warning";
  readonly found: string;
  /** The command that fixes it, or a sentence if no command can; null where nothing is wrong. */
  readonly remedy: string | null;
}

/** A check: one look, which may find several things. */
export type Check = () => Promise<readonly Finding[]>;

export function ok(check: string, found: string): Finding {
  return { check, status: "ok", found, remedy: null };
}

export function missing(check: string, found: string, remedy: string): Finding {
  return { check, status: "missing", found, remedy };
}

export function warning(check: string, found: string, remedy: string): Finding {
  return { check, status: "warning", found, remedy };
}
