import { main } from "./src/cli.ts";
import { hostArguments, hostContext } from "./src/process/context.ts";

Deno.exit(await main(hostArguments(), hostContext()));
