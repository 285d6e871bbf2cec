import assert from "node:assert/strict";
import { overlayTag, parseReference } from "../../../src/image/reference.ts";

const HEX = "0123456789abcdef".repeat(4);
const NONE = { registry: undefined, tag: undefined, digest: undefined };

for (
  const [text, expected] of [
    ["debian", { ...NONE, repository: "debian" }],
    ["debian:bookworm", { ...NONE, repository: "debian", tag: "bookworm" }],
    ["debian:Bookworm_1.2-x", { ...NONE, repository: "debian", tag: "Bookworm_1.2-x" }],
    ["library/debian", { ...NONE, repository: "library/debian" }],
    ["a/b/c:t", { ...NONE, repository: "a/b/c", tag: "t" }],
    ["localhost/a", { ...NONE, registry: "localhost", repository: "a" }],
    ["reg:5000/a/b:t", { ...NONE, registry: "reg:5000", repository: "a/b", tag: "t" }],
    ["reg.example/a", { ...NONE, registry: "reg.example", repository: "a" }],
    ["REG/a", { ...NONE, registry: "REG", repository: "a" }],
    ["[::1]:5000/a", { ...NONE, registry: "[::1]:5000", repository: "a" }],
    ["192.0.2.1:5000/a:1", { ...NONE, registry: "192.0.2.1:5000", repository: "a", tag: "1" }],
    [`a@sha256:${HEX}`, { ...NONE, repository: "a", digest: `sha256:${HEX}` }],
    [`r.io/a:t@sha256:${HEX}`, {
      registry: "r.io",
      repository: "a",
      tag: "t",
      digest: `sha256:${HEX}`,
    }],
    ["a__b/c.d-e--f", { ...NONE, repository: "a__b/c.d-e--f" }],
    [`a:${"t".repeat(128)}`, { ...NONE, repository: "a", tag: "t".repeat(128) }],
  ] as const
) {
  Deno.test(`parseReference() reads ${text.slice(0, 60)}`, () => {
    assert.deepEqual(parseReference(text), expected);
  });
}

for (
  const text of [
    "",
    "Debian",
    "library/Debian:1",
    "reg:5000/A",
    "a:",
    "a:-t",
    "a:.t",
    `a:${"t".repeat(129)}`,
    "a b",
    "a\n",
    "a\nRUN touch pwn",
    "a\tb",
    "-a",
    "--help",
    "a-",
    "a..b",
    "a___b",
    "/a",
    "a/",
    "a//b",
    "reg:port/a",
    "a@sha256:short",
    "a@b",
    "http://reg/a",
    "$(id)",
    "a;b",
    "ä",
  ]
) {
  Deno.test(`parseReference() refuses ${JSON.stringify(text.slice(0, 60))}`, () => {
    assert.throws(() => parseReference(text), {
      name: "Failure",
      exitCode: 2,
      message: `${JSON.stringify(text)} is not an image`,
      hint: "Write NAME:TAG or REGISTRY/NAME:TAG, the name in lower case.",
    });
  });
}

Deno.test("parseReference() decides about a long text at once", () => {
  assert.throws(() => parseReference(`${"a-".repeat(5000)}!`), { name: "Failure" });
  assert.throws(() => parseReference(`${"a.".repeat(5000)}/!`), { name: "Failure" });
});

const TEMPLATE = "dockerdo-{base_image}:{base_image_tag}-{session_name}";

for (
  const [base, changed, tag] of [
    ["ubuntu:latest", {}, "dockerdo-ubuntu:latest-demo-0a1b2c"],
    ["ubuntu", {}, "dockerdo-ubuntu:latest-demo-0a1b2c"],
    ["reg:5000/a/b:t", {}, "dockerdo-a/b:t-demo-0a1b2c"],
    [`a@sha256:${HEX}`, {}, "dockerdo-a:0123456789ab-demo-0a1b2c"],
    ["a:1", { registry: "reg:5000" }, "reg:5000/dockerdo-a:1-demo-0a1b2c"],
    ["a:1", { registry: "reg.example/team/" }, "reg.example/team/dockerdo-a:1-demo-0a1b2c"],
    ["a:1", { template: "mine" }, "mine:latest"],
    ["a:1", { template: "mine", registry: "reg:5000" }, "reg:5000/mine:latest"],
    ["a:1", { template: "mine/x:{session_name}" }, "mine/x:demo-0a1b2c"],
    ["a:1", { template: "x:.-{session_name}" }, "x:demo-0a1b2c"],
    ["a:1", { sessionName: "My.Session_1-x" }, "dockerdo-a:1-My.Session_1-x-0a1b2c"],
    [`a:${"t".repeat(128)}`, {}, `dockerdo-a:${"t".repeat(121)}-0a1b2c`],
    ["a:1", { sessionName: "dockerdo_0a1b2c" }, "dockerdo-a:1-dockerdo_0a1b2c"],
  ] as const
) {
  Deno.test(`overlayTag() of ${base.slice(0, 30)} with ${JSON.stringify(changed)} is ${tag.slice(0, 40)}`, () => {
    const options = {
      template: TEMPLATE,
      sessionName: "demo",
      sessionId: "0a1b2c3d",
      registry: null,
      ...changed,
    };
    assert.equal(overlayTag(base, options), tag);
  });
}

Deno.test("overlayTag() is valid for every name that a session may have, wherever the template puts it", () => {
  for (const sessionName of ["a", "A", "a..b", "a_.b", "a-", "9___", "x".repeat(63)]) {
    for (const template of [TEMPLATE, "{session_name}-{base_image}", "dodo/{session_name}:1"]) {
      const tag = overlayTag("debian:bookworm", {
        template,
        sessionName,
        sessionId: "0a1b2c3d",
        registry: null,
      });
      assert.doesNotThrow(() => parseReference(tag), `${tag} of ${sessionName}`);
    }
  }
});

for (const template of ["a b", "{unknown}:x", ""]) {
  Deno.test(`overlayTag() refuses the template ${JSON.stringify(template)}`, () => {
    assert.throws(
      () =>
        overlayTag("a", { template, sessionName: "demo", sessionId: "0a1b2c3d", registry: null }),
      {
        name: "Failure",
        exitCode: 2,
      },
    );
  });
}
