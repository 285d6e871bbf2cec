import { optionalSessionCommand } from "../command_line/command.ts";
import { switchFlag } from "../command_line/flags.ts";
import { type EffectiveSetting, explainConfig, maskSecrets, showValue } from "../config/config.ts";
import { configPath } from "../config/yaml_file.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { table } from "../output.ts";

interface ConfigFlags {
  readonly json: boolean;
}

export const command = optionalSessionCommand<ConfigFlags>({
  about:
    "Prints every key of dockerdo.yaml with the value that applies here and its origin: a DOCKERDO_… " +
    "variable, the session, the file, or the default.\n\n" +
    "  DOCKERDO_DEFAULT_CONNECT=port dockerdo config",
  flags: { json: switchFlag("Print JSON") },
  readOnly: true,
  action: config,
});

async function config(
  context: Context,
  session: Session | undefined,
  flags: ConfigFlags,
): Promise<void> {
  const settings = await explainConfig(context, session);
  if (flags.json) {
    const shown = settings.map((setting) => ({
      ...setting,
      value: Array.isArray(setting.value) ? maskSecrets(setting.value) : setting.value,
    }));
    context.stdout(
      `${JSON.stringify({ file: configPath(context), settings: shown }, null, 2)}\n`,
    );
    return;
  }
  const rows = settings.map((setting) => [setting.key, showValue(setting.value), origin(setting)]);
  context.stdout(table([["KEY", "VALUE", "FROM"], ...rows]));
}

function origin({ source, where }: EffectiveSetting): string {
  return source === "session" ? `session ${where}` : where ?? source;
}
