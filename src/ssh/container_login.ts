import { Failure } from "../error.ts";
import { capture } from "../process/child.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { probeOptions, sshTo } from "./argv.ts";
import { loggingProxy } from "./config_file.ts";
import { afterMark, markedLine } from "./master.ts";

const LIMIT_MS = 10_000;

// What both ends write of any connection, and ssh of a refused one.
const USUAL =
  /^(Accepted |Connection (closed|reset)|Disconnected|Postponed |kex_exchange_identification|Starting session|User child |.*: Permission denied \()/;

const CAPABILITIES: readonly (readonly [RegExp, string])[] = [
  [/chroot\(/, "SYS_CHROOT"],
  [/set(res)?uid/, "SETUID"],
  [/setgroups|set(res)?gid/, "SETGID"],
];

/**
 * Why the container's sshd refuses a login, in its own words, and what helps. It does not tell a client: so this is a
 * login more, with sshd's log on stderr. No words: nothing was refused, or sshd has not started.
 */
export async function askSshd(
  context: Context,
  session: Session,
  containerId: string,
): Promise<{ readonly words: string; readonly hint: string | undefined }> {
  const proxy = `ProxyCommand=${loggingProxy(session, containerId)}`;
  const options = [...probeOptions(LIMIT_MS), "-o", proxy];
  const argv = sshTo(session, "container", { line: "true", overMaster: false, options });
  const { stderr } = await capture(context, argv, {
    readOnly: true,
    detached: true,
    limitMs: 2 * LIMIT_MS,
  });
  const words = stderr.split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !USUAL.test(line)).join("; ");
  const [, lacking] = CAPABILITIES.find(([pattern]) => pattern.test(words)) ?? [];
  return {
    words,
    hint: lacking === undefined || !/not permitted/i.test(words)
      ? undefined
      : `sshd needs the capability ${lacking}. In a container that must not have it: dockerdo attach installs nothing there.`,
  };
}

// With what sshd gives it, bash takes no start-up file for a command; the others take none anyway.
const SILENT = /\/(ba|da|a)?sh$/;

/**
 * Looks whether the login shell of the container's user runs what sshd gives it, and nothing else. What its start-up
 * files write is in the output of each command: that is a warning, and a shell that runs nothing a failure.
 */
export async function checkLoginShell(context: Context, session: Session): Promise<void> {
  const { loginShell } = session.image;
  if (context.dryRun || SILENT.test(loginShell)) return;
  const argv = sshTo(session, "container", { line: markedLine(["true"]) });
  const { stdout, stderr } = await capture(context, argv, { readOnly: true, limitMs: LIMIT_MS });
  const shell = `${loginShell}, the login shell of ${session.user} in the container,`;
  const ran = afterMark(stdout);
  if (ran === undefined) {
    const said = `${stdout}${stderr}`.trim();
    throw new Failure(`${shell} does not run commands${said === "" ? "" : `: ${said}`}`, {
      hint:
        "See its start-up files in the image, or give the user another shell there: chsh -s /bin/sh",
    });
  }
  const noise = stdout.slice(0, stdout.length - ran.length - 1).trim();
  if (noise === "") return;
  context.stderr(
    `dockerdo: the start-up files of ${shell} write to stdout: each dodo has it too, before the command's output: ` +
      `${JSON.stringify(noise.slice(0, 60))}\n`,
  );
}
