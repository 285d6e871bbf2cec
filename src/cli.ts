import type { Description, Entry } from "./command_line/describe.ts";
import { endingAsText, Failure } from "./error.ts";
import { surfaceSignals } from "./process/child.ts";
import { type Context } from "./process/context.ts";
import { quoteAll } from "./quote.ts";

/** A verb of the command line; its file is loaded when the verb is used. */
interface Verb {
  readonly brief: string;
  /** The heading in the overview; without one the verb stands below the same as the one before it. */
  readonly group?: string;
  /** Absent for `exec` and `relay`, whose words no parser may touch. */
  readonly load?: () => Promise<{ readonly command: unknown }>;
  /** Options that are not ours are docker's: they are passed on unchanged. */
  readonly passesOptions?: true;
  readonly hidden?: true;
  /** The overview has its name only, in its last row: the others fill the screen. */
  readonly minor?: true;
}

// In the order in which a session needs them.
const VERBS: Readonly<Record<string, Verb>> = {
  install: {
    group: "Prepare",
    brief: "Set up the configuration, dodo, and completions",
    load: async () => (await import("./commands/install.ts")).install(describeAll),
  },
  editor: {
    brief: "Print an editor's configuration for the container's language servers",
    minor: true,
    load: () => import("./commands/editor.ts"),
  },
  completions: {
    brief: "Print the completions of bash, zsh or fish",
    minor: true,
    load: async () => (await import("./commands/completions.ts")).completions(describeAll),
  },
  doctor: {
    brief: "Check what a session needs, and print what fixes it",
    load: () => import("./commands/doctor.ts"),
  },
  config: {
    brief: "Show each setting and its origin",
    minor: true,
    load: () => import("./commands/config.ts"),
  },
  init: {
    group: "Create",
    brief: "Start a session in the current directory",
    load: () => import("./commands/init.ts"),
  },
  attach: {
    brief: "Start a session in a running container",
    load: () => import("./commands/attach.ts"),
  },
  up: {
    brief: "Start a session, build, push and run, in one command",
    load: () => import("./commands/up.ts"),
    passesOptions: true,
  },
  overlay: {
    brief: "Write Dockerfile.dockerdo: the base image with sshd",
    minor: true,
    load: () => import("./commands/overlay.ts"),
  },
  build: {
    brief: "Build the image, locally or on the remote host",
    load: () => import("./commands/build.ts"),
    passesOptions: true,
  },
  push: { brief: "Copy the image to the remote host", load: () => import("./commands/push.ts") },
  run: {
    brief: "Start the container and mount its filesystem",
    load: () => import("./commands/run.ts"),
    passesOptions: true,
  },
  exec: { group: "Work", brief: "Run a command in the container (alias dodo)" },
  export: {
    brief: "Set or remove variables of the session",
    load: () => import("./commands/export.ts"),
  },
  forward: {
    brief: "Make the container's ports reachable on localhost",
    load: () => import("./commands/forward.ts"),
  },
  status: { brief: "Show the state of the session", load: () => import("./commands/status.ts") },
  history: {
    brief: "Show commands, variables and modified files",
    load: () => import("./commands/history.ts"),
  },
  changes: {
    minor: true,
    brief: "Show which command or edit changed which files",
    load: () => import("./commands/changes.ts"),
  },
  dockerfile: {
    brief: "Write a Dockerfile that reproduces the container",
    load: () => import("./commands/dockerfile.ts"),
  },
  logs: {
    brief: "Print what the container's main process wrote",
    minor: true,
    load: () => import("./commands/logs.ts"),
  },
  list: { brief: "List all sessions", load: () => import("./commands/list.ts") },
  stop: {
    group: "End",
    brief: "Unmount and stop the container",
    load: () => import("./commands/stop.ts"),
  },
  start: {
    brief: "Start a stopped container again",
    load: () => import("./commands/start.ts"),
    passesOptions: true,
  },
  rm: { brief: "Remove the container, and the session", load: () => import("./commands/rm.ts") },
  prune: {
    brief: "Remove the sessions whose container is gone",
    minor: true,
    load: () => import("./commands/prune.ts"),
  },
  reconnect: {
    brief: "Restore control masters and mounts",
    load: () => import("./commands/reconnect.ts"),
    hidden: true,
  },
  relay: { brief: "Relay between sshfs and ssh; sshfs starts it", hidden: true },
};

/** Runs the command line `argv` and returns the exit code. Every error ends here as text on stderr. */
export async function main(argv: readonly string[], context: Context): Promise<number> {
  return await endingAsText(context, () => dispatch(context, argv));
}

