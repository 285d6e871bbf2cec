import { usageFailure } from "../error.ts";

/** An image reference in its parts (distribution/reference grammar). */
export interface Reference {
  readonly registry: string | undefined;
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const HOST =
  "(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\\.[A-Za-z0-9-]+)*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?";
const REFERENCE = new RegExp(
  `^(?:(${HOST})/)?(${COMPONENT}(?:/${COMPONENT})*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?` +
    "(?:@([A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,}))?$",
);

/** Reads an image reference; any other text is a usage failure. */
export function parseReference(text: string): Reference {
  const match = REFERENCE.exec(text);
  const [, host, path = ""] = match ?? [];
  if (match === null) {
    throw usageFailure(
      `${JSON.stringify(text)} is not an image`,
      "Write NAME:TAG or REGISTRY/NAME:TAG, the name in lower case.",
    );
  }
  // The first part is a registry only if it cannot be a part of a repository's name.
  const isRegistry = host !== undefined && /[.:]|^localhost$|[A-Z]/.test(host);
  return {
    registry: isRegistry ? host : undefined,
    repository: host === undefined || isRegistry ? path : `${host}/${path}`,
    tag: match[3],
    digest: match[4],
  };
}

const LONGEST_TAG = 128;

/**
 * The overlay's image tag for a base image, from the template of the user configuration with
 * `{base_image}`, `{base_image_tag}` and `{session_name}`. A tag that names the session ends with the start of its id:
 * two people's sessions of one name on one engine have two images. Always a valid reference.
 */
export function overlayTag(
  baseImage: string,
  { template, sessionName, sessionId, registry }: {
    readonly template: string;
    readonly sessionName: string;
    readonly sessionId: string;
    readonly registry: string | null;
  },
): string {
  const base = parseReference(baseImage);
  const mark = sessionId.slice(0, 6);
  // A session without a name is called by its id already.
  const named = sessionName.endsWith(mark) ? sessionName : `${sessionName}-${mark}`;
  const filled = template
    .replaceAll("{base_image}", base.repository)
    .replaceAll(
      "{base_image_tag}",
      base.tag ?? base.digest?.split(":")[1]?.slice(0, 12) ?? "latest",
    )
    .replaceAll("{session_name}", named);
  const [, path = filled, tag = "latest"] = /^(.*?)(?::([^/:]*))?$/.exec(filled) ?? [];
  // Names of sessions may have upper case and dots in a row; repositories may not.
  const repository = path.toLowerCase().replace(/[._-]{2,}/g, "-").replace(/[._-]+(?=\/|$)/g, "");
  const prefix = registry === null ? "" : `${registry.replace(/\/+$/, "")}/`;
  const reference = `${prefix}${repository}:${
    shortened(tag.replace(/^[^A-Za-z0-9_]+/, ""), mark) || "latest"
  }`;
  parseReference(reference);
  return reference;
}

// Two tags differ at the end.
function shortened(tag: string, mark: string): string {
  if (tag.length <= LONGEST_TAG) return tag;
  return tag.endsWith(mark)
    ? `${tag.slice(0, LONGEST_TAG - mark.length - 1)}-${mark}`
    : tag.slice(0, LONGEST_TAG);
}
