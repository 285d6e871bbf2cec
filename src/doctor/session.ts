import { allSessionContainers, isOtherEngine, ownsContainer } from "../session_containers.ts";
import { Failure } from "../error.ts";
import { isAnswering, isMounted, mountPoint } from "../mount/table.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { type Destination } from "../ssh/argv.ts";
import { isMasterAlive } from "../ssh/master.ts";
import { type Finding, ok, warning } from "./finding.ts";

const HOST_LIMIT_MS = 5000;

/** What of a session is up. Nothing here is missing: a session may be down. */
export async function checkSession(context: Context, session: Session): Promise<Finding[]> {
  const state = await containerState(context, session);
  const destinations: Destination[] = session.remoteHost === null
    ? ["container"]
    : ["remote", "container"];
  const links = await Promise.all(
    destinations.map((destination) => checkLink(context, session, { destination, state })),
  );
  return [judgeContainer(session, state), ...links.flat()];
}

async function containerState(context: Context, session: Session): Promise<string> {
  try {
    const { engineId, containers } = await allSessionContainers(context, session, {
      limitMs: HOST_LIMIT_MS,
    });
    if (isOtherEngine(session, engineId)) return "unknown";
    const own = containers.filter((container) => ownsContainer(session, container));
    return (own.find(({ id }) => id === session.containerId) ?? own[0])?.status ?? "none";
  } catch (error) {
    if (error instanceof Failure && error.exitCode <= 128) return "unknown";
    throw error;
  }
}

function judgeContainer({ name, containerId }: Session, state: string): Finding {
  const check = `container`;
  if (state === "running") return ok(check, `that of ${name} is running`);
  if (state === "unknown") {
    return warning(check, `that of ${name} is not known`, `dockerdo status ${name}`);
  }
  if (state !== "none") {
    return warning(check, `that of ${name} is ${state}`, `dockerdo start ${name}`);
  }
  return containerId === null
    ? ok(check, `${name} has not run one yet`)
    : warning(check, `that of ${name} is gone`, `dockerdo run --session ${name}`);
}

// Without a container that runs, its master and its mount are rightly down.
async function checkLink(
  context: Context,
  session: Session,
  { destination, state }: { readonly destination: Destination; readonly state: string },
): Promise<Finding[]> {
  const wanted = destination === "remote" || state === "running";
  const reconnect = `dockerdo reconnect ${session.name}`;
  const point = mountPoint(session, destination) ?? "";
  const [alive, mounted] = await Promise.all([
    isMasterAlive(context, session, destination),
    isMounted(context, session, destination),
  ]);
  const answers = mounted && await isAnswering(context, point, HOST_LIMIT_MS);
  const findings: Finding[] = [];
  if (alive) findings.push(ok(`master`, `of the ${of(destination)} is up`));
  else if (wanted) findings.push(warning(`master`, `of the ${of(destination)} is down`, reconnect));
  if (answers) findings.push(ok("mount", point));
  else if (mounted) {
    const again = `dockerdo stop --force ${session.name} && dockerdo start ${session.name}`;
    findings.push(warning("mount", `${point} does not answer`, again));
  } else if (wanted) findings.push(warning("mount", `${point} is not mounted`, reconnect));
  return findings;
}

function of(destination: Destination): string {
  return destination === "remote" ? "remote host" : "container";
}