async function dispatch(context: Context, [verb, ...words]: readonly string[]): Promise<number> {
  if (verb === "exec") {
    const { exec } = await import("./commands/exec.ts");
    return await exec(context, words, {
      loadConnection: () => import("./lifecycle/connection.ts"),
      loadTranslation: () => import("./exec/translation.ts"),
      loadRefusal: () => import("./exec/refusal.ts"),
      loadSlots: () => import("./exec/session_slots.ts"),
      loadRecord: () => import("./exec/record.ts"),
      loadHelp: () => import("./command_line/describe.ts"),
    });
  }
  if (verb === "relay") {
    const { relay } = await import("./commands/relay.ts");
    return await relay(words);
  }
  if (verb === "help" && words[0] !== undefined) {
    return await dispatch(context, [words[0], "--help"]);
  }
  if (verb === undefined || verb === "--help" || verb === "-h" || verb === "help") {
    (verb === undefined ? context.stderr : context.stdout)(overviewText());
    return verb === undefined ? 2 : 0;
  }
  if (verb === "--version") {
    const { default: manifest } = await import("../deno.json", { with: { type: "json" } });
    context.stdout(`dockerdo ${manifest.version}\n`);
    return 0;
  }
  await surfaceSignals(context);
  return await runVerb(context, verb, words);
}

async function runVerb(
  context: Context,
  name: string,
  words: readonly string[],
): Promise<number> {
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (verb?.load === undefined) {
    const { nearest } = await import("./nearest.ts");
    const option = name.startsWith("-");
    const commands = entries().map(({ name }) => name);
    const near = OTHER_NAMES[name] ?? nearest(name, option ? ["--help", "--version"] : commands);
    const verb = option ? words.find((word) => commands.includes(word)) : undefined;
    if (verb !== undefined) {
      throw new Failure(`the option ${name} must follow the command`, {
        exitCode: 2,
        hint: `Type: dockerdo ${quoteAll([verb, name, ...words.filter((word) => word !== verb)])}`,
      });
    }
    throw new Failure(`there is no ${option ? "option" : "command"} ${JSON.stringify(name)}`, {
      exitCode: 2,
      hint: near === undefined
        ? "dockerdo --help lists the commands."
        : `Did you mean: dockerdo ${near}`,
    });
  }
  const [{ runCommand }, { command }] = await Promise.all([
    import("./command_line/parse.ts"),
    verb.load(),
  ]);
  return await runCommand(context, words, {
    name,
    command,
    passesOptions: verb.passesOptions === true,
  });
}

/** What other programs call a command of ours. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  ...{ ls: "list", ps: "list", down: "stop", remove: "rm", delete: "rm", info: "status" },
  ...{ sh: "exec", shell: "exec", ssh: "exec", port: "forward", log: "logs" },
  __proto__: null as unknown as string,
};

/** The verbs that a user is to know, in the order of the table. */
function entries(): Entry[] {
  let group = "";
  return Object.entries(VERBS).flatMap(([name, verb]) => {
    group = verb.group ?? group;
    return verb.hidden === true ? [] : [{ name, group, brief: verb.brief }];
  });
}

/** What `dockerdo --help` prints: all commands, in the order in which one needs them. */
function overviewText(): string {
  const shown = entries().filter((entry) => VERBS[entry.name]?.minor === undefined);
  const minor = entries().map((entry) => entry.name).filter((name) => VERBS[name]?.minor === true);
  const widest = (texts: readonly string[]): number =>
    Math.max(...texts.map((text) => text.length)) + 2;
  const group = widest(shown.map((entry) => entry.group));
  const name = widest(shown.map((entry) => entry.name));
  return [
    "Use your own editor, shell and GUI tools on a Docker container on a remote host.",
    "usage: dockerdo COMMAND [OPTIONS]        dockerdo COMMAND --help explains one",
    "",
    ...shown.map((entry, at) => {
      const isFirst = shown[at - 1]?.group !== entry.group;
      return (isFirst ? entry.group : "").padEnd(group) + entry.name.padEnd(name) + entry.brief;
    }),
    `${"Also".padEnd(group)}${minor.join(", ")}`,
    "",
    "  source $(dockerdo up --remote HOST --image debian:bookworm) && dodo uname -a",
    "",
  ].join("\n");
}

/** Every command that a user is to know, with its options: for completions and the manual page. */
export async function describeAll(): Promise<(Entry & Description)[]> {
  const { describeCommand, describeExec } = await import("./command_line/describe.ts");
  return await Promise.all(
    entries().map(async (entry) => {
      const verb = VERBS[entry.name];
      if (verb?.load === undefined) {
        const { PROSE, OPTIONS } = await import("./commands/exec.ts");
        return { ...entry, ...describeExec(PROSE, OPTIONS) };
      }
      const { command } = await verb.load();
      const passesOptions = verb.passesOptions === true;
      return { ...entry, ...describeCommand(entry.name, command, { passesOptions }) };
    }),
  );
}
