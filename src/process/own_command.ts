import manifest from "../../deno.json" with { type: "json" };

/** The words that start this very program again, compiled, from a checkout or from a registry. */
export function selfCommand(v8Flags: readonly string[] = []): string[] {
  return commandOf({
    executable: Deno.execPath(),
    compiled: Deno.build.standalone,
    main: new URL("../../main.ts", import.meta.url),
    v8Flags,
  });
}

/** {@link selfCommand} of any program. Where it is compiled, V8 cannot be given flags. */
export function commandOf({ executable, compiled, main, v8Flags }: {
  readonly executable: string;
  readonly compiled: boolean;
  readonly main: URL;
  readonly v8Flags: readonly string[];
}): string[] {
  if (compiled) return [executable];
  const run = [executable, "run", "--quiet", "--no-prompt"];
  if (v8Flags.length > 0) run.push(`--v8-flags=${v8Flags.join(",")}`);
  if (main.protocol === "file:") {
    return [...run, "--config", filePath(new URL("deno.json", main)), "-P", filePath(main)];
  }
  // Deno reads no deno.json from a registry: what it allows is said in words.
  return [...run, ...permissionOptions(), main.href];
}

/** The permission set of deno.json as options of `deno run` and `deno install`. */
export function permissionOptions(): string[] {
  const { run, sys, ...whole } = manifest.permissions.default;
  const names = Object.entries(whole).filter(([, allowed]) => allowed).map(([name]) => name);
  return [
    ...names.map((name) => `--allow-${name}`),
    `--allow-sys=${sys.join(",")}`,
    `--allow-run=${run.join(",")}`,
  ];
}

function filePath(url: URL): string {
  return decodeURIComponent(url.pathname);
}
