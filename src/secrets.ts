/** What looks like a secret, by its name or by its form: it is named, and neither kept nor written anywhere. */

const NAME =
  /(^|_)(PASS|PWD|PASSPHRASE)$|TOKEN|SECRET|PASSW|(^|_)(API|ACCESS|PRIVATE|SIGNING|ENCRYPTION)?_?KEY$|APIKEY|CREDENTIAL/i;

const FORM = [
  // A URL with a password.
  /[a-z][a-z0-9+.-]*:\/\/[^\s/:@'"]*:[^\s/@'"]+@/i,
  // Headers, and the keys of well-known services.
  /\b(Authorization|PRIVATE-TOKEN|X-[\w-]*(Key|Token))\s*:\s*\S/i,
  /\b(gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|glpat-[\w-]{16,}|AKIA[A-Z0-9]{12,}|xox[abp]-[\w-]{10,}|sk-[\w-]{20,}|npm_[A-Za-z0-9]{20,})/,
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
  /(^|[\s"';])([A-Za-z_]*(PASSWORD|PASSWD|TOKEN|SECRET|API_?KEY)[A-Za-z_]*)=(?!\s|\$|["']?$)["']?[^\s"'$]+/i,
  /--?[\w-]*(password|passwd|passphrase|token|secret|api-?key)[= ](?![-$/])\S+/i,
  /[:/]_(auth|authToken|password)\s*=?\s*\S/i,
  /\b(curl|wget|http)\b.*\s(-u|--user)[= ]?\S+:\S+/,
  /\bsshpass\s+-p/,
  /\b(mysql|mysqldump|mysqladmin|mariadb)\b.*\s-p(?!ort\b)\S+/,
  /\b(echo|printf)\b.*\S+:\S+.*\|\s*chpasswd\b/,
  /\bpasswd\b.*--stdin/,
];

/** Whether the words of a command hold one. An option that only names a file, or a variable, does not. */
export function hasSecret(words: readonly string[]): boolean {
  return words.some((word, at) => {
    if (FORM.some((form) => form.test(word))) return true;
    const option = OPTION.exec(word);
    if (option !== null) {
      const name = option[1] ?? "";
      if (/file|stdin|path|dir$|-type|command/i.test(name) || /^-?no-/i.test(name)) return false;
      const value = option[4] ?? words[at + 1] ?? "";
      return value !== "" && !value.startsWith("-") && !value.startsWith("$") &&
        !value.startsWith("/");
    }
    const [, name = "", value = ""] = ASSIGNMENT.exec(word) ?? [];
    if (name !== "" && !/^["']?\$/.test(value) && isSecretVariable(name, value)) return true;
    return IN_TEXT.some((form) => form.test(word));
  }) || IN_TEXT.some((form) => form.test(words.join(" ")));
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
