/**
 * Where in a line of a compiler's output a path starts that an editor may be sent to, by its shape. Lines are byte
 * strings without escape sequences. The shapes:
 *
 * - a path and a line: `P:L`, `P:L:C`, `P(L)`, `P(L,C)`, `P:(.text+0x1)`, `P: line L`, `"P", line L`, `P line L`,
 *   and the same within quotes or brackets;
 * - a path that starts the line, or comes after a program's name and a colon, in front of a colon and a space
 *   (gcc's `P: In function`, ld's `ld: P: undefined`), unless it is a program's own name (`/usr/bin/ld: …`);
 * - a path that is the line (eslint, `pwd`, `grep -l`);
 * - the directory of `Entering directory 'P'` and `Leaving directory 'P'`;
 * - a `file:` URI in front of which there is no letter.
 */

// In front of a path; UTF-8's quotes and the arrow of a path's own colour are of several bytes.
const BOUNDARY = /(?:^|[\s([{'`=,;|]|\xe2\x80[\x98\x9c])$/;
// What is never in front of one: most slashes are within a path.
const MIDDLE = /[A-Za-z0-9_./:>-]/;
// A double quote is also JSON's, where a colon, comma or bracket comes before it.
const QUOTED = /(?:^|[^\s:,[{(=] )"$|^"$/;

const NAME = "[^\\s:()\"'`,;<>|\\[\\]\\0]";
// Brackets and colons belong to a name where they do not look like the end of a path: app/(auth)/[id].ts, a:b.c.
const STEP = `(?:${NAME}|[([]${NAME}*[)\\]]|:(?=[^\\s\\d:/.(]))`;
// A space belongs to a path if the word after it looks like a part of a path.
const PATH = `/${STEP}+(?: (?!/)(?=${NAME}*[./][A-Za-z])${STEP}+){0,8}`;
const LINE =
  "(?::\\d+(?![A-Za-z\\d/.])|\\(\\d+(?:,\\s?\\d+)?\\)|:\\(\\.|[\"']?,? (?:on )?line \\d|: line \\d)";
const WITH_LINE = new RegExp(`^${PATH}${LINE}`);
// The path begins the line, and a line and another colon end it: any spaces.
const WITH_SPACES = /^\/[^:\0]{1,4096}:\d+:/;
const MESSAGE = new RegExp(`^${PATH}: `);
const PROGRAM = /^\/(?:\S*\/)?(?:bin|sbin|libexec)\/[^/\s:]+: /;
const ALONE = new RegExp(`^/${STEP}+$`);
const AFTER_PROGRAM = /^(?:[^\s:]+: )?(?:(?:fatal )?(?:error|warning): )?$/;
const DIRECTORY = /\b(?:Entering|Leaving) directory (?:['`"]|\xe2\x80[\x98\x9c])$/;
const FILE_URI = /^file:(?:\/\/)?\/[^\s"'<>]*/i;

/** Directories that every system has for itself. */
const OWN = new Set(["dev", "proc", "sys"]);

/** Where paths, or `file:` URIs, of the container start. `before` is what the line begins with. */
export function pathsIn(
  text: string,
  { before, roots }: { readonly before: string; readonly roots: ReadonlySet<string> },
): readonly number[] {
  const found: number[] = [];
  let end = 0;
  for (const { 0: start, index } of text.matchAll(/file:\/|\//gi)) {
    if (index < end || MIDDLE.test(text.charAt(index - 1))) continue;
    const rest = text.slice(index);
    const lead = (before + text.slice(Math.max(0, index - 400), index)).slice(-800);
    const length = start === "/" ? pathAt(rest, lead, roots) : uriAt(rest, lead, roots);
    if (length === undefined) continue;
    found.push(index);
    end = index + length;
  }
  return found;
}

function uriAt(rest: string, lead: string, roots: ReadonlySet<string>): number | undefined {
  const uri = FILE_URI.exec(rest)?.[0];
  if (uri === undefined || /[A-Za-z0-9+.:-]$/.test(lead) || isJson(lead)) return undefined;
  return isKnown(uri.replace(/^file:(?:\/\/)?/i, ""), roots) ? uri.length : undefined;
}

/** How long the path is that starts here, at least; undefined where none does. */
function pathAt(rest: string, lead: string, roots: ReadonlySet<string>): number | undefined {
  if (DIRECTORY.test(lead)) return /^[^'"`\xe2]*/.exec(rest)?.[0].length;
  if (!BOUNDARY.test(lead) && !QUOTED.test(lead)) return undefined;
  if (!isKnown(rest, roots)) return undefined;
  const first = lead.trimStart();
  const located = WITH_LINE.exec(rest) ?? (first === "" ? WITH_SPACES.exec(rest) : null);
  if (located !== null) return located[0].length;
  const message = AFTER_PROGRAM.test(first) && !PROGRAM.test(rest) ? MESSAGE.exec(rest) : null;
  if (message !== null) return message[0].length;
  return first === "" && ALONE.test(rest) ? rest.length : undefined;
}

function isJson(lead: string): boolean {
  return lead.endsWith('"') && !QUOTED.test(lead);
}

function isKnown(path: string, roots: ReadonlySet<string>): boolean {
  const root = /^\/+([^/\s:("'`,)]+)/.exec(path)?.[1] ?? "";
  return roots.has(root) && !OWN.has(root) && !path.startsWith("//");
}
