import { doctorHint, Failure } from "./error.ts";
import { capture, type CaptureOptions, type Finished } from "./process/child.ts";
import type { Context } from "./process/context.ts";
import { remoteHostText } from "./session/remote_host.ts";
import type { Session } from "./session/session.ts";
import { ENGINE, onEngine } from "./ssh/argv.ts";
import { captureOnRemoteHost } from "./ssh/master.ts";

/** An engine: the local host's, or the one of a session's remote host. */
export type EngineHost = "local" | Session;

/** The part of `docker inspect` of a container that we use. */
export interface Container {
  readonly id: string;
  readonly name: string;
  /** docker's own word: created, running, paused, restarting, removing, exited or dead. */
  readonly status: string;
  readonly exitCode: number;
  /** When it ended last, as docker writes it; empty where it never has. */
  readonly finishedAt: string;
  readonly outOfMemory: boolean;
  readonly image: string;
  readonly sessionId: string | undefined;
  /** What docker gives each process: the image's ENV, `docker run -e`, HOSTNAME and PATH. */
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What docker exec runs as: empty, a name or a number, with a group after a colon or without. */
  readonly user: string;
  /** The values of docker run's --pid, --network and --runtime; AppArmor's profile, empty where it has no profile. */
  readonly pidMode: string;
  readonly networkMode: string;
  readonly runtime: string;
  readonly appArmor: string;
  /** How many processes it may have; 0: any number. */
  readonly pidsLimit: number;
}

