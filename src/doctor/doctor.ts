import { Failure } from "../error.ts";
import type { Context } from "../process/context.ts";
import { type Session } from "../session/session.ts";
import { parseRemoteHost, type RemoteHost } from "../session/remote_host.ts";
import { sshConfigPath } from "../ssh/argv.ts";
import { type Check, type Finding, missing, warning } from "./finding.ts";
import {
  checkConfig,
  checkDocker,
  checkFuse,
  checkKey,
  checkPlaces,
  checkSsh,
  checkSshfs,
  localSystem,
} from "./local.ts";
import { checkRemote } from "./remote.ts";
import { checkSession } from "./session.ts";

/** Every child has a limit of its own; this one is for what hangs all the same. */
const CHECK_LIMIT_MS = 30_000;

/**
 * Looks at everything that a session needs, in the order in which it would fail. All checks run at the same
 * time and never for ever; they are yielded in their order.
 */
export async function* diagnose(
  cli: Context,
  { session, remote }: {
    /** The session that is looked at too, or why it cannot be. */
    readonly session: Session | Failure | undefined;
    /** The host to look at; without one, the session's or the configured one. */
    readonly remote: RemoteHost | undefined;
  },
): AsyncGenerator<Finding> {
  // A child that starts in a mount that is dead does not start.
  const context = { ...cli, cwd: "/" };
  const [system, { config, findings }] = await Promise.all([
    localSystem(context),
    checkConfig(cli),
  ]);
  yield* findings;
  const known = session instanceof Failure ? undefined : session;
  const host = remote ?? (known === undefined ? configured(config) : known.remoteHost ?? undefined);
  const checks: [string, Check][] = [
    ["ssh", () => checkSsh(context, system)],
    ["ssh key", () => checkKey(context, config, { remoteHost: host ?? null })],
    ["sshfs", () => checkSshfs(context, system)],
    ["FUSE", () => checkFuse(context, system)],
    ["docker here", () => checkDocker(context, { system, needed: host === undefined })],
    ["sockets", () => checkPlaces(context, system)],
  ];
  if (host !== undefined) {
    const own = known?.remoteHost?.name === host.name && remote === undefined;
    const target = {
      host,
      sshConfig: own ? sshConfigPath(known, "remote") : null,
      forwards: (known?.connect ?? config?.default_connect) === "port",
    };
    checks.push(["remote host", () => checkRemote(context, target)]);
  }
  if (session instanceof Failure) {
    const remedy = session.hint ?? "dockerdo list";
    checks.push(["session", () => Promise.resolve([missing("session", session.message, remedy)])]);
  } else if (session !== undefined) {
    checks.push(["session", () => checkSession(context, session)]);
  }
  // An interruption reaches any of them, and ends them all.
  const interrupted = Promise.withResolvers<never>();
  const running = checks.map(([name, check]) => limited(name, check));
  for (const findings of running) findings.catch(interrupted.reject);
  for (const findings of running) yield* await Promise.race([interrupted.promise, findings]);
}

function configured(
  config: { readonly default_remote_host: string | null } | undefined,
): RemoteHost | undefined {
  const name = config?.default_remote_host ?? null;
  return name === null ? undefined : parseRemoteHost(name);
}

async function limited(name: string, check: Check): Promise<readonly Finding[]> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<readonly Finding[]>((resolve) => {
    const found = `no answer within ${CHECK_LIMIT_MS / 1000} s`;
    const hung = [warning(name, found, "dockerdo doctor --verbose shows what hangs")];
    timer = setTimeout(() => resolve(hung), CHECK_LIMIT_MS);
  });
  const failed = (error: unknown): readonly Finding[] => {
    if (!(error instanceof Failure) || error.exitCode > 128) throw error;
    return [missing(name, error.message, error.hint ?? "dockerdo doctor --verbose")];
  };
  try {
    return await Promise.race([check().catch(failed), late]);
  } finally {
    clearTimeout(timer);
  }
}
