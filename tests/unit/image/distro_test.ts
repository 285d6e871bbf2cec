import assert from "node:assert/strict";
import { distroOfName, distroOfRelease } from "../../../src/image/distro.ts";

for (
  const [what, release, expected] of [
    ["debian", 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n', {
      id: "debian",
      distro: "debian",
    }],
    ["ubuntu", 'NAME="Ubuntu"\nVERSION_ID="24.04"\nID=ubuntu\nID_LIKE=debian\n', {
      id: "ubuntu",
      distro: "debian",
    }],
    ["linuxmint", 'ID=linuxmint\nID_LIKE="ubuntu debian"\n', {
      id: "linuxmint",
      distro: "debian",
    }],
    ["alpine", 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.3\n', {
      id: "alpine",
      distro: "alpine",
    }],
    ["wolfi", 'ID=wolfi\nNAME="Wolfi"\nVERSION_ID="20230201"\n', { id: "wolfi", distro: "alpine" }],
    ["fedora", 'NAME="Fedora Linux"\nID=fedora\nVERSION_ID=41\n', {
      id: "fedora",
      distro: "fedora",
    }],
    ["rocky", 'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\n', {
      id: "rocky",
      distro: "fedora",
    }],
    ["ubi", 'NAME="Red Hat Enterprise Linux"\nID="rhel"\nID_LIKE="fedora"\n', {
      id: "rhel",
      distro: "fedora",
    }],
    ["oracle", 'ID="ol"\nID_LIKE="fedora"\n', { id: "ol", distro: "fedora" }],
    ["amazon 2", 'NAME="Amazon Linux"\nVERSION="2"\nID="amzn"\nID_LIKE="centos rhel fedora"\n', {
      id: "amzn",
      distro: "fedora",
    }],
    ["amazon 2023", 'ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"\n', {
      id: "amzn",
      distro: "fedora",
    }],
    ["opensuse leap", 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', {
      id: "opensuse-leap",
      distro: "opensuse",
    }],
    ["opensuse tumbleweed", 'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', {
      id: "opensuse-tumbleweed",
      distro: "opensuse",
    }],
    ["sles", 'NAME="SLES"\nID="sles"\nID_LIKE="suse"\n', { id: "sles", distro: "opensuse" }],
    ["arch", 'NAME="Arch Linux"\nID=arch\nBUILD_ID=rolling\n', { id: "arch", distro: "arch" }],
    ["manjaro", "ID=manjaro\nID_LIKE=arch\n", { id: "manjaro", distro: "arch" }],
    ["single quotes", "ID='alpine'\n", { id: "alpine", distro: "alpine" }],
    ["a tar header before it", "os-release\n\n0100644\n\nID=debian\n\n\n", {
      id: "debian",
      distro: "debian",
    }],
    ["an unknown one", 'ID=gentoo\nNAME="Gentoo"\n', { id: "gentoo", distro: undefined }],
    ["an object's own word", "ID=constructor\nID_LIKE=__proto__\n", {
      id: "constructor",
      distro: undefined,
    }],
    ["nothing", "", { id: "", distro: undefined }],
  ] as const
) {
  Deno.test(`distroOfRelease() knows ${what}`, () => {
    assert.deepEqual(distroOfRelease(release), expected);
  });
}

Deno.test("distroOfName() takes what users write for --distro", () => {
  assert.deepEqual(
    ["Ubuntu", "debian", "wolfi", "rocky", "amzn", "sles", "arch", "gentoo", "toString", ""]
      .map(distroOfName),
    [
      "debian",
      "debian",
      "alpine",
      "fedora",
      "fedora",
      "opensuse",
      "arch",
      ...Array(3).fill(undefined),
    ],
  );
});
