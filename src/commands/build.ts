import { refuseAttached } from "../session/attachment.ts";
import { buildImage } from "../image/build.ts";
import { plainCommand } from "../command_line/command.ts";
import {
  passedArguments,
  type SessionFlags,
  sessionFlags,
  sessionOf,
  switchFlag,
  textFlag,
} from "../command_line/flags.ts";
import { loadConfig } from "../config/config.ts";
import { reachRemoteHost } from "../lifecycle/connection.ts";
import { type EngineHost, inspectImage } from "../docker.ts";
import type { Context } from "../process/context.ts";
import { Failure } from "../error.ts";
import { parseReference } from "../image/reference.ts";
import { findPublicKey } from "../ssh/public_key.ts";
import { progress } from "../output.ts";
import { formatDuration } from "../units.ts";
import {
  baseOf,
  isForSession,
  isGenerated,
  overlayPath,
  readOverlay,
  writeOverlay,
} from "../image/overlay.ts";
import { type Session } from "../session/session.ts";
import { updateSession } from "../session/store.ts";

interface BuildFlags extends SessionFlags {
  readonly remote: boolean;
  readonly overlayTag?: string;
}

export const command = plainCommand<BuildFlags, string[]>({
  about:
    "Builds the image of Dockerfile.dockerdo, and writes that file first if it is missing. All other options " +
    "go to docker build. Unless the Dockerfile has COPY or ADD, only it is sent to the engine; else the work " +
    "dir is (with --remote, the build dir on the remote host), without mounts, .ssh, private keys, and what " +
    ".dockerignore names.\n\n" +
    "  dockerdo build --remote --no-cache",
  flags: {
    ...sessionFlags,
    remote: switchFlag("Build on the remote host, with its build dir as the context"),
    overlayTag: textFlag("Set the session's image tag", "tag"),
  },
  aliases: { t: "overlayTag" },
  positional: passedArguments("docker build"),
  action: build,
});

/** Builds the session's image, and writes its Dockerfile first if it is missing. */
export async function build(
  context: Context,
  flags: BuildFlags,
  ...words: string[]
): Promise<void> {
  const config = await loadConfig(context);
  const found = sessionOf(context, flags);
  refuseAttached(found, "build");
  const imageTag = flags.overlayTag ?? found.imageTag;
  parseReference(imageTag);
  const remote = flags.remote && found.remoteHost !== null;
  const session = remote ? await reachRemoteHost(context, found, { interactive: true }) : found;
  const key = await findPublicKey(context, config.ssh_key_path, session);
  const dockerfile = await findDockerfile(context, session, config.default_distro);

  const began = Date.now();
  progress(
    context,
    remote ? "remote" : "local",
    `Building ${imageTag} from ${overlayPath(session)}`,
  );
  const engine: EngineHost = remote ? session : "local";
  const base = await inspectImage(context, engine, baseOf(dockerfile)).catch(() => undefined);
  const code = await buildImage(context, session, {
    engine,
    dockerfile,
    onBuild: base?.onBuild ?? [],
    words: ["-t", imageTag, "--build-arg", `SSH_PUB_KEY=${key.line}`, ...words],
  });
  if (code !== 0) {
    throw new Failure(`docker build failed with exit code ${code}`, {
      exitCode: code,
      hint: "docker has printed the reason. If it is in the Dockerfile, fix " +
        `${overlayPath(session)} and run dockerdo build again.`,
    });
  }
  if (context.dryRun) return;
  await updateSession(session.dir, (stored) => ({ ...stored, imageTag }));
  progress(
    context,
    remote ? "remote" : "local",
    `Built ${imageTag} in ${formatDuration(Date.now() - began)}`,
  );
}

/** The Dockerfile in the work dir if it is the user's own; else the one that this session gets. */
async function findDockerfile(
  context: Context,
  session: Session,
  defaultDistro: string | null,
): Promise<string> {
  const existing = await readOverlay(session);
  if (existing === undefined || isGenerated(existing) && !isForSession(existing, session)) {
    return await writeOverlay(context, session, { defaultDistro, force: false });
  }
  if (baseOf(existing) !== session.baseImage) {
    context.stderr(
      `dockerdo: ${overlayPath(session)} was edited, and begins with ${
        baseOf(existing)
      } instead of ` +
        `${session.baseImage}\n  dockerdo overlay --force writes it again.\n`,
    );
  }
  return existing;
}
