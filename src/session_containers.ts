import {
  captureDocker,
  type Container,
  docker,
  dockerFailure,
  type EngineHost,
  inspectContainer,
  parseContainers,
  SESSION_LABEL,
} from "./docker.ts";
import { Failure } from "./error.ts";
import type { Context } from "./process/context.ts";
import type { Session } from "./session/session.ts";
import { ENGINE, engineScript } from "./ssh/argv.ts";
import { captureOnRemoteHost } from "./ssh/master.ts";

// $1 the filter; the others are containers without the label. A container that is removed between the two does not make the others fail.
const INSPECT_LABELLED = `ids=$(docker ps -aq --no-trunc --filter "$1") || exit
docker info --format "engine={{.ID}}" 2>/dev/null
shift
[ -z "$ids$*" ] || docker container inspect $ids "$@"`;

/** What an engine answers about sessions. */
export interface EngineAnswer {
  /** What it calls itself; "" where it does not say. */
  readonly engineId: string;
  readonly containers: readonly Container[];
}

/** The id of an engine; null where it does not say. */
export async function askEngineId(context: Context, engine: EngineHost): Promise<string | null> {
  const { code, stdout } = await captureDocker(context, engine, {
    words: ENGINE.askId,
    readOnly: true,
  });
  return code === 0 && stdout.trim() !== "" ? stdout.trim() : null;
}

/**
 * Whether an engine of this id is another than the one that has the session's container: under the same host or
 * context, `DOCKER_HOST` or `docker context use` can put another. What it does not have is not gone then.
 */
export function isOtherEngine(session: Session, engineId: string | null): boolean {
  return session.engineId !== null && session.containerId !== null && Boolean(engineId) &&
    session.engineId !== engineId;
}

/** {@link isOtherEngine} as a sentence. */
export function otherEngineFailure(session: Session): Failure {
  const where = session.remoteHost?.name ?? "here";
  return new Failure(
    `docker ${
      session.remoteHost === null ? where : `on ${where}`
    } is another engine now than the one that has the ` +
      `container of ${session.name}`,
    { hint: "Check DOCKER_HOST, DOCKER_CONTEXT and `docker context ls`." },
  );
}

/**
 * Every session's containers on the engine of `session`, running or not, in one question that brings up no
 * control master and takes `limitMs` at most; and the `targets`, by id or name, which have no label. On a shared host
 * the sessions of others are among them.
 */
export async function allSessionContainers(
  context: Context,
  session: Session,
  { limitMs, targets = [] }: { readonly limitMs: number; readonly targets?: readonly string[] },
): Promise<EngineAnswer> {
  const words = [
    "sh",
    "-c",
    engineScript(INSPECT_LABELLED),
    "sh",
    `label=${SESSION_LABEL}`,
    ...targets,
  ];
  const options = { words, readOnly: true, limitMs, detached: true, probe: true };
  const finished = await captureOnRemoteHost(context, session, options);
  if (finished.code === 124) {
    const where = session.remoteHost?.name ?? "docker";
    throw new Failure(`${where} has not answered within ${Math.round(limitMs / 1000)} s`);
  }
  if (finished.code !== 0 && !ENGINE.noContainer.test(finished.stderr)) {
    const engine = session.remoteHost === null ? "local" : session;
    throw dockerFailure(engine, "Asking docker for the containers", finished);
  }
  const [, engineId = "", json = ""] = /^(?:engine=(.*)\n)?([^]*)$/.exec(finished.stdout) ?? [];
  return { engineId, containers: json.trim() === "" ? [] : parseContainers(json) };
}

/**
 * Whether a container is the one that a session works in. The label alone does not say so, since `docker commit`
 * copies labels into an image, and with it into every container of that image. Of an attached session it is the one
 * of its id or its name, without a label: compose makes a container again under the name of the one before.
 */
export function ownsContainer(
  session: Session,
  { id, name, sessionId }: Pick<Container, "id" | "name" | "sessionId">,
): boolean {
  return (session.attached !== null || sessionId === session.id) &&
    (id === session.containerId || name === session.containerName);
}

/** The session's containers, running or not; others that carry its label are named on stderr, and left. */
export async function ownContainers(context: Context, session: Session): Promise<Container[]> {
  const labelled = await sessionContainers(context, session);
  for (const { name, id } of labelled.filter((container) => !ownsContainer(session, container))) {
    context.stderr(
      `dockerdo: the container ${name} (${
        id.slice(0, 12)
      }) carries the label of ${session.name}, but is not ` +
        "its container: it stays\n",
    );
  }
  return labelled.filter((container) => ownsContainer(session, container));
}

/** The containers that carry a session's label, running or not. */
export async function sessionContainers(
  context: Context,
  session: Session,
): Promise<Container[]> {
  const words = ["ps", "-aq", "--no-trunc", "--filter", `label=${SESSION_LABEL}=${session.id}`];
  const ids = await docker(context, session, {
    words,
    readOnly: true,
    doing: "Asking docker for the session's containers",
  });
  const found = await Promise.all(
    ids.split(/\s+/).filter(Boolean).map((id) => inspectContainer(context, session, id)),
  );
  return found.filter((container) => container !== undefined);
}

/** The last lines a container wrote, for a failure's message. */
export async function containerLog(
  context: Context,
  session: Session,
  containerId: string,
): Promise<string> {
  const { stdout, stderr } = await captureDocker(context, session, {
    words: ["logs", "--tail", "20", containerId],
    readOnly: true,
    limitMs: 5000,
  });
  return (stdout + stderr).trim();
}
