import { doctorHint, Failure } from "../error.ts";
import { homeDirectory } from "../paths.ts";
import { capture } from "../process/child.ts";
import { type Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { readPrivateKey } from "./private_key.ts";
import { agentSocket, OUR_SETTINGS, userSettings } from "./user_settings.ts";

/** The user's public key, and the file by which ssh finds the private one. */
export interface PublicKey {
  /** `TYPE BASE64 COMMENT`, one line of printable ASCII. */
  readonly line: string;
  /** null: an agent holds the key, and there is no file. */
  readonly file: string | null;
}

const CANDIDATES = [
  "id_ed25519.pub",
  "id_ecdsa.pub",
  "id_rsa.pub",
  "id_ed25519_sk.pub",
  "id_ecdsa_sk.pub",
];
const TYPE =
  /^(ssh-(ed25519|rsa|dss)|ecdsa-sha2-nistp\d+|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)$/;

/**
 * Finds the public key that opens the container: the configured one, else the first that ssh would offer to the
 * session's host without a question (a file of its configuration, a key of its agent), else the first of
 * `~/.ssh/id_{ed25519,ecdsa,rsa}.pub`, else a file of its configuration with a passphrase. Without a session ssh's
 * configuration is not asked. A configured file that is not there gives a warning.
 */
export async function findPublicKey(
  context: Context,
  configured: string | null,
  session?: Pick<Session, "remoteHost">,
): Promise<PublicKey> {
  if (configured !== null) {
    const key = await readKey(configured);
    if (key !== undefined) return key;
    context.stderr(
      `dockerdo: ssh_key_path ${configured} does not exist; looking for another key\n`,
    );
  }
  const settings = session === undefined
    ? OUR_SETTINGS
    : await userSettings(context, session.remoteHost);
  const inAgent = await agentKeys(context, agentSocket(context, settings));
  const chosen: PublicKey[] = [];
  for (const path of settings.identityFiles) {
    const key = await publicPart(path);
    if (key === undefined) continue;
    if (key.open || inAgent.some((line) => isSameKey(line, key.line))) return key;
    chosen.push(key);
  }
  if (inAgent[0] !== undefined && !settings.identitiesOnly) return { line: inAgent[0], file: null };
  if (chosen[0] !== undefined) return chosen[0];
  for (const name of CANDIDATES) {
    const key = await readKey(`${homeDirectory(context)}/.ssh/${name}`);
    if (key !== undefined) return key;
  }
  throw new Failure("no ssh key found in the ssh agent or ~/.ssh", {
    hint: "Make one with: ssh-keygen -t ed25519\nor name one as ssh_key_path in dockerdo.yaml.\n" +
      doctorHint(),
  });
}

async function agentKeys(context: Context, socket: string | undefined): Promise<string[]> {
  if (socket === undefined) return [];
  const listed = await capture(context, ["ssh-add", "-L"], {
    readOnly: true,
    limitMs: 5000,
    env: { SSH_AUTH_SOCK: socket },
  });
  if (listed.code !== 0) return [];
  return listed.stdout.split("\n").map(parseKeyLine).filter((line) => line !== undefined);
}

function isSameKey(one: string, other: string): boolean {
  return one.split(" ")[1] === other.split(" ")[1];
}

/** The key of a path of IdentityFile, private or public; `open`: ssh needs no passphrase for it. */
async function publicPart(
  path: string,
): Promise<PublicKey & { readonly open: boolean } | undefined> {
  const [text, beside] = await Promise.all(
    [path, `${path}.pub`].map((name) => Deno.readTextFile(name).catch(() => "")),
  ) as [string, string];
  const key = readPrivateKey(text);
  const line = [key?.publicPart ?? "", ...beside.split("\n"), ...text.split("\n")].map(parseKeyLine)
    .find((found) => found !== undefined);
  return line === undefined ? undefined : { line, file: path, open: key?.encrypted === false };
}

async function readKey(path: string): Promise<PublicKey | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Failure(`cannot read the key ${path}: ${(error as Error).message}`, { cause: error });
  }
  if (text.includes("PRIVATE KEY")) {
    throw new Failure(`${path} is a private key, which must not leave this host`, {
      hint: `Name its public part: ${path}.pub`,
    });
  }
  const line = text.split("\n").map(parseKeyLine).find((found) => found !== undefined);
  if (line === undefined) throw new Failure(`${path} holds no public key that OpenSSH knows`);
  const identity = path.endsWith(".pub") ? path.slice(0, -4) : path;
  return { line, file: await exists(identity) ? identity : path };
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}

/** A line of a key file or of `ssh-add -L` as a clean line for authorized_keys; undefined if it is not a key. */
export function parseKeyLine(text: string): string | undefined {
  const [type = "", blob = "", ...comment] = text.trim().split(/\s+/);
  if (!TYPE.test(type) || !/^[A-Za-z0-9+/]+={0,3}$/.test(blob)) return undefined;
  // The comment is free text and ends up in a Dockerfile's argument: keep what is harmless anywhere.
  const harmless = comment.join(" ").replace(/[^A-Za-z0-9@._+ -]/g, "").trim();
  return harmless === "" ? `${type} ${blob}` : `${type} ${blob} ${harmless}`;
}
