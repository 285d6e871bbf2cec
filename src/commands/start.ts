import { plainCommand } from "../command_line/command.ts";
import {
  forwardFlag,
  mountFlag,
  passedArguments,
  recordFlag,
  type SessionFlags,
  sessionFlags,
  sessionOf,
} from "../command_line/flags.ts";
import { loadConfig } from "../config/config.ts";
import { type UserConfig } from "../config/schema.ts";
import { stopAuto } from "../forward/background.ts";
import {
  connectContainer,
  disconnectContainer,
  findContainer,
  withHost,
} from "../lifecycle/connection.ts";
import { docker } from "../docker.ts";
import { decideRecording } from "../lifecycle/recording.ts";
import { Failure } from "../error.ts";
import { findPublicKey } from "../ssh/public_key.ts";
import { isWithin } from "../paths.ts";
import { progress } from "../output.ts";
import type { Context } from "../process/context.ts";
import {
  containerMount,
  type ForwardMode,
  type MountKind,
  type Session,
} from "../session/session.ts";
import { updateSession } from "../session/store.ts";
import { stopMaster } from "../ssh/master.ts";
import { enginePlace } from "../session/remote_host.ts";

interface StartFlags extends SessionFlags {
  readonly mount?: MountKind;
  readonly record?: boolean;
  readonly forward?: ForwardMode;
}

export const command = plainCommand<StartFlags, string[]>({
  about:
    "Starts a stopped or paused container and mounts its filesystem. With --mount or --record, mounts again " +
    "if the setting has changed. Can be repeated.\n\n" +
    "  dockerdo stop; dockerdo start\n  dockerdo start NAME",
  flags: { ...sessionFlags, mount: mountFlag, record: recordFlag, forward: forwardFlag },
  positional: passedArguments("docker start", "session"),
  action: start,
});

/** Starts the session's container again where it is stopped, and mounts its filesystem. */
export async function start(
  context: Context,
  flags: StartFlags,
  ...words: string[]
): Promise<void> {
  const config = await loadConfig(context);
  const { name, rest } = takeSessionName(words);
  await withHost(context, sessionOf(context, flags, name), {
    buildDir: true,
    action: async (found) => {
      const session = await withFlags(context, found, flags);
      await startContainer(context, session, { config, words: rest });
    },
  });
}

/** docker start has no word of its own but containers, and the container is the session's: a word is its name. */
export function takeSessionName(
  words: readonly string[],
): { readonly name: string | undefined; readonly rest: readonly string[] } {
  const at = words.findIndex((word, at) =>
    !word.startsWith("-") &&
    !/^--(detach-keys|checkpoint|checkpoint-dir)$/.test(words[at - 1] ?? "")
  );
  return at < 0
    ? { name: undefined, rest: words }
    : { name: words[at], rest: words.toSpliced(at, 1) };
}

async function startContainer(
  context: Context,
  session: Session,
  { config, words }: { readonly config: UserConfig; readonly words: readonly string[] },
): Promise<void> {
  const container = await findContainer(context, session);
  if (container === undefined) {
    throw new Failure(`the session ${session.name} has no container`, { hint: "dockerdo run" });
  }
  const key = await findPublicKey(context, config.ssh_key_path, session);
  if (container.status !== "running" && session.attached !== null) {
    throw new Failure(`${container.name} is ${container.status}, and is not dockerdo's to start`, {
      hint: `Start it as it was started, then: dockerdo start ${session.name}`,
    });
  }
  if (container.status !== "running") {
    progress(context, enginePlace(session), `Starting the container ${container.name}`);
    const verb = container.status === "paused" ? ["unpause"] : ["start", ...words];
    await docker(context, session, {
      words: [...verb, container.id],
      doing: "Starting the container",
    });
    // What is left of a master belongs to the container's earlier life.
    await stopMaster(context, session, "container");
  }
  await connectContainer(context, session, { containerId: container.id, key });
  progress(context, "container", `Ready: ${containerMount(session)}`);
  // We were started in a mount that had died: the shell is still in that one.
  if (isWithin(context.cwd, containerMount(session)) && Deno.cwd() === "/") {
    context.stderr(
      "dockerdo: this shell is still in the mount that died; cd . enters the new one\n",
    );
  }
}

/** The session with what the flags say; a mount of another kind is removed first, and a forward --auto ended. */
async function withFlags(
  context: Context,
  found: Session,
  flags: StartFlags,
): Promise<Session> {
  const mount = flags.mount ?? found.mount;
  const forward = flags.forward ?? found.forward;
  const record = decideRecording(context, {
    asked: flags.record,
    otherwise: found.record,
    mount,
  });
  const isMountSame = mount === found.mount && record === found.record;
  if (!isMountSame) await disconnectContainer(context, found, { force: false });
  if (flags.forward === "none") await stopAuto(context, found);
  if (isMountSame && forward === found.forward) return found;
  if (context.dryRun) return { ...found, mount, forward, record };
  return await updateSession(found.dir, (stored) => ({ ...stored, mount, forward, record }));
}
