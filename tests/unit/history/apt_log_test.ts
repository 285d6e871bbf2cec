import assert from "node:assert/strict";
import { inUtc, parseAptLog } from "../../../src/history/apt_log.ts";

const LOG = `
Start-Date: 2025-01-02  03:04:05
Commandline: apt-get install -y tree
Install: tree:amd64 (2.1.0-1)
End-Date: 2025-01-02  03:04:07

Start-Date: 2025-01-02  03:05:00
Commandline: apt install nosuch
Error: Sub-process /usr/bin/dpkg returned an error code (1)
End-Date: 2025-01-02  03:05:01

Start-Date: 2025-01-02  03:06:00
Commandline: apt remove tree
`;

Deno.test("parseAptLog() has the calls that ended well", () => {
  const began = Date.UTC(2025, 0, 2, 3, 4, 5) / 1000;
  assert.deepEqual(parseAptLog(LOG), [
    { began, ended: began + 2, line: "apt-get install -y tree" },
  ]);
  assert.deepEqual(parseAptLog(""), []);
});

Deno.test("inUtc() takes the container's time zone from when the log was written", () => {
  const entries = [{ began: 7200, ended: 7205, line: "a" }];
  assert.deepEqual(inUtc(entries, 7205.4)[0]?.began, 7200);
  assert.deepEqual(inUtc(entries, 5.4)[0]?.began, 0);
  assert.deepEqual(inUtc(entries, 7205 + 19800)[0]?.began, 27000);
  // Somebody has touched the log since.
  assert.deepEqual(inUtc(entries, 7205 + 400)[0]?.began, 7200);
});
