/** What looks like a secret, by its name or by its form: it is named, and neither kept nor written anywhere. */

const NAME =
  /(^|_)(PASS|PWD|PASSPHRASE)$|TOKEN|SECRET|PASSW|(^|_)(API|ACCESS|PRIVATE|SIGNING|ENCRYPTION)?_?KEY$|APIKEY|CREDENTIAL/i;

const FORM = [
  // A URL with a password.
  /[a-z][a-z0-9+.-]{0,30}:\/\/[^\s/:@'"]*:[^\s/@'"]+@/i,
  // Headers, and the keys of well-known services.
  /\b(Authorization|PRIVATE-TOKEN|X-[\w-]*(Key|Token))\s*:\s*\S/i,
  /\b(gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|glpat-[\w-]{16,}|AKIA[A-Z0-9]{12,}|ASIA[A-Z0-9]{12,}|xox[abeprs]-[\w-]{10,}|xapp-[\w-]{10,}|sk-[\w-]{20,}|[rs]k_(live|test)_\w{16,}|npm_[A-Za-z0-9]{20,}|pypi-[\w-]{16,}|hf_[A-Za-z0-9]{20,}|dckr_pat_[\w-]{16,}|AIza[\w-]{30,}|SG\.[\w-]{16,}\.[\w-]{16,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*)/,
  /-----BEGIN [A-Z ]*PRIVATE KEY/,
];

/** Whether a variable is one by its name or its value. */
export function isSecretVariable(name: string, value: string): boolean {
  return value !== "" && name !== "PWD" && name !== "OLDPWD" &&
    (NAME.test(name) || FORM.some((form) => form.test(value)));
}

const OPTION =
  /^--?([\w.-]*(password|passwd|passphrase|token|secret|api-?key|credential)s?)(=(.+))?$/i;
const ASSIGNMENT = /^([A-Za-z_][\w.-]*)=(.+)$/;
const IN_TEXT = [
  /\b(IDENTIFIED\s+BY|PASSWORD)\s*[=:]?\s*(['"])[^'"]+\2/i,
  /(^|[\s"';?&])([A-Za-z_]*(PASSWORD|PASSWD|TOKEN|SECRET|API_?KEY)[A-Za-z_]*)=(?!\s|\$|["']?$)["']?[^\s"'$]+/i,
  /--?[\w-]*(password|passwd|passphrase|token|secret|api-?key)[= ](?![-$/])\S+/i,
  /[:/]_(auth|authToken|password)\s*=?\s*\S/i,
  /\b(curl|wget|http)\b.*\s(-u|--user)[= ]?\S+:\S+/,
  /\bsshpass\s+-p/,
  /\b(docker|podman|buildah|skopeo|helm|oc|az)\b.*\blogin\b.*\s-p[= ]?\S+/,
  /\b(useradd|usermod)\b.*\s-p[= ]?\S+/,
  /\bredis-cli\b.*\s-a\s+\S+/,
  /\bhtpasswd\b.*\s-\w*b\w*\s/,
  /\s-pass(in|out)?\s+pass:\S+/,
  /\b(mysql|mysqldump|mysqladmin|mariadb)\b.*\s-p(?!ort\b)\S+/,
  /\b(echo|printf)\b.*\S+:\S+.*\|\s*chpasswd\b/,
  /\bpasswd\b.*--stdin/,
];

/** Stands for a secret in {@link maskSecrets}. */
const MASK = "…";

/** Characters that are looked at of each word: what is longer is data, and no pattern may take long over it. */
const LONGEST = 8192;

/** Whether the words of a command hold one. An option that only names a file, or a variable, does not. */
export function hasSecret(words: readonly string[]): boolean {
  return maskSecrets(words) !== words;
}

/** The arguments of a command with `…` for each secret in them; the same array where there is no secret. */
export function maskSecrets(words: readonly string[]): readonly string[] {
  let isValue = false;
  const masked = words.map((word, at) => {
    const text = word.slice(0, LONGEST);
    if (isValue) {
      isValue = false;
      return MASK;
    }
    const option = OPTION.exec(text);
    const name = option?.[1] ?? "";
    if (
      option !== null && !/file|stdin|path|dir$|-type|command/i.test(name) && !/^-?no-/i.test(name)
    ) {
      const value = option[4] ?? words[at + 1] ?? "";
      if (value === "" || /^[-$/]/.test(value)) return word;
      isValue = option[4] === undefined;
      return isValue ? word : `${word.slice(0, word.indexOf("="))}=${MASK}`;
    }
    if (option !== null) return maskText(word, FORM);
    const [, variable = "", value = ""] = ASSIGNMENT.exec(text) ?? [];
    if (variable !== "" && !/^["']?\$/.test(value) && isSecretVariable(variable, value)) {
      return `${variable}=${MASK}`;
    }
    return maskText(word, [...FORM, ...IN_TEXT]);
  });
  // What only the words together show: `mysql -u root -pXYZ`.
  const together = masked.join(" ").replaceAll(MASK, "$").slice(0, LONGEST);
  if (IN_TEXT.some((form) => form.test(together))) return [words[0] ?? "", MASK];
  return masked.every((word, at) => word === words[at]) ? words : masked;
}

/** A URL without its password; of any other text with a secret, nothing. */
function maskText(word: string, forms: readonly RegExp[]): string {
  if (!forms.some((form) => form.test(word.slice(0, LONGEST)))) return word;
  const rest = word.replaceAll(/:\/\/[^\s/:@'"]*:[^\s/@'"]+@/g, `://${MASK}@`);
  return forms.some((form) => form.test(rest.slice(0, LONGEST))) ? MASK : rest;
}

const FILES = [
  /^id_(rsa|dsa|ecdsa|ed25519)(_sk)?$/,
  /^(\.netrc|\.git-credentials|\.pgpass|\.my\.cnf|\.htpasswd|\.vault-token|\.dockercfg)$/,
  /\.(p12|pfx|kdbx|jks|keystore)$/,
];
const PLACES =
  /(^|\/)(\.aws\/credentials|\.docker\/config\.json|\.kube\/config|\.gnupg\/(private-keys-v1\.d\/.*|secring\.gpg)|\.config\/gh\/hosts\.yml|\.config\/gcloud\/.*)$/;

/** Whether a file is one by its name. */
export function isSecretPath(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return PLACES.test(path) || FILES.some((form) => form.test(name));
}

/** Whether the beginning of a file is a secret: a private key, a registry's token. */
export function isSecretContent(path: string, text: string): boolean {
  if (/-----BEGIN ([A-Z]+ )*PRIVATE KEY( BLOCK)?-----/.test(text)) return true;
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (/^\.(npmrc|yarnrc)$/.test(name)) return /_auth(Token)?\s*=|_password\s*=/.test(text);
  if (name === ".pypirc" || name === "pip.conf") {
    return /password\s*[:=]|:\/\/[^\s/:@]*:[^\s/@]+@/.test(text);
  }
  if (/^\.env(\.|$)/.test(name)) {
    return text.split("\n").some((line) => {
      const [, key = "", value = ""] = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.+)$/.exec(line) ??
        [];
      return key !== "" && isSecretVariable(key, value);
    });
  }
  return false;
}
