import { plainCommand } from "../command_line/command.ts";
import { type CommonFlags, passedArguments } from "../command_line/flags.ts";
import { type EngineHost, inspectImage } from "../docker.ts";
import { Failure, usageFailure } from "../error.ts";
import { needsContext, readOverlay } from "../image/overlay.ts";
import { findContainer, reachRemoteHost, reconnect } from "../lifecycle/connection.ts";
import { progress } from "../output.ts";
import { isOnPath } from "../process/search_path.ts";
import type { Context } from "../process/context.ts";
import { refuseAttached } from "../session/attachment.ts";
import { remoteHostText } from "../session/remote_host.ts";
import { containerMount, listSessions, loadSession, type Session } from "../session/session.ts";
import { build } from "./build.ts";
import { begin, type InitFlags, initFlags, printScript } from "./init.ts";
import { push } from "./push.ts";
import { runContainer } from "./run.ts";
import { start } from "./start.ts";
import { ENGINE } from "../ssh/argv.ts";

const { mount: _mount, remoteDelay: _delay, ...OWN_FLAGS } = initFlags;
type UpFlags = Omit<InitFlags, "mount" | "remoteDelay">;

export const command = plainCommand<UpFlags, string[]>({
  about:
    "Runs the steps that are not done yet: init, build (on the host where it costs less), push, run or start. Then " +
    "prints the path of the activate script. Can be repeated. The session's name, if given, is the first argument; " +
    "options that are not init's go to docker run.\n\n" +
    "  source $(dockerdo up demo --remote reykjavik --image debian:bookworm)\n" +
    "  source $(dockerdo up demo)",
  flags: OWN_FLAGS,
  passesV: true,
  positional: passedArguments("docker run", "session", "Name of the session; the first argument"),
  action: up,
});

async function up(
  context: Context,
  flags: UpFlags & CommonFlags,
  ...words: string[]
): Promise<void> {
  const isNamed = words[0] !== undefined && !words[0].startsWith("-");
  const [name, runArguments] = isNamed ? [words[0], words.slice(1)] : [undefined, words];
  const known = sessionHere(context, name);
  if (known !== undefined) refuseOther(known, flags);
  const session = known ?? await step("init", "", () => begin(context, flags, name));
  if (context.dryRun && known === undefined) {
    progress(context, "local", "Then: build, push and run, as far as they are needed");
    return;
  }
  const again = `dockerdo up ${session.name} continues from here.`;
  await step(
    "reaching the host",
    again,
    () => reachRemoteHost(context, session, { interactive: true }),
  );
  await bringUp(context, { session: loadSession(session.dir), flags, runArguments, again });
  await printScript(context, session, flags);
  progress(context, "container", "Next: dodo COMMAND");
}

/** The session of this name; without a name, the one whose work dir this directory is. */
function sessionHere(context: Context, name: string | undefined): Session | undefined {
  return listSessions(context).find((one) =>
    name === undefined ? one.workDir === context.cwd : one.name === name
  );
}

function refuseOther(session: Session, { remote, local, image }: UpFlags): void {
  refuseAttached(session, "bring up");
  const host = session.remoteHost === null ? "the local host" : remoteHostText(session.remoteHost);
  const otherHost = local ? session.remoteHost !== null : remote !== undefined && remote !== host;
  if (!otherHost && (image === undefined || image === session.baseImage)) return;
  throw usageFailure(
    `the session ${session.name} already exists, with ${session.baseImage} on ${host}`,
    `Leave out --remote and --image to continue it, or remove it first: dockerdo rm --delete ${session.name}`,
  );
}

async function bringUp(
  context: Context,
  { session, flags, runArguments, again }: {
    readonly session: Session;
    readonly flags: UpFlags & CommonFlags;
    readonly runArguments: readonly string[];
    readonly again: string;
  },
): Promise<void> {
  const own = { verbose: flags.verbose, dryRun: flags.dryRun, session: session.name };
  const container = await findContainer(context, session);
  if (container?.status === "running") {
    await step("reconnect", again, () => reconnect(context, session, { interactive: true }));
    progress(context, "container", `Already running: ${containerMount(session)}`);
    return;
  }
  if (container !== undefined && container.status !== "created") {
    await step("start", again, () => start(context, own));
    return;
  }
  if (await inspectImage(context, session, session.imageTag) === undefined) {
    const side = await buildSide(context, session);
    if (side !== "push") {
      await step("build", again, () => build(context, { ...own, remote: side === "remote" }));
    }
    if (side !== "remote") await step("push", again, () => push(context, loadSession(session.dir)));
  }
  await step(
    "run",
    again,
    () => runContainer(context, { ...own, defaultArgs: true }, ...runArguments),
  );
}

/** Where the image costs less to make: an image that is there costs nothing, a base image that is there no download. */
async function buildSide(context: Context, session: Session): Promise<"local" | "remote" | "push"> {
  if (session.remoteHost === null) return "local";
  if (!await isOnPath(context, ENGINE.program)) {
    progress(context, "remote", "Building on the remote host: this host has no docker");
    return "remote";
  }
  const has = async (engine: EngineHost, reference: string): Promise<boolean> =>
    await inspectImage(context, engine, reference).then(
      (image) => image !== undefined,
      () => false,
    );
  if (await has("local", session.imageTag)) return "push";
  const dockerfile = await readOverlay(session);
  if (dockerfile !== undefined && needsContext(dockerfile)) {
    progress(context, "local", "Building here: the Dockerfile copies files of this directory");
    return "local";
  }
  const isThere = await has(session, session.baseImage);
  if (!isThere && await has("local", session.baseImage)) {
    progress(context, "local", `Building here: only this host has ${session.baseImage}`);
    return "local";
  }
  const why = isThere ? `it has ${session.baseImage}` : "then there is nothing to push";
  progress(context, "remote", `Building on the remote host: ${why}`);
  return "remote";
}

/** Runs a step; its failure says which one it was, and how to continue. */
async function step<T>(name: string, again: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof Failure) || error.exitCode > 128) throw error;
    const hint = [error.hint, again].filter(Boolean).join("\n");
    throw new Failure(`${name} failed: ${error.message}`, {
      cause: error,
      exitCode: error.exitCode === 2 ? 2 : 1,
      ...hint === "" ? {} : { hint },
    });
  }
}
