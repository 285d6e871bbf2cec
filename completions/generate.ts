/** Writes what is made out of the commands' declarations: deno task generate */

import { describeAll } from "../src/cli.ts";
import { completionScript } from "../src/command_line/completions/script.ts";
import { manualPage } from "../src/command_line/manual.ts";
import { commandsPage, configurationPage } from "./pages.ts";

const ROOT = new URL("../", import.meta.url);

/** The generated files, by their path in the checkout. */
export async function generated(): Promise<Record<string, string>> {
  const commands = await describeAll();
  return {
    "completions/dockerdo.bash": completionScript("bash", commands),
    "completions/_dockerdo": completionScript("zsh", commands),
    "completions/dockerdo.fish": completionScript("fish", commands),
    "docs/dockerdo.1": manualPage(commands),
    "docs/commands.md": commandsPage(commands),
    "docs/configuration.md": configurationPage(),
  };
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(await generated())) {
    await Deno.writeTextFile(new URL(path, ROOT), text);
  }
}
