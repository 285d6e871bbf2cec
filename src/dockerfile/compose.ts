/** Makes the plan and the text of a Dockerfile of what is known. */
import type { ImageConfig } from "./engine.ts";
import { needNoRecommends } from "./dpkg.ts";
import { findCopies, isAccountFile, type Omission } from "./copies.ts";
import { type Choices, decide, type Decision, type GoneInput } from "./decide.ts";
import { type Command, type Evidence, weigh } from "./evidence.ts";
import type { Facts } from "./facts.ts";
import type { Instruction } from "./instructions.ts";
import { arrange, type Export, join } from "./plan.ts";
import { remarksOf } from "./remarks.ts";
import { isServerData, volatileBy } from "./rules.ts";
import { keepServices, serviceSpans } from "./services.ts";
import { dockerfileText } from "./text.ts";
import { isSecretVariable } from "../secrets.ts";
import { parentOf, type Tree } from "./tree.ts";

export interface ComposeOptions {
  readonly choices?: Choices;
  /** Names that `--allow` lets through: of variables, files, or a command's program. */
  readonly allow?: ReadonlySet<string>;
  /** Instructions to be added at the end: what nothing else explains. */
  readonly closure?: readonly Instruction[];
  /** Commands that have a RUN of their own. */
  readonly apart?: ReadonlySet<number>;
  /** Packages that only the session's image had, and that commands need. */
  readonly needed?: readonly string[];
  readonly slim?: boolean;
  readonly pin?: boolean;
}

export interface Composition {
  readonly text: string;
  readonly evidence: Evidence;
  readonly decisions: readonly Decision[];
  readonly instructions: readonly Instruction[];
  readonly omissions: readonly Omission[];
  /** Context path below `files/` by container path. */
  readonly files: ReadonlyMap<string, string>;
  /** The variables that the image is to have besides the base's. */
  readonly env: Readonly<Record<string, string>>;
}

/** What commands, edits and sweeps say, in the container's clock. */
export function evidenceOf(facts: Facts): Evidence {
  const { offset, slack } = facts.clock;
  const commands = [...facts.executions]
    .map((execution) => {
      const began = Date.parse(execution.time) / 1000 + offset;
      return { ...execution, begin: began, end: began + execution.durationMs / 1000 };
    })
    .sort((a, b) => a.begin - b.begin)
    .map((command, number): Command => ({ ...command, number }));
  return weigh({
    commands,
    steps: facts.steps.map((step) => ({ ...step, time: step.time / 1000 + offset })),
    sweeps: facts.sweeps,
    changed: facts.changed.filter(({ path }) => volatileBy(path) === undefined),
    removed: facts.removed.filter((path) => volatileBy(path) === undefined),
    container: facts.survey.tree,
    image: facts.image.tree,
    slack: slack + 0.005,
    surveyed: true,
  });
}

/** What was brought in through the mount and is gone, by the topmost directory that is gone with it. */
function goneInputs(evidence: Evidence, container: Tree): GoneInput[] {
  const found = new Map<string, GoneInput>();
  for (const [path, { first }] of evidence.edited) {
    if (container.has(path)) continue;
    let top = path;
    while (top !== "/" && container.get(parentOf(top))?.type !== "d") top = parentOf(top);
    const remover = evidence.removes.findIndex((paths) => paths.has(path) || paths.has(top));
    const gone = evidence.commands[remover]?.begin ?? Infinity;
    const known = found.get(top);
    found.set(top, {
      path: top,
      first: Math.min(first, known?.first ?? first),
      gone: Math.max(gone, known?.gone ?? gone),
    });
  }
  for (const [path, gone] of evidence.deleted) {
    const first = evidence.brought.get(path);
    if (first !== undefined && !container.has(path)) found.set(path, { path, first, gone });
  }
  return [...found.values()];
}

