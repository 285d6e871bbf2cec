import { Failure } from "./error.ts";
import type { Context } from "./process/context.ts";

/** An XDG base directory of the user, or what takes its place below the home directory. */
export function userDirectory(
  context: Context,
  kind: "CONFIG" | "DATA" | "STATE",
): string {
  const named = context.env[`XDG_${kind}_HOME`];
  if (named?.startsWith("/")) return `${named}/dockerdo`;
  const places = { CONFIG: ".config", DATA: ".local/share", STATE: ".local/state" };
  return `${homeDirectory(context)}/${places[kind]}/dockerdo`;
}

/** The user's home directory; a failure where HOME is not set. */
export function homeDirectory(context: Context): string {
  const home = context.env["HOME"];
  if (home?.startsWith("/")) return home;
  throw new Failure("HOME is not set, so there is no place for sessions and configuration", {
    hint: "Set HOME, or XDG_DATA_HOME, XDG_STATE_HOME and XDG_CONFIG_HOME.",
  });
}

/** A path as a person writes it in the configuration, `~` meaning home. */
export function expandHome(context: Context, path: string): string {
  return path === "~" || path.startsWith("~/") ? homeDirectory(context) + path.slice(1) : path;
}

/** Whether `path` is `dir` or below it. */
export function isWithin(path: string, dir: string): boolean {
  return path === dir || path.startsWith(dir === "/" ? "/" : `${dir}/`);
}

/** A name below a directory, which may be the root. */
export function joinPath(dir: string, name: string): string {
  return dir.endsWith("/") ? dir + name : `${dir}/${name}`;
}

export function parent(path: string): string {
  return path.replace(/\/[^/]*$/, "") || "/";
}
