import { sessionCommand } from "../command_line/command.ts";
import { reachRemoteHost } from "../lifecycle/connection.ts";
import { readStoredImage } from "../push/containerd.ts";
import { dockerArgv, type Image, inspectImage } from "../docker.ts";
import { Failure } from "../error.ts";
import { SLOW_LINK } from "../push/compression.ts";
import { settled } from "../push/settled.ts";
import { hasReadableLayers } from "../push/overlay2.ts";
import { LoadFailure, removeParts, tagRemote } from "../push/remote_load.ts";
import { progress } from "../output.ts";
import { formatBytes, formatDuration } from "../units.ts";
import { transfer } from "../push/transfer.ts";
import { run } from "../process/child.ts";
import { type Context } from "../process/context.ts";
import { type Source, streamImage } from "../push/push.ts";
import {
  askRemote,
  layerSizes,
  missingBytes,
  type RemoteState,
  stepSizes,
} from "../push/remote_state.ts";
import { refuseAttached } from "../session/attachment.ts";
import type { Session } from "../session/session.ts";
import { onEngine } from "../ssh/argv.ts";
import { UnfitLayer } from "../push/tar_split.ts";

/** Duration of a push from which on building on the remote host is the better way. */
const LONG_WAIT_MS = 60_000;

/** Complaints of an engine that a whole archive does not cure. */
const HOPELESS = /no space left|cannot connect to the docker daemon|error during connect/i;

export const command = sessionCommand({
  about:
    "Copies the image to the remote host: through the registry if the session has one, otherwise straight " +
    "into the remote engine over ssh, sending only the layers it lacks. Large images are sent in parts: an " +
    "interrupted push resumes after the last complete one.\n\n" +
    "  dockerdo build && dockerdo push",
  action: push,
});

/** Brings the session's image to where the container is to run; there it may be already. */
export async function push(context: Context, found: Session): Promise<void> {
  const began = Date.now();
  refuseAttached(found, "push");
  if (found.remoteHost === null) {
    progress(context, "local", "Nothing to push: the container runs on this host");
    return;
  }
  const image = await inspectImage(context, "local", found.imageTag);
  if (image === undefined) {
    if (context.dryRun) return progress(context, "local", `There is no ${found.imageTag} yet`);
    throw new Failure(`the local engine has no image ${found.imageTag}`, {
      hint:
        "Build it with dockerdo build. An image of dockerdo build --remote is already on the remote host.",
    });
  }
  const session = await reachRemoteHost(context, found, { interactive: true });
  const summary = session.registry === null
    ? await throughSsh(context, session, image)
    : await throughRegistry(context, session, image);
  if (context.dryRun) return;
  const took = formatDuration(Date.now() - began);
  progress(context, "remote", `Pushed ${session.imageTag}: ${summary}${took}`);
}

async function throughSsh(
  context: Context,
  session: Session,
  image: Image,
): Promise<string> {
  const [state, steps, source] = context.dryRun ? [NOTHING_THERE, [], SAVED] : await settled([
    askRemote(context, session, image),
    stepSizes(context, image),
    sourceOf(context, session, image),
  ]);
  const all = image.layers.length;
  const of = (layers: number, bytes: number): string =>
    `${layers} of ${all} layers, ${formatBytes(bytes)} of ${formatBytes(image.size)}, `;
  if (state.imageId !== "") {
    if (state.taggedId !== state.imageId) await tagRemote(context, session, state.imageId);
    if (state.hasParts) await removeParts(context, session);
    return of(0, 0);
  }
  if (state.presentLayers > 0) {
    const host = session.remoteHost?.name;
    progress(context, "remote", `${host} has ${state.presentLayers} of ${all} layers`);
  }
  progress(context, "local", `Exporting ${session.imageTag}`);
  const task = { image, state, steps, source };
  const { layers, bytes } = await sendInSomeWay(context, session, task);
  return of(layers, bytes);
}

const SAVED: Source = { kind: "saved" };

async function sourceOf(context: Context, session: Session, image: Image): Promise<Source> {
  if (hasReadableLayers(image)) return { kind: "overlay2" };
  const { id } = image;
  const wanted = { sessionId: session.id, image: id, digest: id, platform: image };
  const stored = await readStoredImage(context, "local", wanted);
  return stored?.diffIds.join() === image.layers.join()
    ? { kind: "containerd", image: stored }
    : SAVED;
}

