/** From decisions to instructions, in the order in which they build. */
import { runsAnywhere } from "./anywhere.ts";
import { asRun, copyInstructions, shellPath } from "./arrange.ts";
import type { Copies, Copy } from "./copies.ts";
import { type Decision, namesPath } from "./decide.ts";
import type { Command, Evidence } from "./evidence.ts";
import type { Instruction, Run } from "./instructions.ts";
import { isLocalPackage, isRefresh, parseApt, tidy } from "./packages.ts";
import { asOneRun, serviceSpans } from "./services.ts";
import { type ShellLine, shellLines } from "./shell_line.ts";
import { parentOf, type Tree } from "./tree.ts";

/** One `dockerdo export`, in the container's clock. */
export interface Export {
  readonly time: number;
  readonly set: Readonly<Record<string, string>>;
}

export interface PlanInput {
  readonly evidence: Evidence;
  readonly decisions: readonly Decision[];
  readonly copies: Copies;
  readonly exports: readonly Export[];
  readonly container: Tree;
  readonly image: Tree;
  /** Who runs a command without `-u`: the session's user. */
  readonly user: string;
  /** Commands that have a RUN of their own, for it to be known which one fails. */
  readonly apart?: ReadonlySet<number>;
}

/** The instructions, and the context path of every file that they copy. */
export function arrange(
  input: PlanInput,
): { readonly instructions: Instruction[]; readonly files: Map<string, string> } {
  const { evidence, decisions, copies, exports } = input;
  const files = new Map<string, string>();
  const kept = decisions.filter(({ keep }) => keep).map(({ command }) => command)
    .sort((a, b) => a.begin - b.begin);
  const slots = kept.map((): Copy[] => []).concat([[]]);
  const removalSlots = slots.map((): string[] => []);
  const envSlots = slots.map((): Record<string, string> => ({}));
  const slotOf = (time: number): number => kept.filter(({ begin }) => begin < time).length;
  // By directory, the first slot in which a COPY makes it.
  const slotsOfFiles = new Map<string, number>();
  // Between a service's start and its stop there is room for commands alone.
  const spans = serviceSpans(decisions, evidence).map((span) => ({
    ...span,
    from: kept.findIndex(({ number }) => number === span.first),
    to: kept.findIndex(({ number }) => number === span.last),
  })).filter(({ from, to }) => from >= 0 && to >= from);
  const spanAt = (slot: number): typeof spans[number] | undefined =>
    spans.find(({ from, to }) => from < slot && slot <= to);
  const beforeSpan = (slot: number): number => spanAt(slot)?.from ?? slot;
  const afterSpan = (slot: number): number => (spanAt(slot)?.to ?? slot - 1) + 1;
  for (const copy of copies.copies) {
    let slot = slotOf(beforeTwins(copy.time, decisions));
    for (; slot > 0; slot--) {
      const command = kept[slot - 1];
      if (command === undefined || holdsBack(command, copy, evidence)) break;
    }
    slot = afterSpan(slot);
    slots[slot]?.push(copy);
    if (copy.whole && copy.entry.type === "f") {
      for (let at = parentOf(copy.entry.path); at !== "/"; at = parentOf(at)) {
        slotsOfFiles.set(at, Math.min(slot, slotsOfFiles.get(at) ?? slot));
      }
    }
  }
  slots.forEach((found, slot) => {
    slots[slot] = found.filter((copy) =>
      !(copy.entry.type === "d" && copy.entry.mode === 0o755 && copy.owner === undefined &&
        copy.whole && (slotsOfFiles.get(copy.entry.path) ?? Infinity) < slot)
    );
  });
  for (const { path, time } of copies.removals) removalSlots[afterSpan(slotOf(time))]?.push(path);
  for (const { time, set } of exports) Object.assign(envSlots[beforeSpan(slotOf(time))] ?? {}, set);

  const instructions: Instruction[] = [];
  const fill = (slot: number): void => {
    const set = envSlots[slot] ?? {};
    if (Object.keys(set).length > 0) instructions.push({ kind: "env", set });
    const { container, image } = input;
    const elsewhere = slots.flatMap((found, other) =>
      other === slot ? [] : found.map(({ entry }) => entry.path)
    );
    instructions.push(
      ...copyInstructions(slots[slot] ?? [], { container, image, files, elsewhere }),
    );
    instructions.push(...asRun(removalLines(removalSlots[slot] ?? [])));
  };
  let pending: Instruction[] = [];
  kept.forEach((command, slot) => {
    fill(slot);
    const { input: file } = decisions[command.number] ?? {};
    const found = file === undefined
      ? runsOf(command, input)
      : fedRuns(command, { file: file.path, input, files });
    const span = spans.find(({ from, to }) => from <= slot && slot <= to);
    if (span === undefined) {
      instructions.push(...found);
      return;
    }
    pending.push(...found);
    if (slot < span.to) return;
    const runs = pending.filter((one) => one.kind === "run");
    const whole = asOneRun(runs, span);
    if (whole === undefined) instructions.push(...pending);
    else instructions.push(...pending.filter((one) => one.kind !== "run"), whole);
    pending = [];
  });
  fill(kept.length);
  return { instructions: join(hoistInstalls(instructions), input.apart), files };
}

