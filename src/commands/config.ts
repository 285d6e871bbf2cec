import { buildCommand } from "@stricli/core";
import {
  type CliContext,
  commonAliases,
  contextOf,
  type SessionFlags,
  sessionFlags,
  sessionIfAny,
  sessionName,
  switchFlag,
} from "../command_line/flags.ts";
import { explainConfig, maskSecrets, type Setting, showValue } from "../config/config.ts";
import { configPath } from "../config/yaml_file.ts";
import { table } from "../output.ts";

interface ConfigFlags extends SessionFlags {
  readonly json: boolean;
}

export const command = buildCommand<ConfigFlags, [string?], CliContext>({
  func: config,
  parameters: {
    flags: { ...sessionFlags, json: switchFlag("Print JSON") },
    aliases: commonAliases,
    positional: sessionName,
  },
  docs: {
    brief: "Print each setting, its effective value and where it comes from",
    fullDescription:
      "Prints every key of dockerdo.yaml with the value that counts here, and where it comes from: a DOCKERDO_… variable,\n" +
      "the session, the file, or the default.\n\n  DOCKERDO_DEFAULT_CONNECT=port dockerdo config",
  },
});

async function config(this: CliContext, flags: ConfigFlags, name?: string): Promise<void> {
  const context = contextOf(this, flags);
  const settings = await explainConfig(context, sessionIfAny(context, flags, name));
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

function origin({ source, where }: Setting): string {
  return source === "session" ? `session ${where}` : where ?? source;
}
