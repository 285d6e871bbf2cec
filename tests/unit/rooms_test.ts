import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);

/**
 * Which room may import which: a room may import those that stand after it, and itself. Files that lie in src/
 * belong to the room that is named in the second list.
 */
const ORDER = [
  "entry",
  "commands",
  "install",
  "editors",
  "doctor",
  "lifecycle",
  "attach",
  "command_line",
  "exec",
  "config",
  "dockerfile",
  "push",
  "image",
  "history",
  "mount",
  "forward",
  "docker",
  "ssh",
  "relay",
  "session",
  "terminal",
  "process",
  "path_map",
  "base",
];
const FILES: Readonly<Record<string, string>> = {
  "src/cli.ts": "entry",
  "src/docker.ts": "docker",
  "src/session_containers.ts": "docker",
  "src/output.ts": "terminal",
  "src/confirm.ts": "terminal",
  "src/paths.ts": "terminal",
  "src/quote.ts": "base",
  "src/nearest.ts": "base",
  "src/bytes.ts": "base",
  "src/visible.ts": "base",
  "src/error.ts": "base",
  "src/units.ts": "base",
  "src/secrets.ts": "base",
};

function roomOf(path: string): string {
  if (!path.includes("/")) return "entry";
  return FILES[path] ?? path.split("/")[1] ?? "";
}

function importsOf(path: string): string[] {
  const text = Deno.readTextFileSync(new URL(path, ROOT));
  return Array.from(
    text.matchAll(/^(?:import|export)\b[^;]*?\bfrom "(\.[^"]+\.ts)";$/gm),
    ([, specifier = ""]) => new URL(specifier, new URL(path, ROOT)).href.slice(ROOT.href.length),
  );
}

function sources(directory: string): string[] {
  return Array.from(Deno.readDirSync(new URL(directory, ROOT))).flatMap((entry) => {
    const path = `${directory}${entry.name}`;
    if (entry.isDirectory) return sources(`${path}/`);
    return path.endsWith(".ts") ? [path] : [];
  });
}

const paths = ["main.ts", "dodo.ts", ...sources("src/")];

Deno.test("each room imports only rooms that stand after it", () => {
  const upward = paths.flatMap((path) =>
    importsOf(path)
      .filter((target) => ORDER.indexOf(roomOf(target)) < ORDER.indexOf(roomOf(path)))
      .map((target) => `${path} imports ${target}`)
  );
  assert.deepEqual(upward, []);
});

Deno.test("each file of src/ has a room", () => {
  assert.deepEqual(paths.filter((path) => !ORDER.includes(roomOf(path))), []);
});

Deno.test("no file imports itself in a circle", () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const walk = (path: string, above: readonly string[]): void => {
    const at = above.indexOf(path);
    if (at >= 0) circles.push([...above.slice(at), path].join(" -> "));
    if (at >= 0 || done.has(path)) return;
    for (const target of importsOf(path)) walk(target, [...above, path]);
    done.add(path);
  };
  for (const path of paths) walk(path, []);
  assert.deepEqual(circles, []);
});

Deno.test("no source file has more than 400 lines", () => {
  const long = paths.filter((path) =>
    Deno.readTextFileSync(new URL(path, ROOT)).split("\n").length > 400
  );
  assert.deepEqual(long, []);
});