/** The part of `docker image inspect` that we use. */
export interface Image {
  readonly id: string;
  /** Bytes of all layers together. */
  readonly size: number;
  /** The digests of the uncompressed layers, the lowest first. */
  readonly layers: readonly string[];
  readonly os: string;
  readonly architecture: string;
  /** Of the architecture; empty where there is one only. */
  readonly variant: string;
  /**
   * The configuration without the layers, in canonical form: the same image has another id in
   * containerd's image store than in a classic one, and docker shows it with other empty fields.
   */
  readonly settings: string;
  /** Where the engine has the files of each layer, in the same order; empty unless its store is overlay2. */
  readonly layerDirs: readonly string[];
  /** What its RUN lines use; undefined: docker's default. */
  readonly shell: readonly string[] | undefined;
  /** The instructions that it adds to the build of an image from it. */
  readonly onBuild: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** Whether an image is in a classic store for sure: its id is then the digest of its configuration. */
export function isClassic({ layerDirs }: Pick<Image, "layerDirs">): boolean {
  return layerDirs.length > 0;
}

/** The label by which a session knows its containers: the value is the session's id. */
export const SESSION_LABEL = "dockerdo.session";

/** The label of an image that dockerdo's overlay made; its value says what the image has in /etc/dockerdo. */
export const OVERLAY_LABEL = "dockerdo.overlay";

export const OVERLAY_VERSION = "2";

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The argv of a docker command on an engine. */
export function dockerArgv(engine: EngineHost, words: readonly string[]): string[] {
  return engine === "local" ? [ENGINE.program, ...words] : onEngine(engine, words);
}

/** Runs docker on an engine and returns its exit code and output, whatever the code. */
export function captureDocker(
  context: Context,
  engine: EngineHost,
  { words, ...options }: CaptureOptions & { readonly words: readonly string[] },
): Promise<Finished> {
  return captureOn(context, engine, { words: [ENGINE.program, ...words], ...options });
}

/** Runs `words` on the host of an engine and returns what they wrote. */
export function captureOn(
  context: Context,
  engine: EngineHost,
  { words, ...options }: CaptureOptions & { readonly words: readonly string[] },
): Promise<Finished> {
  return engine === "local"
    ? capture(context, words, options)
    : captureOnRemoteHost(context, engine, { words, ...options });
}

/** What keeps docker from answering: the program, the permission, the engine itself, or its disk. */
export type DockerTrouble = "permission" | "daemon" | "program" | "space";

const TROUBLES: readonly (readonly [RegExp, DockerTrouble])[] = [
  [/permission denied.*(docker daemon|docker\.sock|docker API)/is, "permission"],
  [/cannot connect to the docker daemon/i, "daemon"],
  [
    /docker: (command )?not found|command not found: docker$|unknown command:? docker$/im,
    "program",
  ],
  [/no space left/i, "space"],
];

/** The trouble that docker or a shell reports on stderr; undefined for any other text. */
export function dockerTrouble(stderr: string): DockerTrouble | undefined {
  return TROUBLES.find(([pattern]) => pattern.test(stderr))?.[1];
}

/** Docker's complaint as a failure, with the next step where the cause is a known one. */
export function dockerFailure(engine: EngineHost, doing: string, finished: Finished): Failure {
  const where = engine === "local" ? "the local host" : engine.remoteHost?.name ?? "the local host";
  const host = engine === "local" ? null : engine.remoteHost;
  const remote = host === null ? undefined : remoteHostText(host);
  const words = finished.stderr.trim();
  const hints: Readonly<Record<DockerTrouble, string>> = {
    permission: "Your user there may not use docker: add it to the group docker, and log in again.",
    daemon: `Start the engine on ${where}.`,
    program: `Install docker on ${where}.` +
      (host === null
        ? ""
        : " If it is there, a shell that is no login shell must have it on its PATH (~/.bashrc, ~/.zshenv)."),
    space: `Make room on ${where}: docker system df shows what takes it.`,
  };
  const trouble = dockerTrouble(words);
  return new Failure(`${doing} on ${where} failed (exit code ${finished.code}): ${words}`, {
    ...trouble === undefined ? {} : { hint: `${hints[trouble]}\n${doctorHint(remote)}` },
  });
}

/** Runs docker for a change on an engine and returns its stdout, trimmed; anything but success is a failure. */
export async function docker(
  context: Context,
  engine: EngineHost,
  { words, doing, ...options }: CaptureOptions & {
    readonly words: readonly string[];
    /** What this is for, as the start of the failure's sentence: "Removing the container". */
    readonly doing: string;
  },
): Promise<string> {
  const finished = await captureDocker(context, engine, { words, ...options });
  if (finished.code !== 0) throw dockerFailure(engine, doing, finished);
  return finished.stdout.trim();
}

/** The container of exactly this id or name; undefined if there is no such container. */
export async function inspectContainer(
  context: Context,
  engine: EngineHost,
  nameOrId: string,
): Promise<Container | undefined> {
  const words = ["container", "inspect", nameOrId];
  const finished = await captureDocker(context, engine, { words, readOnly: true });
  if (finished.code !== 0) {
    if (ENGINE.noContainer.test(finished.stderr)) return undefined;
    throw dockerFailure(engine, "Asking docker for the container", finished);
  }
  return parseContainers(finished.stdout)
    .find((container) => container.name === nameOrId || container.id.startsWith(nameOrId));
}

/** A path that differs from the image's: added, changed or deleted, in docker's own characters. */
export interface ContainerChange {
  readonly letter: "A" | "C" | "D";
  readonly path: string;
}

const DIFF_LIMIT_MS = 20_000;

/** What `docker diff` says of a container. */
export async function diffContainer(
  context: Context,
  engine: EngineHost,
  id: string,
): Promise<ContainerChange[]> {
  const doing = "Asking docker what has changed in the container";
  const options = { readOnly: true, limitMs: DIFF_LIMIT_MS, doing };
  return parseDiff(await docker(context, engine, { words: ["diff", id], ...options }));
}

/** The changes in the output of `docker diff`. A line without such a start belongs to the name before it. */
export function parseDiff(text: string): ContainerChange[] {
  return [...text.matchAll(/^([ACD]) (\/.*(?:\n(?![ACD] \/).*)*)/gm)].map(
    ([, letter, path = ""]) => ({ letter: letter as ContainerChange["letter"], path }),
  );
}

/** The image of this reference or id; undefined where the engine has no such image. */
export async function inspectImage(
  context: Context,
  engine: EngineHost,
  reference: string,
): Promise<Image | undefined> {
  const words = ["image", "inspect", reference];
  const finished = await captureDocker(context, engine, { words, readOnly: true });
  if (finished.code === 0) return parseImages(finished.stdout)[0];
  if (ENGINE.noImage.test(finished.stderr)) return undefined;
  throw dockerFailure(engine, "Asking docker for the image", finished);
}

/** The containers in the JSON of `docker container inspect`. */
export function parseContainers(json: string): Container[] {
  return asArray(parseJson(json)).map((item) => {
    const state = field(item, "State");
    const config = field(item, "Config");
    const host = field(item, "HostConfig");
    const sessionId = field(field(config, "Labels"), SESSION_LABEL);
    return {
      id: asText(field(item, "Id")),
      name: asText(field(item, "Name")).replace(/^\//, ""),
      status: asText(field(state, "Status")),
      exitCode: Number(field(state, "ExitCode") ?? 0),
      finishedAt: asText(field(state, "FinishedAt")).replace(/^0001-.*/, ""),
      outOfMemory: field(state, "OOMKilled") === true,
      image: asText(field(config, "Image")),
      sessionId: typeof sessionId === "string" ? sessionId : undefined,
      env: { HOSTNAME: asText(field(config, "Hostname")), ...parseEnv(field(config, "Env")) },
      workdir: asText(field(config, "WorkingDir")) || "/",
      labels: texts(field(config, "Labels")),
      user: asText(field(config, "User")),
      pidMode: asText(field(host, "PidMode")),
      networkMode: asText(field(host, "NetworkMode")),
      runtime: asText(field(host, "Runtime")),
      appArmor: asText(field(item, "AppArmorProfile")),
      pidsLimit: Math.max(0, Number(field(host, "PidsLimit") ?? 0)),
    };
  });
}

/** The images in the JSON of `docker image inspect`. */
export function parseImages(json: string): Image[] {
  return asArray(parseJson(json)).map(asImage);
}

function asImage(item: unknown): Image {
  const config = field(item, "Config");
  const driver = field(item, "GraphDriver");
  const data = field(driver, "Name") === "overlay2" ? field(driver, "Data") : undefined;
  // From the top down; an image of one layer has no LowerDir.
  const dirs = [asText(field(data, "UpperDir")), ...asText(field(data, "LowerDir")).split(":")];
  const entries = (value: unknown): [string, unknown][] => Object.entries(Object(value ?? {}));
  return {
    id: asText(field(item, "Id")),
    size: Number(field(item, "Size") ?? 0),
    layers: asArray(field(field(item, "RootFS"), "Layers")).map(asText),
    os: asText(field(item, "Os")),
    architecture: asText(field(item, "Architecture")),
    variant: asText(field(item, "Variant")),
    settings: JSON.stringify([
      ...["Created", "Author", "Os", "Architecture"].map((name) => asText(field(item, name))),
      // Image is the parent, which only the engine that built it knows.
      entries(config).filter(([name, value]) => name !== "Image" && !isEmpty(value)).sort(),
    ]),
    layerDirs: dirs.filter(Boolean).reverse(),
    shell: Array.isArray(field(config, "Shell"))
      ? asArray(field(config, "Shell")).map(asText)
      : undefined,
    onBuild: asArray(field(config, "OnBuild") ?? []).map(asText),
    labels: Object.fromEntries(
      entries(field(config, "Labels")).map(([name, value]) => [name, asText(value)]),
    ),
  };
}

function isEmpty(value: unknown): boolean {
  return value === null || value === "" || value === false ||
    typeof value === "object" && Object.keys(value).length === 0;
}

// docker sets a PATH of its own for an image without one.
function parseEnv(entries: unknown): Record<string, string> {
  const env: Record<string, string> = { PATH: DEFAULT_PATH };
  for (const entry of asArray(entries)) {
    const [name = "", ...value] = asText(entry).split("=");
    if (name !== "") env[name] = value.join("=");
  }
  return env;
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new Failure(`docker answered something that is not JSON: ${json.slice(0, 200)}`, {
      cause,
    });
  }
}

function field(value: unknown, name: string): unknown {
  return value !== null && typeof value === "object"
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

function texts(value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(Object(value ?? {})).map(([name, text]) => [name, asText(text)]),
  );
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
