/** The user's own list of what `--verify` leaves out: a pattern a line, as in .gitignore, from the container's root. */

/** Whether a path is left out by the lines of a `.verifyignore`; paths are binary strings. */
export function parseVerifyIgnore(text: string): (path: string) => boolean {
  const patterns = text.split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#")).map(patternOf);
  return (path) => patterns.some((pattern) => pattern.test(path));
}

// `*` stays within a directory, `**` does not; a directory stands for all that is in it.
function patternOf(line: string): RegExp {
  const bytes = String.fromCharCode(...new TextEncoder().encode(line));
  const name = bytes.replace(/\/$/, "");
  const source = name.replace(
    /\*\*|[^]/g,
    (part) =>
      part === "**"
        ? ".*"
        : part === "*"
        ? "[^/]*"
        : part === "?"
        ? "[^/]"
        : part.replace(/[.+^${}()|[\]\\]/, "\\$&"),
  );
  const anchored = name.includes("/") ? `^/?${source.replace(/^\//, "")}` : `^.*/${source}`;
  return new RegExp(`${anchored.replace("^/?", "^/")}(/.*)?$`, "s");
}
