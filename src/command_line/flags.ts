import type { CommandContext } from "@stricli/core";
import { Failure, usageFailure } from "../error.ts";
import type { Context } from "../process/context.ts";
import { findSession, NO_SESSION, type Session } from "../session/session.ts";

/** What a command's action gets as `this`: our context, and the streams in the form that the parser wants. */
export interface CliContext extends Context, CommandContext {}

/** The options that every command has. */
export interface CommonFlags {
  readonly verbose: boolean;
  readonly dryRun: boolean;
}

/** The declaration of {@link CommonFlags}. */
export const commonFlags = {
  verbose: {
    kind: "boolean",
    brief: "Print each child process as a line for the shell",
    default: false,
    withNegated: false,
  },
  dryRun: {
    kind: "boolean",
    brief: "Only print what would be run",
    default: false,
    withNegated: false,
  },
} as const;

/** The short forms of {@link commonFlags}. */
export const commonAliases = { v: "verbose", n: "dryRun" } as const;

/** The options of a command that is about one session. */
export interface SessionFlags extends CommonFlags {
  readonly session?: string;
}

/** The declaration of {@link SessionFlags}. */
export const sessionFlags = {
  ...commonFlags,
  session: textFlag(
    "Use this session instead of the active one",
    "name",
  ),
} as const;

/** A session's name as the one word of a command that has no other: `dockerdo rm NAME`. */
export const sessionName = {
  kind: "tuple",
  parameters: [{
    brief: "Use this session, as with --session",
    placeholder: "session",
    parse: (name: string): string => name,
    optional: true,
  }],
} as const;

/** The session that a command's option or word means; else the active one, or the one of this directory. */
export function sessionOf(context: Context, flags: SessionFlags, name?: string): Session {
  if (name !== undefined && flags.session !== undefined && name !== flags.session) {
    throw usageFailure(`two sessions are named: ${flags.session} and ${name}`);
  }
  return findSession(context, name ?? flags.session);
}

/** {@link sessionOf} for a command that works without one too; a session that is damaged is a failure still. */
export function sessionIfAny(
  context: Context,
  flags: SessionFlags,
  name?: string,
): Session | undefined {
  try {
    return sessionOf(context, flags, name);
  } catch (error) {
    if (error instanceof Failure && error.message === NO_SESSION) return undefined;
    throw error;
  }
}

/** The context of a command with these options. */
export function contextOf(cli: CliContext, flags: CommonFlags): Context {
  return { ...cli, verbose: flags.verbose, dryRun: flags.dryRun };
}

/** An option with a value that is taken as it is. */
export function textFlag(
  brief: string,
  placeholder: string,
): {
  readonly kind: "parsed";
  readonly brief: string;
  readonly placeholder: string;
  readonly parse: (input: string) => string;
  readonly optional: true;
} {
  return { kind: "parsed", brief, placeholder, parse: (input) => input, optional: true };
}

/** A switch that is off unless given. */
export function switchFlag(brief: string): {
  readonly kind: "boolean";
  readonly brief: string;
  readonly default: false;
  readonly withNegated: false;
} {
  return { kind: "boolean", brief, default: false, withNegated: false };
}

/** `--mount`, by which several commands say how sshfs mounts. */
export const mountFlag = {
  kind: "enum",
  values: ["plain", "relay"],
  brief: "Mount through the caching relay, or by sshfs alone",
  optional: true,
} as const;

/** `--forward`, by which a container's ports are forwarded in the background. */
export const forwardFlag = {
  kind: "enum",
  values: ["auto", "none"],
  brief: "Forward the container's ports as they come and go",
  optional: true,
} as const;

/** `--record` and `--no-record`. */
export const recordFlag = {
  kind: "boolean",
  brief: "Record local edits through the mount, for history and dockerfile (on by default)",
  optional: true,
} as const;

/** `--shell`: for which shell the activate script is. */
export const shellFlag = {
  kind: "enum",
  values: ["sh", "fish"],
  brief: "Shell of the activate script (default: detected)",
  optional: true,
} as const;

/** The arguments that a command hands on to docker untouched, and a word of its own where it takes one. */
export function passedArguments(program: string, word?: "session", about?: string): {
  readonly kind: "array";
  readonly parameter: {
    readonly brief: string;
    readonly placeholder: string;
    readonly parse: (input: string) => string;
  };
} {
  return {
    kind: "array",
    parameter: {
      brief: about ??
        (word === undefined ? `Passed on to ${program}` : `Use this ${word}, as with --${word}`),
      placeholder: `${program}${word === undefined ? "" : `|${word}`}`,
      parse: (input) => input,
    },
  };
}
