/** Builds what was written, compares it with the container, and repairs what it may. */
import { build } from "./build.ts";
import { closureOf } from "./closure.ts";
import {
  compare,
  type Comparison,
  type Difference,
  filesToHash,
  type Sides,
  textFiles,
} from "./compare.ts";
import { compose, type ComposeOptions, type Composition } from "./compose.ts";
import { writeContext } from "./context_dir.ts";
import {
  hashFiles,
  type ImageConfig,
  imageConfig,
  readTexts,
  runInside,
  survey,
  withImage,
} from "./engine.ts";
import type { Facts } from "./facts.ts";
import type { Instruction } from "./instructions.ts";
import { normalized } from "./normal.ts";
import { shown } from "./remarks.ts";
import { parseVerifyIgnore } from "./verifyignore.ts";
import { captureDocker } from "../docker.ts";
import { Failure } from "../error.ts";
import type { Context } from "../process/context.ts";

/** What `--verify` found. */
export interface Verified {
  readonly composition: Composition;
  readonly comparison: Comparison;
  /** What differs in the image's configuration. */
  readonly config: readonly string[];
  readonly builds: number;
  /** What was changed of the plan, for people. */
  readonly repairs: readonly string[];
  readonly copied: number;
}

const MOST_BUILDS = 3;

export interface VerifyOptions {
  readonly dir: string;
  readonly tag: string;
  readonly compose: ComposeOptions;
  readonly say: (text: string) => void;
}

/** Writes, builds, compares; at most three builds. */
export async function verify(
  context: Context,
  facts: Facts,
  { dir, tag, compose: options, say }: VerifyOptions,
): Promise<Verified> {
  const { session, containerId } = facts;
  const ignored = parseVerifyIgnore(
    await Deno.readTextFile(`${dir}/.verifyignore`).catch(() => ""),
  );
  const leave = new Set(options.choices?.leave);
  const keep = new Set(options.choices?.keep);
  const repairs: string[] = [];
  const closureFiles = new Map<string, string>();
  let closure: readonly Instruction[] = [];
  const needed: string[] = [];
  // Of an instruction that failed: which of its commands is it?
  let apart: ReadonlySet<number> = new Set();
  for (let builds = 1;; builds++) {
    const made = compose(facts, {
      ...options,
      apart,
      needed,
      choices: { ...options.choices, leave, keep },
      closure,
    });
    const files = new Map([...made.files, ...closureFiles]);
    await writeContext(context, session, {
      dir,
      text: made.text,
      files,
      tree: facts.survey.tree,
      containerId,
    });
    say(
      builds === 1 ? "Building the Dockerfile" : `Building it again (${builds} of ${MOST_BUILDS})`,
    );
    const built = await build(context, session, { dir, tag, buildArgs: proxiesOf(facts) });
    if (!("image" in built)) {
      const commands = commandsOf(made, built.failedStep).filter((number) => !leave.has(number));
      const missing = built.exitCode === 127
        ? await packageOf(context, facts, { log: built.log, known: needed })
        : undefined;
      if (missing !== undefined && builds < MOST_BUILDS) {
        needed.push(missing);
        repairs.push(`Installed too, for a command needs it: ${missing}`);
        continue;
      }
      if (commands.length > 1 && apart.size === 0) {
        apart = new Set(commands);
        builds--;
        continue;
      }
      apart = new Set();
      if (builds === MOST_BUILDS || commands.length === 0) {
        throw new Failure(
          `the Dockerfile does not build (exit code ${built.exitCode}):\n${built.log}`,
          {
            hint: `It is in ${dir}.`,
          },
        );
      }
      for (const number of commands) {
        leave.add(number);
        keep.delete(number);
      }
      const lines = made.decisions.flatMap(({ command }) =>
        commands.includes(command.number) ? [shown(command)] : []
      );
      repairs.push(`Left out, for the build failed there: ${lines.join(", ")}`);
      continue;
    }
    apart = new Set();
    say("Comparing it with the container, file by file");
    const secrets = new Set(
      made.omissions.flatMap(({ path, why }) => why === "secret" ? [path] : []),
    );
    const found = await compareBuilt(context, facts, {
      image: built.image,
      withheld: (path) => secrets.has(path),
      ignored,
    });
    const config = compareConfig(facts, { made, built: await imageConfig(context, session, tag) });
    const copied = countCopied(made, found.comparison, closureFiles);
    const done = {
      composition: made,
      comparison: found.comparison,
      config,
      builds,
      repairs,
      copied,
    };
    if (found.comparison.differences.length === 0 || builds === MOST_BUILDS) return done;
    const back = commandsToPutBack(made, found.comparison.differences).filter((number) =>
      !keep.has(number)
    );
    if (back.length > 0 && builds < MOST_BUILDS - 1) {
      for (const number of back) keep.add(number);
      repairs.push(`Put back, for what they left is missing: ${back.length} commands`);
      continue;
    }
    const omitted = new Set(made.omissions.map(({ path }) => path));
    const { sides, texts } = found;
    const more = closureOf(found.comparison.differences, {
      sides,
      texts,
      isOmitted: (path) => omitted.has(path),
    });
    if (more.instructions.length === 0) return done;
    closure = [...closure, ...more.instructions];
    for (const [path, file] of more.files) closureFiles.set(path, file);
    const runs = more.instructions.flatMap((one) => one.kind === "run" ? one.lines : []);
    repairs.push(
      `Added at the end, for no command explains it: ${more.files.size} files, ${runs.length} lines`,
    );
  }
}

