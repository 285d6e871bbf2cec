/** Looks into containers and images on the session's engine. */
import { captureDocker, captureOn, docker, dockerFailure } from "../docker.ts";
import { Failure } from "../error.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import SURVEY from "./survey.sh" with { type: "text" };
import { parseSurvey, type Survey } from "./tree.ts";
import { ENGINE } from "../ssh/argv.ts";

/** The part of an image's configuration that a Dockerfile takes over or must restore. */
export interface ImageConfig {
  readonly id: string;
  readonly digests: readonly string[];
  readonly layers: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly user: string;
  readonly volumes: readonly string[];
  /** Everything of it but Env, in one way of writing. */
  readonly rest: Readonly<Record<string, string>>;
}

/** The label of the containers through which images are looked into. */
export const LOOK_LABEL = "dockerdo.look";

const LIMIT_MS = 120_000;

/** A million files of a container, with their digests. */
const LIMIT_BYTES = 512 * 1024 * 1024;

/** An image's configuration; undefined where the engine has no such image. */
export async function imageConfig(
  context: Context,
  session: Session,
  reference: string,
): Promise<ImageConfig | undefined> {
  const words = ["image", "inspect", reference];
  const finished = await captureDocker(context, session, { words, readOnly: true });
  if (finished.code !== 0) {
    if (ENGINE.noImage.test(finished.stderr)) return undefined;
    throw dockerFailure(session, "Asking docker for the image", finished);
  }
  return parseImageConfig(finished.stdout);
}

