/** The comments at a Dockerfile's end: what was left out, what failed, what an image cannot hold. */
import { maskSecrets } from "../secrets.ts";
import type { Omission } from "./copies.ts";
import type { Decision, Reason } from "./decide.ts";
import type { Command, Evidence } from "./evidence.ts";
import type { Facts } from "./facts.ts";
import { lineOf } from "./shell_line.ts";

const MOST_SHOWN = 5;

/** The lines, without `# `. */
export function remarksOf(
  { facts, decisions, omissions, isAllowed }: {
    readonly facts: Facts;
    readonly evidence: Evidence;
    readonly decisions: readonly Decision[];
    readonly omissions: readonly Omission[];
    readonly isAllowed: (name: string) => boolean;
  },
): string[] {
  const lines: string[] = [];
  const say = (title: string, found: readonly string[]): void => {
    if (found.length === 0) return;
    lines.push(title, ...found.slice(0, MOST_SHOWN).map((text) => `  ${text}`));
    if (found.length > MOST_SHOWN) lines.push(`  and ${found.length - MOST_SHOWN} more`);
  };
  const because = (...reasons: readonly Reason[]): string[] => [
    ...new Set(
      decisions.filter(({ keep, reason }) => !keep && reasons.includes(reason))
        .map(({ command }) => shown(command)),
    ),
  ];
  if (facts.isMoved) {
    lines.push(
      `${facts.session.baseImage} is another image by now than the one that the session began with.`,
    );
  }
  const idle = because("nothing", "volatile");
  if (idle.length > 0) {
    say(`Left out, because they change nothing in the image (${idle.length}):`, idle);
  }
  say("Failed in the session:", because("failed"));
  say("What these read from a pipe is not known; what they changed is copied:", because("stdin"));
  say("What these read is gone; what they made of it is copied:", because("input"));
  say("Done in a shell; what it changed is copied, but for packages:", because("shell"));
  say("Left out for the secret in it; give it when the container runs:", because("secret"));
  say(
    "Not known to have changed anything (no look at the container came in between):",
    decisions.filter(({ keep, reason }) => keep && reason === "unknown").map(({ command }) =>
      shown(command)
    ),
  );
  const of = (why: Omission["why"]): string[] =>
    omissions.filter((omission) => omission.why === why).map(({ path }) => path);
  say("Not copied, for it is a secret (dockerdo dockerfile --allow NAME):", of("secret"));
  say("Not copied, for it is bigger than 100 MB:", of("big"));
  const secrets = Object.entries(facts.session.env)
    .filter(([name]) => !isAllowed(name))
    .map(([name]) => name).filter((name) => facts.exports.some(({ set }) => set[name] === null));
  say("Variables with a secret, for docker run -e:", secrets);
  const mounts = facts.survey.mounts
    .filter(({ path, type }) =>
      !/^\/(proc|sys|dev)(\/|$)/.test(path) &&
      !/^\/etc\/(hosts|hostname|resolv\.conf)$/.test(path) &&
      !/^\/(usr\/)?sbin\/docker-init$/.test(path) && type !== "proc"
    )
    .map(({ path }) => path);
  say("Mounted in the session, so not in the image:", mounts);
  return lines;
}

/** A command for people: its secrets are not shown. */
export function shown({ command, exitCode, user }: Command): string {
  if (command.length === 0) return "dodo";
  const line = lineOf(maskSecrets(command));
  const short = line.replace(/\s+/g, " ").slice(0, 100);
  return `dodo ${user === undefined ? "" : `-u ${user} `}${short}${
    exitCode === 0 ? "" : `  (exit code ${exitCode})`
  }`;
}