/** The package, of those that only the session's image has, with the program that the shell did not find. */
async function packageOf(
  context: Context,
  { session, packages, containerId }: Facts,
  { log, known }: { readonly log: string; readonly known: readonly string[] },
): Promise<string | undefined> {
  const [, program] = /(?:^|\n)[^\n]*?([^\s:/]+): (?:command )?not found/.exec(log) ?? [];
  if (program === undefined) return undefined;
  const words = ["bin", "sbin", "usr/bin", "usr/sbin"].map((dir) => `/${dir}/${program}`);
  const script = 'dpkg -S "$@" 2>/dev/null || :';
  const doing = "Asking which package has a program";
  const output = await runInside(context, session, { id: containerId, script, words, doing });
  const isOnlyOverlays = (name: string): boolean =>
    packages.overlay.get(name)?.isInstalled === true &&
    packages.base.get(name)?.isInstalled !== true;
  return output.split("\n").map((line) => line.replace(/:.*/, "")).find((name) =>
    isOnlyOverlays(name) && !known.includes(name)
  );
}

interface Found {
  readonly comparison: Comparison;
  readonly sides: Sides;
  readonly texts: { readonly [Side in keyof Sides]: ReadonlyMap<string, string> };
}

async function compareBuilt(
  context: Context,
  facts: Facts,
  { image, ...rules }: {
    readonly image: string;
    readonly withheld: (path: string) => boolean;
    readonly ignored: (path: string) => boolean;
  },
): Promise<Found> {
  const { session, containerId } = facts;
  const within = <T>(image: string, action: (id: string) => Promise<T>): Promise<T> =>
    withImage(context, session, { image, action });
  return await within(
    image,
    (builtId) =>
      within(facts.base.id, (baseId) =>
        within(session.imageTag, async (overlayId) => {
          const [container, built, base] = await Promise.all([
            survey(context, session, containerId),
            survey(context, session, builtId),
            survey(context, session, baseId),
          ]);
          const sides: Sides = { container, built, base, overlay: facts.image };
          const paths = filesToHash(sides);
          const hashes = {
            container: await hashFiles(context, session, { id: containerId, paths }),
            built: await hashFiles(context, session, { id: builtId, paths }),
          };
          const names = textFiles(sides);
          const read = (id: string): Promise<ReadonlyMap<string, string>> =>
            readTexts(context, session, { id, paths: names });
          const texts = {
            container: await read(containerId),
            built: await read(builtId),
            base: await read(baseId),
            overlay: await read(overlayId),
          };
          const comparison = compare(sides, { hashes, texts, ...rules });
          const odd = comparison.differences.filter(({ path, what }) =>
            what === "content" && normalized(path) !== undefined
          )
            .map(({ path }) => path);
          const here = await readTexts(context, session, { id: containerId, paths: odd });
          const there = await readTexts(context, session, { id: builtId, paths: odd });
          const isSame = (path: string): boolean => {
            const normal = normalized(path);
            const [a, b] = [here.get(path), there.get(path)];
            return normal !== undefined && a !== undefined && b !== undefined &&
              normal(a, container.host) === normal(b, built.host);
          };
          const differences = comparison.differences.filter(({ path }) =>
            !odd.includes(path) || !isSame(path)
          );
          return { comparison: { ...comparison, differences }, sides, texts };
        })),
  );
}

