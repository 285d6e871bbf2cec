/** Builds a Dockerfile with its context on the session's engine. */
import { dockerArgv } from "../docker.ts";
import { Failure } from "../error.ts";
import type { Context } from "../process/context.ts";
import { capture } from "../process/child.ts";
import type { Session } from "../session/session.ts";

/** How a build ended. */
export type Built =
  | { readonly image: string }
  | {
    /** The instruction that failed, as the builder counts those that are not comments: from 1; 0: not known. */
    readonly failedStep: number;
    readonly exitCode: number;
    /** The end of what the builder wrote. */
    readonly log: string;
  };

const SEND = 'cd -- "$1" && shift && tar -cf - Dockerfile .dockerignore files | "$@"';

/** Builds `dir` as `tag`. What the builder says is not shown; it is in the log of one that failed. */
export async function build(
  context: Context,
  session: Session,
  { dir, tag, buildArgs }: {
    readonly dir: string;
    readonly tag: string;
    readonly buildArgs: readonly string[];
  },
): Promise<Built> {
  const words = [
    "build",
    "--force-rm",
    "-t",
    tag,
    ...buildArgs.flatMap((arg) => ["--build-arg", arg]),
    "-",
  ];
  const argv = ["sh", "-c", SEND, "dockerdo", dir, ...dockerArgv(session, words)];
  const { code, stdout, stderr } = await capture(context, argv, { relative: true });
  if (code === 0) return { image: tag };
  const log = `${stdout}\n${stderr}`.trim();
  if (/Cannot connect to the Docker daemon|permission denied while trying/i.test(log)) {
    throw new Failure(`the build did not start: ${log.slice(-500)}`);
  }
  const steps = [...log.matchAll(/^Step (\d+)\/\d+ : /gm)];
  const failed = /returned a non-zero code: (\d+)/.exec(log) ?? /exit code: (\d+)/.exec(log);
  return {
    failedStep: Number(steps.at(-1)?.[1] ?? 0),
    exitCode: Number(failed?.[1] ?? 1),
    log: log.split("\n").slice(-25).join("\n"),
  };
}
