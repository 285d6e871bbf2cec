/** The text of a Dockerfile, in the classic builder's language. */
import type { CopyFiles, Instruction, Run } from "./instructions.ts";
import { aptLines, type AptOptions } from "./packages.ts";
import { joinable } from "./shell_line.ts";

export interface TextOptions extends AptOptions {
  readonly base: {
    /** As FROM has it. */
    readonly reference: string;
    readonly user: string;
    readonly workdir: string;
  };
  /** Comments at the top and at the end, without `# `. */
  readonly heading: readonly string[];
  readonly remarks: readonly string[];
}

/** Writes the Dockerfile. */
export function dockerfileText(instructions: readonly Instruction[], options: TextOptions): string {
  const { base } = options;
  const blocks: string[][] = [];
  const isRoot = (user: string): boolean => /^(root|0)?(:(root|0))?$/.test(user);
  let user = base.user;
  let workdir = base.workdir;
  let lastRoot: string[] | undefined;
  for (const instruction of instructions) {
    const block: string[] = [];
    if (instruction.kind === "run") {
      const wanted = instruction.user;
      if (isRoot(wanted) ? !isRoot(user) : wanted !== user) {
        user = isRoot(wanted) ? "root" : wanted;
        block.push(`USER ${user}`);
        if (user === "root") lastRoot = block;
      }
      if (instruction.cwd !== undefined && instruction.cwd !== workdir) {
        workdir = instruction.cwd;
        block.push(`WORKDIR ${escapeVariables(workdir)}`);
      }
      block.push(...runText(instruction, options));
    } else if (instruction.kind === "copy") block.push(copyText(instruction));
    else block.push(envText(instruction.set));
    blocks.push(block);
  }
  const end: string[] = [];
  const NOTE = "# hadolint ignore=DL3002 # as in the base image";
  if (isRoot(base.user) && isRoot(user)) lastRoot?.unshift(NOTE);
  if (isRoot(base.user) ? !isRoot(user) : user !== base.user) {
    if (isRoot(base.user)) end.push(NOTE);
    end.push(`USER ${isRoot(base.user) ? "root" : base.user}`);
  }
  if (workdir !== base.workdir) end.push(`WORKDIR ${escapeVariables(base.workdir)}`);
  if (end.length > 0) blocks.push(end);
  const comment = (line: string): string =>
    line === "" ? "#" : `# ${line.replace(/[\r\n]+/g, " ")}`;
  const head = [...options.heading.map(comment), `FROM ${base.reference}`];
  const tail = options.remarks.map(comment);
  return [head, ...blocks, ...tail.length > 0 ? [tail] : []]
    .map((block) => `${block.join("\n")}\n`).join("\n");
}

function runText(run: Run, options: TextOptions): string[] {
  const notes = run.notes.map((note) => `# ${note}`);
  const ignored = new Map<string, string>();
  let lines: string[];
  if (run.apt.length > 0) {
    lines = aptLines(run.apt, options);
    const installs = run.apt.filter(({ action }) => action === "install");
    const unpinned = installs.some(({ packages }) =>
      packages.some((name) => !options.pinned(name).includes("="))
    );
    if (unpinned) ignored.set("DL3008", "the mirror drops old versions");
    if (installs.some((call) => !options.withoutRecommends(call))) {
      ignored.set("DL3015", "as in the session, with what is recommended");
    }
  } else {
    lines = run.lines.map((line) =>
      run.lines.length === 1 && !line.text.includes("\n") ? line.text : joinable(line)
    );
    const text = lines.join("\n");
    if (/(^|[^|])\|([^|]|$)/m.test(withoutQuotes(text))) {
      ignored.set("DL4006", "the session had no pipefail");
    }
    if (/(^|&& |; ?)(service|top|ps|kill|mount|ifconfig|free|vim|shutdown) /m.test(text)) {
      ignored.set("DL3001", "as in the session");
    }
    if (/(^|&& |; ?|\| ?)sudo /m.test(withoutQuotes(text))) {
      ignored.set("DL3004", "as in the session");
    }
    if (/\bcd /.test(withoutQuotes(text))) ignored.set("DL3003", "as in the session");
    if (/\bpip[\d.]* install\b/.test(text) && !/==|-r |--requirement/.test(text)) {
      ignored.set("DL3013", "as in the session");
    }
    if (/\bnpm (install|i) .*-g|\bnpm (install|i) -g/.test(text)) {
      ignored.set("DL3016", "as in the session");
    }
    if (/\bapk .*add\b/.test(text) && !/=/.test(text)) {
      ignored.set("DL3018", "the mirror drops old versions");
    }
  }
  const ignore = ignored.size === 0 ? [] : [
    `# hadolint ignore=${[...ignored.keys()].join(",")} # ${
      [...new Set(ignored.values())].join("; ")
    }`,
  ];
  if (lines.some((line) => line.replaceAll(" \\\n", "").includes("\n"))) {
    const script = lines.map((line) => line.replaceAll(" \\\n", " ")).join(" && ");
    return [...notes, ...ignore, `RUN ${JSON.stringify(["/bin/sh", "-c", script])}`];
  }
  return [...notes, ...ignore, `RUN ${lines.map(escapeEnd).join(" \\\n && ")}`];
}

// A line that ends in a backslash goes on in the next one.
function escapeEnd(line: string): string {
  return line.replace(/[ \t]+$/, "");
}

function withoutQuotes(text: string): string {
  return text.replace(/'[^']*'|"(?:[^"\\]|\\.)*"/g, "''");
}

function copyText({ sources, destination, owner }: CopyFiles): string {
  const words = [...sources.map((source) => `files/${decoded(source)}`), decoded(destination)];
  const chown = owner === undefined ? "" : `--chown=${owner} `;
  if (words.every((word) => /^[\w./@%+,:=~-]+$/.test(word))) {
    const line = `COPY ${chown}${words.join(" ")}`;
    return line.length <= 110 || words.length < 3
      ? line
      : `COPY ${chown}${words.join(" \\\n     ")}`;
  }
  return `COPY ${chown}${JSON.stringify(words.map(escapeVariables))}`;
}

function decoded(path: string): string {
  return new TextDecoder("utf-8", { ignoreBOM: true })
    .decode(Uint8Array.from(path, (letter) => letter.charCodeAt(0)));
}

/** What FROM, ENV, COPY and WORKDIR would take for a variable. */
function escapeVariables(text: string): string {
  return text.replace(/[\\$]/g, "\\$&");
}

function envText(set: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(set).map(([name, value]) => {
    if (/^[\w./:@%+,=-]+$/.test(value)) return `${name}=${value}`;
    return `${name}="${value.replace(/["\\$]/g, "\\$&")}"`;
  });
  return `ENV ${pairs.join(" \\\n    ")}`;
}
