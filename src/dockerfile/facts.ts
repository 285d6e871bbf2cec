/** Everything that a Dockerfile is made from, asked once. */
import { diffPaths } from "./difference.ts";
import { type PackageFacts, parseStatus, unwanted } from "./dpkg.ts";
import {
  clockOffset,
  hashFiles,
  type ImageConfig,
  imageConfig,
  readHeads,
  readTexts,
  runInside,
  survey,
  withImage,
} from "./engine.ts";
import { Failure } from "../error.ts";
import {
  type Execution,
  type ExportEvent,
  type Input,
  readHistory,
  readInputs,
} from "../history/executions.ts";
import { readSweeps, type Sweep } from "../history/sweeps.ts";
import type { Context } from "../process/context.ts";
import type { JournalStep } from "../relay/journal.ts";
import type { Session } from "../session/session.ts";
import { isSecretContent } from "../secrets.ts";
import { isServerData, volatileBy } from "./rules.ts";
import { readSteps } from "./session_evidence.ts";
import type { Entry, Survey } from "./tree.ts";

export interface Facts {
  readonly session: Session;
  readonly containerId: string;
  readonly base: ImageConfig;
  readonly overlay: ImageConfig;
  /** The base's name is that of another image by now than the one that the session began with. */
  readonly isMoved: boolean;
  /** The container's files, and those of the image that it was started from. */
  readonly survey: Survey;
  readonly image: Survey;
  /** What differs between the two, rules not applied. */
  readonly changed: readonly Entry[];
  readonly removed: readonly string[];
  /** Files that differ in mode or owner alone. */
  readonly sameContent: ReadonlySet<string>;
  readonly secretFiles: ReadonlySet<string>;
  readonly executions: readonly Execution[];
  readonly exports: readonly ExportEvent[];
  readonly inputs: ReadonlyMap<string, Input>;
  /** Whether a local file is there with this size and time. */
  readonly isAsItWas: (
    path: string,
    file: { readonly size: number; readonly mtime: number },
  ) => boolean;
  /** The journal's steps in this container; undefined where nothing is recorded. */
  readonly steps: readonly JournalStep[];
  readonly sweeps: readonly Sweep[];
  readonly packages: PackageFacts;
  /** Packages that apt would add, see {@link unwanted}; the archive has them. */
  readonly unwanted: readonly string[];
  readonly clock: { readonly offset: number; readonly slack: number };
}

/** Asks the session's files, its container and its engine. */
export async function gatherFacts(context: Context, session: Session): Promise<Facts> {
  const id = session.containerId;
  if (id === null) {
    throw new Failure(`the session ${session.name} has no container`, { hint: "dockerdo run" });
  }
  const base = await imageConfig(context, session, session.baseImage);
  if (base === undefined) {
    throw new Failure(
      `the engine has no image ${session.baseImage}, from which the Dockerfile starts`,
      {
        hint: `Get it on that host first: docker pull ${session.baseImage}`,
      },
    );
  }
  const overlay = await imageConfig(context, session, session.imageTag);
  if (overlay === undefined) {
    throw new Failure(`the engine has no image ${session.imageTag} any more`, {
      hint: "dockerdo build builds it again.",
    });
  }
  const clock = await clockOffset(context, session);
  // Before the survey, which is the look after each of these commands.
  const history = await Array.fromAsync(readHistory(context, session));
  const now = await survey(context, session, id);
  return await withImage(context, session, {
    image: session.imageTag,
    action: async (imageContainer) => {
      const image = await survey(context, session, imageContainer);
      const { changed, removed, doubtful } = diffPaths(now.tree, image.tree);
      const counted = doubtful.filter((path) => counts(path));
      const [here, there] = await Promise.all([
        hashFiles(context, session, { id, paths: counted }),
        hashFiles(context, session, { id: imageContainer, paths: counted }),
      ]);
      const same = new Set(
        counted.filter((path) => here.get(path) === there.get(path) && here.has(path)),
      );
      const real = changed.filter((entry) => !same.has(entry.path) || hasOtherOwner(entry, image));
      const small = real.filter(({ path, type, size }) =>
        counts(path) && type === "f" && size < 65536
      );
      const suspects = small.filter(({ path }) =>
        /\.(pem|key|npmrc|yarnrc|pypirc|conf)$|\/[^/.]*$|\.env(\.[^/]*)?$/.test(path)
      )
        .map(({ path }) => path);
      const heads = await readHeads(context, session, { id, paths: suspects });
      const secretFiles = [...heads].flatMap(([path, text]) =>
        isSecretContent(path, text) ? [path] : []
      );
      const packages = await askPackages(context, session, {
        container: id,
        overlay: imageContainer,
        base: base.id,
      });
      const executions = history.flatMap((event) => "command" in event ? [event] : []);
      return {
        session,
        containerId: id,
        base,
        overlay,
        isMoved: base.layers.some((layer, at) => overlay.layers[at] !== layer),
        survey: now,
        image,
        changed: real,
        removed,
        sameContent: same,
        secretFiles: new Set(secretFiles),
        executions: executions.filter(({ container }) =>
          container === undefined || container === id
        ),
        exports: history.flatMap((event) => "set" in event ? [event] : []),
        inputs: await readInputs(session),
        isAsItWas,
        steps: await readSteps(session, id),
        sweeps: await readSweeps(session, id),
        packages,
        unwanted: await inArchive(context, session, { id, packages }),
        clock,
      };
    },
  });
}

function isAsItWas(
  path: string,
  { size, mtime }: { readonly size: number; readonly mtime: number },
): boolean {
  try {
    const found = Deno.statSync(path);
    return found.isFile && found.size === size &&
      Math.floor((found.mtime?.getTime() ?? 0) / 1000) === mtime;
  } catch {
    return false;
  }
}

const STATUS = "/var/lib/dpkg/status";

async function askPackages(
  context: Context,
  session: Session,
  { container, overlay, base }: {
    readonly container: string;
    readonly overlay: string;
    readonly base: string;
  },
): Promise<PackageFacts> {
  const ask = async (id: string): Promise<PackageFacts["base"]> =>
    parseStatus((await readTexts(context, session, { id, paths: [STATUS] })).get(STATUS) ?? "");
  return {
    container: await ask(container),
    overlay: await ask(overlay),
    base: await withImage(context, session, { image: base, action: ask }),
  };
}

const IN_ARCHIVE = 'apt-cache show "$@" 2>/dev/null | sed -n "s/^Package: //p"';

async function inArchive(
  context: Context,
  session: Session,
  { id, packages }: { readonly id: string; readonly packages: PackageFacts },
): Promise<readonly string[]> {
  const { container, overlay } = packages;
  const added = [...container].flatMap(([name, { isInstalled }]) =>
    isInstalled && overlay.get(name)?.isInstalled !== true ? [name] : []
  );
  const words = unwanted(packages, added);
  if (words.length === 0) return [];
  const doing = "Asking the container's apt";
  const output = await runInside(context, session, { id, script: IN_ARCHIVE, words, doing });
  const known = new Set(output.split("\n"));
  return words.filter((name) => known.has(name));
}

function counts(path: string): boolean {
  return volatileBy(path) === undefined && !isServerData(path);
}

function hasOtherOwner(entry: Entry, { tree }: Survey): boolean {
  const before = tree.get(entry.path);
  return before === undefined || before.mode !== entry.mode || before.uid !== entry.uid ||
    before.gid !== entry.gid;
}
