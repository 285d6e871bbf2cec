import assert from "node:assert/strict";
import { parseVerifyIgnore } from "../../../src/dockerfile/verifyignore.ts";

const ROWS: readonly [line: string, paths: readonly string[], others: readonly string[]][] = [
  ["/etc/a", ["/etc/a", "/etc/a/b"], ["/etc/ab", "/x/etc/a"]],
  ["etc/a/", ["/etc/a", "/etc/a/b"], ["/etc/ab"]],
  ["/etc/*.conf", ["/etc/x.conf"], ["/etc/x/y.conf", "/etc/xconf"]],
  ["/opt/**/cache", ["/opt/a/b/cache/c"], ["/opt/cached"]],
  ["*.log", ["/a/b.log", "/a/b.log/c"], ["/a/b.logs"]],
  ["# /etc/a", [], ["/etc/a", "/# /etc/a"]],
  ["/ü?", ["/\xc3\xbcx"], ["/\xc3\xbc"]],
];

for (const [line, paths, others] of ROWS) {
  Deno.test(`.verifyignore with ${line} leaves out ${paths.join(" ") || "nothing"}`, () => {
    const isIgnored = parseVerifyIgnore(`\n${line}\n`);
    assert.deepEqual([...paths, ...others].filter(isIgnored), paths);
  });
}
