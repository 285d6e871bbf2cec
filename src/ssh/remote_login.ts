import { Failure } from "../error.ts";
import { capture, type Finished } from "../process/child.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { sshHost, sshTo } from "./argv.ts";
import { afterMark, markedLine } from "./master.ts";

const LIMIT_MS = 30_000;

const ODD_WORD = "it's\n$x \\ !";

const ODD_CODE = 3;

/**
 * Looks whether the login shell of the remote host runs a command as it is given, and ends with its exit code. A
 * restricted shell, or one whose language is too far from sh's, is a failure here instead of a riddle later.
 */
export async function checkRemoteShell(context: Context, session: Session): Promise<void> {
  if (session.remoteHost === null || context.dryRun) return;
  const words = ["/bin/sh", "-c", `printf %s "$1"; exit ${ODD_CODE}`, "sh", ODD_WORD];
  const { code, stdout, stderr } = await runLine(context, session, markedLine(words));
  const answer = afterMark(stdout);
  if (answer === ODD_WORD && code === ODD_CODE) return;
  const said = (stderr || answer || stdout).trim().split("\n")[0] ?? "";
  throw new Failure(
    `the login shell of ${sshHost(session, "remote")}${await nameOf(
      context,
      session,
    )} does not run commands as they ` +
      `are given${said === "" ? "" : `: ${said}`}`,
    {
      hint: "Give that login another shell (chsh -s /bin/bash), or use another login there.\n" +
        "A start-up file (.bashrc, .profile) or a ForceCommand of its sshd may be the cause too.",
    },
  );
}

// Each of them is read by other shells.
async function nameOf(context: Context, session: Session): Promise<string> {
  for (const line of ["echo $SHELL", "/bin/sh -c 'echo $SHELL'"]) {
    const named = /^\/\S+$/m.exec((await runLine(context, session, line)).stdout)?.[0];
    if (named !== undefined) return `, ${named},`;
  }
  return "";
}

function runLine(context: Context, session: Session, line: string): Promise<Finished> {
  const argv = sshTo(session, "remote", { line });
  return capture(context, argv, { readOnly: true, limitMs: LIMIT_MS });
}
