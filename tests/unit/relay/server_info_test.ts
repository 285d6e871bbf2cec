import assert from "node:assert/strict";
import { parseMounts, parseProcAndSys } from "../../../src/relay/server_info.ts";

const MOUNTINFO = `700 600 0:52 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/x
701 700 0:55 / /proc rw,nosuid - proc proc rw
702 700 0:56 / /dev rw,nosuid - tmpfs tmpfs rw
705 700 0:59 / /sys ro,nosuid - sysfs sysfs ro
706 705 0:25 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw
710 700 254:1 /data /srv/my\\040data rw - ext4 /dev/vda1 rw
711 700 0:4 / /host/proc ro - proc proc rw
720 701 0:55 /bus /proc/bus ro,nosuid - proc proc rw
`;

Deno.test("what may be kept and what the kernel makes up is read from mountinfo (proc(5))", () => {
  assert.deepEqual([...parseMounts(MOUNTINFO)], [
    ["/proc", false],
    ["/dev", false],
    ["/sys", false],
    ["/sys/fs/cgroup", false],
    ["/srv/my data", true],
    ["/host/proc", false],
    ["/proc/bus", false],
  ]);
  assert.deepEqual([...parseProcAndSys(MOUNTINFO)], ["/proc", "/sys", "/host/proc"]);
});
