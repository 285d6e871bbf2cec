import {
  type Aliases,
  buildCommand,
  type Command,
  type FlagParametersForType,
  type TypedCommandParameters,
  type TypedPositionalParameters,
} from "@stricli/core";
import {
  type CliContext,
  commonAliases,
  type CommonFlags,
  commonFlags,
  contextOf,
  type SessionFlags,
  sessionFlags,
  sessionIfAny,
  sessionName,
  sessionOf,
} from "./flags.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";

/** Options by their names, each with a value of its own type. */
type Declared<Flags> = Readonly<Partial<Record<keyof Flags, unknown>>>;

/** What every kind of command declares. `Flags` are the options that it does not share with the others. */
interface Declaration<Flags> {
  /** What `--help` says above the options, and the examples after it: paragraphs of indented lines. */
  readonly about: string;
  readonly flags?: FlagParametersForType<Flags, CliContext>;
  /** Short forms beside `-v` and `-n`. */
  readonly aliases?: Aliases<keyof Flags & string>;
  /** Whether `-v` is not `--verbose`: it is an option of the program that gets the arguments. */
  readonly passesV?: boolean;
  /** Whether the command changes nothing anyway: `--dry-run` is accepted, but not in its help. */
  readonly readOnly?: boolean;
}

const HIDDEN_DRY_RUN = { ...commonFlags.dryRun, hidden: true } as const;

/** A command with arguments of its own; its brief stands in the table of `cli.ts`. */
export function plainCommand<
  Flags extends Declared<Flags> = object,
  Words extends readonly (string | undefined)[] = [],
>(
  { positional, action, ...declaration }: Declaration<Flags> & {
    readonly positional?: TypedPositionalParameters<Words, CliContext>;
    readonly action: (
      context: Context,
      flags: Flags & CommonFlags,
      ...words: Words
    ) => void | Promise<unknown>;
  },
): Command<CliContext> {
  const { flags, aliases, about, passesV = false, readOnly = false } = declaration;
  const { v, ...others } = commonAliases;
  const parameters = {
    flags: { ...commonFlags, ...flags, ...readOnly ? { dryRun: HIDDEN_DRY_RUN } : {} },
    aliases: { ...others, ...passesV ? {} : { v }, ...aliases },
    ...positional === undefined ? {} : { positional },
  };
  return buildCommand<Flags & CommonFlags, Words, CliContext>({
    async func(given, ...words): Promise<void> {
      await action(contextOf(this, given), given, ...words);
    },
    // The declarations are checked where they are made; no type says that two of them together are one.
    parameters: parameters as unknown as TypedCommandParameters<
      Flags & CommonFlags,
      Words,
      CliContext
    >,
    docs: { brief: "", fullDescription: about },
  });
}

/** A command about a session: the one of `--session` or of its one argument, else the one that is used here. */
export function sessionCommand<Flags extends Declared<Flags> = object>(
  { action, ...declaration }: Declaration<Flags> & {
    readonly action: (
      context: Context,
      session: Session,
      flags: Flags & SessionFlags,
    ) => void | Promise<unknown>;
  },
): Command<CliContext> {
  return withSession(
    declaration,
    (context, flags, name) => action(context, sessionOf(context, flags, name), flags),
  );
}

/**
 * {@link sessionCommand} for a command with arguments of its own, any number: the session is that of `--session`, else
 * the one that is used here.
 */
export function sessionArgumentsCommand<Flags extends Declared<Flags> = object>(
  { action, argument, flags, ...declaration }: Declaration<Flags> & {
    readonly argument: { readonly brief: string; readonly placeholder: string };
    readonly action: (
      context: Context,
      session: Session,
      flags: Flags & SessionFlags,
      ...words: string[]
    ) => void | Promise<unknown>;
  },
): Command<CliContext> {
  return plainCommand<Flags & SessionFlags, string[]>({
    ...declaration,
    flags: { ...sessionFlags, ...flags } as unknown as FlagParametersForType<
      Flags & SessionFlags,
      CliContext
    >,
    positional: {
      kind: "array",
      parameter: { ...argument, parse: (word: string): string => word },
    },
    action: (context, given, ...words) =>
      action(context, sessionOf(context, given), given, ...words),
  });
}

/** {@link sessionCommand} for a command that works without a session too. */
export function optionalSessionCommand<Flags extends Declared<Flags> = object>(
  { action, ...declaration }: Declaration<Flags> & {
    readonly action: (
      context: Context,
      session: Session | undefined,
      flags: Flags & SessionFlags,
    ) => void | Promise<unknown>;
  },
): Command<CliContext> {
  return withSession(
    declaration,
    (context, flags, name) => action(context, sessionIfAny(context, flags, name), flags),
  );
}

function withSession<Flags extends Declared<Flags>>(
  { flags, ...declaration }: Declaration<Flags>,
  action: (context: Context, flags: Flags & SessionFlags, name?: string) => void | Promise<unknown>,
): Command<CliContext> {
  return plainCommand<Flags & SessionFlags, [string?]>({
    ...declaration,
    flags: { ...sessionFlags, ...flags } as unknown as FlagParametersForType<
      Flags & SessionFlags,
      CliContext
    >,
    positional: sessionName,
    action,
  });
}
