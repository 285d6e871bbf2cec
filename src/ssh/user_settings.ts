import { homeDirectory } from "../paths.ts";
import { capture } from "../process/child.ts";
import type { Context } from "../process/context.ts";
import type { RemoteHost } from "../session/remote_host.ts";

/** What the user's ssh configuration says of a host, as far as it concerns the container too. */
export interface UserSettings {
  /** The value of IdentityAgent; undefined: not set, so `SSH_AUTH_SOCK` counts. */
  readonly identityAgent: string | undefined;
  /** The paths of IdentityFile; none where they are those that ssh tries anyway. */
  readonly identityFiles: readonly string[];
  /** Whether ssh offers no other key of the agent. */
  readonly identitiesOnly: boolean;
  /** After how long without an answer a link is dead: seconds, by how often. */
  readonly alive: { readonly interval: number; readonly count: number };
  /** Seconds. */
  readonly connectTimeout: number;
}

/** Without an answer of ssh's: what dockerdo wants at least. */
export const OUR_SETTINGS: UserSettings = {
  identityAgent: undefined,
  identityFiles: [],
  identitiesOnly: false,
  alive: { interval: 5, count: 3 },
  connectTimeout: 10,
};

// `Match exec` in the configuration may run anything.
const LIMIT_MS = 10_000;

const DEFAULT_FILE = /^~\/\.ssh\/id_(rsa|dsa|ecdsa|ecdsa_sk|ed25519|ed25519_sk|xmss)$/;

const answers = new WeakMap<Context["env"], Map<string, Promise<UserSettings>>>();

/**
 * Asks ssh (`ssh -G`), once in a process, for what the user's configuration says of a host; null: the local one. Of its
 * times each counts that is longer than ours.
 */
export function userSettings(
  context: Context,
  remoteHost: RemoteHost | null,
): Promise<UserSettings> {
  const { name, user, port } = remoteHost ?? { name: "localhost", user: null, port: null };
  const argv = [
    "ssh",
    "-T",
    ...user === null ? [] : ["-l", user],
    ...port === null ? [] : ["-p", String(port)],
    "-G",
    "--",
    name,
  ];
  const known = answers.get(context.env) ?? new Map<string, Promise<UserSettings>>();
  answers.set(context.env, known);
  const key = argv.join(" ");
  const answer = known.get(key) ?? ask(context, argv);
  known.set(key, answer);
  return answer;
}

async function ask(context: Context, argv: readonly string[]): Promise<UserSettings> {
  const { code, stdout } = await capture(context, argv, { readOnly: true, limitMs: LIMIT_MS });
  return code === 0 ? readSettings(context, stdout) : OUR_SETTINGS;
}

/** Reads the output of `ssh -G`: a keyword in lower case and its value a line. */
export function readSettings(context: Context, text: string): UserSettings {
  const lines = text.split("\n").map((line): [string, string] => {
    const at = line.indexOf(" ");
    return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
  });
  const values = new Map(lines);
  const number = (name: string): number => Number(values.get(name)) || 0;
  const files = lines.filter(([name]) => name === "identityfile").map(([, value]) => value);
  // One of them alone is somebody's choice.
  const chosen = files.length > 1 && files.every((file) => DEFAULT_FILE.test(file)) ? [] : files;
  const ours = OUR_SETTINGS;
  const alive = { interval: number("serveraliveinterval"), count: number("serveralivecountmax") };
  return {
    identityAgent: values.get("identityagent"),
    identityFiles: chosen.filter((file) => file !== "none").map((file) =>
      expand(context, file, values)
    ),
    identitiesOnly: values.get("identitiesonly") === "yes",
    alive: alive.interval * alive.count > ours.alive.interval * ours.alive.count
      ? alive
      : ours.alive,
    connectTimeout: Math.max(number("connecttimeout"), ours.connectTimeout),
  };
}

// ssh -G leaves these as they were written.
function expand(context: Context, path: string, values: ReadonlyMap<string, string>): string {
  const tokens: Readonly<Record<string, string | undefined>> = {
    "%": "%",
    d: homeDirectory(context),
    h: values.get("hostname"),
    n: values.get("host"),
    p: values.get("port"),
    r: values.get("user"),
    u: context.env["USER"],
  };
  return path.replace(/^~(?=\/)/, homeDirectory(context))
    .replaceAll(/%(.)/g, (all, token: string) => tokens[token] ?? all)
    .replaceAll(/\$\{(\w+)\}/g, (all, name: string) => context.env[name] ?? all);
}

/** The socket of the agent that ssh asks; undefined: none. */
export function agentSocket(context: Context, settings: UserSettings): string | undefined {
  const { identityAgent = "SSH_AUTH_SOCK" } = settings;
  if (identityAgent === "none") return undefined;
  if (identityAgent === "SSH_AUTH_SOCK") return context.env["SSH_AUTH_SOCK"] || undefined;
  return identityAgent.startsWith("$") ? context.env[identityAgent.slice(1)] : identityAgent;
}
