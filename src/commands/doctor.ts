import { plainCommand } from "../command_line/command.ts";
import {
  type SessionFlags,
  sessionFlags,
  sessionIfAny,
  sessionName,
  switchFlag,
  textFlag,
} from "../command_line/flags.ts";
import { diagnose } from "../doctor/doctor.ts";
import type { Finding } from "../doctor/finding.ts";
import { Failure } from "../error.ts";
import { coloured } from "../output.ts";
import type { Context } from "../process/context.ts";
import { type Session } from "../session/session.ts";
import { parseRemoteHost } from "../session/remote_host.ts";

interface DoctorFlags extends SessionFlags {
  readonly json: boolean;
  readonly remote?: string;
}

export const command = plainCommand<DoctorFlags, [string?]>({
  about:
    "Checks what a session needs, on the local and the remote host, in the order in which it would fail. Each " +
    "line is ok, warning or missing, with the command that fixes it. Changes nothing. The exit code is 1 if " +
    "something is missing.\n\n" +
    "  dockerdo doctor --remote reykjavik",
  flags: {
    ...sessionFlags,
    json: switchFlag("Print JSON"),
    remote: textFlag("Host to check (default: the session's, else default_remote_host)", "host"),
  },
  positional: sessionName,
  readOnly: true,
  action: doctor,
});

async function doctor(context: Context, flags: DoctorFlags, name?: string): Promise<void> {
  const remote = flags.remote === undefined ? undefined : parseRemoteHost(flags.remote);
  const session = sessionOrFailure(context, flags, name);
  const findings: Finding[] = [];
  for await (const finding of diagnose(context, { session, remote })) {
    findings.push(finding);
    if (!flags.json) context.stdout(asText(context, finding));
  }
  if (flags.json) context.stdout(`${JSON.stringify(findings, null, 2)}\n`);
  const missing = findings.filter(({ status }) => status === "missing");
  if (missing.length === 0) return;
  throw new Failure(`missing: ${missing.map(({ check }) => check).join(", ")}`, {
    hint: "The lines above say what to do.",
  });
}

function sessionOrFailure(
  context: Context,
  flags: DoctorFlags,
  name: string | undefined,
): Session | Failure | undefined {
  try {
    return sessionIfAny(context, flags, name);
  } catch (error) {
    // One that is named must be there; an active one that is damaged is a finding.
    const named = name !== undefined || flags.session !== undefined;
    if (error instanceof Failure && !named) return error;
    throw error;
  }
}

const COLOURS = { ok: "green", warning: "yellow", missing: "red" } as const;

function asText(context: Context, { check, status, found, remedy }: Finding): string {
  const indent = " ".repeat(9);
  const word = coloured(context, status.padEnd(8), { colour: COLOURS[status], stream: "stdout" });
  const line = `${word} ${check.padEnd(13)}  ${found.replaceAll("\n", `\n${indent}`)}\n`;
  return remedy === null ? line : `${line}${indent}${remedy.replaceAll("\n", `\n${indent}`)}\n`;
}
