const MAGIC = "openssh-key-v1\0";

/** What the text of a private key file tells without its passphrase. */
export interface PrivateKey {
  readonly encrypted: boolean;
  /** `TYPE BASE64`; undefined in PEM, which does not say it. */
  readonly publicPart: string | undefined;
}

/** Reads a private key file (PROTOCOL.key of OpenSSH; PEM); undefined: it is none. */
export function readPrivateKey(text: string): PrivateKey | undefined {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) return undefined;
  const body = /BEGIN OPENSSH PRIVATE KEY-----([^-]+)-----END/.exec(text)?.[1];
  if (body === undefined) {
    const encrypted = /^Proc-Type: 4,ENCRYPTED|BEGIN ENCRYPTED PRIVATE KEY/m.test(text);
    return { encrypted, publicPart: undefined };
  }
  try {
    const bytes = atob(body.replaceAll(/\s/g, ""));
    if (!bytes.startsWith(MAGIC)) return { encrypted: false, publicPart: undefined };
    let at = MAGIC.length;
    // A string there has its length in four bytes in front.
    const number = (): number =>
      [0, 0, 0, 0].reduce((value) => value * 256 + bytes.charCodeAt(at++), 0);
    const string = (): string => {
      const length = number();
      return bytes.slice(at, at += length);
    };
    const [cipher] = [string(), string(), string()];
    number();
    const blob = string();
    at -= blob.length;
    return { encrypted: cipher !== "none", publicPart: `${string()} ${btoa(blob)}` };
  } catch {
    return { encrypted: false, publicPart: undefined };
  }
}
