/** What apt itself writes down: the only word of what was done in a shell. */

/** One call of apt. */
export interface AptEntry {
  /** Seconds since 1970, if the container's clock on the wall is UTC. */
  readonly began: number;
  readonly ended: number;
  /** As apt has it: a line of words, not quoted. A container says it: it is to be shown, and never run. */
  readonly line: string;
}

/** The entries of /var/log/apt/history.log that ended well. */
export function parseAptLog(text: string): AptEntry[] {
  return text.split(/\n\n+/).flatMap((entry) => {
    const field = (name: string): string =>
      new RegExp(`^${name}: (.*)$`, "m").exec(entry)?.[1]?.trim() ?? "";
    const time = (name: string): number => Date.parse(`${field(name).replace(/\s+/, "T")}Z`) / 1000;
    const began = time("Start-Date");
    const ended = time("End-Date");
    const line = field("Commandline");
    const isWhole = Number.isFinite(began) && Number.isFinite(ended) && line !== "" &&
      field("Error") === "";
    return isWhole ? [{ began, ended, line }] : [];
  });
}

const QUARTER = 900;

/**
 * The entries with times of UTC: the log was written last (`mtime`, seconds) when its last entry ended, so that the
 * difference is the time zone's. A little more than a quarter of an hour is nobody's time zone.
 */
export function inUtc(entries: readonly AptEntry[], mtime: number): AptEntry[] {
  const last = entries.at(-1)?.ended ?? 0;
  const zone = Math.round((mtime - last) / QUARTER) * QUARTER;
  const shift = Math.abs(mtime - last - zone) < 60 && Math.abs(zone) <= 14 * 3600 ? zone : 0;
  return entries.map(({ began, ended, line }) => ({
    began: began + shift,
    ended: ended + shift,
    line,
  }));
}
