import { doctorHint, Failure } from "../error.ts";
import { capture } from "../process/child.ts";
import type { Context } from "../process/context.ts";
import { pause } from "../process/pause.ts";
import { selfCommand } from "../process/own_command.ts";
import { isWithin } from "../paths.ts";
import { quoteAll } from "../quote.ts";
import { journalPath, relayDir, type Session } from "../session/session.ts";
import { type Destination, sshConfigPath, sshHost } from "../ssh/argv.ts";
import {
  endServer,
  type Holder,
  isAnswering,
  isMounted,
  isRelayed,
  isServed,
  mountHolders,
  mountPoint,
  mountTable,
  sourceName,
} from "./table.ts";

/** Milliseconds for which the kernel believes the answers of a mount with the relay. */
const KERNEL_TIMEOUT = 30;

// One process per mount, for hours: small rather than fast.
const RELAY_V8_FLAGS = ["--max-semi-space-size=1", "--optimize-for-size"];

const ANSWER_LIMIT_MS = 15_000;

const END_LIMIT_MS = 3000;

const LOOK_LIMIT_MS = 2000;

const ASK_AGAIN_MS = 20;

/** What a mount's log keeps, in bytes: the server's stderr arrives there, for as long as the mount lives. */
const LOG_LIMIT = 1024 * 1024;

// The shell stands in the directory below the mount: should the mount go, nothing is written there by mistake.
// sshfs does not: a shell that it starts would ask for PWD through a mount that is not served yet. After a failure
// the log is whole.
const MOUNT = `log=$0 pipe=$0.pipe; rm -f "$pipe"; mkfifo -m 600 "$pipe" || exit
head -c ${LOG_LIMIT} <"$pipe" >"$log" 2>/dev/null &
exec 2>"$pipe"; rm "$pipe"
cd -- "$1" && shift && (cd / && exec "$@") && chmod 555 . && exit
exec 2>&-; wait; exit 1`;

