/** Programs that read nothing of the directory in which they run. */
import { isLocalPackage, parseApt } from "./packages.ts";

const ANYWHERE =
  /^(user(add|mod|del)|group(add|mod|del|s)?|adduser|addgroup|deluser|delgroup|chsh|chfn|chage|passwd|gpasswd|dpkg-reconfigure|update-[\w-]+|service|systemctl|a2\w+|locale-gen|debconf-set-selections|chpasswd|visudo|ldconfig|setcap|apk|dnf|yum|zypper|pacman)$/;

/** Whether a command does the same in any directory: what it is about, it is told by name. */
export function runsAnywhere(words: readonly string[]): boolean {
  const rest = words[0] === "sudo" ? words.slice(1) : words;
  const [program = ""] = rest;
  if (ANYWHERE.test(program.slice(program.lastIndexOf("/") + 1))) return true;
  const apt = parseApt(rest);
  return apt !== undefined && (apt === "update" || !apt.packages.some(isLocalPackage));
}
