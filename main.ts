import { main } from "./src/cli.ts";
import { hostContext } from "./src/process/context.ts";

Deno.exit(await main(Deno.args, hostContext()));
