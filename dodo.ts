import { exec } from "./src/commands/exec.ts";
import { hostArguments, hostContext } from "./src/process/context.ts";
import { endingAsText } from "./src/error.ts";

// `dockerdo exec` alone. Deno reads every module that an import names before the first line runs; with
// the name in a variable it reads it when it is needed.
const connection = "./src/lifecycle/connection.ts";
const translation = "./src/exec/translation.ts";
const refusal = "./src/exec/refusal.ts";
const slots = "./src/exec/session_slots.ts";
const record = "./src/exec/record.ts";
const help = "./src/command_line/describe.ts";
const context = hostContext();
Deno.exit(
  await endingAsText(
    context,
    () =>
      exec(context, hostArguments(), {
        loadConnection: () => import(connection),
        loadTranslation: () => import(translation),
        loadRefusal: () => import(refusal),
        loadSlots: () => import(slots),
        loadRecord: () => import(record),
        loadHelp: () => import(help),
      }),
  ),
);
