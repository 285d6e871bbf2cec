import { hasShell, HELPER_LABEL, removeHelpers } from "../attach/helper.ts";
import { composeOf, findService, refusal } from "../attach/target.ts";
import { plainCommand } from "../command_line/command.ts";
import { mountFlag, recordFlag, shellFlag, switchFlag, textFlag } from "../command_line/flags.ts";
import { loadConfig } from "../config/config.ts";
import { type Container, inspectContainer } from "../docker.ts";
import { Failure, usageFailure } from "../error.ts";
import {
  connectContainer,
  disconnectContainer,
  disconnectRemoteHost,
  reachRemoteHost,
} from "../lifecycle/connection.ts";
import { checkMountPoint } from "../mount/mount.ts";
import { progress } from "../output.ts";
import type { Context } from "../process/context.ts";
import { containerMount, type MountKind, type Session } from "../session/session.ts";
import { updateSession } from "../session/store.ts";
import { findPublicKey } from "../ssh/public_key.ts";
import { makeSessionDir, planSession, printScript, refuseTaken } from "./init.ts";

interface AttachFlags {
  readonly remote?: string;
  readonly local: boolean;
  readonly service?: string;
  readonly project?: string;
  readonly user?: string;
  readonly mount?: MountKind;
  readonly record?: boolean;
  readonly shell?: "sh" | "fish";
}

export const command = plainCommand<AttachFlags, string[]>({
  about:
    "Starts a session in a running container that is not dockerdo's, and prints the path of the activate " +
    "script. Nothing is installed, written or changed in it: a helper container beside it serves its files, and " +
    "docker exec runs the commands. dockerdo rm ends the session and leaves the container as it is.\n\n" +
    "  source $(dockerdo attach web --remote reykjavik)\n" +
    "  source $(dockerdo attach --service db --project shop)",
  flags: {
    remote: textFlag("Host that runs the container", "host"),
    local: switchFlag("The container runs on the local host"),
    service: textFlag("Container of this service of a compose project", "service"),
    project: textFlag("Compose project (default: named after the directory)", "project"),
    user: textFlag(
      "User of commands and files (default: the container's)",
      "user[:group]",
    ),
    mount: mountFlag,
    record: recordFlag,
    shell: shellFlag,
  },
  positional: {
    kind: "array",
    parameter: {
      brief: "Name or id of the container (not with --service), then a name for the session",
      placeholder: "container",
      parse: (word: string): string => word,
    },
  },
  action: attach,
});

async function attach(context: Context, flags: AttachFlags, ...words: string[]): Promise<void> {
  const [container, name, ...rest] = flags.service === undefined ? words : [undefined, ...words];
  if (rest.length > 0 || (container === undefined && flags.service === undefined)) {
    throw usageFailure(
      "which container?",
      "dockerdo attach CONTAINER [SESSION], or --service NAME",
    );
  }
  const { user, ...shared } = flags;
  const first = await planSession(
    context,
    { ...shared, image: "none:none", connect: "exec" },
    name,
  );
  const attached = { user: user ?? "", hasShell: true, compose: null };
  const planned = { ...first, attached, containerName: container ?? flags.service ?? "" };
  await refuseTaken(context, planned, { named: name !== undefined });
  await checkMountPoint(context, containerMount(planned));
  await using undo = new AsyncDisposableStack();
  const made = await makeSessionDir(context, planned, { undo });
  const quiet = { ...context, verbose: false };
  undo.defer(() => disconnectRemoteHost(quiet, made, { force: true }));
  if (made.remoteHost !== null) progress(context, "local", `Connecting to ${made.remoteHost.name}`);
  const placed = await reachRemoteHost(context, made, { interactive: true });
  const target = await findTarget(context, placed, { container, flags });
  if (context.dryRun) return;
  const session = await updateSession(placed.dir, async (stored) => ({
    ...stored,
    containerId: target.id,
    containerName: target.name,
    baseImage: target.image,
    imageTag: target.image,
    attached: {
      user: user ?? "",
      hasShell: await hasShell(context, placed, target),
      compose: composeOf(target),
    },
  }));
  undo.defer(() => removeHelpers(quiet, session));
  undo.defer(() => disconnectContainer(quiet, session, { force: true }));
  const { ssh_key_path } = await loadConfig(context);
  const key = await findPublicKey(context, ssh_key_path, session);
  await connectContainer(context, session, { containerId: target.id, key });
  undo.move();
  const who = user ?? (target.user || "root");
  progress(context, "container", `Ready: ${containerMount(session)}, as ${who} of ${target.name}`);
  await printScript(context, session, flags);
}

async function findTarget(
  context: Context,
  session: Session,
  { container, flags }: { readonly container: string | undefined; readonly flags: AttachFlags },
): Promise<Container> {
  const found = container === undefined
    ? await findService(context, session, {
      service: flags.service ?? "",
      project: flags.project ?? context.env["COMPOSE_PROJECT_NAME"] ?? "",
    })
    : await inspectContainer(context, session, container);
  const where = session.remoteHost?.name ?? "the local host";
  if (found === undefined) {
    throw new Failure(`${where} has no container ${container}`, {
      hint: "docker ps on that host lists the running ones.",
    });
  }
  if (found.labels[HELPER_LABEL] !== undefined) {
    throw new Failure(`${found.name} is a helper container of dockerdo`);
  }
  const why = refusal(found);
  if (why !== undefined) throw why;
  return found;
}
