import { sessionCommand } from "../command_line/command.ts";
import { switchFlag, textFlag } from "../command_line/flags.ts";
import { loadConfig } from "../config/config.ts";
import { overlayTag, parseReference } from "../image/reference.ts";
import { writeOverlay } from "../image/overlay.ts";
import type { Context } from "../process/context.ts";
import { refuseAttached } from "../session/attachment.ts";
import { type Session } from "../session/session.ts";
import { updateSession } from "../session/store.ts";

interface OverlayFlags {
  readonly image?: string;
  readonly distro?: string;
  readonly force: boolean;
}

export const command = sessionCommand<OverlayFlags>({
  about:
    "Writes Dockerfile.dockerdo into the session's work dir: the base image with sshd. Knows Debian and " +
    "Ubuntu, Alpine, Fedora and RHEL, openSUSE, Arch, and their derivatives.\n\n" +
    "  dockerdo overlay --image alpine:3.20",
  flags: {
    image: textFlag("Set the session's base image", "image"),
    distro: textFlag("Set the distribution of the base image", "distro"),
    force: switchFlag("Replace a Dockerfile.dockerdo that has been edited"),
  },
  aliases: { f: "force" },
  action: overlay,
});

async function overlay(context: Context, found: Session, flags: OverlayFlags): Promise<void> {
  refuseAttached(found, "put sshd into");
  const config = await loadConfig(context);
  const changed = (session: Session): Session => {
    const baseImage = flags.image ?? session.baseImage;
    parseReference(baseImage);
    const tag = {
      template: config.default_image_name_template,
      sessionName: session.name,
      sessionId: session.id,
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
  const session = changed(found);
  await writeOverlay(context, session, {
    defaultDistro: config.default_distro,
    force: flags.force,
  });
  if (!context.dryRun) await updateSession(session.dir, changed);
}
