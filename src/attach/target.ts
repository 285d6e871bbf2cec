import { type Container, docker, inspectContainer } from "../docker.ts";
import { Failure } from "../error.ts";
import type { Context } from "../process/context.ts";
import type { Attachment } from "../session/attachment.ts";
import type { Session } from "../session/session.ts";

const COMPOSE = "com.docker.compose";

/** Compose's project and service of a container, by its labels; null where compose has not made it. */
export function composeOf({ labels }: Pick<Container, "labels">): Attachment["compose"] {
  const [project, service] = [labels[`${COMPOSE}.project`], labels[`${COMPOSE}.service`]];
  return project === undefined || service === undefined ? null : { project, service };
}

/** The project that compose makes of a directory's name. */
export function projectOf(directory: string): string {
  return (directory.split("/").at(-1) ?? "").toLowerCase().replace(/[^a-z0-9_-]/g, "")
    .replace(/^[_-]+/, "");
}

/** The running containers of a compose service, by its labels; of any project where that is empty. */
async function serviceContainers(
  context: Context,
  session: Session,
  { service, project }: { readonly service: string; readonly project: string },
): Promise<Container[]> {
  const filters = [`label=${COMPOSE}.service=${service}`];
  if (project !== "") filters.push(`label=${COMPOSE}.project=${project}`);
  const ids = await docker(context, session, {
    words: ["ps", "-q", "--no-trunc", ...filters.flatMap((filter) => ["--filter", filter])],
    readOnly: true,
    doing: "Asking docker for the service's containers",
  });
  const found = await Promise.all(
    ids.split(/\s+/).filter(Boolean).map((id) => inspectContainer(context, session, id)),
  );
  return found.filter((one) => one !== undefined).filter(({ labels }) =>
    labels[`${COMPOSE}.oneoff`] !== "True"
  );
}

/**
 * The container that compose has made again for the service of an attached session, under whatever name; undefined
 * if there is no such container, or more than one.
 */
export async function findRecreated(
  context: Context,
  session: Session,
): Promise<Container | undefined> {
  const compose = session.attached?.compose ?? null;
  if (compose === null) return undefined;
  const found = await serviceContainers(context, session, compose);
  return found.length === 1 ? found[0] : undefined;
}

/**
 * The one running container of a compose service, by its labels. Without a project it is the current directory's,
 * where that has the service; several that fit are a failure that lists them.
 */
export async function findService(
  context: Context,
  session: Session,
  { service, project }: { readonly service: string; readonly project: string },
): Promise<Container> {
  const found = await serviceContainers(context, session, { service, project });
  const here = found.filter((one) => composeOf(one)?.project === projectOf(context.cwd));
  const fit = here.length > 0 ? here : found;
  const [only] = fit;
  if (only !== undefined && fit.length === 1) return only;
  const where = session.remoteHost?.name ?? "the local host";
  const of = project === "" ? service : `${service} of ${project}`;
  if (only === undefined) {
    throw new Failure(`${where} runs no container of the compose service ${of}`, {
      hint: "docker ps on that host lists the running ones.",
    });
  }
  const names = fit.map((one) => `${one.name} (${composeOf(one)?.project})`).sort();
  throw new Failure(`${fit.length} containers on ${where} are the service ${of}`, {
    hint: `Name one: dockerdo attach CONTAINER, of\n${names.join("\n")}`,
  });
}

const RUNTIMES = /^(|runc|crun|youki|io\.containerd\.runc\.v2|nvidia)$/;

/** Why a session cannot be attached to a container; undefined where it can. */
export function refusal(
  { name, status, runtime, sessionId }: Pick<
    Container,
    "name" | "status" | "runtime" | "sessionId"
  >,
): Failure | undefined {
  if (sessionId !== undefined) {
    return new Failure(`${name} already is the container of a session`, {
      hint: "dockerdo list shows it; its activate script activates it.",
    });
  }
  if (status !== "running") {
    const word = status === "paused" ? "docker unpause" : "docker start";
    return new Failure(`${name} is ${status}`, {
      hint: status === "exited" || status === "created" || status === "paused"
        ? `It must run: ${word} ${name}`
        : "Try again when it runs.",
    });
  }
  if (!RUNTIMES.test(runtime)) {
    return new Failure(`${name} runs under ${runtime}, whose processes no other container sees`);
  }
  return undefined;
}
