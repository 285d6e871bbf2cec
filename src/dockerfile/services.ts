/** Servers that commands need: a process ends with its RUN, so all from its start to its stop is one RUN. */
import type { Decision } from "./decide.ts";
import type { Evidence } from "./evidence.ts";
import type { Run } from "./instructions.ts";
import { isServerData } from "./rules.ts";
import { joinable, type ShellLine, written } from "./shell_line.ts";

/** Commands from a service's start to its stop, by their numbers. */
export interface Span {
  readonly first: number;
  readonly last: number;
  /** The line that stops it, where the session did not. */
  readonly stop: string | undefined;
}

interface Call {
  readonly name: string;
  readonly verb: string;
  /** The call with another verb. */
  readonly as: (verb: string) => string;
}

/** A call of an init script in these words. */
function serviceCall(words: readonly string[]): Call | undefined {
  const [program = "", ...rest] = words[0] === "sudo" ? words.slice(1) : words;
  const found = /^(?:\/usr\/sbin\/)?(service|invoke-rc\.d)$/.exec(program);
  const script = /^\/etc\/init\.d\/([\w.@-]+)$/.exec(program)?.[1];
  const [name = "", verb = ""] = script === undefined ? rest : [script, ...rest];
  if (found === null && script === undefined) return undefined;
  if (!/^(start|restart|reload|force-reload|stop)$/.test(verb)) return undefined;
  const line = (other: string): string =>
    script === undefined ? `${program} ${name} ${other}` : `${program} ${other}`;
  return { name, verb, as: line };
}

/** The spans in which a kept command changed a server's data. They do not overlap. */
export function serviceSpans(decisions: readonly Decision[], evidence: Evidence): Span[] {
  const spans: Span[] = [];
  const changesData = (number: number): boolean =>
    [...evidence.touched[number] ?? []].some(isServerData);
  let open: { call: Call; first: number; last: number } | undefined;
  const close = (last: number | undefined): void => {
    if (open !== undefined && (last !== undefined || open.last > open.first)) {
      const { call, first } = open;
      const needs = decisions.slice(first + 1, last ?? open.last + 1)
        .some(({ keep, command: { number } }) => keep && changesData(number));
      if (needs) {
        spans.push({
          first,
          last: last ?? open.last,
          stop: last === undefined ? call.as("stop") : undefined,
        });
      }
    }
    open = undefined;
  };
  for (const { command, keep } of decisions) {
    const { number, exitCode } = command;
    const call = exitCode === 0 ? serviceCall(command.command) : undefined;
    if (open === undefined) {
      if (call !== undefined && /start$/.test(call.verb)) {
        open = { call, first: number, last: number };
      }
    } else if (call?.name === open.call.name && call.verb === "stop") close(number);
    else if (keep && changesData(number)) open.last = number;
  }
  close(undefined);
  return spans;
}

/** Keeps the calls that start, restart and stop a server which a kept command needs. */
export function keepServices(decisions: readonly Decision[], spans: readonly Span[]): Decision[] {
  return decisions.map((decision) => {
    const { command, keep, reason } = decision;
    const isIn = spans.some(({ first, last }) => first <= command.number && command.number <= last);
    if (
      !isIn || keep && reason !== "unknown" ||
      !/^(nothing|volatile|repeated|undone|unknown)$/.test(reason)
    ) {
      return decision;
    }
    return serviceCall(command.command) === undefined || command.exitCode !== 0
      ? decision
      : { command, keep: true, reason: "needed" };
  });
}

/** One RUN of root's for the runs of a span; undefined where that cannot be. */
export function asOneRun(runs: readonly Run[], { stop }: Span): Run | undefined {
  if (runs.some(({ apt }) => apt.length > 0)) return undefined;
  const lines: ShellLine[] = [];
  let user = "";
  let pending: string[] = [];
  const flush = (): void => {
    if (pending.length > 0) {
      const text = `su -s /bin/sh ${written(user)} -c ${written(pending.join(" && "))}`;
      lines.push({ text, isSimple: true });
    }
    pending = [];
  };
  for (const run of runs) {
    if (run.user !== user) flush();
    user = run.user;
    const inside = run.lines.map((line) =>
      run.cwd === undefined ? joinable(line) : `( cd ${written(run.cwd)} && ${joinable(line)} )`
    );
    if (user === "") lines.push(...inside.map((text) => ({ text, isSimple: true })));
    else pending.push(...inside);
  }
  flush();
  if (stop !== undefined) lines.push({ text: stop, isSimple: true });
  return {
    kind: "run",
    user: "",
    cwd: undefined,
    lines,
    apt: [],
    commands: runs.flatMap(({ commands }) => commands),
    notes: [],
    alone: true,
  };
}
