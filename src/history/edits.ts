import type { ContainerChange } from "../docker.ts";
import type { Context } from "../process/context.ts";
import { parseStep } from "../relay/journal.ts";
import { journalPath, type Session } from "../session/session.ts";
import { linesOf } from "./executions.ts";
import { asText, type Edit, Story } from "./story.ts";

/** What the journal of a session records. */
export interface Edits {
  readonly edits: readonly Edit[];
  /** Steps that the relay could not write down. */
  readonly lost: number;
  /** Whether a change of the present container is explained by what was done through the mount. */
  readonly explains: (change: ContainerChange) => boolean;
}

/** Reads the journal: every edit up to now. Without a journal there are no edits. A damaged line is skipped with a note. */
export async function readEdits(context: Context, session: Session): Promise<Edits> {
  const edits: Edit[] = [];
  const story = new Story();
  const paths = new Set<string>();
  const parents = new Set<string>();
  let trees: string[] = [];
  let container: string | undefined;
  let lost = 0;
  let number = 0;
  for await (const line of linesOf(journalPath(session))) {
    number++;
    if (line === "") continue;
    const step = parseStep(line);
    if (step === undefined) {
      context.stderr(`dockerdo: ${journalPath(session)}:${number} is damaged and left out\n`);
      continue;
    }
    if (step.kind === "lost") lost += step.count ?? 1;
    if (step.kind === "mounted") {
      if (step.container === container) continue;
      container = step.container;
      edits.push(...story.tell());
      paths.clear();
      parents.clear();
      trees = [];
      continue;
    }
    story.add(step);
    // As docker has them, which knows no bytes.
    for (const path of [step.path, step.from].flatMap((name) => name ?? []).map(asText)) {
      paths.add(path);
      parents.add(path.slice(0, path.lastIndexOf("/")));
      if (step.directory === true) trees.push(`${path}/`);
    }
  }
  edits.push(...story.tell());
  // A journal that was started again does not say.
  const present = container === undefined || container === session.containerId;
  const explains = ({ letter, path }: ContainerChange): boolean =>
    present && (paths.has(path) || (letter === "C" && parents.has(path)) ||
      trees.some((tree) => path.startsWith(tree)));
  return { edits, lost, explains };
}