/** The first image in the JSON of `docker image inspect`. */
export function parseImageConfig(json: string): ImageConfig | undefined {
  const [image] = JSON.parse(json) as [Record<string, unknown>?];
  if (image === undefined) return undefined;
  const config = Object(image["Config"]) as Record<string, unknown>;
  const texts = (value: unknown): string[] => Array.isArray(value) ? value.map(String) : [];
  const env = Object.fromEntries(
    texts(config["Env"]).map((entry) => {
      const at = entry.indexOf("=");
      return [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
  const compared = [
    "Cmd",
    "Entrypoint",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "Shell",
    "StopSignal",
    "User",
    "Volumes",
    "WorkingDir",
  ];
  const isEmpty = (value: unknown): boolean =>
    value === null || value === undefined || value === "" ||
    typeof value === "object" && Object.keys(value).length === 0;
  return {
    id: String(image["Id"] ?? ""),
    digests: texts(image["RepoDigests"]),
    layers: texts(Object(image["RootFS"])["Layers"]),
    env,
    workdir: String(config["WorkingDir"] ?? "") || "/",
    user: String(config["User"] ?? ""),
    volumes: Object.keys(Object(config["Volumes"] ?? {})),
    rest: Object.fromEntries(
      compared.filter((key) => !isEmpty(config[key])).map((
        key,
      ) => [key, JSON.stringify(config[key])]),
    ),
  };
}

// One that is left behind, because we were killed, ends by itself.
const WAIT = "sleep 3600 || read -r _";

/** Starts a container of an image that does nothing, for as long as `action` takes. */
export async function withImage<T>(
  context: Context,
  session: Session,
  { image, action }: { readonly image: string; readonly action: (id: string) => Promise<T> },
): Promise<T> {
  const id = await docker(context, session, {
    words: [
      "run",
      "-d",
      "-i",
      "--network",
      "none",
      "-u",
      "0",
      "--label",
      `${LOOK_LABEL}=${session.id}`,
      "--rm",
      "--entrypoint",
      "/bin/sh",
      image,
      "-c",
      WAIT,
    ],
    doing: `Looking into ${image}`,
  });
  try {
    return await action(id);
  } finally {
    await captureDocker(context, session, { words: ["rm", "-fv", id] });
  }
}

/** Runs a script of ours as root in a container; each letter of what goes in and out is a byte. */
export async function runInside(
  context: Context,
  session: Session,
  { id, script, input, words = [], doing }: {
    readonly id: string;
    readonly script: string;
    readonly words?: readonly string[];
    readonly input?: string;
    readonly doing: string;
  },
): Promise<string> {
  const argv = ["exec", ...input === undefined ? [] : ["-i"], "-u", "0", "-w", "/", id];
  const finished = await captureDocker(context, session, {
    words: [...argv, "/bin/sh", "-c", script, "sh", ...words],
    encoding: "latin1",
    readOnly: true,
    limitMs: LIMIT_MS,
    limitBytes: LIMIT_BYTES,
    ...input !== undefined && { input },
  });
  if (finished.code !== 0) {
    if (finished.code === 124) throw new Failure(`${doing} took longer than ${LIMIT_MS / 1000} s`);
    throw dockerFailure(session, doing, finished);
  }
  return finished.stdout;
}

/** What is in a container. */
export async function survey(context: Context, session: Session, id: string): Promise<Survey> {
  const doing = "Asking the container for its files";
  return parseSurvey(
    await unzipped(await runInside(context, session, { id, script: SURVEY, doing })),
  );
}

async function unzipped(text: string): Promise<string> {
  if (!text.startsWith("\x1f\x8b")) return text;
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = new Uint8Array(await new Response(plain).arrayBuffer());
  let letters = "";
  for (let at = 0; at < buffer.length; at += 8192) {
    letters += String.fromCharCode(...buffer.subarray(at, at + 8192));
  }
  return letters;
}

// Names come with a backslash for a newline, and then a backslash before the digest too.
const HASH = "xargs -0 sha256sum -- 2>/dev/null || :";

/** The digests of files in a container; those that cannot be read are missing. */
export async function hashFiles(
  context: Context,
  session: Session,
  { id, paths }: { readonly id: string; readonly paths: readonly string[] },
): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>();
  if (paths.length === 0) return hashes;
  const input = paths.map((path) => `${path}\0`).join("");
  const doing = "Reading files of the container";
  const output = await runInside(context, session, { id, script: HASH, input, doing });
  for (const line of output.split("\n")) {
    const [, odd, hash, name] = /^(\\?)([0-9a-f]{64}) [ *](.*)$/.exec(line) ?? [];
    if (hash === undefined || name === undefined) continue;
    const path = odd === ""
      ? name
      : name.replace(/\\(.)/g, (_, char) => char === "n" ? "\n" : char === "r" ? "\r" : char);
    hashes.set(path, hash);
  }
  return hashes;
}

/** Whole files of records in a container, by path. */
export function readTexts(
  context: Context,
  session: Session,
  { id, paths }: { readonly id: string; readonly paths: readonly string[] },
): Promise<ReadonlyMap<string, string>> {
  return readHeads(context, session, { id, paths, most: 2 ** 26 });
}

/** The beginnings of files in a container, by path: at most 64 KiB of each, or `most` bytes. */
export async function readHeads(
  context: Context,
  session: Session,
  { id, paths, most = 65536 }: {
    readonly id: string;
    readonly paths: readonly string[];
    readonly most?: number;
  },
): Promise<ReadonlyMap<string, string>> {
  const heads = new Map<string, string>();
  if (paths.length === 0) return heads;
  const script =
    `xargs -0 sh -c 'for path; do printf "%s\\0" "$path"; head -c ${most} -- "$path" 2>/dev/null | tr -d "\\000"; printf "\\0"; done' sh`;
  const input = paths.map((path) => `${path}\0`).join("");
  const doing = "Reading files of the container";
  const fields = (await runInside(context, session, { id, script, input, doing })).split("\0");
  for (let at = 0; at + 1 < fields.length; at += 2) {
    heads.set(fields[at] ?? "", fields[at + 1] ?? "");
  }
  return heads;
}

/** What the remote clock is ahead of ours, in seconds, and by how much that may be wrong. */
export async function clockOffset(
  context: Context,
  session: Session,
): Promise<{ readonly offset: number; readonly slack: number }> {
  if (session.remoteHost === null) return { offset: 0, slack: 0.005 };
  let best = { offset: 0, slack: Infinity };
  for (let round = 0; round < 3; round++) {
    const before = Date.now() / 1000;
    const words = ["date", "+%s.%N"];
    const { stdout } = await captureOn(context, session, { words, readOnly: true });
    const after = Date.now() / 1000;
    const there = Number(stdout.trim().replace(/\.\D*$/, ""));
    if (!Number.isFinite(there) || there === 0) continue;
    const slack = (after - before) / 2;
    if (slack < best.slack) best = { offset: there - (before + after) / 2, slack };
  }
  return Number.isFinite(best.slack) ? best : { offset: 0, slack: 1 };
}
