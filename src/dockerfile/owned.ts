/** What dpkg has put into a container, as far as no command of the session explains it. */
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { readTexts } from "./engine.ts";
import type { SessionEvidence } from "./session_evidence.ts";

const LIST = /^\/var\/lib\/dpkg\/info\/[^/]+\.list$/;
const OWN = /^\/(var\/lib\/(dpkg|apt)|etc\/(alternatives|rc\d\.d))\/|^\/etc\/ld\.so\.cache$/;

/** The paths of packages that came in the session: each a binary string. Only of a container that runs. */
export async function packagePaths(
  context: Context,
  session: Session,
  { reach, diff = [] }: Pick<SessionEvidence, "reach" | "diff">,
): Promise<(path: string) => boolean> {
  const lists = diff.filter(({ letter, path }) => letter !== "D" && LIST.test(path))
    .map(({ path }) => path);
  const id = session.containerId;
  if (reach !== "running" || id === null || lists.length === 0) return () => false;
  const texts = await readTexts(context, session, { id, paths: lists });
  const owned = new Set([...texts.values()].flatMap((text) => text.split("\n")));
  // A merged /usr has other names than the package says.
  return (path) => OWN.test(path) || owned.has(path) || owned.has(path.replace(/^\/usr/, ""));
}
