import assert from "node:assert/strict";
import {
  hasSecret,
  isSecretContent,
  isSecretPath,
  isSecretVariable,
  maskSecrets,
} from "../../src/secrets.ts";

const COMMANDS: readonly [isSecret: boolean, ...words: string[]][] = [
  [true, "npm", "config", "set", "//registry.example/:_authToken", "abc123"],
  [true, "psql", "-c", "ALTER USER app PASSWORD 's3cret'"],
  [true, "mysql", "-uroot", "-ps3cret"],
  [true, "mysql", "-e", "CREATE USER a IDENTIFIED BY 'b'"],
  [true, "curl", "-u", "me:pw", "https://example.org"],
  [true, "curl", "-H", "Authorization: Bearer abc", "https://example.org"],
  [true, "git", "clone", "https://me:ghp_abc@example.org/x.git"],
  [true, "tool", "--password=abc"],
  [true, "tool", "--api-key", "abc"],
  [true, "sh", "-c", "echo 'dev:pw' | chpasswd"],
  [true, "env", "DB_PASSWORD=abc", "make"],
  [true, "sh", "-c", "export API_TOKEN=abc; make"],
  [true, "curl", "https://example.org/get?token=abc"],
  [true, "docker", "login", "-u", "me", "-p", "abc"],
  [true, "curl", "-H", "X: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc"],
  [true, "useradd", "-m", "-p", "abc", "dev"],
  [true, "openssl", "rsa", "-passin", "pass:abc"],
  [false, "mkdir", "-p", "/opt/docker/login"],
  [false, "sh", "-c", 'DB_PASSWORD="$DB_PASSWORD" make'],
  [false, "tool", "--password-file=/run/secret"],
  [false, "ssh-keygen", "-t", "ed25519"],
  [false, "apt-key", "add", "key.asc"],
  [false, "passwd", "-l", "root"],
  [false, "psql", "-l"],
  [false, "mysql", "-P", "3306"],
  [
    false,
    "sed",
    "-i",
    "s/PasswordAuthentication yes/PasswordAuthentication no/",
    "/etc/ssh/sshd_config",
  ],
  [false, "sh", "-c", 'echo "dev ALL=(ALL) NOPASSWD:ALL" > /etc/sudoers.d/dev'],
  [false, "curl", "-fsSL", "https://example.org/key.gpg"],
  [false, "git", "config", "--global", "user.email", "a@b.c"],
];

for (const [isSecret, ...words] of COMMANDS) {
  Deno.test(`${JSON.stringify(words)} ${isSecret ? "holds a" : "holds no"} secret`, () => {
    assert.equal(hasSecret(words), isSecret);
  });
}

Deno.test("isSecretVariable() goes by the name, and by the form of the value", () => {
  const secret = (variables: Readonly<Record<string, string>>): string[] =>
    Object.entries(variables).flatMap(([name, value]) =>
      isSecretVariable(name, value) ? [name] : []
    );
  assert.deepEqual(
    secret({
      GITHUB_TOKEN: "x",
      DB_PASSWORD: "x",
      PGPASSWORD: "x",
      MYSQL_PWD: "x",
      AWS_SECRET_ACCESS_KEY: "x",
      API_KEY: "x",
      URL: "postgres://me:pw@db/x",
      PWD: "/srv",
      PATH: "/bin",
      LANG: "C",
      NODE_EXTRA_CA_CERTS: "/x.crt",
      KEYBOARD: "de",
      EMPTY_TOKEN: "",
    }),
    [
      "GITHUB_TOKEN",
      "DB_PASSWORD",
      "PGPASSWORD",
      "MYSQL_PWD",
      "AWS_SECRET_ACCESS_KEY",
      "API_KEY",
      "URL",
    ],
  );
});

Deno.test("isSecretPath() knows the files in which programs keep secrets", () => {
  const paths = [
    "/root/.netrc",
    "/root/.aws/credentials",
    "/root/.docker/config.json",
    "/home/a/.ssh/id_ed25519",
    "/srv/app/server.p12",
    "/home/a/.ssh/id_ed25519.pub",
    "/etc/docker/config.json",
    "/root/.npmrc",
  ];
  assert.deepEqual(paths.filter(isSecretPath), paths.slice(0, 5));
});

Deno.test("isSecretContent() tells a private key from a certificate, and an .npmrc with a token from one without", () => {
  assert.ok(isSecretContent("/srv/key.pem", "-----BEGIN RSA PRIVATE KEY-----\nx"));
  assert.ok(isSecretContent("/srv/key.pem", "-----BEGIN PRIVATE KEY-----\nx"));
  assert.ok(!isSecretContent("/srv/crt.pem", "-----BEGIN CERTIFICATE-----\nx"));
  assert.ok(isSecretContent("/root/.npmrc", "//r/:_authToken=abc"));
  assert.ok(!isSecretContent("/root/.npmrc", "registry=https://r/"));
  assert.ok(isSecretContent("/srv/.env", "A=1\nDB_PASSWORD=x\n"));
  assert.ok(!isSecretContent("/srv/.env", "A=1\n"));
});

Deno.test("maskSecrets() leaves all of a command but its secrets, and a command without one as it is", () => {
  const masked = (...words: string[]): readonly string[] => maskSecrets(words);
  assert.deepEqual(
    [
      masked("tool", "--password=abc", "--user", "me"),
      masked("tool", "--api-key", "abc", "go"),
      masked("env", "DB_PASSWORD=abc", "make"),
      masked("git", "clone", "https://me:abc@example.org/x.git", "dir"),
      masked("curl", "-H", "Authorization: Bearer abc", "https://example.org"),
      masked("mysql", "-uroot", "-pabc"),
      masked("sh", "-c", "echo dev:abc | chpasswd"),
    ],
    [
      ["tool", "--password=…", "--user", "me"],
      ["tool", "--api-key", "…", "go"],
      ["env", "DB_PASSWORD=…", "make"],
      ["git", "clone", "https://…@example.org/x.git", "dir"],
      ["curl", "-H", "…", "https://example.org"],
      ["mysql", "…"],
      ["sh", "-c", "…"],
    ],
  );
  const plain = ["make", "install"];
  assert.equal(maskSecrets(plain), plain);
});

Deno.test("maskSecrets() takes no time over an argument of a megabyte", () => {
  const words = ["a".repeat(2 ** 20), "mysql ".repeat(2 ** 17), "x=".repeat(2 ** 19)];
  assert.equal(maskSecrets(words), words);
});
