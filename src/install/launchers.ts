import { Failure } from "../error.ts";
import { homeDirectory, parent } from "../paths.ts";
import type { Context } from "../process/context.ts";
import { SIGNATURE } from "./file_change.ts";

/** What starts this program, and the programs that are still to be made for it. */
interface Program {
  /** What the alias stands for. */
  readonly dodo: readonly string[];
  readonly launchers: readonly { readonly path: string; readonly words: readonly string[] }[];
}

/**
 * How this program is to be started, and the launchers that are to be made: `dodo` beside the executable, and
 * both below ~/.local/bin where `dockerdo` is not on the PATH.
 */
export function findSelf(context: Context): Program {
  const onPath = findProgram(context, "dockerdo");
  const local = `${homeDirectory(context)}/.local/bin`;
  // A launcher of an earlier installation is not the program itself.
  const isFound = onPath !== undefined && !isLauncher(onPath);
  if (Deno.build.standalone) {
    const self = Deno.execPath();
    const dir = parent(self);
    const words = isFound ? ["dockerdo"] : [self];
    const beside = { path: `${dir}/dodo`, words: [self, "exec"] };
    return {
      dodo: [...words, "exec"],
      launchers: isFound ? [beside] : [beside, { path: `${local}/dockerdo`, words: [self] }, {
        path: `${local}/dodo`,
        words: [self, "exec"],
      }],
    };
  }
  const bin = new URL("../../bin", import.meta.url);
  if (bin.protocol !== "file:") {
    // From a registry: deno install has made dockerdo, but not dodo.
    if (onPath === undefined) {
      throw new Failure("dockerdo is not on your PATH", { hint: "deno install puts it there." });
    }
    return {
      dodo: ["dockerdo", "exec"],
      launchers: [{ path: `${parent(onPath)}/dodo`, words: [onPath, "exec"] }],
    };
  }
  // A checkout has both, and its dodo starts sooner than dockerdo exec.
  const dir = decodeURIComponent(bin.pathname);
  const words = [`${dir}/dodo`];
  return {
    dodo: words,
    launchers: isFound ? [] : [{ path: `${local}/dockerdo`, words: [`${dir}/dockerdo`] }, {
      path: `${local}/dodo`,
      words,
    }],
  };
}

/** Whether a file is a `dodo` or `dockerdo` of a release or a checkout: ours, although not made by install. */
export function isShipped(bytes: string): boolean {
  return /^#!\/bin\/sh\n# dockerdo (exec, by the name|from this checkout)/.test(bytes);
}

function isLauncher(path: string): boolean {
  try {
    return Deno.statSync(path).size < 4096 && Deno.readTextFileSync(path).includes(SIGNATURE);
  } catch {
    return false;
  }
}

export function findProgram(context: Context, name: string): string | undefined {
  for (const dir of (context.env["PATH"] ?? "").split(":").filter((dir) => dir.startsWith("/"))) {
    try {
      const { isFile, mode } = Deno.statSync(`${dir}/${name}`);
      if (isFile && ((mode ?? 0o111) & 0o111) !== 0) return `${dir}/${name}`;
    } catch {
      // The next directory may have it.
    }
  }
  return undefined;
}

export function isDirOnPath(context: Context, dir: string): boolean {
  return (context.env["PATH"] ?? "").split(":").includes(dir);
}
