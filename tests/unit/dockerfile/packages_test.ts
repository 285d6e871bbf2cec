import assert from "node:assert/strict";
import { needNoRecommends, parseStatus, unwanted } from "../../../src/dockerfile/dpkg.ts";
import { aptLines, isRefresh, parseApt, tidy } from "../../../src/dockerfile/packages.ts";

Deno.test("parseApt() reads a call of apt as people write it", () => {
  const call = (line: string): unknown => parseApt(line.split(" "));
  const made = { action: "install", packages: ["x", "y"], options: [] };
  assert.deepEqual(call("apt-get install -y x y"), made);
  assert.deepEqual(call("apt install x -y y"), made);
  assert.deepEqual(call("sudo DEBIAN_FRONTEND=noninteractive apt-get -qq -y install x y"), made);
  assert.deepEqual(call("apt-get install -y --no-install-recommends x y"), {
    ...made,
    options: ["--no-install-recommends"],
  });
  assert.deepEqual(call("apt-get -t bookworm-backports install x"), {
    action: "install",
    packages: ["x"],
    options: ["-t", "bookworm-backports"],
  });
  assert.deepEqual(call("apt-get -f -y install"), { action: "fix", packages: [], options: [] });
  assert.deepEqual(call("dpkg -i x.deb /tmp/y.deb"), {
    ...made,
    packages: ["./x.deb", "/tmp/y.deb"],
  });
  assert.equal(call("dpkg -i --force-all x.deb"), undefined);
  assert.equal(call("dpkg -l"), undefined);
  assert.equal(call("apt-get update"), "update");
  assert.equal(call("apt-cache show x"), undefined);
  assert.equal(call("apt list"), undefined);
});

const OPTIONS = {
  withoutRecommends: ({ options }: { readonly options: readonly string[] }) =>
    options.includes("--no-install-recommends"),
  excluded: ["z"],
  pinned: (name: string) => name,
};

Deno.test("aptLines() joins installs with the same options, brings lists up to date and removes them", () => {
  const call = (packages: readonly string[], options: readonly string[] = []) => ({
    action: "install" as const,
    packages,
    options,
  });
  const bare = ["--no-install-recommends"];
  assert.deepEqual(aptLines([call(["a"], bare), call(["b"], bare)], OPTIONS), [
    "apt-get update",
    "apt-get install -y --no-install-recommends a b",
    "rm -rf /var/lib/apt/lists/*",
  ]);
  assert.deepEqual(aptLines([call(["a"])], OPTIONS)[1], "apt-get install -y a z-");
});

Deno.test("tidy() has other package managers ask nothing and leave no cache", () => {
  const line = (text: string): unknown => tidy(text.split(" "));
  assert.deepEqual(line("apk add git"), { line: "apk add --no-cache git" });
  assert.deepEqual(line("dnf install git"), { line: "dnf -y install git", after: "dnf clean all" });
  assert.deepEqual(line("/opt/venv/bin/pip install x"), {
    line: "/opt/venv/bin/pip install --no-cache-dir x",
  });
  assert.equal(line("pip list"), undefined);
  assert.ok(isRefresh(["apk", "update"]));
  assert.ok(!isRefresh(["apk", "add", "x"]));
});

function status(rows: Readonly<Record<string, string>>): string {
  return Object.entries(rows).map(([name, fields]) =>
    `Package: ${name}\nStatus: install ok installed\nVersion: 1\n${fields}`
  ).join("\n\n");
}

Deno.test("what is only recommended is told from what is needed, and from what sshd brought", () => {
  const base = { libc6: "" };
  const overlay = { ...base, ssh: "Depends: libssl", libssl: "Recommends: locales" };
  const session = {
    ...overlay,
    gcc: "Depends: libc6 (>= 2), libssl | other\nRecommends: headers",
    headers: "",
  };
  const facts = (rows: Readonly<Record<string, string>>) => ({
    container: parseStatus(status(rows)),
    overlay: parseStatus(status(overlay)),
    base: parseStatus(status(base)),
  });
  assert.equal(needNoRecommends(facts(session), ["gcc"]), false);
  assert.equal(needNoRecommends(facts(session), ["gcc", "headers"]), true);
  assert.deepEqual(unwanted(facts(session), ["gcc"]), ["locales"]);
  assert.deepEqual(unwanted(facts(session), ["headers"]), []);
});
