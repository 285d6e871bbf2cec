import { main } from "./src/cli.ts";
import { hostContext } from "./src/context.ts";

Deno.exit(await main(Deno.args, hostContext()));
