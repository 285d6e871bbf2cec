import * as v from "valibot";
import { distroOfName, DISTROS } from "../image/distro.ts";
import { overlayTag, parseReference } from "../image/reference.ts";
import { splitWords } from "../quote.ts";
import { parseRemoteHost } from "../session/remote_host.ts";

const TEMPLATE = "dockerdo-{base_image}:{base_image_tag}-{session_name}";

const text = v.string("expected a string");

// What the original's parser took for true and false (YAML 1.1 and pydantic), it takes here too.
const flag = v.pipe(
  v.unknown(),
  v.transform((found) => {
    const word = String(found).toLowerCase();
    if (["true", "yes", "on", "1"].includes(word)) return true;
    return ["false", "no", "off", "0"].includes(word) ? false : found;
  }),
  v.boolean("expected true or false"),
);

const seconds = v.pipe(
  v.unknown(),
  v.transform((found) => typeof found === "string" && found.trim() !== "" ? Number(found) : found),
  v.number("expected a number of seconds"),
  v.minValue(0, "expected a number of seconds, 0 or more"),
);

export const words = v.pipe(
  v.union([v.array(v.string()), v.string()], "expected a string or a list of strings"),
  v.check(
    (found) => typeof found !== "string" || splitWords(found) !== undefined,
    "a quote is not closed",
  ),
  v.transform((found) => typeof found === "string" ? splitWords(found) ?? [] : found),
);

const image = v.pipe(
  text,
  v.check(
    (found) => succeeds(() => parseReference(found)),
    "expected NAME:TAG or REGISTRY/NAME:TAG, the name in lower case",
  ),
);

const registry = v.pipe(
  text,
  v.check(
    (found) => found === "" || succeeds(() => parseReference(`${found.replace(/\/+$/, "")}/x:1`)),
    "expected HOST, HOST:PORT or one of them with a path",
  ),
);

export const remoteHost = v.pipe(
  text,
  v.check(
    (found) => found === "" || succeeds(() => parseRemoteHost(found)),
    "expected HOST, USER@HOST, [IPV6] or ssh://USER@HOST:PORT",
  ),
);

const distro = v.pipe(
  text,
  v.check(
    (found) => found === "" || distroOfName(found) !== undefined,
    `expected ubuntu or one of ${DISTROS.join(", ")}`,
  ),
);

const template = v.pipe(
  text,
  v.check(
    (found) =>
      !/[{}]/.test(found.replaceAll(/\{(base_image|base_image_tag|session_name)\}/g, "")) &&
      succeeds(() => overlayTag("a:b", { template: found, sessionName: "c", registry: null })),
    "expected an image's name and tag with {base_image}, {base_image_tag} or {session_name} in it",
  ),
);

const keyPath = v.pipe(
  text,
  v.check((found) => !/^~[^/]/.test(found), "expected a path; of ~NAME only ~ itself is known"),
);

/** Without a value, or with an empty one: null. */
function orNone<S extends v.GenericSchema<unknown, string>>(
  schema: S,
): v.GenericSchema<unknown, string | null> {
  return v.pipe(v.optional(v.nullable(schema), null), v.transform((found) => found || null));
}

const CONNECT = ["exec", "port"] as const;

const MOUNT = ["plain", "relay"] as const;

export const UserConfig = v.object({
  always_interactive: v.optional(flag, false),
  always_record_inotify: v.optional(flag, true),
  default_connect: v.optional(v.picklist(CONNECT, "expected exec or port"), "exec"),
  default_distro: orNone(distro),
  default_docker_registry: orNone(registry),
  default_docker_run_args: v.optional(words, ""),
  default_image: v.optional(image, "ubuntu:latest"),
  default_image_name_template: v.optional(template, TEMPLATE),
  default_mount: v.optional(v.picklist(MOUNT, "expected plain or relay"), "relay"),
  default_remote_delay: v.optional(seconds, 0),
  default_remote_host: orNone(remoteHost),
  ssh_key_path: orNone(keyPath),
});

/** The user's configuration with every default filled in; the keys are the file's own. */
export type UserConfig = v.InferOutput<typeof UserConfig>;

export type Key = keyof UserConfig;

export const KEYS = Object.keys(UserConfig.entries) as Key[];

export const CHOICES: Partial<Readonly<Record<Key, readonly string[]>>> = {
  default_connect: CONNECT,
  default_mount: MOUNT,
};

export const NONE_ALLOWED: ReadonlySet<Key> = new Set([
  "default_distro",
  "default_docker_registry",
  "default_remote_host",
  "ssh_key_path",
]);

/** A value that somebody gave, not yet checked. */
export interface Given {
  readonly value: unknown;
  readonly source: "environment" | "file";
  /** The variable, or file and line. */
  readonly where: string;
}

export type GivenValues = ReadonlyMap<Key, Given>;

export function isKey(key: string): key is Key {
  return Object.hasOwn(UserConfig.entries, key);
}

function succeeds(action: () => unknown): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
