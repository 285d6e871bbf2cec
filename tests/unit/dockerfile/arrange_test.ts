import assert from "node:assert/strict";
import { contextPath, copyInstructions, shellPath } from "../../../src/dockerfile/arrange.ts";
import type { Copy } from "../../../src/dockerfile/copies.ts";
import { type Entry, parentOf, type Tree } from "../../../src/dockerfile/tree.ts";
import { entry, tree } from "./session.ts";

function copyOf(path: string, fields: Partial<Entry> = {}, rest: Partial<Copy> = {}): Copy {
  return { entry: entry(path, fields), whole: true, time: 0, owner: undefined, ...rest };
}

/** The instructions in a line each. */
function lines(
  copies: readonly Copy[],
  { image = tree("/", "/srv/", "/etc/", "/etc/a"), elsewhere = [] as string[] } = {},
): string[] {
  const container: Tree = new Map([
    ...image,
    ...copies.map(({ entry }) => [entry.path, entry] as const),
  ]);
  return copyInstructions(copies, { container, image, files: new Map(), elsewhere }).flatMap((
    one,
  ) =>
    one.kind === "run"
      ? one.lines.map(({ text }) => text)
      : one.kind === "copy"
      ? [`${one.owner ?? "root"}: ${one.sources.join(" ")} -> ${one.destination}`]
      : []
  );
}

Deno.test("a new directory is one COPY with all that is in it, and so is what is in an empty one", () => {
  assert.deepEqual(
    lines([copyOf("/opt/x/"), copyOf("/opt/x/a"), copyOf("/opt/x/b/"), copyOf("/opt/x/b/c")]),
    [
      "root: opt/x/ -> /opt/x/",
    ],
  );
  assert.deepEqual(lines([copyOf("/srv/a"), copyOf("/srv/odd *")]), ["root: srv/ -> /srv/"]);
  assert.deepEqual(lines([copyOf("/etc/b"), copyOf("/etc/c")]), ["root: etc/b etc/c -> /etc/"]);
});

Deno.test("a directory is not copied as a whole if some of it has another owner, or comes in elsewhere", () => {
  const dev = { owner: "dev:dev" };
  assert.deepEqual(lines([copyOf("/srv/a"), copyOf("/srv/b", {}, dev)]), [
    "root: srv/a -> /srv/",
    "dev:dev: srv/b -> /srv/",
  ]);
  assert.deepEqual(lines([copyOf("/srv/a"), copyOf("/srv/b")], { elsewhere: ["/srv/c"] }), [
    "root: srv/a srv/b -> /srv/",
  ]);
  assert.deepEqual(
    lines([copyOf("/srv/x/", {}, dev), copyOf("/srv/x/a", {}, dev), copyOf("/srv/y")]),
    [
      "dev:dev: srv/x/ -> /srv/x/",
      "root: srv/y -> /srv/",
    ],
  );
});

Deno.test("modes, links, pipes and metadata alone are lines of RUN", () => {
  assert.deepEqual(
    lines([
      copyOf("/etc/s", { mode: 0o4755 }),
      copyOf("/etc/l", { type: "l", target: "s" }),
      copyOf("/etc/p", { type: "p", mode: 0o600 }),
      copyOf("/etc/d/", { mode: 0o1777 }),
      copyOf("/etc/a", { mode: 0o600 }, { whole: false }),
    ]),
    [
      "install -d -m 1777 /etc/d",
      "root: etc/s -> /etc/",
      "ln -sfn s /etc/l",
      "mkfifo -m 600 /etc/p",
      "chmod 4755 /etc/s",
      "chown root:root /etc/a",
      "chmod 600 /etc/a",
    ],
  );
});

Deno.test("names that COPY would take for a pattern, or that no text has, get another name in the context", () => {
  assert.equal(contextPath("/etc/a b"), "etc/a b");
  assert.equal(parentOf(`/${contextPath("/etc/a*")}`), "/.odd");
  assert.equal(parentOf(`/${contextPath("/etc/a\nb")}`), "/.odd");
  assert.equal(parentOf(`/${contextPath("/etc/\xff")}`), "/.odd");
  assert.equal(shellPath("/etc/a b"), "'/etc/a b'");
  assert.equal(shellPath("/etc/\xff"), `"$(printf '/etc/\\377')"`);
  assert.equal(shellPath("/etc/\xc3\xbc"), "'/etc/ü'");
});
