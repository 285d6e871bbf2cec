import { Failure } from "../error.ts";
import { joinPath } from "../paths.ts";
import type { Context } from "../process/context.ts";

/**
 * The arguments of `docker run` with what it would read on its own host taken from the local one, as docker's manual
 * says: the value of `-e NAME`, and the lines of `--env-file FILE`. A variable that is not set here is left out.
 */
export async function withLocalEnvironment(
  context: Context,
  words: readonly string[],
): Promise<string[]> {
  const resolved: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const option = /^(--env-file|--env)(?==|$)|^-e/.exec(word)?.[0];
    if (option === undefined) {
      resolved.push(word);
      continue;
    }
    const value = word === option ? words[++at] : word.slice(option.length).replace(/^=/, "");
    if (value === undefined) resolved.push(word);
    else if (option === "--env-file") {
      for (const line of await linesOf(context, value)) resolved.push(...variable(context, line));
    } else resolved.push(...variable(context, value));
  }
  return resolved;
}

function variable(context: Context, text: string): string[] {
  if (text.includes("=")) return ["-e", text];
  const value = context.env[text];
  return value === undefined ? [] : ["-e", `${text}=${value}`];
}

async function linesOf(context: Context, file: string): Promise<string[]> {
  const path = file.startsWith("/") ? file : joinPath(context.cwd, file);
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    throw new Failure(
      `the file ${path} of --env-file cannot be read: ${(cause as Error).message}`,
      {
        cause,
        hint: "It is read on the local host, where the command is typed.",
      },
    );
  }
  return text.replace(/^\uFEFF/, "").split("\n").map((line) => line.replace(/\r$/, "").trimStart())
    .filter((line) => line !== "" && !line.startsWith("#"));
}
