/**
 * More Docker engines: on reykjavik one with a user of its own, to be filled up, restarted and lied to; on either
 * host a newer one, with whichever image store.
 */

import { addHost, BASE_IMAGE, london, type Outcome, poll, reykjavik } from "../lab/lab.ts";

/** Of a newer engine: containerd's is made of blobs. */
export type Store = "containerd" | "overlay2";

export interface SecondEngine extends AsyncDisposable {
  /** The name by which ssh reaches it. */
  readonly host: string;
  /** Its socket there. */
  readonly socket: string;
  /** Runs docker on it, as root and without ssh. */
  docker(words: readonly string[]): Promise<string>;
  /** Puts a program in front of the user's PATH there. */
  addProgram(name: string, script: string): Promise<void>;
  /** Lets the user there find these programs and no others. */
  onlyPrograms(names: readonly string[]): Promise<void>;
  /** Kills the engine, containers and all, and starts it again. */
  restart(): Promise<void>;
}

// $1 the user's name.
const ADD_USER = `set -e
useradd --create-home --groups docker --shell /bin/bash --password '*' "$1"
install -d -m 700 -o "$1" -g "$1" "/home/$1/.ssh" "/home/$1/bin"
install -m 600 -o "$1" -g "$1" /root/.ssh/authorized_keys "/home/$1/.ssh/"
echo "export DOCKER_HOST=unix:///run/$1/docker.sock PATH=/home/$1/bin:\\$PATH" > "/home/$1/.bashrc"`;

// In all of these $1 is the directory of the engine's socket, $2 that of its data. Further $3 the size of its disk
// in MB, $4 its store.
const MAKE = `set -e
mkdir -p "$1" "$2"
mount -t tmpfs -o size="$3m" dockerdo-lab "$2"
case $4 in containerd) containerd=true ;; *) containerd=false ;; esac
printf '{"bridge": "none", "iptables": false, "exec-opts": ["native.cgroupdriver=cgroupfs"],
  "cgroup-parent": "/dockerdo-lab", "features": {"containerd-snapshotter": %s}}' $containerd > "$1/daemon.json"`;

// Further $3 the root of a system with a newer Docker, or nothing. In a network namespace of its own: an engine
// without a bridge removes the docker0 that it finds.
const START = `rm -f "$1/docker.pid"
setsid unshare --net --mount --propagation private bash -c '
  run=$1 data=$2 root=$3
  # The number, for the newer system has numbers of its own.
  group=$(getent group docker | cut -d: -f3)
  if [ -n "$root" ]; then
    mount --bind "$root" "$root"
    for dir in proc sys dev; do mount --rbind "/$dir" "$root/$dir"; done
    mount -t tmpfs tmpfs "$root/tmp"
    mount -t tmpfs tmpfs "$root/mnt"
    mkdir "$root/mnt/run" "$root/mnt/data"
    mount --bind "$run" "$root/mnt/run"
    mount --bind "$data" "$root/mnt/data"
    run=/mnt/run data=/mnt/data
    cd "$root" && pivot_root . . && umount -l . && cd /
  fi
  exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin dockerd --config-file "$run/daemon.json" \\
    --host "unix://$run/docker.sock" --data-root "$data" --exec-root "$run/exec" \\
    --pidfile "$run/docker.pid" --group "$group"
' sh "$@" >"$1/log" 2>&1 </dev/null &`;

const STOP = `pid=$(cat "$1/docker.pid") || exit 0
kill "$pid"; while [ -e "/proc/$pid" ]; do read -t 0.05 -r _ <> <(:) || :; done`;

const REMOVE = `umount -l "$2"; rm -rf --one-file-system "$1" "$2"`;

/** An engine on a host of the lab. */
interface Engine extends AsyncDisposable {
  readonly socket: string;
  docker(words: readonly string[]): Promise<string>;
  restart(): Promise<void>;
}

