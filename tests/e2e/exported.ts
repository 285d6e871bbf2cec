/** What is in containers and images, by `docker export` and Python's tarfile: nothing of the product has a part in it. */
import type { Outcome } from "../lab/lab.ts";

/** Type, mode, owner, group, digest or target, capabilities. */
type Entry = readonly [string, number, string, string, string, string];

export interface Exported {
  readonly entries: Readonly<Record<string, Entry>>;
  readonly texts: Readonly<Record<string, string>>;
  /** Files that hold one of the words that none may hold. */
  readonly marked: readonly string[];
}

type On = (argv: readonly string[]) => Promise<Outcome>;

const SCRIPT = await Deno.readTextFile(new URL("exported.py", import.meta.url));

const OF_CONTAINER = `set -o pipefail
script=$1 socket=$2 container=$3; shift 3
docker -H "$socket" export "$container" | python3 -c "$script" "$@"`;

const OF_IMAGE = `set -e -o pipefail
script=$1 socket=$2; shift 2
container=$(docker -H "$socket" create --entrypoint /bin/sh "$1"); shift
trap 'docker -H "$socket" rm "$container" >/dev/null' EXIT
docker -H "$socket" export "$container" | python3 -c "$script" "$@"`;

export interface ExportOptions {
  readonly on: On;
  readonly socket: string;
  /** No file may hold one of these. */
  readonly words?: readonly string[];
}

export function exportContainer(id: string, options: ExportOptions): Promise<Exported> {
  return walk(OF_CONTAINER, { of: id, ...options });
}

export function exportImage(reference: string, options: ExportOptions): Promise<Exported> {
  return walk(OF_IMAGE, { of: reference, ...options });
}

async function walk(
  script: string,
  { of, on, socket, words = [] }: ExportOptions & { readonly of: string },
): Promise<Exported> {
  const { code, stdout, stderr } = await on([
    "bash",
    "-c",
    script,
    "sh",
    SCRIPT,
    socket,
    of,
    ...words,
  ]);
  if (code !== 0) throw new Error(`export of ${of}: ${stderr}`);
  return JSON.parse(stdout);
}

// Written by hand for these tests, and narrower than what the product leaves out.
const NOISE = new RegExp(
  "^(?:" + [
    "/(dev|proc|sys|run|tmp|var/tmp|var/cache|var/log)/.*",
    "/\\.dockerenv",
    "/etc/(hosts|hostname|resolv\\.conf|mtab|machine-id|ld\\.so\\.cache|\\.pwd\\.lock)",
    "/etc/(passwd|group|shadow|gshadow|subuid|subgid)-",
    "/root/\\.(ssh|cache)(/.*)?",
    "/home/[^/]+/\\.(ssh|cache)(/.*)?",
    "/var/lib/apt/(lists|periodic)(/.*)?",
    "/var/lib/dpkg/(.*-old|lock.*|triggers/Lock|updates/.*)",
    "/var/lib/systemd/deb-systemd-helper-.*",
    "/var/lib/sudo/.*",
    "(/usr)?/sbin/docker-init",
    // Made when the container starts; that the image has none of it is looked at by itself.
    "/etc/dockerdo(/.*)?",
    ".*/__pycache__(/.*)?",
    ".*/\\.git/(index|logs/.*|ORIG_HEAD|objects/.*)",
  ].join("|") + ")$",
  "s",
);

/** The four file systems: of the session's container, of the image that was built, of its base, and of the session's image. */
export interface Sides {
  readonly container: Exported;
  readonly built: Exported;
  readonly base: Exported;
  readonly overlay: Exported;
}

/** Paths, or records of a file, that the container and the image have in another way; how many paths changed at all. */
export function differences(
  sides: Sides,
  { isKnown = () => false }: { readonly isKnown?: (path: string) => boolean } = {},
): { readonly differences: readonly string[]; readonly changed: number } {
  const { container, built, base, overlay } = sides;
  const found: string[] = [];
  let changed = 0;
  for (const path of new Set([...Object.keys(container.entries), ...Object.keys(built.entries)])) {
    if (NOISE.test(path) || isKnown(path)) continue;
    if (path in container.texts || path in built.texts) {
      found.push(...recordDifferences(path, { sides, isKnown }));
      continue;
    }
    const show = ({ entries }: Exported): string => JSON.stringify(entries[path] ?? null);
    const [wanted, got, before, overlays] = [container, built, base, overlay].map(show);
    if (wanted !== before || got !== before) changed++;
    if (wanted === got || wanted === overlays && got === before) continue;
    found.push(`${path}: ${wanted} in the container, ${got} in the image`);
  }
  return { differences: found.toSorted(), changed };
}

function recordDifferences(
  path: string,
  { sides: { container, built, base, overlay }, isKnown }: {
    readonly sides: Sides;
    readonly isKnown: (path: string) => boolean;
  },
): string[] {
  const records = ({ texts }: Exported): ReadonlyMap<string, string> =>
    recordsOf(path, texts[path] ?? "");
  const [wanted, got, before, overlays] = [container, built, base, overlay].map(records);
  const names = new Set([...wanted?.keys() ?? [], ...got?.keys() ?? []]);
  return [...names].flatMap((name) => {
    const mine = wanted?.get(name);
    const its = got?.get(name);
    const isOverlays = mine === overlays?.get(name) && mine !== before?.get(name) &&
      (its === before?.get(name) || path.startsWith("/var/lib/"));
    return mine === its || isOverlays || isKnown(`${path}:${name}`)
      ? []
      : [`${path}: ${mine} in the container, ${its} in the image`];
  });
}

/** By name, without numbers of users, the day of a password and its salt. */
function recordsOf(path: string, text: string): ReadonlyMap<string, string> {
  if (path.startsWith("/var/lib/")) {
    return new Map(
      text.split("\n\n").map((paragraph) => {
        const lines = paragraph.split("\n").filter((line) =>
          /^(Package|Architecture|Status|Version|Auto-Installed): /.test(line)
        );
        return [lines.slice(0, 1).join(), lines.join(", ")];
      }),
    );
  }
  const numbers: Readonly<Record<string, readonly number[]>> = {
    "/etc/passwd": [2, 3],
    "/etc/group": [2],
    "/etc/shadow": [2],
    "/etc/subuid": [1, 2],
    "/etc/subgid": [1, 2],
  };
  return new Map(
    text.split("\n").filter(Boolean).map((line) => {
      const fields = line.split(":").map((field, at) =>
        numbers[path]?.includes(at) === true ? "#" : field.replace(/^\$.*/, "a password")
      );
      return [fields[0] ?? "", fields.join(":")];
    }),
  );
}
