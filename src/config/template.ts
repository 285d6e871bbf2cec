import type { UserConfig } from "./schema.ts";

interface Setting {
  /** As it stands in the file. */
  readonly value: string;
  readonly about: string;
}

/** Every key of the configuration with its default, in the order in which they matter. */
export const SETTINGS: Readonly<Record<keyof UserConfig, Setting>> = {
  default_image: { value: "ubuntu:latest", about: "The base image of a session." },
  default_remote_host: {
    value: "",
    about: "The remote host of a session: HOST, USER@HOST or a name of ~/.ssh/config.",
  },
  default_distro: {
    value: "",
    about: "The distribution of base images that no engine has yet: debian, alpine, fedora …",
  },
  default_docker_registry: {
    value: "",
    about: "A registry to push to and to pull from; without one the image goes over ssh.",
  },
  default_docker_run_args: {
    value: '""',
    about: "Arguments for every docker run: a line as for a shell, or a list.",
  },
  default_image_name_template: {
    value: '"dockerdo-{base_image}:{base_image_tag}-{session_name}"',
    about: "The name and tag of a session's image.",
  },
  default_connect: {
    value: "exec",
    about: "How sshd is reached: exec (by docker exec) or port (on a loopback port of the host).",
  },
  default_mount: {
    value: "relay",
    about: "How sshfs mounts: relay (with a relay that caches) or plain (by itself).",
  },
  ssh_key_path: {
    value: "",
    about: "Your public key; without one the agent's first, else that of ~/.ssh.",
  },
  always_interactive: {
    value: "false",
    about: "Accepted from old files; a terminal is found by itself.",
  },
  always_record_inotify: {
    value: "true",
    about: "Whether a new session records local edits through the mount; see history.",
  },
  default_remote_delay: { value: "0", about: "Accepted from old files; nothing waits." },
};

/** A configuration file that has every key in it and sets none. */
export function configTemplate(): string {
  const keys = Object.entries(SETTINGS).map(([key, { value, about }]) =>
    `\n# ${about}\n# ${key}:${value === "" ? "" : ` ${value}`}\n`
  );
  return `# Configuration of dockerdo: take the # away in front of what you want to change.\n${
    keys.join("")
  }`;
}