/** An edit between a command and its repetition comes before both. */
function beforeTwins(time: number, decisions: readonly Decision[]): number {
  let moved = time;
  for (const { command, twin } of decisions) {
    const first = twin === undefined ? undefined : decisions[twin]?.command;
    if (first !== undefined && first.begin < moved && moved <= command.begin) {
      moved = Math.min(moved, first.begin - 1e-4);
    }
  }
  return moved;
}

/** Whether a copy must stay after a command: its packages, and whatever it changed near the path. */
function holdsBack(command: Command, { entry: { path } }: Copy, evidence: Evidence): boolean {
  if (parts(command).some((words) => parseApt(words) !== undefined || tidy(words) !== undefined)) {
    return true;
  }
  const verdict = evidence.verdicts[command.number];
  if (verdict === "unknown") return !readsEdit(command, path, evidence);
  const directory = parentOf(path);
  for (const touched of evidence.touched[command.number] ?? []) {
    if (touched === path || touched === "/etc/passwd") return true;
    if (path.startsWith(`${touched}/`)) return true;
    if (directory !== "/" && (touched === directory || touched.startsWith(`${directory}/`))) {
      return true;
    }
  }
  return false;
}

/** Whether a command names what a person had brought in before it, or the directory that was brought in with it. */
function readsEdit(command: Command, path: string, { edited }: Evidence): boolean {
  for (let at = path; at !== "/"; at = parentOf(at)) {
    const edit = edited.get(at);
    if (edit === undefined) return false;
    if (edit.first < command.begin && namesPath(command, at)) return true;
  }
  return false;
}

function parts(command: Command): (readonly string[])[] {
  return shellLines(command).flatMap(({ words }) => words === undefined ? [] : [words]);
}

function removalLines(paths: readonly string[]): ShellLine[] {
  if (paths.length === 0) return [];
  const words = paths.toSorted().map(shellPath);
  return [{ text: `rm -rf ${words.join(" ")}`, isSimple: true }];
}

/** The runs of one command: calls of apt each by itself, to be joined with their neighbours. */
function runsOf(command: Command, { user }: PlanInput): Run[] {
  const runs: Run[] = [];
  const by = command.user ?? user;
  const common = {
    kind: "run" as const,
    user: by === "root" || by === "0" || by === "0:0" ? "" : by,
    commands: [command.number],
    notes: [],
  };
  const cwd = needsDirectory(command) ? command.cwd : undefined;
  let lines: ShellLine[] = [];
  const flush = (): void => {
    if (lines.length > 0) runs.push({ ...common, cwd, lines, apt: [] });
    lines = [];
  };
  for (const line of shellLines(command)) {
    const words = line.words ?? [];
    const apt = parseApt(words);
    if (apt === "update" || isRefresh(words) || isCleanup(line.text)) continue;
    if (apt !== undefined) {
      flush();
      const local = apt.packages.some(isLocalPackage);
      runs.push({ ...common, user: "", cwd: local ? cwd : undefined, lines: [], apt: [apt] });
      continue;
    }
    const tidied = tidy(words);
    if (tidied === undefined) lines.push(withoutSudo(line, common.user));
    else {
      lines.push({ text: tidied.line, isSimple: true });
      if (tidied.after !== undefined) lines.push({ text: tidied.after, isSimple: true });
    }
  }
  flush();
  return runs;
}

/** A command with its stdin: the file comes along, and goes again. */
function fedRuns(
  command: Command,
  { file, input, files }: {
    readonly file: string;
    readonly input: PlanInput;
    readonly files: Map<string, string>;
  },
): Instruction[] {
  const name = file.slice(file.lastIndexOf("/") + 1).replaceAll(/[^\w.-]/g, "_");
  const source = `.input/${command.number}-${name}`;
  const there = `/tmp/${name}`;
  files.set(`local:${file}`, source);
  const runs = runsOf(command, input).map((run, at): Run => {
    const lines = run.lines.map(({ text }, of): ShellLine => {
      if (at > 0 || of > 0) return { text, isSimple: true };
      return {
        text: `${run.lines[0]?.isSimple === true ? text : `{ ${text}; }`} < ${there}`,
        isSimple: true,
      };
    });
    return { ...run, lines };
  });
  const last = runs.at(-1);
  if (last !== undefined && last.user === "") {
    runs[runs.length - 1] = {
      ...last,
      lines: [...last.lines, { text: `rm ${there}`, isSimple: true }],
    };
  } else runs.push(...asRun([{ text: `rm ${there}`, isSimple: true }]));
  return [
    { kind: "copy", sources: [source], destination: there, owner: undefined, paths: [] },
    ...runs,
  ];
}

function isCleanup(text: string): boolean {
  return /^(rm -r?f?r? ?)(-\S+ )*\/var\/lib\/apt\/lists\/\*?$/.test(text);
}

