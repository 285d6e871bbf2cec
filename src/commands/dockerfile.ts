import { sessionCommand } from "../command_line/command.ts";
import { switchFlag, textFlag } from "../command_line/flags.ts";
import { confirm } from "../confirm.ts";
import { compose, type ComposeOptions, type Composition } from "../dockerfile/compose.ts";
import { checkContextDir, writeContext } from "../dockerfile/context_dir.ts";
import { type Facts, gatherFacts } from "../dockerfile/facts.ts";
import { shown } from "../dockerfile/remarks.ts";
import { removeBuilt, type Verified, verify } from "../dockerfile/verify.ts";
import { Failure } from "../error.ts";
import { reachRemoteHost } from "../lifecycle/connection.ts";
import { progress } from "../output.ts";
import type { Context } from "../process/context.ts";
import type { Session } from "../session/session.ts";
import { enginePlace } from "../session/remote_host.ts";

interface DockerfileFlags {
  readonly output?: string;
  readonly verify: boolean;
  readonly yes: boolean;
  readonly json: boolean;
  readonly slim: boolean;
  readonly pin: boolean;
  readonly allow?: readonly string[];
}

export const command = sessionCommand<DockerfileFlags>({
  about:
    "Prints a Dockerfile that gives what the container has become; with -o, writes it with its build context. " +
    "Commands that changed something become RUN, in the order in which they ran; what no command explains is " +
    "copied out of the container. With --verify the exit code is 0 only if the image equals the container.\n\n" +
    "  dockerdo dockerfile -o image --verify",
  flags: {
    output: textFlag(
      "Write the Dockerfile and its build context to this new or empty directory",
      "dir",
    ),
    verify: switchFlag("Build it on the session's engine, compare file by file, and repair it"),
    yes: switchFlag("Also run commands again that are not known to have changed anything"),
    json: switchFlag("Print what was found as JSON"),
    slim: switchFlag("Install without recommended packages"),
    pin: switchFlag("Write the versions of packages, and the base image's digest"),
    allow: {
      kind: "parsed",
      brief: "Let what looks like a secret through: a variable or a file",
      placeholder: "name",
      parse: (word: string) => word,
      variadic: true,
      optional: true,
    },
  },
  aliases: { o: "output" },
  action: dockerfile,
});

async function dockerfile(context: Context, found: Session, flags: DockerfileFlags): Promise<void> {
  if (flags.output !== undefined) await checkContextDir(flags.output, found);
  const session = await reachRemoteHost(context, found, { interactive: true });
  progress(context, "container", "Asking what has changed");
  const facts = await gatherFacts(context, session);
  const { slim, pin } = flags;
  const options = { slim, pin, allow: new Set(flags.allow) };
  if (flags.verify) return await verified(context, facts, { flags, options });
  const made = compose(facts, options);
  if (!made.evidence.swept) {
    context.stderr(
      "dockerdo: the container was not examined between commands, so commands that changed nothing are not known\n",
    );
  }
  if (flags.output === undefined) {
    context.stdout(flags.json ? `${JSON.stringify(reportOf(made), null, 2)}\n` : made.text);
    return;
  }
  await writeContext(context, session, {
    dir: flags.output,
    text: made.text,
    files: made.files,
    tree: facts.survey.tree,
    containerId: facts.containerId,
  });
  if (flags.json) context.stdout(`${JSON.stringify(reportOf(made), null, 2)}\n`);
  progress(context, "local", `Written: ${flags.output}/Dockerfile`);
}

async function verified(
  context: Context,
  facts: Facts,
  { flags, options }: { readonly flags: DockerfileFlags; readonly options: ComposeOptions },
): Promise<void> {
  const doubtful = compose(facts, options).decisions.filter(({ keep, reason }) =>
    keep && reason === "unknown"
  );
  if (doubtful.length > 0 && !flags.yes) {
    const lines = doubtful.map(({ command }) => `  ${shown(command)}\n`).join("");
    context.stderr(
      `It is not known that these changed anything; the build runs them again:\n${lines}`,
    );
    if (!await confirm(context, "Build with them?")) {
      throw new Failure("nothing was built", {
        hint: "Without --verify, dockerdo dockerfile writes the file and builds nothing.",
      });
    }
  }
  const temporary = flags.output === undefined
    ? await Deno.makeTempDir({ prefix: "dockerdo-" })
    : undefined;
  const tag = `dockerdo-verify:${facts.session.id}`;
  try {
    const found = await verify(context, facts, {
      dir: flags.output ?? temporary ?? "",
      tag,
      compose: options,
      say: (text) => progress(context, enginePlace(facts.session), text),
    });
    report(context, found, flags);
  } finally {
    await removeBuilt(context, facts, tag);
    if (temporary !== undefined) await Deno.remove(temporary, { recursive: true });
  }
}

function report(context: Context, found: Verified, flags: DockerfileFlags): void {
  const { composition, comparison, config, builds, repairs, copied } = found;
  const { differences, changed, leftOut } = comparison;
  const same = changed - differences.length;
  const percent = changed === 0 ? 100 : Math.floor(1000 * same / changed) / 10;
  const volatile = Object.values(leftOut).reduce((sum, count) => sum + count, 0);
  const isWhole = differences.length === 0 && config.length === 0;
  if (flags.json) {
    const all = {
      ...reportOf(composition),
      builds,
      repairs,
      same,
      changed,
      explained: same - copied,
      copied,
      differences: differences.map((one) => ({ ...one, path: printable(one.path) })),
      config,
      leftOut,
      isWhole,
    };
    context.stdout(`${JSON.stringify(all, null, 2)}\n`);
  } else {
    if (flags.output === undefined) context.stdout(composition.text);
    const lines = [
      ...repairs,
      `${same} of ${changed} changed paths are the same (${percent} %): ${
        same - copied
      } made by RUN, ${copied} copied`,
      `${volatile} paths differ in every run, and are left out: ` +
      Object.entries(leftOut).map(([rule, count]) => `${rule} ${count}`).join(", "),
      ...differences.map(({ path, what, wanted, found }) =>
        `${what}: ${printable(path)} (${wanted || "nothing"} in the container, ${
          found || "nothing"
        } in the image)`
      ),
      ...config.map((what) => `configuration: ${what}`),
    ];
    for (const line of lines) {
      (flags.output === undefined ? context.stderr : context.stdout)(`${line}\n`);
    }
  }
  if (isWhole) return;
  throw new Failure("the image is not all that the container is", {
    hint: "The lines above name each difference.",
  });
}

function reportOf({ text, decisions, omissions }: Composition): Readonly<Record<string, unknown>> {
  return {
    dockerfile: text,
    commands: decisions.map(({ command, keep, reason }) => ({
      command: shown(command),
      keep,
      reason,
    })),
    omitted: omissions.map(({ path, why }) => ({ path: printable(path), why })),
  };
}

function printable(path: string): string {
  return new TextDecoder().decode(Uint8Array.from(path, (letter) => letter.charCodeAt(0)));
}
