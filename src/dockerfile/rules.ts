/**
 * What differs between two runs of the same commands, or is not an image's affair: left out of every comparison,
 * each path by a rule with a name.
 */

interface Rule {
  readonly name: string;
  readonly pattern: RegExp;
}

const HOME = "(?:/root|/home/[^/]+|/var/lib/[^/]+)";

function rule(name: string, ...patterns: readonly string[]): Rule {
  return { name, pattern: new RegExp(`^(?:${patterns.join("|")})$`, "s") };
}

const RULES: readonly Rule[] = [
  rule(
    "docker's own",
    "/dev(?:/.*)?",
    "/proc(?:/.*)?",
    "/sys(?:/.*)?",
    "/\\.dockerenv",
    "/\\.dockerinit",
    "/etc/(?:hosts|hostname|resolv\\.conf|mtab)",
    "(?:/usr)?/sbin/docker-init",
  ),
  rule("dockerdo's own", "/etc/dockerdo(?:/.*)?", `${HOME}/\\.ssh/authorized_keys`),
  rule("temporary files", "/tmp/.*", "/var/tmp/.*"),
  rule("state of running programs", "/run(?:/.*)?", "/var/run(?:/.*)?", "/var/lock(?:/.*)?"),
  rule("logs", "/var/log/.*"),
  rule(
    "caches",
    "/var/cache/.*",
    `${HOME}/\\.cache(?:/.*)?`,
    `${HOME}/\\.npm/.*`,
    `${HOME}/\\.config/configstore(?:/.*)?`,
    ".*/\\.modules\\.yaml",
    `${HOME}/\\.wget-hsts`,
    `${HOME}/\\.(?:cargo/registry|gradle/caches|m2/repository|yarn/cache|bundle/cache)(?:/.*)?`,
  ),
  rule(
    "identities of one machine",
    "/etc/machine-id",
    "/var/lib/dbus/machine-id",
    "/etc/ssh/ssh_host_.*",
    "/etc/ssl/(?:certs|private)/ssl-cert-snakeoil\\.(?:pem|key)",
    "/var/lib/systemd/random-seed",
    "/var/lib/urandom/random-seed",
    "/etc/popularity-contest\\.conf",
    "/etc/pacman\\.d/gnupg(?:/.*)?",
    `${HOME}/\\.gnupg/(?:random_seed|trustdb\\.gpg|.*\\.lock)`,
    ".*/\\.erlang\\.cookie",
    "/etc/exim4/.*\\.lock",
  ),
  rule(
    "apt's and dpkg's own state",
    "/var/lib/apt/(?:lists|periodic)/.*",
    "/var/lib/apt/(?:lists|periodic)",
    "/var/lib/apt/daily_lock",
    "/var/lib/dpkg/.*-old",
    "/var/lib/dpkg/lock.*",
    "/var/lib/dpkg/triggers/Lock",
    "/var/lib/dpkg/(?:updates|parts|tmp\\.ci)(?:/.*)?",
    "/var/lib/ucf/cache/.*",
    "/var/lib/command-not-found(?:/.*)?",
  ),
  rule("debconf's notes", "/var/cache/debconf/.*", "/var/lib/debconf(?:/.*)?"),
  rule(
    "backups and locks of accounts",
    "/etc/(?:passwd|group|shadow|gshadow|subuid|subgid)-",
    "/etc/\\.pwd\\.lock",
  ),
  rule(
    "systemd's, sudo's and logrotate's notes",
    "/var/lib/systemd/(?:timers|catalog|deb-systemd-helper-.*|coredump)(?:/.*)?",
    "/var/lib/logrotate(?:/.*)?",
    "/var/lib/sudo(?:/.*)?",
    "/etc/systemd/system/.*\\.dsh-also",
  ),
  rule(
    "indexes made of other files",
    "/etc/ld\\.so\\.cache",
    "/var/cache/ldconfig/.*",
    "/usr/share/info/dir(?:\\.old)?",
    ".*/icon-theme\\.cache",
    ".*/mimeinfo\\.cache",
    "/usr/share/mime/mime\\.cache",
    ".*/perllocal\\.pod",
    "/etc/ssl/certs/java/cacerts",
    "/etc/pki/.*/cacerts",
    "/usr/lib/.*/gconv-modules\\.cache",
    "/usr/share/glib-2\\.0/schemas/gschemas\\.compiled",
    "/usr/lib/.*/giomodule\\.cache",
  ),
  rule(
    "apk's notes",
    "(?:/usr)?/lib/apk/db/(?:scripts\\.tar|scripts\\.tar\\.gz|triggers|lock)",
    "/etc/apk/protected_paths\\.d/.*",
  ),
  rule(
    "rpm's, dnf's and zypper's notes",
    "/var/lib/(?:rpm|dnf|yum)/.*",
    "(?:/usr/lib)/sysimage/(?:rpm|libdnf5)/.*",
    "/var/lib/zypp/AnonymousUniqueId",
    "/var/lib/PackageKit(?:/.*)?",
  ),
  rule("pacman's notes", "/var/lib/pacman/(?:sync/.*|local/[^/]+/desc)"),
  rule("compiled Python", ".*/__pycache__(?:/.*)?", ".*\\.py[co]"),
  rule(
    "git's own state",
    ".*/\\.git/(?:index|logs(?:/.*)?|FETCH_HEAD|ORIG_HEAD|COMMIT_EDITMSG|objects(?:/.*)?|gc\\.log|gc\\.pid|gitk\\.cache)",
  ),
  rule(
    "what editors and shells leave",
    `${HOME}/\\.[a-z_]*(?:_history|_hist)`,
    `${HOME}/\\.(?:viminfo|lesshst|selected_editor|sudo_as_admin_successful|rnd)`,
    ".*/\\.[^/]*\\.sw[a-px]",
    `${HOME}/\\.local/share/(?:nano|vim|recently-used.xbel)(?:/.*)?`,
    `${HOME}/\\.vim/\\.netrwhist`,
  ),
];

const DATA =
  /^\/var\/lib\/(postgresql\/[^/]+\/[^/]+|pgsql\/data|mysql|mariadb|mongodb|rabbitmq\/mnesia|redis|elasticsearch|couchdb)\/./s;

/** The name of the rule that leaves a path out; undefined: it counts. */
export function volatileBy(path: string): string | undefined {
  return RULES.find(({ pattern }) => pattern.test(path))?.name;
}

/** Whether a path is inside a server's data directory, of which owner, mode and top names alone are compared. */
export function isServerData(path: string): boolean {
  return DATA.test(path);
}

/** Whether a path is below /tmp or /var/tmp: no image keeps it, but a later command may need it. */
export function isTemporary(path: string): boolean {
  return /^(\/var)?\/tmp\/./s.test(path);
}
