import { ENTRIES } from "./schema.ts";

/** A configuration file that names every key and sets no value. */
export function configTemplate(): string {
  const keys = Object.entries(ENTRIES).filter(([, { obsolete }]) => obsolete !== true).map((
    [key, { fallback, about }],
  ) => `\n# ${about}\n# ${key}:${fallback === "" ? "" : ` ${fallback}`}\n`);
  return `# Configuration of dockerdo. To set a key, remove the # before it.\n${keys.join("")}`;
}
