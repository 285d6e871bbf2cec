/** What package managers were told to do, and how a Dockerfile says it. */
import { written } from "./shell_line.ts";

/** A call of apt: neighbours are joined. */
export interface AptCall {
  readonly action:
    | "install"
    | "remove"
    | "purge"
    | "autoremove"
    | "upgrade"
    | "full-upgrade"
    | "dist-upgrade"
    | "fix";
  readonly packages: readonly string[];
  /** Kept as they were given, but for -y and what is about the output. */
  readonly options: readonly string[];
}

const ACTIONS =
  /^(update|install|remove|purge|autoremove|upgrade|full-upgrade|dist-upgrade|clean|autoclean)$/;
const QUIET =
  /^(-y|-q+|-qq|-yq+|-qy|-qqy|-yqq|--yes|--assume-yes|--quiet|-q=\d|--no-progress|--show-progress)$/;
const WITH_VALUE = /^(-o|--option|-t|--target-release|--default-release|-c|--config-file)$/;

/** A call of apt or apt-get in these words; "update" for one that only fetches lists or cleans; undefined: none. */
export function parseApt(words: readonly string[]): AptCall | "update" | undefined {
  const rest = withoutPrefix(words);
  const name = rest[0]?.replace(/^(\/usr)?\/bin\//, "") ?? "";
  if (name === "dpkg") return parseDpkg(rest.slice(1));
  if (name !== "apt" && name !== "apt-get" && name !== "aptitude") return undefined;
  const options: string[] = [];
  const packages: string[] = [];
  let action: string | undefined;
  let fix = false;
  for (let at = 1; at < rest.length; at++) {
    const word = rest[at] ?? "";
    if (QUIET.test(word)) continue;
    if (/^(-f|--fix-broken)$/.test(word)) fix = true;
    else if (/^-[yqf]+$/.test(word)) fix = fix || word.includes("f");
    else if (WITH_VALUE.test(word)) options.push(word, rest[++at] ?? "");
    else if (word.startsWith("-")) options.push(word);
    else if (action === undefined) action = word;
    else packages.push(word);
  }
  if (action === undefined || !ACTIONS.test(action)) return undefined;
  if (/^(update|clean|autoclean)$/.test(action)) return "update";
  if (options.includes("--purge") && action === "remove") {
    return { action: "purge", packages, options: options.filter((word) => word !== "--purge") };
  }
  if (fix && action === "install" && packages.length === 0) {
    return { action: "fix", packages, options };
  }
  return { action: action as AptCall["action"], packages, options };
}

/** Files of packages that dpkg installs: apt brings what they depend on, and asks nothing. */
function parseDpkg(words: readonly string[]): AptCall | undefined {
  const files = words.filter((word) => !word.startsWith("-"));
  const isInstall = words.includes("-i") || words.includes("--install");
  const isPlain = words.every((word) => !word.startsWith("-") || /^(-i|--install)$/.test(word));
  if (!isInstall || !isPlain || !files.every((name) => /^[\w./+~:@-]+\.deb$/.test(name))) {
    return undefined;
  }
  const packages = files.map((name) => name.includes("/") ? name : `./${name}`);
  return { action: "install", packages, options: [] };
}

/** sudo of root, and the variables that only keep debconf from asking. */
function withoutPrefix(words: readonly string[]): readonly string[] {
  let at = 0;
  if (words[at] === "sudo") at++;
  if (words[at] === "env") at++;
  while (
    /^(DEBIAN_FRONTEND|DEBIAN_PRIORITY|APT_LISTCHANGES_FRONTEND|NEEDRESTART_MODE)=/.test(
      words[at] ?? "",
    )
  ) at++;
  return words.slice(at);
}

/** Whether a package is named that is a file of the build, not one of a repository. */
export function isLocalPackage(name: string): boolean {
  return name.includes("/") || name.endsWith(".deb");
}

export interface AptOptions {
  /** Whether the recommended packages are left out, for this list of packages. */
  readonly withoutRecommends: (call: AptCall) => boolean;
  /** Packages that apt must not add by itself. */
  readonly excluded: readonly string[];
  /** A package with its version, where versions are to be written. */
  readonly pinned: (name: string) => string;
}

/** The lines of one RUN for calls of apt that follow each other. */
export function aptLines(calls: readonly AptCall[], options: AptOptions): string[] {
  const lines = ["apt-get update"];
  for (const { action, packages, bare, own } of mergeInstalls(calls, options)) {
    const words = [
      "apt-get",
      action === "fix" ? "install -f -y" : `${action} -y`,
      ...bare ? ["--no-install-recommends"] : [],
      ...own.map(written),
    ];
    const names = [...new Set(packages)]
      .map((name) => action === "install" && !isLocalPackage(name) ? options.pinned(name) : name);
    // A dash behind a name: not this one.
    const others = action === "install" && !bare
      ? options.excluded.filter((name) => !packages.includes(name)).map((name) => `${name}-`)
      : [];
    lines.push(fold([...words, ...names.map(written), ...others], words.length));
  }
  lines.push("rm -rf /var/lib/apt/lists/*");
  return lines;
}

// Many packages stand below each other, sorted, as in every style guide.
function fold(words: readonly string[], fixed: number): string {
  const line = words.join(" ");
  if (line.length <= 90) return line;
  const names = words.slice(fixed).toSorted();
  return [words.slice(0, fixed).join(" "), ...names.map((name) => `      ${name}`)].join(" \\\n");
}

interface Merged extends AptCall {
  readonly bare: boolean;
  /** The options but for that one. */
  readonly own: readonly string[];
}

function mergeInstalls(calls: readonly AptCall[], options: AptOptions): Merged[] {
  const merged: Merged[] = [];
  for (const call of calls) {
    const own = call.options.filter((word) => !/^--(no-)?install-recommends$/.test(word));
    const bare = call.action === "install" && options.withoutRecommends(call);
    const last = merged.at(-1);
    const joins = last !== undefined && last.action === call.action && last.bare === bare &&
      /^(install|purge|remove)$/.test(call.action) && last.own.join(" ") === own.join(" ");
    if (joins) {
      merged[merged.length - 1] = { ...last, packages: [...last.packages, ...call.packages] };
    } else merged.push({ ...call, bare, own });
  }
  return merged;
}

/** Whether a call of another package manager only brings lists up to date, which the next one does anyway. */
export function isRefresh(words: readonly string[]): boolean {
  return /^(apk (-\S+ )*update|(dnf|yum|microdnf) (-\S+ )*(makecache|check-update|clean)|zypper (-\S+ )*(ref|refresh|clean)|pacman -Sy+)( -\S+)*( all)?$/
    .test(withoutPrefix(words).join(" "));
}

/** Another package manager's call, so that it asks nothing and leaves no cache, with what cleans up after it. */
export function tidy(
  words: readonly string[],
): { readonly line: string; readonly after?: string } | undefined {
  const rest = withoutPrefix(words);
  const name = rest[0]?.slice(rest[0].lastIndexOf("/") + 1) ?? "";
  const has = (...options: readonly string[]): boolean =>
    options.some((option) => rest.includes(option));
  const line = (...added: readonly string[]): string =>
    [rest[0] ?? "", ...added, ...rest.slice(1)].map(written).join(" ");
  const verb = rest.slice(1).find((word) => !word.startsWith("-"));
  if (name === "apk" && verb === "add") {
    const at = rest.indexOf("add");
    const words = has("--no-cache")
      ? rest
      : [...rest.slice(0, at + 1), "--no-cache", ...rest.slice(at + 1)];
    return { line: words.map(written).join(" ") };
  }
  if (
    /^(dnf|yum|microdnf)$/.test(name) &&
    /^(install|update|upgrade|reinstall|groupinstall|remove)$/.test(verb ?? "")
  ) {
    return { line: has("-y", "--assumeyes") ? line() : line("-y"), after: `${name} clean all` };
  }
  if (name === "zypper" && /^(in|install|rm|remove|up|update)$/.test(verb ?? "")) {
    return { line: has("-n", "--non-interactive") ? line() : line("-n"), after: "zypper clean -a" };
  }
  if (name === "pacman" && /^-S/.test(rest[1] ?? "")) {
    return {
      line: has("--noconfirm") ? line() : `${line()} --noconfirm`,
      after: "pacman -Scc --noconfirm",
    };
  }
  const pip = /^pip[\d.]*$/.test(name) && verb === "install";
  const module = /^python[\d.]*$/.test(name) && rest[1] === "-m" && rest[2] === "pip" &&
    rest[3] === "install";
  if ((pip || module) && !has("--no-cache-dir")) {
    const at = rest.indexOf("install");
    return {
      line: [...rest.slice(0, at + 1), "--no-cache-dir", ...rest.slice(at + 1)].map(written).join(
        " ",
      ),
    };
  }
  return undefined;
}