/** What a dry run takes a remote engine for: it asks no host. What would be read it does not know either. */
const NOTHING_THERE: RemoteState = {
  imageId: "",
  taggedId: "",
  presentLayers: 0,
  presentBlobs: undefined,
  hasParts: false,
  format: "none",
};

interface Task {
  readonly image: Image;
  readonly state: RemoteState;
  /** From {@link stepSizes}. */
  readonly steps: readonly number[];
  readonly source: Source;
}

interface Sent {
  readonly layers: number;
  readonly bytes: number;
}

/** Sends single layers where they can be read, else what docker save gives of them, at last all that it gives. */
async function sendInSomeWay(context: Context, session: Session, task: Task): Promise<Sent> {
  const { state, source } = task;
  try {
    return await sendImage(context, session, task);
  } catch (error) {
    if (error instanceof UnfitLayer) {
      progress(context, "local", `${error.message}: docker save reads the whole image instead`);
      // The remote host may have new parts.
      const state = await askRemote(context, session, task.image);
      return await sendInSomeWay(context, session, { ...task, state, source: SAVED });
    }
    const partial = source.kind !== "saved" || state.presentLayers > 0;
    if (!(error instanceof LoadFailure) || !partial || HOPELESS.test(error.message)) throw error;
    progress(context, "remote", `${error.message}: sending the whole image instead`);
    const whole = {
      ...state,
      presentLayers: 0,
      hasParts: true,
      ...state.presentBlobs === undefined ? {} : { presentBlobs: [] },
    };
    return await sendImage(context, session, { ...task, state: whole, source: SAVED });
  }
}

async function sendImage(
  context: Context,
  session: Session,
  { image, state, steps, source }: Task,
): Promise<Sent> {
  const size = missingBytes(image, { present: state.presentLayers, steps });
  const all = image.layers.length;
  const shown = transfer(context, "remote", size);
  let layers = 0;
  const bytes = await streamImage(context, session, {
    image,
    state,
    size,
    source,
    sizes: layerSizes(image, {
      stored: source.kind === "containerd" ? source.image : undefined,
      steps,
    }),
    events: {
      onBytes: shown.update,
      onSize: shown.expect,
      onLayer: ({ position, size, sent }) => {
        if (!sent) return;
        layers++;
        shown.clear();
        progress(context, "remote", `Layer ${position + 1} of ${all}: ${formatBytes(size)}`);
      },
      onRate: (rate) => {
        if (rate > SLOW_LINK || size / rate * 1000 < LONG_WAIT_MS) return;
        shown.clear();
        const words = `The link is slow (${formatBytes(rate)}/s)`;
        progress(context, "local", `${words}: dockerdo build --remote sends no layers`);
      },
    },
  }).finally(shown.clear);
  // docker save gives blobs, and does not say which are layers.
  const unknown = source.kind === "saved" && state.presentBlobs !== undefined && layers === 0;
  return { layers: unknown ? all - state.presentLayers : layers, bytes };
}

// docker shows its progress on a terminal only, and on stdout, which is not its place here.
const ON_STDERR = ["sh", "-c", 'exec "$@" >&2', "sh"];

async function throughRegistry(
  context: Context,
  session: Session,
  image: Image,
): Promise<string> {
  const terminal = Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
  const steps = [
    { place: "local", verb: "push", argv: dockerArgv("local", ["push", session.imageTag]) },
    {
      place: "remote",
      verb: "pull",
      argv: onEngine(session, ["pull", session.imageTag], { terminal }),
    },
  ] as const;
  for (const { place, verb, argv } of steps) {
    progress(context, place, `${verb === "push" ? "Pushing" : "Pulling"} ${session.imageTag}`);
    const code = await run(context, [...ON_STDERR, ...argv]);
    if (code !== 0) {
      throw new Failure(`docker ${verb} ${session.imageTag} failed with exit code ${code}`, {
        hint: `Check that docker login to ${session.registry} was done on the ${place} host.`,
      });
    }
  }
  if (context.dryRun) return "";
  const there = await inspectImage(context, session, session.imageTag);
  const same = there?.layers.join() === image.layers.join() && there.settings === image.settings;
  if (there?.id !== image.id && !same) {
    throw new Failure(`${session.imageTag} is not on ${session.remoteHost?.name} as it is here`, {
      hint: `Here it is ${image.id}, there ${
        there?.id ?? "nothing"
      }: was it pushed by others, too?`,
    });
  }
  return `${image.layers.length} layers, ${formatBytes(image.size)}, `;
}
