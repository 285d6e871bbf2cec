import assert from "node:assert/strict";
import { compare, recordsOf, type Sides } from "../../../src/dockerfile/compare.ts";
import { type Row, survey, tree } from "./session.ts";

const EMPTY = new Map<string, string>();
const TEXTS = { container: EMPTY, built: EMPTY, base: EMPTY, overlay: EMPTY };

function found(
  files: Partial<Record<keyof Sides, ReturnType<typeof tree>>>,
  { container = {}, built = {}, accounts }: {
    readonly container?: Readonly<Record<string, string>>;
    readonly built?: Readonly<Record<string, string>>;
    readonly accounts?: string;
  } = {},
): readonly string[] {
  const base = files.base ?? tree("/");
  const sides: Sides = {
    container: survey(files.container ?? base),
    built: survey(files.built ?? base, accounts),
    base: survey(base),
    overlay: survey(files.overlay ?? base),
  };
  const hashes = {
    container: new Map(Object.entries(container)),
    built: new Map(Object.entries(built)),
  };
  return compare(sides, { hashes, texts: TEXTS }).differences.map(({ path, what }) =>
    `${what} ${path}`
  );
}

Deno.test("type, mode, owner by name, link target and content are compared", () => {
  const base = tree("/", "/etc/");
  const container = tree("/", "/etc/", ["/etc/a", { ctime: 2, uid: 1000 }], ["/etc/l", {
    type: "l",
    target: "a",
    ctime: 2,
  }]);
  const built = (...rows: readonly Row[]) => tree("/", "/etc/", ...rows);
  const same = { container: { "/etc/a": "1" }, built: { "/etc/a": "1" } };
  const link = ["/etc/l", { type: "l", target: "a", ctime: 3 }] as const;
  const check = (wanted: string[], rows: readonly Row[], options = {}): void =>
    assert.deepEqual(
      found({ base, container, built: built(...rows) }, { ...same, ...options }),
      wanted,
    );
  check([], [["/etc/a", { ctime: 3, uid: 1000 }], link]);
  check([], [["/etc/a", { ctime: 3, uid: 1001 }], link], { accounts: "root:x:0\ndev:x:1001" });
  check(["owner /etc/a"], [["/etc/a", { ctime: 3, uid: 0 }], link]);
  check(["mode /etc/a"], [["/etc/a", { ctime: 3, uid: 1000, mode: 0o4644 }], link]);
  check(["content /etc/a"], [["/etc/a", { ctime: 3, uid: 1000 }], link], {
    built: { "/etc/a": "2" },
  });
  check(["content /etc/a"], [["/etc/a", { ctime: 3, uid: 1000 }], link], { built: {} });
  check(["type /etc/a"], [["/etc/a", { ctime: 3, uid: 1000, type: "p" }], link]);
  check(["target /etc/l"], [["/etc/a", { ctime: 3, uid: 1000 }], ["/etc/l", {
    type: "l",
    target: "b",
    ctime: 3,
  }]]);
  check(["missing /etc/l", "extra /etc/b"], [["/etc/a", { ctime: 3, uid: 1000 }], ["/etc/b", 3]]);
});

Deno.test("what differs in every run is left out; what sshd's packages brought may be missing", () => {
  const base = tree("/", "/etc/", "/var/log/");
  assert.deepEqual(
    found({ base, container: tree("/", "/etc/", "/var/log/", ["/var/log/x", 2]) }),
    [],
  );
  const overlay = tree("/", "/etc/", "/var/log/", ["/etc/ssh", 2]);
  assert.deepEqual(found({ base, overlay, container: overlay }), []);
  const changed = tree("/", "/etc/", "/var/log/", ["/etc/ssh", 3]);
  assert.deepEqual(found({ base, overlay, container: changed }), ["missing /etc/ssh"]);
});

Deno.test("records of accounts and packages are compared by name, without numbers, days and salts", () => {
  const records = (path: string, text: string): unknown =>
    Object.fromEntries(recordsOf(path, text));
  assert.deepEqual(records("/etc/passwd", "dev:x:1000:1000:Dev:/home/dev:/bin/sh\n"), {
    dev: "dev:Dev:/home/dev:/bin/sh",
  });
  assert.deepEqual(records("/etc/group", "ops:x:7:b,a\n"), { ops: "ops:a,b" });
  assert.deepEqual(
    records("/etc/shadow", "dev:$y$salt$hash:19000:0:99999:7:::\nno:!:19000:0:99999:7:::\n"),
    { dev: "dev:a password:0:99999:7:::", no: "no:!:0:99999:7:::" },
  );
  assert.deepEqual(
    records(
      "/var/lib/dpkg/status",
      "Package: x\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nDescription: y\n",
    ),
    { "x:all": "x Status: install ok installed, Version: 1" },
  );
});
