import { Failure } from "../error.ts";
import { quote, quoteAll } from "../quote.ts";
import type { Session } from "../session/session.ts";

/** A command as a session's container is to run it. */
export interface ContainerCommand {
  /** The directory in the container. */
  readonly cwd: string;
  /** Empty: the user's login shell. */
  readonly command: readonly string[];
  /** Variables for this command only. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * What carries a command into the container. The text that the container's shell runs travels in variables
 * (`SendEnv`), in pieces: no value shows in a process list, no login shell reads it, and its length is not
 * bounded by the 128 KiB that one argument may have (execve(2), MAX_ARG_STRLEN).
 */
export interface Parcel {
  /** The line for the container's login shell. */
  readonly line: string;
  /** The same as words, for those who need no login shell. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Too large for a control master, which takes 256 KiB at once: it needs a connection of its own. */
  readonly oversized: boolean;
}

// A character may have three bytes; the kernel's limit is in bytes.
const PIECE_LENGTH = 40_000;

// CHANNEL_MUX_MAX_PACKET of OpenSSH's channels.c is 256 KiB.
const LARGEST_FOR_MASTER = 80_000;

// Of what sshd gives a session, the part that docker exec does not.
const NOT_OF_THE_IMAGE = "SSH_CLIENT SSH_CONNECTION SSH_TTY MAIL OLDPWD SHLVL";

// Readonly, or with a meaning of their own.
const OF_BASH =
  /^(UID|EUID|PPID|BASHOPTS|BASHPID|BASH_VERSINFO|SHELLOPTS|GROUPS|RANDOM|SRANDOM|SECONDS|LINENO)$/;

/**
 * Packs a command. `token` marks its process group in the container, for {@link signalWords}. On a terminal, whose
 * local variables are `terminal`, the command is in a process group of its own, in the foreground, as from a prompt.
 */
export function packCommand(
  session: Session,
  command: ContainerCommand,
  { token, terminal, sizeComes = false }: {
    readonly token: string;
    readonly terminal?: Readonly<Record<string, string>> | undefined;
    /** Whether the terminal has its size only a moment after the start, as that of docker exec. */
    readonly sizeComes?: boolean;
  },
): Parcel {
  const text = asciiOnly(script(session, command, { terminal, sizeComes }));
  const env: Record<string, string> = {};
  for (let at = 0, piece = 1; at < text.length; piece++) {
    let end = at + PIECE_LENGTH;
    if (/[\uD800-\uDBFF]/.test(text.charAt(end - 1))) end--;
    env[`DODO_${piece}`] = text.slice(at, end);
    at = end;
  }
  const names = Object.keys(env);
  const missing =
    "dodo: the container's sshd accepts no variables of dodo: dockerdo overlay --force, then build and run again";
  const unpack = `[ "$DODO_1" ] || { echo ${quote(missing)} >&2; exit 125; }; ` +
    `text="${names.map((name) => `$${name}`).join("")}"; unset ${names.join(" ")}; eval "$text"`;
  const words = ["/bin/sh", "-c", unpack, "dodo", token];
  return {
    // A login shell that reads sh's language needs no second one.
    line: /\/(ba|da|a)?sh$/.test(session.image.loginShell)
      ? `: ${token}; ${unpack}`
      : `exec ${quoteAll(words)}`,
    words,
    env,
    oversized: text.length > LARGEST_FOR_MASTER,
  };
}

/** {@link packCommand} for a container without a shell: the program itself, with its directory and variables docker's. */
export function packBare(
  session: Session,
  { command, env }: ContainerCommand,
  { token }: { readonly token: string },
): Parcel {
  if (command.length === 0 || command[0] === "/bin/sh") {
    throw new Failure(`there is no shell in ${session.containerName}`, {
      exitCode: 125,
      hint: "dodo PROGRAM runs a program that it has.",
    });
  }
  const variables = { ...session.env, ...env, DODO_TOKEN: token };
  return { line: "", words: command, env: variables, oversized: false };
}

// A login shell such as fish may read its variables in another encoding and rewrite them. So there is no
// character beyond ASCII in them, and sh makes the bytes. Long texts have no room for that.
function asciiOnly(text: string): string {
  // deno-lint-ignore no-control-regex
  if (text.length > PIECE_LENGTH || /^[\x00-\x7f]*$/.test(text)) return text;
  const format = text.replaceAll("\\", "\\\\").replaceAll("%", "%%").replaceAll("'", "\\047")
    .replace(
      // deno-lint-ignore no-control-regex
      /[^\x00-\x7f]+/g,
      (letters) =>
        Array.from(new TextEncoder().encode(letters), (byte) => `\\${byte.toString(8)}`).join(""),
    );
  return `eval "$(printf '${format}')"`;
}

// Ctrl-Z has no shell here to return to, and a stopped program would keep the terminal for ever: it is continued at once.
// 147 to 150 is 128+n for SIGSTOP, SIGTSTP, SIGTTIN and SIGTTOU, and 1 is bash's fg where a key interrupts it; they may
// be the command's own exit code: then there is no job.
// bash ends without a word where the job that fg continued ends of Ctrl-C: then its EXIT trap has the code.
const GO_ON = `go_on() {
  case $code in 1 | 14[789] | 150) kill -0 %% || return 0 ;; *) return 0 ;; esac
  code=130
  trap 'exit $code' EXIT
  fg >/dev/null
  code=$?
  go_on
}
go_on
exit $code`;

// $1 the directory.
const CANNOT_ENTER =
  `[ ! -d "$1" ] || set -- "$1" "the container's user may not enter the directory"
printf 'dodo: %s: %s\\n' "\${2:-no such directory in the container}" "$1" >&2
exit 126`;

// docker exec sets no SHELL: then the user's shell is the one of passwd(5), where an empty field is /bin/sh.
const FIND_SHELL =
  `[ "$SHELL" ] || SHELL=$(sed -n "s/^[^:]*:[^:]*:$(id -u):.*:\\([^:]*\\)$/\\1/p" /etc/passwd | head -n 1)
[ -x "$SHELL" ] || SHELL=/bin/sh
export SHELL`;

// Where fork(2) fails a shell ends at once.
const NO_PROCESS =
  "echo 'dodo: the container may start no more processes (docker run --pids-limit)' >&3; exit 125";

const COMMON_TERM = /^$|^(xterm|screen|tmux)(-256color)?$|^(linux|vt\d+|ansi|dumb)$/;

// terminfo(5): an entry is in the directory of its first character.
const KNOWN_TERM =
  `(for dir in "$TERMINFO" ~/.terminfo /etc/terminfo /lib/terminfo /usr/lib/terminfo \
  /usr/share/terminfo; do [ ! -e "$dir/\${TERM%"\${TERM#?}"}/$TERM" ] || exit 0; done; exit 1) ||
  export TERM=xterm-256color`;

/** Of the local terminal's variables, what a program there must know to draw on it. */
function terminalVariables(
  local: Readonly<Record<string, string>>,
  given: Readonly<Record<string, string>>,
): Record<string, string> {
  const { COLORTERM } = local;
  const locale = local["LC_ALL"] || local["LC_CTYPE"] || local["LANG"] || "";
  // Locales of the local host need not be there; this one is part of the C library.
  const bare = ["LC_ALL", "LC_CTYPE", "LANG"].every((name) => given[name] === undefined);
  return {
    ...COLORTERM !== undefined && { COLORTERM },
    ...bare && /utf-?8/i.test(locale) && { LANG: "C.UTF-8" },
  };
}

/** Ends with a sentence of ours, and the shell's exit code, where a program is not there. */
function isThere(session: Session, program: string): string {
  const look = program.includes("/") ? "[ -e" : "command -v --";
  const end = program.includes("/") ? " ]" : " >/dev/null";
  const sentence = `dodo: ${program}: not found in the container ${session.containerName}`;
  return `${look} ${quote(program)}${end} || { printf '%s\\n' ${quote(sentence)} >&2; exit 127; }`;
}

/**
 * What starts the user's shell. One that reads sh's language is a login shell first, whose start-up files set a PATH
 * of their own; the image's is the one that counts. That first one is not to read BASH_ENV, as an interactive one does not.
 */
function loginShell(variables: Readonly<Record<string, string>>): string {
  const kept = { PATH: variables["PATH"] ?? "/usr/bin:/bin" };
  const { BASH_ENV } = variables;
  const again = Object.entries(BASH_ENV === undefined ? kept : { ...kept, BASH_ENV })
    .map(([name, value]) => `${name}=${quote(value)}`).join(" ");
  return `${FIND_SHELL}
case \${SHELL##*/} in
  sh | ash | bash | dash | ksh* | mksh | yash | zsh)
    unset BASH_ENV
    exec "$SHELL" -l -c ${quote(`${again} exec "\${SHELL:-/bin/sh}"`)} ;;
esac
exec "$SHELL"`;
}

// For a second at most, where there is an stty to ask.
const AWAIT_SIZE = 'i=0; while [ "$(stty size 2>/dev/null)" = "0 0" ] && [ $i -lt 20 ]; do ' +
  "i=$((i + 1)); sleep 0.05; done";

// The shell waits for the command, so that a signal's end becomes 128+n instead of ssh's 255; it would print
// "Terminated" then, which is not the command's output. Its traps do nothing, but keep it from ending before the
// command. exec keeps built-in commands from taking the place of the real ones.
function script(
  session: Session,
  { cwd, command, env }: ContainerCommand,
  { terminal, sizeComes }: {
    readonly terminal: Readonly<Record<string, string>> | undefined;
    readonly sizeComes: boolean;
  },
): string {
  const given = { ...session.image.env, ...session.env, ...env };
  const variables = Object.entries({
    ...terminal === undefined ? {} : terminalVariables(terminal, given),
    ...given,
  });
  // export takes names of the shell's own kind only, and bash none that it has itself; env(1) takes any.
  const isPlain = ([name]: [string, string]): boolean =>
    /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !OF_BASH.test(name);
  const plain = variables.filter(isPlain).map(([name, value]) => `${name}=${quote(value)}`);
  const odd = variables.filter((variable) => !isPlain(variable)).map(([name, value]) =>
    `${name}=${value}`
  );
  const [program] = command;
  const start = program === undefined
    ? loginShell(given)
    : `${isThere(session, program)}; exec ${
      quoteAll(odd.length === 0 ? command : ["env", ...odd, ...command])
    }`;
  const oddTerminal = terminal !== undefined && given["TERM"] === undefined &&
    !COMMON_TERM.test(terminal["TERM"] ?? "");
  return [
    `set -- ${quote(cwd)}; cd -- "$1" 2>/dev/null || { ${CANNOT_ENTER}; }`,
    ...sizeComes ? [AWAIT_SIZE] : [],
    `unset ${NOT_OF_THE_IMAGE}`,
    // bash reports a locale that the image names and does not have; docker exec starts no shell that would.
    ...plain.length === 0 ? [] : [`export ${plain.join(" ")} 2>/dev/null`],
    ...oddTerminal ? [KNOWN_TERM] : [],
    // A terminal that hangs up does so to this shell, and only when it ends to the command.
    `trap : ${terminal ? "" : "HUP "}INT QUIT TERM`,
    // bash hands on the terminal that is its stderr; one that is open for reading takes none of its messages.
    ...terminal
      ? ["set -m", "exec 3>&2", "if (: </dev/tty); then exec 2</dev/tty; else exec 2>/dev/null; fi"]
      : ["exec 3>&2 2>/dev/null"],
    `trap ${quote(NO_PROCESS)} EXIT`,
    `(exec 2>&3 3>&-; ${start})`,
    "code=$?; trap - EXIT",
    ...terminal ? [GO_ON] : ["exit $code"],
  ].join("\n");
}

/**
 * The words that send a signal to the process group of the command with this token, once it is there, and to the
 * foreground group of its terminal, if it has one; and when the command has ended of it, end what else is left of the
 * group (a job in the background of a shell ignores SIGINT). A command that survives the signal is left alone; one
 * that is stopped is continued.
 */
export function signalWords(token: string, signal: string): string[] {
  // The brackets keep the searcher from finding itself.
  const pattern = `${token.slice(0, -1)}[${token.slice(-1)}]`;
  const text =
    `soon() { i=0; until "$@"; do i=$((i + 1)); [ $i -lt 100 ] || return 1; sleep 0.05; done; }
find_leader() { file=$(grep -ls ${
      quote(pattern)
    } /proc/[0-9]*/cmdline /proc/[0-9]*/environ | head -n 1)
  [ -n "$file" ] && leader=\${file%/*} && groups=\${leader#/proc/}; }
gone() { ! [ -e "$leader" ]; }
look() {
  { read -r stat <"$leader/stat"; } 2>/dev/null || return
  set -- \${stat##*) }
  groups=\${leader#/proc/}
  if [ "$6" -gt 1 ] && [ "$6" != "$groups" ]; then groups="$6 $groups"; fi
}
send() { look; for group in $groups; do kill "-$1" "-$group"; done 2>/dev/null; }
soon find_leader || exit
send ${signal}; send CONT
soon gone || exit
send TERM; sleep 1; send KILL`;
  return ["/bin/sh", "-c", text];
}
