import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);

const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "CHANGELOG.md",
  ...[...Deno.readDirSync(new URL("docs/", ROOT))].map(({ name }) => `docs/${name}`)
    .filter((name) => name.endsWith(".md")).sort(),
];

for (const page of PAGES) {
  Deno.test(`every link of ${page} leads to a file, and to a heading of it`, () => {
    const broken = linksOf(read(page)).filter((link) => !leadsSomewhere(page, link));
    assert.deepEqual(broken, []);
  });
}

Deno.test("every page of docs can be reached from README", () => {
  const seen = new Set<string>();
  const waiting = ["README.md"];
  for (let page = waiting.pop(); page !== undefined; page = waiting.pop()) {
    if (seen.has(page)) continue;
    seen.add(page);
    for (const link of linksOf(read(page))) {
      const target = new URL(link, new URL(page, ROOT)).pathname.slice(ROOT.pathname.length);
      if (PAGES.includes(target)) waiting.push(target);
    }
  }
  assert.deepEqual(PAGES.filter((page) => !seen.has(page)), []);
});

Deno.test("the tests that SECURITY.md names exist, and the commands of README are those of CI", () => {
  const named = [...read("SECURITY.md").matchAll(/`(tests\/[^` ]+)`/g)].map(([, path = ""]) =>
    path
  );
  assert.ok(named.length > 0);
  assert.deepEqual(named.filter((path) => !isThere(path)), []);
  const command = "npx -y deno@2.9.6 task test";
  assert.match(read("README.md"), new RegExp(`^${command}$`, "m"));
  assert.match(read(".ci/run"), new RegExp(`^${command}$`, "m"));
});

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(new URL(path, ROOT));
    return true;
  } catch {
    return false;
  }
}

/** Links to files of this repository: neither to the web nor in code. */
function linksOf(text: string): string[] {
  const prose = text.replaceAll(/^```.*?^```/gms, "").replaceAll(/`[^`\n]*`/g, "code");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link)
    .filter((link) => !/^[a-z]+:/.test(link));
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = "", heading] = link.split("#");
  const target = path === "" ? page : decodeURI(
    new URL(path, new URL(page, ROOT)).pathname.slice(ROOT.pathname.length),
  );
  if (!isThere(target)) return false;
  return heading === undefined || headingsOf(read(target)).includes(heading);
}

// As GitHub makes an anchor of a heading.
function headingsOf(text: string): string[] {
  const prose = text.replaceAll(/^```.*?^```/gms, "");
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
  );
}

Deno.test("the tests that docs/reliability.md names exist", () => {
  const rows = read("docs/reliability.md").split("\n").filter((line) => line.startsWith("| "));
  const names = rows.map((row) => row.split("|").at(-2)?.trim() ?? "")
    .filter((cell) => cell !== "Test" && !/^-+$/.test(cell))
    // What has no test says why.
    .filter((cell) => !/^none: \w/.test(cell)).flatMap((cell) => cell.split(", "));
  assert.ok(names.length > 50);
  const isTest = (name: string): boolean =>
    ["tests/e2e/", "tests/"].some((dir) => isThere(`${dir}${name}_test.ts`));
  assert.deepEqual(names.filter((name) => !isTest(name)), []);
});
