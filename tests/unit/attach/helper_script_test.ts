// deno-lint-ignore-file no-sync-fn-in-async-fn -- a test may block
import assert from "node:assert/strict";
import helper from "../../../src/attach/helper.sh" with { type: "text" };
import sftp from "../../../src/attach/sftp.sh" with { type: "text" };
import { system, type TemporaryDir, temporaryDir } from "../fixture.ts";

interface Process {
  readonly mounts: string;
  readonly cmdline?: string;
  readonly cgroup?: string;
  readonly started?: number;
}

/** A /proc with these processes, one of which looks at it; a sleep that takes no time, and counts itself. */
function machine(processes: Readonly<Record<string, Process>>): TemporaryDir {
  const dir = temporaryDir();
  for (
    const [pid, { mounts, cmdline = "sh", cgroup = "/", started = 5 }] of Object.entries(processes)
  ) {
    const proc = `${dir.path}/proc/${pid}`;
    Deno.mkdirSync(`${proc}/ns`, { recursive: true });
    Deno.mkdirSync(`${proc}/root`);
    Deno.symlinkSync(`mnt:[${mounts}]`, `${proc}/ns/mnt`);
    Deno.writeTextFileSync(`${proc}/cmdline`, cmdline.replaceAll(" ", "\0"));
    Deno.writeTextFileSync(`${proc}/cgroup`, `0::${cgroup}\n`);
    Deno.writeTextFileSync(`${proc}/mountinfo`, "1 0 0:1 / / rw - overlay overlay rw\n");
    const fields = ["S", ...Array(18).fill("0"), String(started), "0"];
    Deno.writeTextFileSync(`${proc}/stat`, `${pid} (a ) b) ${fields.join(" ")}\n`);
  }
  Deno.mkdirSync(`${dir.path}/bin`);
  Deno.writeTextFileSync(
    `${dir.path}/bin/sleep`,
    `#!/bin/sh\necho >>${dir.path}/slept\n[ "$(wc -l <${dir.path}/slept)" -lt 30 ] || kill -TERM $PPID\n`,
    { mode: 0o755 },
  );
  return dir;
}

function there(text: string, { path }: TemporaryDir): string {
  return text.replaceAll("/proc/", `${path}/proc/`).replaceAll(
    "/etc/dockerdo/target",
    `${path}/target`,
  );
}

const SERVED = "sshd -i -f /etc/dockerdo/sshd_config";

for (const shell of [["dash"], ["busybox", "sh"]]) {
  const cases: Record<string, [Readonly<Record<string, Process>>, pauses: number]> = {
    "ends without a client, after twenty looks": [{}, 20],
    "stays while a client of its own is connected": [{ 7: { mounts: "1", cmdline: SERVED } }, 30],
    "ends in spite of another helper's client": [{ 7: { mounts: "2", cmdline: SERVED } }, 20],
  };
  for (const [name, [processes, pauses]] of Object.entries(cases)) {
    Deno.test(`${shell.join(" ")}: the helper of an attached container ${name}`, async () => {
      using dir = machine({ self: { mounts: "1" }, ...processes });
      const { code } = await system(
        [...shell, "-c", there(helper, dir), "helper", "c0ffee", "app"],
        {
          env: { PATH: `${dir.path}/bin:${Deno.env.get("PATH")}` },
        },
      );
      const slept = Deno.readTextFileSync(`${dir.path}/slept`).length;
      assert.deepEqual({ code, slept }, { code: 0, slept: pauses });
      assert.equal(Deno.readTextFileSync(`${dir.path}/target`), "c0ffee app\n");
    });
  }

  Deno.test(`${shell.join(" ")}: the files served are those of the container's first process`, async () => {
    using dir = machine({
      self: { mounts: "1" },
      // The text order of the numbers is not theirs, nor is it the age.
      10: { mounts: "3", cgroup: "/docker/c0ffee/docker/beef", started: 900 },
      30: { mounts: "4", cgroup: "/docker/c0ffee", started: 901 },
      31: { mounts: "1", cgroup: "/docker/c0ffee", started: 1 },
      4: { mounts: "2", cgroup: "/docker/decade", started: 2 },
      9: { mounts: "2", cgroup: "/docker/c0ffee", started: 100 },
    });
    Deno.writeTextFileSync(`${dir.path}/target`, "c0ffee app\n");
    const beginning = sftp.slice(0, sftp.indexOf('[ -n "$target" ]'));
    const { stdout } = await system([...shell, "-c", `${there(beginning, dir)}echo "$target"`]);
    assert.equal(stdout, "9\n");
  });
}
