/** A second Docker engine on reykjavik, with a user of its own: to be filled up, restarted and lied to. */

import { addHost, poll, reykjavik } from "../lab/lab.ts";

export interface SecondEngine extends AsyncDisposable {
  /** The name by which ssh reaches it. */
  readonly host: string;
  /** Runs docker on it, as root and without ssh. */
  docker(words: readonly string[]): Promise<string>;
  /** Puts a program in front of the user's PATH there. */
  addProgram(name: string, script: string): Promise<void>;
  /** Lets the user there find these programs and no others. */
  onlyPrograms(names: readonly string[]): Promise<void>;
  /** Kills the engine, containers and all, and starts it again. */
  restart(): Promise<void>;
}

// $1 the name, $2 the size of its disk in MB.
const MAKE = `set -e
useradd --create-home --groups docker --shell /bin/bash --password '*' "$1"
install -d -m 700 -o "$1" -g "$1" "/home/$1/.ssh" "/home/$1/bin"
install -m 600 -o "$1" -g "$1" /root/.ssh/authorized_keys "/home/$1/.ssh/"
echo "export DOCKER_HOST=unix:///run/$1/docker.sock PATH=/home/$1/bin:\\$PATH" > "/home/$1/.bashrc"
mkdir -p "/run/$1" "/var/lib/$1"
mount -t tmpfs -o size="$2m" "$1" "/var/lib/$1"
printf '{"bridge": "none", "iptables": false, "exec-opts": ["native.cgroupdriver=cgroupfs"]}' > "/run/$1/daemon.json"`;

// In a network namespace of its own: an engine without a bridge removes the docker0 that it finds.
const START = `rm -f "/run/$1/docker.pid"
setsid unshare --net dockerd --config-file "/run/$1/daemon.json" --host "unix:///run/$1/docker.sock" --data-root "/var/lib/$1" \
  --exec-root "/run/$1/exec" --pidfile "/run/$1/docker.pid" --group docker >"/run/$1/log" 2>&1 </dev/null &`;

const STOP = `pid=$(cat "/run/$1/docker.pid") || exit 0
kill "$pid"; while [ -e "/proc/$pid" ]; do read -t 0.05 -r _ <> <(:) || :; done`;

const REMOVE = `umount -l "/var/lib/$1"; userdel --remove "$1" 2>/dev/null
rm -rf --one-file-system "/run/$1" "/var/lib/$1"`;

/** Starts an engine with a disk of so many megabytes. */
export async function secondEngine(
  { megabytes }: { readonly megabytes: number },
): Promise<SecondEngine> {
  const name = `edda${crypto.randomUUID().slice(0, 6)}`;
  const host = `reykjavik-${name}`;
  const shell = async (script: string, ...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await reykjavik(["bash", "-c", script, "sh", name, ...words]);
    if (code !== 0) throw new Error(`exit code ${code}: ${script}\n${stdout}${stderr}`);
    return stdout;
  };
  const docker = (words: readonly string[]): Promise<string> =>
    shell('name=$1; shift; docker -H "unix:///run/$name/docker.sock" "$@"', ...words);
  const start = async (): Promise<void> => {
    await shell(START);
    await poll(() => docker(["version"]).catch(() => ""), {
      what: `the engine of ${name}`,
      limitMs: 30_000,
    });
  };
  await shell(MAKE, String(megabytes));
  await start();
  const alias = await addHost(host, { port: 22, hostName: "10.77.0.2", user: name });
  return {
    host,
    docker,
    async addProgram(program, script): Promise<void> {
      const path = `/home/${name}/bin/${program}`;
      await shell('printf %s "$3" > "$2"; chmod +x "$2"', path, `#!/bin/bash\n${script}\n`);
    },
    async onlyPrograms(names): Promise<void> {
      await shell(
        `cd "/home/$1/bin"; for name in "\${@:2}"; do ln -s "$(command -v "$name")" .; done
         sed -i 's/:\\$PATH//' "/home/$1/.bashrc"`,
        ...names,
      );
    },
    async restart(): Promise<void> {
      await shell(
        'kill -KILL "$(cat "/run/$1/docker.pid")" "$(cat "/run/$1/exec/containerd/containerd.pid")"',
      );
      await start();
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await alias[Symbol.asyncDispose]();
      await shell(STOP);
      await shell(REMOVE);
    },
  };
}
