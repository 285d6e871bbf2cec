/**
 * Prints what CHANGELOG.md says of a version, and fails unless the tag, deno.json and CHANGELOG.md agree:
 * deno run --allow-read=. release/notes.ts v0.1.0
 */

import manifest from "../deno.json" with { type: "json" };

/** The notes of the version that a tag names. Throws a sentence where the three do not agree. */
export function releaseNotes(
  tag: string,
  { version, changelog }: { readonly version: string; readonly changelog: string },
): string {
  if (tag !== `v${version}`) {
    throw new Error(`the tag is ${tag}, but deno.json's version is ${version}: tag v${version}`);
  }
  const sections = changelog.split(/^## /m).slice(1);
  const section = sections.find((text) => text.startsWith(`[${version}]`));
  if (section === undefined) {
    throw new Error(`CHANGELOG.md has no heading ## [${version}] - YYYY-MM-DD`);
  }
  const [heading = "", ...lines] = section.split("\n");
  if (!/^\[[^\]]+\] - \d{4}-\d\d-\d\d$/.test(heading)) {
    throw new Error(`CHANGELOG.md: the heading of ${version} has no date: ## ${heading}`);
  }
  // Links of headings stand at the end of the file, in the last section.
  const notes = lines.filter((line) => !/^\[[^\]]+\]: /.test(line)).join("\n").trim();
  if (notes === "") throw new Error(`CHANGELOG.md says nothing of ${version}`);
  return `${notes}\n`;
}

if (import.meta.main) {
  try {
    const changelog = await Deno.readTextFile(new URL("../CHANGELOG.md", import.meta.url));
    const notes = releaseNotes(Deno.args[0] ?? "", { version: manifest.version, changelog });
    await Deno.stdout.write(new TextEncoder().encode(notes));
  } catch (error) {
    await Deno.stderr.write(new TextEncoder().encode(`notes: ${(error as Error).message}\n`));
    Deno.exit(1);
  }
}
