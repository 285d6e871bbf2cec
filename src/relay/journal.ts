/**
 * What local programs did to files through the mount, one JSON object a line.
 *
 * A line is appended before the program hears that its operation is done: whatever ends the relay,
 * and however often, nothing that was done is missing. Nothing is interpreted here either; what a
 * person would call an edit is told by `edits.ts` from these steps.
 */

const KINDS = [
  /** The relay begins, or goes on, with the container `container`. */
  "mounted",
  "created",
  "changed",
  "renamed",
  "deleted",
  /** Mode or owner. */
  "chmodded",
  /** A hard link to `from`, or a symbolic link. */
  "linked",
  /** Times alone. */
  "touched",
  /** `count` steps could not be written: the disk was full, say. */
  "lost",
] as const;

/** One step. Paths are absolute in the container, and binary strings: each letter is a byte. */
export interface JournalStep {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly kind: typeof KINDS[number];
  readonly path: string;
  readonly from?: string;
  /** Of `renamed`: a file of the new name was there before. */
  readonly replaces?: boolean;
  /** Of `renamed`: it is a directory, or may be one; all below it has moved too. */
  readonly directory?: boolean;
  readonly container?: string;
  readonly count?: number;
}

/** Milliseconds for which one note about a file that is being written is enough. */
const NOTE_EVERY = 1000;
const MOST_NOTED = 1000;

/**
 * What appends to a file, each call in one write: lines of several relays never mix. The file is opened anew each
 * time (13 us in all), so that it may be moved away.
 */
export function appender(path: string): (text: string) => void {
  return (text) => Deno.writeTextFileSync(path, text, { append: true, mode: 0o600 });
}

export class Journal {
  readonly #noted = new Map<string, number>();
  #lost = 0;

  /** `append` gets whole lines, and throws where it cannot keep them. */
  constructor(private readonly append: (lines: string) => void) {}

  mounted(container: string): void {
    // A line that a power cut has torn must not take this one with it.
    this.#write({ kind: "mounted", path: "/", container }, "\n");
  }

  /** Notes what could not be written before, if that can be written now. */
  close(): void {
    if (this.#lost > 0) this.#write({ kind: "lost", path: "/", count: this.#lost });
  }

  created(path: string): void {
    this.#write({ kind: "created", path });
    this.#note(path, Date.now());
  }

  changed(path: string): void {
    const now = Date.now();
    if (Math.abs(now - (this.#noted.get(path) ?? -Infinity)) < NOTE_EVERY) return;
    this.#write({ kind: "changed", path });
    this.#note(path, now);
  }

  chmodded(path: string): void {
    this.#write({ kind: "chmodded", path });
  }

  touched(path: string): void {
    this.#write({ kind: "touched", path });
  }

  /** `from`: the file's other name, where it is a hard link. */
  linked(path: string, from?: string): void {
    this.#write({ kind: "linked", path, ...from !== undefined && { from } });
  }

  deleted(path: string): void {
    this.#noted.delete(path);
    this.#write({ kind: "deleted", path });
  }

  renamed(
    from: string,
    path: string,
    { replaces, directory }: { readonly replaces: boolean; readonly directory: boolean },
  ): void {
    if (from === path) return;
    this.#noted.clear();
    this.#write({
      kind: "renamed",
      path,
      from,
      ...replaces && { replaces },
      ...directory && { directory },
    });
  }

  #note(path: string, now: number): void {
    if (this.#noted.size >= MOST_NOTED) this.#noted.clear();
    this.#noted.set(path, now);
  }

  #write(step: Omit<JournalStep, "time">, start = ""): void {
    const time = Date.now();
    const line = formatStep({ time, ...step });
    // What broke off in the middle must not take the next line with it.
    const before = this.#lost === 0
      ? start
      : step.kind === "lost"
      ? "\n"
      : `\n${formatStep({ time, kind: "lost", path: "/", count: this.#lost })}`;
    try {
      this.append(before + line);
      this.#lost = 0;
    } catch {
      this.#lost++;
    }
  }
}

/** A step as a line: JSON, with a name that is not UTF-8 once more in base64, `pathBytes` or `fromBytes`. */
export function formatStep({ time, kind, path, from, ...rest }: JournalStep): string {
  const line = {
    time: new Date(time).toISOString(),
    kind,
    ...named("path", path),
    ...from !== undefined && named("from", from),
    ...rest,
  };
  return `${JSON.stringify(line)}\n`;
}

function named(key: string, path: string): Readonly<Record<string, string>> {
  const bytes = Uint8Array.from(path, (char) => char.charCodeAt(0));
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  return {
    [key]: text,
    ...text.includes("\uFFFD") && { [`${key}Bytes`]: bytes.toBase64() },
  };
}

/** The step in a line that {@link formatStep} wrote; undefined where it is none. */
export function parseStep(line: string): JournalStep | undefined {
  try {
    const found = JSON.parse(line) as Readonly<Record<string, unknown>>;
    const time = typeof found["time"] === "string" ? Date.parse(found["time"]) : NaN;
    const kind = KINDS.find((kind) => kind === found["kind"]);
    const path = nameIn(found, "path");
    if (Number.isNaN(time) || kind === undefined || path === undefined) return undefined;
    const from = nameIn(found, "from");
    if (kind === "renamed" && from === undefined) return undefined;
    const { container, count } = found;
    return {
      time,
      kind,
      path,
      ...from !== undefined && { from },
      ...found["replaces"] === true && { replaces: true },
      ...found["directory"] === true && { directory: true },
      ...typeof container === "string" && { container },
      ...typeof count === "number" && { count },
    };
  } catch {
    return undefined;
  }
}

function nameIn(found: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const bytes = found[`${key}Bytes`];
  const text = found[key];
  if (typeof bytes === "string") return binary(Uint8Array.fromBase64(bytes));
  return typeof text === "string" ? binary(new TextEncoder().encode(text)) : undefined;
}

function binary(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