/** Fails unless something can be mounted at `point`: a directory that is empty, or that is not there yet. */
export async function checkMountPoint(context: Context, point: string): Promise<void> {
  const taken = (await mountTable(context)).find((entry) => entry.point === point);
  if (taken !== undefined) {
    throw new Failure(`${point} is already a mount (${taken.type}, ${taken.source})`, {
      hint: `Unmount it first: ${quoteAll(unmountCommand(point))}`,
    });
  }
  try {
    for await (const { name } of Deno.readDir(point)) {
      throw new Failure(`${point} is not empty (it holds ${name}), and a mount would hide that`, {
        hint: "Use another work dir, or move the files away.",
      });
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (error instanceof Failure) throw error;
    throw new Failure(`${point} cannot be a mount point: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * Mounts a destination with sshfs, over its control master, unless it is mounted. Makes the mount point.
 * Nothing of the kernel's or sshfs's own caching is on: what is read is what is there. In a session with the
 * relay, sshfs has that instead of ssh, and the mount answers when this returns. `path` is absolute then.
 */
export async function mount(
  context: Context,
  session: Session,
  { destination, path, answerLimitMs = ANSWER_LIMIT_MS }: {
    readonly destination: Destination;
    readonly path: string;
    readonly answerLimitMs?: number;
  },
): Promise<void> {
  const point = mountPoint(session, destination);
  if (point === undefined || await isServed(context, session, destination)) return;
  if (await isMounted(context, session, destination)) {
    await unmount(context, session, { destination, force: true });
  }
  await checkMountPoint(context, point);
  if (!context.dryRun) {
    await Deno.mkdir(point, { recursive: true });
    // fusermount3 wants to be allowed to write there.
    await Deno.chmod(point, 0o755).catch(() => {});
  }
  const relayed = session.mount === "relay";
  const timeout = relayed ? KERNEL_TIMEOUT / 1000 : 0;
  const options = [
    // By sh: the directory may be on a file system that runs nothing (noexec).
    ...relayed ? [`ssh_command=/bin/sh ${optionValue(relayWrapper(session, destination))}`] : [],
    "reconnect",
    "idmap=user",
    "dir_cache=no",
    ...relayed ? ["sync_readdir", "workaround=renamexdev"] : [],
    `attr_timeout=${timeout}`,
    `entry_timeout=${timeout}`,
    `fsname=${sourceName(session, destination)}`,
    ...await symlinkOptions(context, { relayed }),
  ];
  if (relayed && !context.dryRun) await prepareRelay(session, destination, { point, path });
  const host = sshHost(session, destination);
  const source = `${host.includes(":") ? `[${host}]` : host}:${path}`;
  const log = `${session.dir}/mount-${destination}.log`;
  const config = relayed ? [] : ["-F", sshConfigPath(session, destination)];
  const sshfs = ["sshfs", ...config, source, point, "-o", options.join(",")];
  // The ssh below sshfs lives as long as the mount and keeps its stderr open: a pipe of ours would never end.
  const argv = ["sh", "-c", MOUNT, log, point, ...sshfs];
  const { code, stdout } = await capture(context, argv, { detached: true });
  if (code === 0) {
    if (relayed && !context.dryRun) {
      await waitForAnswer(context, session, { destination, limitMs: answerLimitMs });
    }
    return;
  }
  if (relayed) await removeRelayWrapper(session, destination);
  const words = stdout + await Deno.readTextFile(log).catch(() => "");
  await Deno.remove(point).catch(() => {});
  throw mountFailure(point, words.trim());
}

// Without the relay the server resolves links, so no link leads out of the mount, whatever sshfs can do by itself. The
// relay keeps them inside and shows them as links.
async function symlinkOptions(
  context: Context,
  { relayed }: { readonly relayed: boolean },
): Promise<string[]> {
  if (!relayed) return ["follow_symlinks"];
  const { stdout, stderr } = await capture(context, ["sshfs", "-h"], { readOnly: true });
  return `${stdout}${stderr}`.includes("no_contain_symlinks") ? ["no_contain_symlinks"] : [];
}

/** A value in libfuse's list of options. In ssh_command it may have no blank: sshfs splits there. */
function optionValue(path: string): string {
  return path.replaceAll(/[\\,]/g, "\\$&");
}

function relayWrapper(session: Session, destination: Destination): string {
  return `${session.socketDir}/${destination === "container" ? "relay" : "relay-remote"}`;
}

/** What sshfs calls in place of ssh, with ssh's arguments. */
async function prepareRelay(
  session: Session,
  destination: Destination,
  { point, path }: { readonly point: string; readonly path: string },
): Promise<void> {
  const state = relayDir(session, destination);
  await Deno.mkdir(state, { recursive: true, mode: 0o700 });
  const record = session.record && destination === "container"
    ? [journalPath(session), session.containerId ?? ""]
    : [];
  const relay = ["relay", state, point, path, String(KERNEL_TIMEOUT), ...record, "--"];
  // It connects again by itself, so it must never ask a question.
  const ssh = ["ssh", "-oBatchMode=yes", "-F", sshConfigPath(session, destination)];
  const words = quoteAll([...selfCommand(RELAY_V8_FLAGS), ...relay, ...ssh]);
  await removeRelayWrapper(session, destination);
  // In / it keeps no directory busy.
  await Deno.writeTextFile(
    relayWrapper(session, destination),
    `#!/bin/sh\ncd / && MALLOC_ARENA_MAX=1 exec ${words} "$@"\n`,
    {
      mode: 0o700,
    },
  );
}

async function removeRelayWrapper(session: Session, destination: Destination): Promise<void> {
  await Deno.remove(relayWrapper(session, destination)).catch(() => {});
}

// Asked by children: whoever looks into a mount that does not answer cannot be ended any more.
async function waitForAnswer(
  context: Context,
  session: Session,
  { destination, limitMs }: { readonly destination: Destination; readonly limitMs: number },
): Promise<void> {
  const point = mountPoint(session, destination) ?? "";
  const limit = Date.now() + limitMs;
  while (Date.now() < limit) {
    if (await isAnswering(context, point, LOOK_LIMIT_MS)) return;
    await pause(ASK_AGAIN_MS);
  }
  await unmount(context, session, { destination, force: true });
  const log = `${relayDir(session, destination)}/relay.log`;
  throw new Failure(`${point} does not answer`, {
    hint: `${log} may say why. dockerdo start tries again; --mount plain works without the relay.`,
  });
}

function mountFailure(point: string, words: string): Failure {
  const hint = /remote host has disconnected|subsystem request failed/i.test(words)
    ? "The host may serve no SFTP, or its login shell keeps it from doing so. There, in /etc/ssh/sshd_config:\n" +
      "Subsystem sftp internal-sftp"
    : /\/dev\/fuse|fuse: device not found/i.test(words)
    ? "Load the kernel's fuse module (modprobe fuse); in a container give it /dev/fuse."
    : /fusermount.*not found|fusermount3?: .*not permitted/i.test(words)
    ? "Install fuse3, and see that fusermount3 may be used by you."
    : /not found|No such file/i.test(words)
    ? "Install sshfs (Debian: apt-get install sshfs)."
    : undefined;
  return new Failure(`mounting ${point} failed: ${words}`, {
    hint: hint === undefined ? doctorHint() : `${hint}\n${doctorHint()}`,
  });
}

function unmountCommand(point: string): string[] {
  return Deno.build.os === "linux" ? ["fusermount3", "-u", point] : ["umount", point];
}

/**
 * Unmounts a destination and removes its mount point if that is empty. A busy mount is a failure that names
 * who keeps it busy; with `force` it is detached all the same and its sshfs ended. Fine where nothing is mounted.
 */
export async function unmount(
  context: Context,
  session: Session,
  { destination, force }: { readonly destination: Destination; readonly force: boolean },
): Promise<void> {
  const point = mountPoint(session, destination);
  if (point === undefined) return;
  if (await isMounted(context, session, destination)) {
    // We may stand in it ourselves.
    if (!context.dryRun) Deno.chdir("/");
    const { code, stderr } = await capture(context, unmountCommand(point), { limitMs: 5000 });
    if (code !== 0 && !force) {
      throw busyFailure(point, stderr.trim(), await mountHolders(context, point));
    }
    if (code !== 0) {
      const lazy = Deno.build.os === "linux"
        ? ["fusermount3", "-uz", point]
        : ["umount", "-f", point];
      await capture(context, lazy, { limitMs: 5000 });
      await endServer(context, sourceName(session, destination));
      if (isWithin(context.cwd, point)) {
        const dir = quoteAll([session.workDir]);
        context.stderr(`dockerdo: the current directory was in that mount: cd ${dir}\n`);
      }
    }
  }
  if (context.dryRun) return;
  await removeIfEmpty(context, point);
  await removeRelayWrapper(session, destination);
  const limit = Date.now() + END_LIMIT_MS;
  while (await isRelayed(context, session, destination) && Date.now() < limit) {
    await pause(ASK_AGAIN_MS);
  }
}

async function removeIfEmpty(context: Context, point: string): Promise<void> {
  if ((await mountTable(context)).some((entry) => entry.point === point)) return;
  await Deno.remove(point).catch(() => {});
}

function busyFailure(point: string, words: string, holders: readonly Holder[]): Failure {
  const who = holders.map(({ pid, name }) =>
    pid === Deno.ppid ? `this shell (${name}, pid ${pid})` : `${name} (pid ${pid})`
  ).join(", ");
  return new Failure(
    who === "" ? `unmounting ${point} failed: ${words}` : `${point} is in use by ${who}`,
    { hint: "Leave that directory or end what uses it; dockerdo stop --force detaches it." },
  );
}
