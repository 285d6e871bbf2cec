import { plainCommand } from "../command_line/command.ts";
import { switchFlag } from "../command_line/flags.ts";
import { type Forward, readForwards } from "../forward/table.ts";
import { coloured, table } from "../output.ts";
import { formatAge } from "../units.ts";
import type { Context } from "../process/context.ts";
import { containerMount } from "../session/session.ts";
import { hostOf, survey, type Surveyed } from "../lifecycle/all_sessions.ts";

interface ListFlags {
  readonly json: boolean;
}

export const command = plainCommand<ListFlags>({
  about:
    "Lists all sessions, named or not. Asks all hosts at the same time; the sessions of a host that does not " +
    "answer within five seconds have an unknown state.\n\n" +
    "  dockerdo list --json | jq -r '.[] | select(.state == \"exited\").name'",
  flags: { json: switchFlag("Print JSON") },
  readOnly: true,
  action: list,
});

async function list(context: Context, flags: ListFlags): Promise<void> {
  const found = await Promise.all((await survey(context)).map(withForwards));
  if (flags.json) {
    context.stdout(`${JSON.stringify(found.map(asJson), null, 2)}\n`);
    return;
  }
  if (found.length === 0) {
    context.stderr("There are no sessions. Start one with: source $(dockerdo init)\n");
    return;
  }
  const head = ["NAME", "HOST", "IMAGE", "STATE", "MOUNT", "PORTS", "AGE", "PROBLEM"];
  const rows = found.map((one) => asRow(one, Date.now()));
  // A column that says nothing of any session is left out.
  const shown = head.map((title, at) =>
    !["PORTS", "PROBLEM"].includes(title) || rows.some((row) => !["", "-"].includes(row[at] ?? ""))
  );
  const state = head.indexOf("STATE");
  context.stdout(
    table(
      [head, ...rows].map((row) => row.filter((_, at) => shown[at])),
      (word, { row, column }) => {
        if (row === 0 || column !== state) return word;
        return coloured(context, word, { colour: STATE_COLOURS[word.trim()], stream: "stdout" });
      },
    ),
  );
}

const STATE_COLOURS: Readonly<Record<string, "red" | "green" | "yellow">> = {
  running: "green",
  unknown: "yellow",
  damaged: "red",
};

interface Listed extends Surveyed {
  /** As the session's table has them: whether a port answers is for its own command to say. */
  readonly forwards: readonly Forward[];
}

async function withForwards(one: Surveyed): Promise<Listed> {
  const forwards = one.session === undefined ? [] : await readForwards(one.session).catch(() => []);
  return { ...one, forwards };
}

/** A session as `--json` has it. */
function asJson(
  { dir, session, state, mount, forwards, problem }: Listed,
): Record<string, unknown> {
  return {
    name: session?.name ?? null,
    dir,
    workDir: session?.workDir ?? null,
    host: session === undefined ? null : hostOf(session),
    image: session?.baseImage ?? null,
    container: session?.containerName ?? null,
    state,
    mount: mount === "none" || session === undefined ? null : containerMount(session),
    mountAnswers: mount === "none" ? null : mount === "mounted",
    forwards,
    created: session?.created ?? null,
    problem,
  };
}

function asRow({ dir, session, state, mount, forwards, problem }: Listed, now: number): string[] {
  const why = problem?.split("\n", 1)[0] ?? "";
  if (session === undefined) return [dir, "-", "-", state, "-", "-", "-", why];
  const point = mount === "none" ? "-" : containerMount(session);
  const age = formatAge(now - Date.parse(session.created));
  const shown = mount === "dead" ? `${point} (does not answer)` : point;
  const ports =
    forwards.map(({ direction, localPort, containerPort }) =>
      direction === "local" ? localPort : `<${containerPort}`
    ).join(" ") || "-";
  const none = session.containerId === null ? "not run" : "removed";
  const word = state === "none" ? none : state;
  return [session.name, hostOf(session), session.baseImage, word, shown, ports, age, why];
}
