import { dockerTrouble } from "../docker.ts";
import { engineScript } from "../ssh/argv.ts";
import { formatBytes } from "../units.ts";
import type { Finished } from "../process/child.ts";
import { type Finding, missing, ok, warning } from "./finding.ts";
import { allowDocker, install, reaching, startDocker, type System } from "./remedy.ts";

const LITTLE_SPACE = 2e9;
const NO_SPACE = 200e6;

/**
 * Run where an engine is: its version, the file system that its data is on as df(1) reports it, in 1024 bytes.
 * The exit code is docker's.
 */
export const ASK_DOCKER = engineScript([
  "docker version --format '{{.Server.Version}}' || exit",
  "root=$(docker info --format '{{.DockerRootDir}}')",
  'df -Pk "$root" 2>/dev/null | tail -n 1',
  'echo "$root"',
].join("; "));

/** What {@link ASK_DOCKER} printed, as findings. */
export function judgeDocker(
  asked: Finished,
  { system, where, needed, limitMs }: {
    readonly system: System;
    readonly where: "here" | "there";
    /** Whether a session cannot do without this engine. */
    readonly needed: boolean;
    readonly limitMs: number;
  },
): Finding[] {
  const check = `docker ${where}`;
  const bad = needed ? missing : warning;
  const what = needed ? "" : " (only dockerdo build needs it; build --remote does without)";
  if (asked.code === 124) {
    const found = `the engine has not answered within ${limitMs / 1000} s${what}`;
    return [bad(check, found, reaching(system, "docker version"))];
  }
  if (asked.code !== 0) {
    const words = asked.stderr.trim().split("\n").at(-1) ?? "";
    const trouble = dockerTrouble(asked.stderr);
    if (trouble === "program" || asked.code === 127) {
      return [bad(check, `not installed${what}`, install(system, "docker"))];
    }
    if (trouble === "permission") {
      return [bad(check, `you may not use the engine${what}`, allowDocker(system))];
    }
    if (trouble === "daemon") {
      return [bad(check, `the engine does not run${what}`, startDocker(system))];
    }
    return [bad(check, `${words}${what}`, reaching(system, "docker version"))];
  }
  const [version = "", disk = "", root = ""] = asked.stdout.trim().split("\n");
  const space = judgeSpace(disk, { check: `disk ${where}`, place: root, remedy: PRUNE, system });
  return [ok(check, `engine ${version}`), ...space === undefined ? [] : [space]];
}

const PRUNE = "docker system df; docker system prune";

/** A line of `df -Pk` as a finding; undefined for another line. */
export function judgeSpace(
  line: string,
  { check, place, remedy, system }: {
    readonly check: string;
    readonly place: string;
    readonly remedy: string;
    readonly system: System;
  },
): Finding | undefined {
  const blocks = /\s(\d+)\s+\d+\s+(-?\d+)\s+\d+%\s/.exec(line)?.[2];
  if (blocks === undefined) return undefined;
  const bytes = Math.max(0, Number(blocks)) * 1024;
  const found = `${formatBytes(bytes)} free for ${place}`;
  if (bytes < NO_SPACE) return missing(check, found, reaching(system, remedy));
  return bytes < LITTLE_SPACE ? warning(check, found, reaching(system, remedy)) : ok(check, found);
}
