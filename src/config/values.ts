import * as v from "valibot";
import { distroOfName, DISTROS } from "../image/distro.ts";
import { overlayTag, parseReference } from "../image/reference.ts";
import { splitWords } from "../quote.ts";
import { parseRemoteHost } from "../session/remote_host.ts";

/** The values of configuration keys: what each may be, and the message for what it may not. */
export const text = v.string("expected a string");

// What the original's parser took for true and false (YAML 1.1 and pydantic), it takes here too.
export const flag = v.pipe(
  v.unknown(),
  v.transform((found) => {
    const word = String(found).toLowerCase();
    if (["true", "yes", "on", "1"].includes(word)) return true;
    return ["false", "no", "off", "0"].includes(word) ? false : found;
  }),
  v.boolean("expected true or false"),
);

export const seconds = v.pipe(
  v.unknown(),
  v.transform((found) => typeof found === "string" && found.trim() !== "" ? Number(found) : found),
  v.number("expected a number of seconds"),
  v.minValue(0, "expected a number of seconds, 0 or more"),
);

export const words = v.pipe(
  v.union([v.array(v.string()), v.string()], "expected a string or a list of strings"),
  v.check(
    (found) => typeof found !== "string" || splitWords(found) !== undefined,
    "a quote is not closed",
  ),
  v.transform((found) => typeof found === "string" ? splitWords(found) ?? [] : found),
);

export const image = v.pipe(
  text,
  v.check(
    (found) => succeeds(() => parseReference(found)),
    "expected NAME:TAG or REGISTRY/NAME:TAG, the name in lower case",
  ),
);

export const registry = v.pipe(
  text,
  v.check(
    (found) => found === "" || succeeds(() => parseReference(`${found.replace(/\/+$/, "")}/x:1`)),
    "expected HOST, HOST:PORT or one of them with a path",
  ),
);

export const remoteHost = v.pipe(
  text,
  v.check(
    (found) => found === "" || succeeds(() => parseRemoteHost(found)),
    "expected HOST, USER@HOST, [IPV6] or ssh://USER@HOST:PORT",
  ),
);

export const distro = v.pipe(
  text,
  v.check(
    (found) => found === "" || distroOfName(found) !== undefined,
    `expected ubuntu or one of ${DISTROS.join(", ")}`,
  ),
);

export const template = v.pipe(
  text,
  v.check(
    (found) =>
      !/[{}]/.test(found.replaceAll(/\{(base_image|base_image_tag|session_name)\}/g, "")) &&
      succeeds(() =>
        overlayTag("a:b", { template: found, sessionName: "c", sessionId: "0", registry: null })
      ),
    "expected an image's name and tag with {base_image}, {base_image_tag} or {session_name} in it",
  ),
);

export const keyPath = v.pipe(
  text,
  v.check((found) => !/^~[^/]/.test(found), "expected a path; of ~NAME only ~ itself is known"),
);

function succeeds(action: () => unknown): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
