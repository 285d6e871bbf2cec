import { removeHelpers } from "../attach/helper.ts";
import { plainCommand } from "../command_line/command.ts";
import { switchFlag } from "../command_line/flags.ts";
import { confirm } from "../confirm.ts";
import { findContainer, withHost } from "../lifecycle/connection.ts";
import {
  askEngineId,
  isOtherEngine,
  otherEngineFailure,
  ownContainers,
} from "../session_containers.ts";
import { Failure } from "../error.ts";
import { progress } from "../output.ts";
import type { Context } from "../process/context.ts";
import { removeSession } from "../lifecycle/remove.ts";
import { forgetDirectory } from "../session/known.ts";
import type { Session } from "../session/session.ts";
import { publishHostNames } from "../ssh/host_names.ts";
import { hostOf, survey, type Surveyed } from "../lifecycle/all_sessions.ts";

interface PruneFlags {
  readonly yes: boolean;
  readonly force: boolean;
}

export const command = plainCommand<PruneFlags>({
  about:
    "Removes the sessions whose container no longer exists on its host, and entries of sessions whose " +
    "directory is gone. Keeps sessions that have not run yet and, without --force, those whose host does not " +
    "answer. Shows what it would remove, and asks.\n\n" +
    "  dockerdo prune --dry-run",
  flags: {
    yes: switchFlag("Do not ask"),
    force: switchFlag("Also remove sessions whose host does not answer"),
  },
  aliases: { y: "yes", f: "force" },
  action: prune,
});

async function prune(context: Context, flags: PruneFlags): Promise<void> {
  const found = (await survey({ ...context, dryRun: false }))
    .flatMap((one) => {
      const why = reason(one, flags);
      return why === undefined ? [] : [{ ...one, why }];
    });
  if (found.length === 0) {
    context.stderr("Nothing to remove.\n");
    return;
  }
  for (const { dir, session, why } of found) {
    context.stderr(`${session?.name ?? dir}: ${why}\n`);
  }
  if (context.dryRun) return;
  const many = found.length === 1 ? "this session" : `these ${found.length} sessions`;
  if (!flags.yes && !await confirm(context, `Remove ${many}, with image and history?`)) return;
  const failures: Failure[] = [];
  for (const { dir, session, mount } of found) {
    try {
      if (session === undefined) {
        await forgetDirectory(context, dir);
        await publishHostNames(context);
      } else await removeIfGone(context, session, { ...flags, mount });
    } catch (error) {
      // One that cannot be removed must not keep the others.
      if (!(error instanceof Failure) || error.exitCode > 128) throw error;
      failures.push(error);
    }
  }
  const [first] = failures;
  if (first === undefined) return;
  throw new Failure(failures.map(({ message }) => message).join("\n"), {
    cause: first,
    ...first.hint === undefined ? {} : { hint: first.hint },
  });
}

/** Why a session may go; undefined where it may not. */
export function reason(
  { session, state, mount, problem }: Surveyed,
  { force }: { readonly force: boolean },
): string | undefined {
  if (session === undefined) return state === "gone" ? "its directory is gone" : undefined;
  // One that has not run yet, or whose container `rm` took away, can still be used.
  if (state === "none" && session.containerId !== null) {
    return `its container is gone from ${hostOf(session)}`;
  }
  // What is mounted and answers has a host, whatever else it says.
  if (force && state === "unknown" && mount !== "mounted") return problem ?? "its host is unknown";
  return undefined;
}

async function removeIfGone(
  context: Context,
  found: Session,
  { force, mount }: { readonly force: boolean; readonly mount: Surveyed["mount"] },
): Promise<void> {
  await withHost(context, found, {
    interactive: false,
    unreachable: (failure) => {
      if (!force) throw failure;
    },
    action: async (session, reached) => {
      // A new one may have been made since the question.
      const engine = session.remoteHost === null ? "local" : session;
      if (reached && isOtherEngine(session, await askEngineId(context, engine))) {
        throw otherEngineFailure(session);
      }
      if (reached && session.attached !== null) {
        if (await findContainer(context, session) !== undefined) {
          throw new Failure(`${session.name} has a container again`);
        }
        await removeHelpers(context, session);
      } else if (reached && (await ownContainers(context, session)).length > 0) {
        throw new Failure(`${session.name} has a container again`);
      }
      progress(context, "local", `Removing the session ${session.name}`);
      // A program that waits in a dead mount keeps it busy, and gets nothing any more.
      const detach = mount === "dead" || force && !reached;
      await removeSession(context, session, { force: detach, delete: true, reached });
    },
  });
}