async function startEngine(
  on: (argv: readonly string[]) => Promise<Outcome>,
  { run, data, root, megabytes, store }: {
    readonly run: string;
    readonly data: string;
    readonly root: string;
    readonly megabytes: number;
    readonly store: Store;
  },
): Promise<Engine> {
  const socket = `${run}/docker.sock`;
  const shell = shellOn(on);
  const docker = (words: readonly string[]): Promise<string> =>
    shell('docker -H "$@"', `unix://${socket}`, ...words);
  const start = async (): Promise<void> => {
    await shell(START, run, data, root);
    await poll(() => docker(["version"]).catch(() => ""), {
      what: `the engine of ${run}`,
      limitMs: 30_000,
    });
  };
  await shell(MAKE, run, data, String(megabytes), store);
  await start();
  return {
    socket,
    docker,
    async restart(): Promise<void> {
      await shell(
        'kill -KILL "$(cat "$1/docker.pid")" "$(cat "$1/exec/containerd/containerd.pid")"',
        run,
      );
      await start();
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await shell(STOP, run);
      await shell(REMOVE, run, data);
    },
  };
}

function shellOn(
  on: (argv: readonly string[]) => Promise<Outcome>,
): (script: string, ...words: string[]) => Promise<string> {
  return async (script, ...words) => {
    const { code, stdout, stderr } = await on(["bash", "-c", script, "sh", ...words]);
    if (code !== 0) throw new Error(`exit code ${code}: ${script}\n${stdout}${stderr}`);
    return stdout;
  };
}

/** Where the newer Docker is, on london. */
async function newerDocker(): Promise<string> {
  const made = await london([Deno.env.get("DOCKERDO_LAB") ?? "", "newer-docker"]);
  if (made.code !== 0) throw new Error(made.stderr);
  return made.stdout.trim();
}

/** Starts an engine on london with the base image; programs reach it by the DOCKER_HOST that `socket` makes. */
export async function newerEngine(store: Store): Promise<Engine> {
  const dir = `${Deno.env.get("XDG_RUNTIME_DIR")}/edda${crypto.randomUUID().slice(0, 6)}`;
  const engine = await startEngine(london, {
    run: `${dir}-run`,
    data: `${dir}-data`,
    root: await newerDocker(),
    megabytes: 600,
    store,
  });
  await shellOn(london)(
    'docker save "$1" | docker -H "unix://$2" load -q',
    BASE_IMAGE,
    engine.socket,
  );
  return engine;
}

/** Starts an engine with a disk of so many megabytes on reykjavik; with a `store` it is a newer one. */
export async function secondEngine(
  { megabytes, store }: { readonly megabytes: number; readonly store?: Store },
): Promise<SecondEngine> {
  const name = `edda${crypto.randomUUID().slice(0, 6)}`;
  const host = `reykjavik-${name}`;
  const shell = shellOn(reykjavik);
  await shell(ADD_USER, name);
  const { socket, docker, restart, ...engine } = await startEngine(reykjavik, {
    run: `/run/${name}`,
    data: `/var/lib/${name}`,
    root: store === undefined ? "" : (await newerDocker()).replace(/.*\/root(?=\/opt)/, ""),
    megabytes,
    store: store ?? "overlay2",
  });
  const alias = await addHost(host, { port: 22, hostName: "10.77.0.2", user: name });
  return {
    host,
    socket,
    docker,
    restart,
    async addProgram(program, script): Promise<void> {
      const path = `/home/${name}/bin/${program}`;
      await shell('printf %s "$2" > "$1"; chmod +x "$1"', path, `#!/bin/bash\n${script}\n`);
    },
    async onlyPrograms(names): Promise<void> {
      await shell(
        `cd "/home/$1/bin"; for name in "\${@:2}"; do ln -s "$(command -v "$name")" .; done
         sed -i 's/:\\$PATH//' "/home/$1/.bashrc"`,
        name,
        ...names,
      );
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await alias[Symbol.asyncDispose]();
      await engine[Symbol.asyncDispose]();
      await shell('userdel --remove "$1" 2>/dev/null; true', name);
    },
  };
}