/** The commands of the instruction at which the builder stopped. */
function commandsOf(made: Composition, step: number): readonly number[] {
  const lines = made.text.replaceAll(/\\\n/g, "").split("\n").filter((line) =>
    /^[A-Z]+ /.test(line)
  );
  const index = lines.slice(0, step).filter((line) => /^(RUN|COPY|ENV) /.test(line)).length - 1;
  const instruction = made.instructions[index];
  return instruction?.kind === "run" ? instruction.commands : [];
}

function commandsToPutBack(made: Composition, differences: readonly Difference[]): number[] {
  const numbers = differences.flatMap(({ path, what }) => {
    const toucher = made.evidence.last.get(path);
    if (what === "extra" || toucher?.by !== "command") return [];
    const decision = made.decisions[toucher.number];
    return decision !== undefined && !decision.keep &&
        /^(nothing|volatile|repeated|undone)$/.test(decision.reason)
      ? [toucher.number]
      : [];
  });
  return [...new Set(numbers)];
}

function countCopied(
  made: Composition,
  { differences }: Comparison,
  closure: ReadonlyMap<string, string>,
): number {
  const different = new Set(differences.map(({ path }) => path));
  return [...new Set([...made.files.keys(), ...closure.keys()])].filter((path) =>
    !different.has(path)
  ).length;
}

function compareConfig(
  facts: Facts,
  { made, built }: { readonly made: Composition; readonly built: ImageConfig | undefined },
): string[] {
  if (built === undefined) return ["the built image is gone"];
  const { base } = facts;
  const wrong: string[] = [];
  const env = { ...base.env, ...made.env };
  for (const name of new Set([...Object.keys(env), ...Object.keys(built.env)])) {
    if (env[name] !== built.env[name]) wrong.push(`ENV ${name}`);
  }
  for (const key of new Set([...Object.keys(base.rest), ...Object.keys(built.rest)])) {
    const same = base.rest[key] === built.rest[key] ||
      key === "User" && isRoot(base.user) && isRoot(built.user) ||
      key === "WorkingDir" && base.workdir === built.workdir;
    if (!same) wrong.push(key);
  }
  return wrong;
}

function isRoot(user: string): boolean {
  return /^(root|0)?(:(root|0))?$/.test(user);
}

function proxiesOf({ session }: Facts): string[] {
  const env = { ...session.image.env, ...session.env };
  return Object.entries(env).filter(([name]) => /^(https?|ftp|no|all)_proxy$/i.test(name))
    .map(([name, value]) => `${name}=${value}`);
}

/** Removes what `--verify` built. */
export async function removeBuilt(context: Context, facts: Facts, tag: string): Promise<void> {
  await captureDocker(context, facts.session, { words: ["image", "rm", tag] });
}
