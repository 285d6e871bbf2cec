import { optionalSessionCommand } from "../command_line/command.ts";
import { switchFlag } from "../command_line/flags.ts";
import { findContainer, reachRemoteHost } from "../lifecycle/connection.ts";
import { inspectImage } from "../docker.ts";
import { Failure } from "../error.ts";
import { type ForwardState, forwardStates, forwardText } from "../forward/forwarding.ts";
import { isRelayed, isServed, mountPoint } from "../mount/table.ts";
import { overlayPath } from "../image/overlay.ts";
import { userDirectory } from "../paths.ts";
import type { Context } from "../process/context.ts";
import type { MountKind, Session } from "../session/session.ts";
import { type Destination } from "../ssh/argv.ts";
import { isMasterAlive } from "../ssh/master.ts";

interface StatusFlags {
  readonly json: boolean;
}

/** What docker, ssh and the mount table say. null: not known, since the remote host did not answer. */
interface Status {
  readonly config: string | null;
  readonly session: Readonly<Record<string, unknown>> | null;
  readonly dockerfile: string | null;
  readonly remoteHost: { readonly connected: boolean; readonly problem: string | null } | null;
  readonly image:
    | { readonly tag: string; readonly local: boolean; readonly remote: boolean | null }
    | null;
  readonly container:
    | { readonly name: string; readonly state: string; readonly id: string | null }
    | null;
  readonly masters: Readonly<Record<string, boolean>>;
  readonly mounts: readonly MountStatus[];
  readonly forwards: readonly ForwardState[];
}

interface MountStatus {
  readonly path: string;
  readonly mounted: boolean;
  /** As it is mounted, or would be. */
  readonly kind: MountKind;
  readonly recording: boolean;
}

export const command = optionalSessionCommand<StatusFlags>({
  about:
    "Prints the state of the session, as docker, ssh and the mount table report it. Also works without a " +
    "session.\n\n" +
    "  dockerdo status --json | jq .container.state",
  flags: { json: switchFlag("Print JSON") },
  readOnly: true,
  action: status,
});

async function status(
  context: Context,
  session: Session | undefined,
  flags: StatusFlags,
): Promise<void> {
  const found = await gather(context, session);
  context.stdout(flags.json ? `${JSON.stringify(found, null, 2)}\n` : describe(found));
}

async function gather(context: Context, session: Session | undefined): Promise<Status> {
  const config = `${userDirectory(context, "CONFIG")}/dockerdo.yaml`;
  const about: Status = {
    config: await exists(config) ? config : null,
    session: null,
    dockerfile: null,
    remoteHost: null,
    image: null,
    container: null,
    masters: {},
    mounts: [],
    forwards: [],
  };
  if (session === undefined) return about;
  const problem = await problemOf(context, session);
  const reachable = problem === null;
  const destinations: Destination[] = session.remoteHost === null
    ? ["container"]
    : ["remote", "container"];
  const container = reachable ? await containerIfAnswered(context, session) : undefined;
  const onEngine = async (engine: "local" | Session): Promise<boolean | null> =>
    await inspectImage(context, engine, session.imageTag).then(
      (image) => image !== undefined,
      () => null,
    );
  const masters = Object.fromEntries(
    await Promise.all(
      destinations.map(async (destination) =>
        [destination, await isMasterAlive(context, session, destination)] as const
      ),
    ),
  );
  return {
    ...about,
    session: {
      ...session,
      env: masked(session.env),
      // With what `run -e` has set.
      image: { ...session.image, env: masked(session.image.env) },
    },
    dockerfile: await exists(overlayPath(session)) ? overlayPath(session) : null,
    remoteHost: session.remoteHost === null ? null : { connected: reachable, problem },
    image: {
      tag: session.imageTag,
      local: await onEngine("local") === true,
      remote: session.remoteHost === null || !reachable ? null : await onEngine(session),
    },
    container: {
      name: session.containerName,
      state: !reachable || container === null ? "unknown" : container?.status ?? "none",
      id: container?.id ?? session.containerId,
    },
    masters,
    mounts: await Promise.all(
      destinations.map((destination) => mountStatus(context, session, destination)),
    ),
    forwards: await forwardStates(context, session, { masterUp: masters["container"] === true }),
  };
}

/** null where docker does not answer, which is said on stderr: all else is to be seen just then. */
async function containerIfAnswered(
  context: Context,
  session: Session,
): Promise<Awaited<ReturnType<typeof findContainer>> | null> {
  try {
    return await findContainer(context, session);
  } catch (error) {
    if (!(error instanceof Failure) || error.exitCode > 128) throw error;
    context.stderr(`dockerdo: ${error.message}\n`);
    return null;
  }
}

function masked(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.keys(env).map((name) => [name, "***"]));
}

async function mountStatus(
  context: Context,
  session: Session,
  destination: Destination,
): Promise<MountStatus> {
  const mounted = await isServed(context, session, destination);
  const relayed = mounted
    ? await isRelayed(context, session, destination)
    : session.mount === "relay";
  return {
    path: mountPoint(session, destination) ?? "",
    mounted,
    kind: relayed ? "relay" : "plain",
    recording: mounted && relayed && destination === "container" && session.record,
  };
}

async function problemOf(context: Context, session: Session): Promise<string | null> {
  if (session.remoteHost === null) return null;
  try {
    await reachRemoteHost(context, session, { interactive: false });
    return null;
  } catch (error) {
    if (error instanceof Failure) return error.message;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

function describe(status: Status): string {
  const rows: [string, string][] = [["configuration", status.config ?? "none (defaults)"]];
  if (status.session === null) {
    rows.push(["session", "none here; start one with: source $(dockerdo init)"]);
  } else {
    const { name, dir, workDir, remoteHost } = status.session as unknown as Session;
    rows.push(["session", `${name} (${dir})`], ["work dir", workDir]);
    const connection = status.remoteHost?.problem ?? "connected";
    rows.push([
      "remote host",
      remoteHost === null ? "the local host" : `${remoteHost.name}: ${connection}`,
    ]);
    rows.push(["Dockerfile", status.dockerfile ?? "none yet"]);
    const places = [
      ...status.image?.local ? ["local host"] : [],
      ...status.image?.remote ? ["remote host"] : [],
    ];
    rows.push([
      "image",
      `${status.image?.tag} (${
        places.length > 0 ? `on the ${places.join(" and the ")}` : "not built"
      })`,
    ]);
    rows.push(["container", `${status.container?.name}: ${status.container?.state}`]);
    for (const [destination, alive] of Object.entries(status.masters)) {
      rows.push([`master ${destination}`, alive ? "up" : "down"]);
    }
    for (const { path, mounted, kind, recording } of status.mounts) {
      const how = `mounted (${kind}${recording ? ", edits are recorded" : ""})`;
      rows.push(["mount", `${path}: ${mounted ? how : "not mounted"}`]);
    }
    for (const forward of status.forwards) rows.push(["forward", forwardText(forward)]);
    const names = Object.keys((status.session as unknown as Session).env);
    if (names.length > 0) rows.push(["variables", names.join(" ")]);
  }
  const width = Math.max(...rows.map(([label]) => label.length)) + 2;
  return rows.map(([label, value]) => `${label.padEnd(width)}${value}\n`).join("");
}