function withoutSudo(line: ShellLine, user: string): ShellLine {
  if (user !== "" || !/^sudo [^-]/.test(line.text)) return line;
  return { ...line, text: line.text.replace(/^sudo /, "") };
}

const ON_PATHS = /^(chmod|chown|chgrp|sed|install|ln|mkdir|rm|rmdir|touch|cp|mv|tee|setcap)$/;

/** Whether a command is about paths from where it ran: then it runs there again, be it the base's WORKDIR. */
function needsDirectory({ command }: Command): boolean {
  const [program = "", ...words] = command;
  const name = program.slice(program.lastIndexOf("/") + 1);
  if (runsAnywhere(command)) return false;
  if (!ON_PATHS.test(name)) return true;
  const hasValues = name === "install" || name === "mkdir";
  const rest = words.filter((word, at) =>
    !word.startsWith("-") && !(hasValues && /^-[mogZ]$/.test(words[at - 1] ?? ""))
  );
  // What a link says is no path from here; nor is a mode, an owner, or a script of sed's.
  const isSaid = /^(chmod|chown|chgrp|sed|setcap)$/.test(name) ||
    name === "ln" && rest.length === 2 && words.some((word) => /^-[a-z]*s|^--symbolic$/.test(word));
  const paths = isSaid ? rest.slice(1) : rest;
  return paths.length === 0 || paths.some((word) => !word.startsWith("/"));
}

/** Later installs join the first group, unless something in between is about where packages come from. */
function hoistInstalls(instructions: readonly Instruction[]): Instruction[] {
  const result: Instruction[] = [];
  let group = -1;
  for (const instruction of instructions) {
    const isInstall = instruction.kind === "run" && instruction.apt.length > 0 &&
      instruction.apt.every(({ action, packages }) =>
        action === "install" && !packages.some(isLocalPackage)
      );
    const first = result[group];
    if (isInstall && first?.kind === "run") {
      result[group] = {
        ...first,
        apt: [...first.apt, ...instruction.apt],
        commands: [...first.commands, ...instruction.commands],
      };
      continue;
    }
    if (isInstall) group = result.length;
    else if (isAboutPackages(instruction)) group = -1;
    result.push(instruction);
  }
  return result;
}

function isAboutPackages(instruction: Instruction): boolean {
  const pattern =
    /\/etc\/apt|\/etc\/dpkg|keyrings|trusted\.gpg|dpkg|apt-key|add-apt-repository|\bapt(-get)?\b/;
  switch (instruction.kind) {
    case "env":
      return Object.keys(instruction.set).some((name) =>
        /^(PATH|http|https|ftp|DEBIAN|APT)/i.test(name)
      ) &&
        !("PATH" in instruction.set && Object.keys(instruction.set).length === 1);
    case "copy":
      return pattern.test(instruction.destination);
    case "run":
      return instruction.apt.length > 0 || instruction.lines.some(({ text }) => pattern.test(text));
  }
}

const MOST_JOINED = 12;

/** Neighbours that can be one RUN, or one ENV. */
export function join(
  instructions: readonly Instruction[],
  apart: ReadonlySet<number> = new Set(),
): Instruction[] {
  const isApart = ({ commands }: Run): boolean => commands.some((number) => apart.has(number));
  const result: Instruction[] = [];
  for (const next of withInputsFirst(instructions)) {
    const last = result.at(-1);
    if (last?.kind === "env" && next.kind === "env") {
      result[result.length - 1] = { kind: "env", set: { ...last.set, ...next.set } };
    } else if (
      last?.kind === "run" && next.kind === "run" && canJoin(last, next) &&
      !isApart(last) && !isApart(next)
    ) {
      result[result.length - 1] = {
        ...last,
        cwd: last.cwd ?? next.cwd,
        lines: [...last.lines, ...next.lines],
        apt: [...last.apt, ...next.apt],
        commands: [...last.commands, ...next.commands],
        notes: [...last.notes, ...next.notes],
      };
    } else result.push(next);
  }
  return result;
}

/** What a command reads in /tmp may come before the commands ahead of it: then those are one RUN. */
function withInputsFirst(instructions: readonly Instruction[]): Instruction[] {
  const result: Instruction[] = [];
  for (const next of instructions) {
    let at = result.length;
    if (next.kind === "copy" && next.destination.startsWith("/tmp/")) {
      const isFree = (before: Instruction | undefined): boolean =>
        before?.kind === "run" && before.apt.length === 0 &&
        !before.lines.some(({ text }) => text.includes(next.destination));
      while (isFree(result[at - 1])) at--;
    }
    result.splice(at, 0, next);
  }
  return result;
}

function canJoin(a: Run, b: Run): boolean {
  if (a.alone === true || b.alone === true || a.user !== b.user) return false;
  if (a.apt.length > 0 !== b.apt.length > 0) return false;
  if (a.cwd !== undefined && b.cwd !== undefined && a.cwd !== b.cwd) return false;
  // The whole is a JSON word then, which nobody likes to read.
  if ([...a.lines, ...b.lines].some(({ text }) => text.includes("\n"))) return false;
  return a.lines.length + b.lines.length <= MOST_JOINED;
}
