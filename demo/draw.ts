/**
 * Draws a recorded terminal session as an animated SVG that needs nothing from outside:
 * demo/draw.ts BYTES TIMING OUT, the first two by script(1) (--log-out, --log-timing).
 */

interface Cell {
  readonly letter: string;
  readonly style: string;
}

interface Row {
  cells: Cell[];
  /** Seconds: when it was first written to, and when it became what it is. */
  began: number;
  ended: number;
}

const COLUMNS = 96;
const CELL = { width: 8.43, height: 19 };
const MARGIN = { x: 16, top: 44, bottom: 16 };
/** Longer waits are cut to this many seconds. */
const LONGEST_WAIT = 0.9;
/** Seconds that typing a command line takes, that its output follows after, and that the end is shown. */
const TYPING = 0.035;
const BEFORE_COMMAND = 0.7;
const AT_THE_END = 6;
const PROMPT = /^~[^$]*\$ /;

/** What the terminal shows in the end, row by row; knows what programs on this session's path send. */
function screenOf(bytes: Uint8Array, timing: string): Row[] {
  const rows: Row[] = [];
  let row = 0;
  let column = 0;
  let style = "";
  let now = 0;
  // The first line of the log is script's own, and no part of the timing.
  let offset = bytes.indexOf(10) + 1;
  const decoder = new TextDecoder();
  const rowAt = (index: number): Row => {
    while (rows.length <= index) rows.push({ cells: [], began: now, ended: now });
    return rows[index] as Row;
  };
  for (const line of timing.trim().split("\n")) {
    const [delay = "0", count = "0"] = line.split(" ");
    now += Math.min(Number(delay), LONGEST_WAIT);
    const text = decoder.decode(bytes.subarray(offset, offset += Number(count)), { stream: true });
    // deno-lint-ignore no-control-regex -- they are what is looked for
    for (const [part] of text.matchAll(/\x1b\[[0-9;?]*[A-Za-z]|[^]/gu)) {
      if (part === "\r") column = 0;
      else if (part === "\n") row++;
      else if (part === "\b") column = Math.max(0, column - 1);
      else if (part.endsWith("m") && part.length > 1) style = styleAfter(style, part.slice(2, -1));
      else if (part.endsWith("K") && part.length > 1) {
        const at = rowAt(row);
        at.cells = part === "\x1b[2K" ? [] : at.cells.slice(0, column);
        at.ended = now;
      } else if (part.length === 1 || !part.startsWith("\x1b")) {
        // As terminals do: a full row goes over into the next with the letter after it.
        if (column === COLUMNS) {
          column = 0;
          row++;
        }
        const at = rowAt(row);
        if (at.cells.length === 0) at.began = now;
        while (at.cells.length < column) at.cells.push({ letter: " ", style: "" });
        at.cells[column++] = { letter: part, style };
        at.ended = now;
      }
    }
  }
  return rows;
}

function styleAfter(style: string, codes: string): string {
  let classes = style.split(" ").filter(Boolean);
  for (const code of codes.split(";").map(Number)) {
    if (code === 0) classes = [];
    else if (code === 1) classes.push("b");
    else if (code === 2) classes.push("d");
    else if (code >= 30 && code <= 37) classes.push(`c${code - 30}`);
    else if (code === 22) classes = classes.filter((name) => name !== "b" && name !== "d");
    else if (code === 39) classes = classes.filter((name) => !/^c\d$/.test(name));
    else throw new Error(`SGR ${code} is not drawn yet`);
  }
  return [...new Set(classes)].sort().join(" ");
}

/** Lets each command line be typed: moves all that follows to later. Returns the whole's seconds. */
function addTyping(rows: readonly Row[]): number {
  let later = 0;
  let previous = 0;
  for (const row of rows) {
    // A row never shows before the one above it.
    const shown = Math.max(row.ended + later, previous);
    const typed = commandLength(row);
    row.began = shown;
    if (typed > 0) {
      row.began += BEFORE_COMMAND;
      later += BEFORE_COMMAND + typed * TYPING;
      row.ended = row.began + typed * TYPING;
    } else {
      row.ended = row.began;
    }
    previous = row.ended;
  }
  return previous + AT_THE_END;
}

function textOf({ cells }: Row): string {
  return cells.map(({ letter }) => letter).join("");
}

function commandLength(row: Row): number {
  const text = textOf(row);
  return PROMPT.test(text) ? text.length - (PROMPT.exec(text)?.[0].length ?? 0) : 0;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

function spansOf({ cells }: Row): string {
  const spans: { style: string; text: string }[] = [];
  for (const { letter, style } of cells) {
    const last = spans.at(-1);
    if (last?.style === style) last.text += letter;
    else spans.push({ style, text: letter });
  }
  return spans.map(({ style, text }) =>
    style === "" ? escape(text) : `<tspan class="${style}">${escape(text)}</tspan>`
  ).join("");
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function draw(rows: readonly Row[], seconds: number): string {
  const width = Math.ceil(COLUMNS * CELL.width + 2 * MARGIN.x);
  const height = MARGIN.top + rows.length * CELL.height + MARGIN.bottom;
  const percent = (at: number): number => round(at / seconds * 100);
  const rules: string[] = [];
  const lines = rows.map((row, index) => {
    const text = textOf(row);
    if (text.trim() === "") return "";
    const y = round(MARGIN.top + (index + 0.75) * CELL.height);
    const from = percent(row.began);
    rules.push(`@keyframes r${index}{0%{opacity:0}${from}%{opacity:1}}`);
    const drawn = `<text x="${MARGIN.x}" y="${y}" textLength="${
      round(text.length * CELL.width)
    }" class="r" style="animation-name:r${index}">${spansOf(row)}</text>`;
    const typed = commandLength(row);
    if (typed === 0) return drawn;
    // What is still to be typed is behind a curtain that a step at a time is drawn aside.
    const x = round(MARGIN.x + (text.length - typed) * CELL.width);
    const whole = round(typed * CELL.width + 2);
    rules.push(
      `@keyframes t${index}{0%,${from}%{transform:none;animation-timing-function:steps(${typed})}` +
        `${percent(row.ended)}%,100%{transform:translateX(${whole}px)}}`,
    );
    const top = round(MARGIN.top + index * CELL.height);
    return `${drawn}<g clip-path="url(#screen)"><rect class="t" style="animation-name:t${index}" x="${x}" y="${top}" width="${width}" height="${CELL.height}"/></g>`;
  }).filter(Boolean);
  const title = "A dockerdo session: init, build, push, run, dodo and history";
  const said = rows.map(textOf).join("\n").trim();
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" xml:space="preserve" role="img" aria-labelledby="title desc">
<title id="title">${escape(title)}</title>
<desc id="desc">${escape(said)}</desc>
<style>
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;fill:#d5dae2;white-space:pre}
.r,.t{animation-duration:${
    round(seconds)
  }s;animation-iteration-count:infinite;animation-timing-function:step-end}
.t{fill:#171b22;transform:translateX(${width}px)}
.b{font-weight:bold}.d{fill:#8b949e}.c0{fill:#6e7681}.c1{fill:#ff7b72}.c2{fill:#7ee787}.c3{fill:#e3b341}.c4{fill:#79c0ff}.c5{fill:#d2a8ff}.c6{fill:#76e3ea}.c7{fill:#f0f3f6}
${rules.join("\n")}
@media (prefers-reduced-motion:reduce){.r,.t{animation:none}}
</style>
<clipPath id="screen"><rect x="1" y="1" width="${width - 2}" height="${
    height - 2
  }" rx="9"/></clipPath>
<rect x="0.5" y="0.5" width="${width - 1}" height="${
    height - 1
  }" rx="9.5" fill="#171b22" stroke="#6e7681"/>
<circle cx="20" cy="20" r="6" fill="#ff5f57"/><circle cx="40" cy="20" r="6" fill="#febc2e"/><circle cx="60" cy="20" r="6" fill="#28c840"/>
<text x="${width / 2}" y="25" text-anchor="middle" class="d">london</text>
${lines.join("\n")}
</svg>
`;
}

const [bytes = "", timing = "", out = ""] = Deno.args;
const rows = screenOf(await Deno.readFile(bytes), await Deno.readTextFile(timing));
await Deno.writeTextFile(out, draw(rows, addTyping(rows)));
