import * as v from "valibot";
import { remoteHostText } from "../session/remote_host.ts";
import type { Session } from "../session/session.ts";
import * as values from "./values.ts";

/** All that there is to know about a configuration key. */
interface KeyEntry<Out> {
  /** With the default filled in where the value is missing. */
  readonly schema: v.GenericSchema<unknown, Out>;
  /** The default as it is written in the file; "" where there is no default. */
  readonly fallback: string;
  /** A sentence or two, for the file, the manual page and docs/configuration.md. */
  readonly about: string;
  readonly choices?: readonly string[];
  /** Whether `null` is a value. */
  readonly nullable?: true;
  /** What a session keeps of it; undefined where it keeps nothing. */
  readonly storedBy?: (session: Session) => string | boolean | null | undefined;
  /** Whether `init` decides it for the whole session, so that no variable changes it later. */
  readonly settled?: true;
  /** Accepted for old files, without effect. */
  readonly obsolete?: true;
}

type Rest = Omit<KeyEntry<unknown>, "schema" | "fallback" | "choices" | "nullable">;

function key<In extends string | boolean | number, Out>(
  schema: v.GenericSchema<unknown, Out>,
  fallback: In,
  rest: Rest,
): KeyEntry<Out> {
  const shown = String(fallback);
  return {
    schema: v.optional(schema, fallback),
    fallback: shown === "" || /[{}#]/.test(shown) ? JSON.stringify(shown) : shown,
    ...rest,
  };
}

function choice<const C extends readonly string[]>(
  choices: C,
  fallback: C[number],
  rest: Rest,
): KeyEntry<C[number]> {
  const schema = v.picklist(choices, `expected ${choices.join(" or ")}`);
  return { ...key(schema, fallback, rest), choices };
}

/** A key without a default: a missing or empty value is null. */
function optional(
  schema: v.GenericSchema<unknown, string>,
  rest: Rest,
): KeyEntry<string | null> {
  return {
    schema: v.pipe(v.optional(v.nullable(schema), null), v.transform((found) => found || null)),
    fallback: "",
    nullable: true,
    ...rest,
  };
}

/** Every key, in the order in which they matter to a user. */
export const CONFIG = {
  default_image: key(values.image, "ubuntu:latest", {
    about: "The base image of a new session.",
    storedBy: ({ baseImage }) => baseImage,
    settled: true,
  }),
  default_remote_host: optional(values.remoteHost, {
    about: "The remote host of a new session: HOST, USER@HOST, or a Host of ~/.ssh/config.",
    storedBy: ({ remoteHost }) => remoteHost === null ? null : remoteHostText(remoteHost),
    settled: true,
  }),
  default_distro: optional(values.distro, {
    about: "The distribution of base images that no engine has yet: debian, alpine, fedora, ...",
    storedBy: ({ distro }) => distro ?? undefined,
    settled: true,
  }),
  default_docker_registry: optional(values.registry, {
    about: "A registry to push to and pull from; without one, images are sent over ssh.",
    storedBy: ({ registry }) => registry,
    settled: true,
  }),
  default_docker_run_args: key(values.words, "", {
    about: "Arguments for every docker run: a line as for a shell, or a list.",
  }),
  default_image_name_template: key(
    values.template,
    "dockerdo-{base_image}:{base_image_tag}-{session_name}",
    { about: "The name and tag of a session's image." },
  ),
  default_connect: choice(["exec", "port"], "exec", {
    about: "How to reach sshd: exec (by docker exec) or port (on a loopback port of the host).",
    storedBy: ({ connect }) => connect,
  }),
  default_mount: choice(["plain", "relay"], "relay", {
    about: "How sshfs mounts: relay (through the caching relay) or plain (sshfs alone).",
    storedBy: ({ mount }) => mount,
  }),
  default_forward: choice(["auto", "none"], "none", {
    about:
      "Whether ports of the container are forwarded as they come and go (auto), or by forward alone (none).",
    storedBy: ({ forward }) => forward,
  }),
  forward_ignore: key(values.words, "", {
    about: "What forward --auto leaves out: ports, ranges of ports (8000-8100), names of programs.",
  }),
  ssh_key_path: optional(values.keyPath, {
    about: "Your public key. Default: the one that ssh offers to the remote host. " +
      "A relative path starts at the configuration file.",
  }),
  always_record_inotify: key(values.flag, true, {
    about: "Whether a new session records local edits through the mount, for history.",
    storedBy: ({ record }) => record,
  }),
  always_interactive: key(values.flag, false, {
    about: "Without effect: dodo finds out whether there is a terminal.",
    obsolete: true,
  }),
  default_remote_delay: key(values.seconds, 0, {
    about: "Without effect: no command waits for a fixed time.",
    obsolete: true,
  }),
} as const;

export type Key = keyof typeof CONFIG;

/** {@link CONFIG} for a key of any name. */
export const ENTRIES: Readonly<Record<Key, KeyEntry<unknown>>> = CONFIG;

/** In the order of the alphabet. */
export const KEYS = (Object.keys(CONFIG) as Key[]).toSorted();

type Schemas = { readonly [K in Key]: (typeof CONFIG)[K]["schema"] };

export const UserConfig = v.object(
  Object.fromEntries(KEYS.map((name) => [name, CONFIG[name].schema])) as Schemas,
);

/** The user's configuration with every default filled in; the keys are the file's own. */
export type UserConfig = v.InferOutput<typeof UserConfig>;

/** A value as it was given, not yet checked. */
export interface Given {
  readonly value: unknown;
  readonly source: "environment" | "file";
  /** The variable, or file and line. */
  readonly where: string;
}

export type GivenValues = ReadonlyMap<Key, Given>;

export function isKey(name: string): name is Key {
  return Object.hasOwn(CONFIG, name);
}
