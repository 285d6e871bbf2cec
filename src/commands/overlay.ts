import { buildCommand } from "@stricli/core";
import {
  type CliContext,
  commonAliases,
  contextOf,
  type SessionFlags,
  sessionFlags,
  sessionName,
  sessionOf,
  switchFlag,
  textFlag,
} from "../command_line/flags.ts";
import { loadConfig } from "../config/config.ts";
import { overlayTag, parseReference } from "../image/reference.ts";
import { writeOverlay } from "../image/overlay.ts";
import { type Session, updateSession } from "../session/session.ts";

interface OverlayFlags extends SessionFlags {
  readonly image?: string;
  readonly distro?: string;
  readonly force: boolean;
}

export const command = buildCommand<OverlayFlags, [string?], CliContext>({
  func: overlay,
  parameters: {
    flags: {
      ...sessionFlags,
      image: textFlag("Base image, from now on", "image"),
      distro: textFlag("Distribution of the base image, from now on", "distro"),
      force: switchFlag("Replace a Dockerfile.dockerdo that has been edited"),
    },
    aliases: { ...commonAliases, f: "force" },
    positional: sessionName,
  },
  docs: {
    brief: "Write Dockerfile.dockerdo: the base image with sshd and your key",
    fullDescription:
      "Writes Dockerfile.dockerdo into the session's work dir: the base image with what an ssh session needs.\n\n" +
      "  dockerdo overlay --image alpine:3.20",
  },
});

async function overlay(this: CliContext, flags: OverlayFlags, name?: string): Promise<void> {
  const context = contextOf(this, flags);
  const config = await loadConfig(context);
  const changed = (session: Session): Session => {
    const baseImage = flags.image ?? session.baseImage;
    parseReference(baseImage);
    const tag = {
      template: config.default_image_name_template,
      sessionName: session.name,
      registry: session.registry,
    };
    return {
      ...session,
      baseImage,
      // Another image is of another distribution, unless one is named.
      distro: flags.distro ?? (flags.image === undefined ? session.distro : null),
      imageTag: flags.image === undefined ? session.imageTag : overlayTag(baseImage, tag),
    };
  };
  const session = changed(sessionOf(context, flags, name));
  await writeOverlay(context, session, {
    defaultDistro: config.default_distro,
    force: flags.force,
  });
  if (!context.dryRun) await updateSession(session.dir, changed);
}
