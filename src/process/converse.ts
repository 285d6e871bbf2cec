import { childEnvironment } from "./child.ts";

/**
 * Starts a child that we talk with on its stdin and stdout for as long as it lives; environment, directory and
 * stderr are our own, the former by {@link childEnvironment}. Its end is the caller's affair.
 */
export function converse(argv: readonly string[]): Deno.ChildProcess {
  const [program = "", ...args] = argv;
  return new Deno.Command(program, {
    args,
    clearEnv: true,
    env: childEnvironment(Deno.env.toObject()),
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}
