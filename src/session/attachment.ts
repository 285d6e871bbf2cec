import { Failure } from "../error.ts";

/** What a session knows of a container that was there before it, and stays after it. */
export interface Attachment {
  /** As docker exec takes it; empty: the container's own. */
  readonly user: string;
  /** Whether the container has a /bin/sh; without one dodo runs programs as they are. */
  readonly hasShell: boolean;
  /** Compose's project and service, where it has made the container. */
  readonly compose: { readonly project: string; readonly service: string } | null;
}

/** Whether a stored value is an {@link Attachment}. */
export function isAttachment(value: unknown): value is Attachment {
  if (value === null || typeof value !== "object") return false;
  const { user, hasShell, compose } = value as Readonly<Record<keyof Attachment, unknown>>;
  return typeof user === "string" && typeof hasShell === "boolean" &&
    (compose === null || typeof compose === "object");
}

/** Throws for a command that makes or ends a session's own container, where the session is attached to another's. */
export function refuseAttached(
  { name, containerName, attached }: {
    readonly name: string;
    readonly containerName: string;
    readonly attached: Attachment | null;
  },
  verb: string,
): void {
  if (attached === null) return;
  throw new Failure(`${name} is attached to ${containerName}: there is nothing to ${verb}`, {
    hint:
      "dodo and the mount work as they are; dockerdo rm ends the session and leaves the container.",
  });
}
