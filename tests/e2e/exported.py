"""Reads `docker export` on stdin and prints what is in it as JSON.

{"entries": {path: [type, mode, owner, group, what, capabilities]}, "texts": {path: text}, "marked": [path]}: `what`
is a digest, a link's target or a device's numbers. Paths are in latin-1, a byte a character. Arguments are words
that no file may hold; files that hold one are `marked`.
"""
import hashlib
import json
import re
import sys
import tarfile

TEXTS = {
    "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid", "/etc/shells",
    "/var/lib/dpkg/status", "/var/lib/apt/extended_states",
}
words = [word.encode() for word in sys.argv[1:]]
entries, texts, marked, links = {}, {}, [], []


def names(path):
    found = {}
    for line in texts.get(path, "").splitlines():
        fields = line.split(":")
        if len(fields) > 2:
            found.setdefault(int(fields[2]), fields[0])
    return found


with tarfile.open(fileobj=sys.stdin.buffer, mode="r|", encoding="latin-1") as tar:
    for member in tar:
        path = "/" + member.name.strip("/").removeprefix("./")
        capabilities = member.pax_headers.get("SCHILY.xattr.security.capability", "")
        # Flags and versions stay; what else is in the value is padding.
        entry = ["?", member.mode & 0o7777, member.uid, member.gid, "", capabilities.encode("latin-1").hex()]
        if member.isreg():
            data = tar.extractfile(member).read()
            # dpkg forgets directories that are missing, as documentation is in an image, when it reads these again.
            counted = b"".join(sorted(
                line for line in data.splitlines(True) if not re.match(rb"/usr/share/(doc|man|locale)(/|$)", line)
            )) if path.startswith("/var/lib/dpkg/info/") and path.endswith(".list") else data
            entry[0], entry[4] = "f", hashlib.sha256(counted).hexdigest()
            if path in TEXTS:
                texts[path] = data.decode("latin-1")
            if any(word in data for word in words):
                marked.append(path)
        elif member.islnk():
            links.append((path, "/" + member.linkname.strip("/").removeprefix("./")))
            continue
        elif member.issym():
            entry[0], entry[1], entry[4] = "l", 0o777, member.linkname
        elif member.isdir():
            entry[0] = "d"
        elif member.isfifo():
            entry[0] = "p"
        elif member.isdev():
            entry[0], entry[4] = "c" if member.ischr() else "b", f"{member.devmajor}:{member.devminor}"
        entries[path] = entry
for path, target in links:
    entries[path] = list(entries[target])
users, groups = names("/etc/passwd"), names("/etc/group")
for entry in entries.values():
    entry[2], entry[3] = users.get(entry[2], str(entry[2])), groups.get(entry[3], str(entry[3]))
json.dump({"entries": entries, "texts": texts, "marked": marked}, sys.stdout)
