import { doctorHint, Failure } from "../error.ts";
import { homeDirectory } from "../paths.ts";
import { capture } from "../process/child.ts";
import { type Context } from "../process/context.ts";

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
 * Finds the public key that opens the container: the configured one, else the first of the agent, else the
 * first of `~/.ssh/id_{ed25519,ecdsa,rsa}.pub`. A configured file that is not there gives a warning.
 */
export async function findPublicKey(
  context: Context,
  configured: string | null,
): Promise<PublicKey> {
  if (configured !== null) {
    const key = await readKey(configured);
    if (key !== undefined) return key;
    context.stderr(
      `dockerdo: ssh_key_path ${configured} does not exist; looking for another key\n`,
    );
  }
  const fromAgent = await firstAgentKey(context);
  if (fromAgent !== undefined) return { line: fromAgent, file: null };
  for (const name of CANDIDATES) {
    const key = await readKey(`${homeDirectory(context)}/.ssh/${name}`);
    if (key !== undefined) return key;
  }
  throw new Failure("no ssh key found in the ssh agent or ~/.ssh", {
    hint: "Make one with: ssh-keygen -t ed25519\nor name one as ssh_key_path in dockerdo.yaml.\n" +
      doctorHint(),
  });
}

async function firstAgentKey(context: Context): Promise<string | undefined> {
  if (!context.env["SSH_AUTH_SOCK"]) return undefined;
  const listed = await capture(context, ["ssh-add", "-L"], { readOnly: true, limitMs: 5000 });
  if (listed.code !== 0) return undefined;
  return listed.stdout.split("\n").map(parseKeyLine).find((line) => line !== undefined);
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
