/** What linters say of a Dockerfile: dockerfile-utils, ShellCheck on the bodies of RUN, and hadolint's rules of our own. */
import { validate } from "dockerfile-utils";
import { london } from "../lab/lab.ts";

/** An instruction, with the comments right above it. */
export interface Instruction {
  readonly keyword: string;
  readonly body: string;
  readonly comments: string;
}

/** The instructions of a Dockerfile, continued lines joined. */
export function instructionsOf(text: string): Instruction[] {
  const found: Instruction[] = [];
  let comments: string[] = [];
  for (const line of text.replaceAll(/[ \t]*\\\n[ \t]*/g, " ").split("\n")) {
    if (line.startsWith("#")) comments.push(line);
    else if (line.trim() === "") comments = [];
    else {
      const [keyword = "", ...words] = line.split(" ");
      found.push({ keyword, body: words.join(" "), comments: comments.join("\n") });
      comments = [];
    }
  }
  return found;
}

/** How often each instruction occurs. */
export function countOf(text: string, keyword: string): number {
  return instructionsOf(text).filter((one) => one.keyword === keyword).length;
}

/** What linters have against it, one sentence each. */
export async function lint(text: string): Promise<string[]> {
  const instructions = instructionsOf(text);
  const said = validate(text, {}).map(({ message, range }) =>
    `line ${range.start.line + 1}: ${message}`
  );
  for (const { keyword, body } of instructions) {
    if (keyword === "RUN" && !body.startsWith("[")) said.push(...await shellcheck(body));
  }
  return [...said, ...hadolint(instructions)];
}

// SC2016: what is in single quotes is what the session's command had. SC2028: the same for echo's backslashes.
async function shellcheck(body: string): Promise<string[]> {
  const argv = [
    "shellcheck",
    "-s",
    "sh",
    "-S",
    "warning",
    "-e",
    "SC2016,SC2028,SC2164",
    "-f",
    "gcc",
    "-",
  ];
  const { stdout } = await london(argv, { stdin: `${body}\n` });
  return stdout.split("\n").filter(Boolean).map((line) => `${line} in RUN ${body}`);
}

/** hadolint's rules by their numbers, as far as they concern what is written here. */
function hadolint(instructions: readonly Instruction[]): string[] {
  const said: string[] = [];
  const complain = (rule: string, { comments, body, keyword }: Instruction): void => {
    if (!new RegExp(`hadolint ignore=\\S*\\b${rule}\\b.* # \\S`).test(comments)) {
      said.push(`${rule}: ${keyword} ${body}`);
    }
  };
  instructions.forEach((one, at) => {
    const { keyword, body } = one;
    const plain = body.replaceAll(/'[^']*'|"(?:[^"\\]|\\.)*"/g, "''");
    if (keyword === "FROM" && !/:[^/]+$|@/.test(body)) complain("DL3006", one);
    if (keyword === "FROM" && /:latest$/.test(body)) complain("DL3007", one);
    if (keyword === "ADD") complain("DL3020", one);
    if (/^(CMD|ENTRYPOINT)$/.test(keyword) && !body.startsWith("[")) complain("DL3025", one);
    if (keyword === "WORKDIR" && !/^"?[/$]/.test(body)) complain("DL3000", one);
    if (keyword !== "RUN") return;
    if (/(^|&& )(cd) /.test(plain)) complain("DL3003", one);
    if (/(^|&& )sudo /.test(plain)) complain("DL3004", one);
    if (/(^|&& )(service|ps|kill|mount|top|free|ifconfig|shutdown|vim) /.test(plain)) {
      complain("DL3001", one);
    }
    if (/\bapt-get install\b/.test(plain)) {
      if (!/apt-get install [^&]*-y\b|apt-get install [^&]*--yes/.test(plain)) {
        complain("DL3014", one);
      }
      if (!plain.includes("--no-install-recommends")) complain("DL3015", one);
      if (!/apt-get install[^&]*=/.test(plain)) complain("DL3008", one);
      if (!plain.includes("rm -rf /var/lib/apt/lists/*")) complain("DL3009", one);
    }
    if (/(^|&& )apt /.test(plain)) complain("DL3027", one);
    if (/\bpip3? install\b/.test(plain)) {
      if (!plain.includes("--no-cache-dir")) complain("DL3042", one);
      if (!/==| -r |--requirement/.test(plain)) complain("DL3013", one);
    }
    if (/[^|]\|[^|]/.test(plain)) complain("DL4006", one);
    const next = instructions[at + 1];
    const size = (text: string): number => text.split(" && ").length;
    const isWord = body.startsWith("[") || next?.body.startsWith("[") === true;
    if (!isWord && next?.keyword === "RUN" && size(plain) <= 2 && size(next.body) <= 2) {
      complain("DL3059", next);
    }
  });
  // As in the base image, and said so.
  const users = instructions.filter(({ keyword }) => keyword === "USER");
  const last = users.at(-1);
  if (last?.body === "root") complain("DL3002", last);
  return said;
}