/** The Dockerfile, and how it came about. */
export function compose(facts: Facts, options: ComposeOptions = {}): Composition {
  const { session, base, survey, image } = facts;
  const allow = options.allow ?? new Set();
  const isAllowed = (name: string): boolean =>
    allow.has(name) || allow.has(name.slice(name.lastIndexOf("/") + 1));
  const evidence = evidenceOf(facts);
  const alone = decide(evidence, {
    inputs: facts.inputs,
    goneInputs: goneInputs(evidence, survey.tree),
    isAsItWas: (file) => file.kind === "file" && facts.isAsItWas(file.path, file),
    choices: {
      ...options.choices,
      allowed: ({ command }) => command.some(isAllowed),
    },
  });
  const decisions = keepServices(alone, serviceSpans(alone, evidence));
  const copies = findCopies({
    evidence,
    decisions,
    survey,
    image: image.tree,
    isSecret: (path) => facts.secretFiles.has(path),
    isAllowed,
    hasSameContent: (path) => facts.sameContent.has(path),
    baseUsers: (owner) => {
      const [user = "", group = ""] = owner.split(":");
      return image.users.byName.has(user) && image.groups.byName.has(group);
    },
  });
  const exports = exportsOf(facts, isAllowed);
  const { instructions, files } = arrange({
    evidence,
    decisions,
    copies,
    exports,
    container: survey.tree,
    image: image.tree,
    user: session.user,
    ...options.apart !== undefined && { apart: options.apart },
  });
  const requested = instructions.flatMap((one) =>
    one.kind === "run" ? one.apt.flatMap(({ packages }) => packages) : []
  );
  const isBare = facts.packages.container.size > 0 && needNoRecommends(facts.packages, requested);
  const all = withPackages(
    join([...instructions, ...options.closure ?? []], options.apart),
    options.needed ?? [],
  );
  const variables = Object.assign({}, ...exports.map(({ set }) => set)) as Record<string, string>;
  const text = dockerfileText(all, {
    base: {
      reference: referenceOf(session.baseImage, base, options),
      user: base.user,
      workdir: base.workdir,
    },
    heading: [],
    remarks: remarksOf({ facts, evidence, decisions, omissions: copies.omissions, isAllowed }),
    withoutRecommends: (call) =>
      options.slim === true || isBare || call.options.includes("--no-install-recommends"),
    excluded: facts.unwanted,
    pinned: (name) => {
      const version = facts.packages.container.get(name)?.version ?? "";
      return options.pin === true && version !== "" ? `${name}=${version}` : name;
    },
  });
  return {
    text,
    evidence,
    decisions,
    instructions: all,
    omissions: copies.omissions,
    files,
    env: variables,
  };
}

/** The instructions, with packages added to the first install, or as the first one. */
function withPackages(
  instructions: readonly Instruction[],
  packages: readonly string[],
): Instruction[] {
  if (packages.length === 0) return [...instructions];
  const call = { action: "install", packages, options: ["--no-install-recommends"] } as const;
  const at = instructions.findIndex((one) =>
    one.kind === "run" && one.apt.some(({ action }) => action === "install")
  );
  const first = instructions[at];
  if (first?.kind !== "run") {
    const run = { user: "", cwd: undefined, lines: [], commands: [], notes: [] };
    return [{ kind: "run", ...run, apt: [call] }, ...instructions];
  }
  return instructions.with(at, { ...first, apt: [call, ...first.apt] });
}

function referenceOf(reference: string, base: ImageConfig, { pin }: ComposeOptions): string {
  const digest = base.digests.map((name) => name.slice(name.indexOf("@"))).at(0);
  return pin === true && digest !== undefined ? `${reference}${digest}` : reference;
}

/** The exports as they count: no secrets, no proxies, nothing that a Dockerfile cannot say. */
function exportsOf(facts: Facts, isAllowed: (name: string) => boolean): Export[] {
  const { session, clock, base } = facts;
  const counts = (name: string, value: string): boolean =>
    session.env[name] === value && base.env[name] !== value && !value.includes("\n") &&
    !/^(https?|ftp|no|all)_proxy$/i.test(name) &&
    (!isSecretVariable(name, value) || isAllowed(name));
  const events = facts.exports.map(({ time, set }) => ({
    time: Date.parse(time) / 1000 + clock.offset,
    set: Object.fromEntries(
      Object.keys(set).flatMap((name) => {
        const value = session.env[name];
        return value !== undefined && counts(name, value) ? [[name, value]] : [];
      }),
    ),
  }));
  // Only the last time that a variable was set to what it is counts; what was set before there were events, first.
  const seen = new Set<string>();
  const last = events.toReversed().map(({ time, set }) => ({
    time,
    set: Object.fromEntries(
      Object.entries(set).filter(([name]) => !seen.has(name) && seen.add(name)),
    ),
  })).toReversed();
  const rest = Object.entries(session.env).filter(([name, value]) =>
    !seen.has(name) && counts(name, value)
  );
  return [{ time: 0, set: Object.fromEntries(rest) }, ...last];
}

/** Whether a path is compared at all. */
export function isCompared(path: string): boolean {
  return volatileBy(path) === undefined && !isServerData(path) && !isAccountFile(path);
}
