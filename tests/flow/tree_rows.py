#!/usr/bin/env python3
"""What a directory holds, a line for each path: type, mode, owner, size, device, link, capabilities, digest, and the first of the
names that it shares with others. tree_rows.py DIR [image-files.json]: with the second, also that `nacre image files --json`
says the same of it."""
import hashlib, json, os, stat, sys

KINDS = {stat.S_IFREG: "0", stat.S_IFLNK: "2", stat.S_IFCHR: "3", stat.S_IFBLK: "4", stat.S_IFDIR: "5", stat.S_IFIFO: "6"}


def rows_of(root):
    out, first = {}, {}
    paths = []
    for folder, folders, files in os.walk(root):
        paths += [os.path.join(folder, name) for name in folders + files]
    for path in sorted(paths):
        status, name = os.lstat(path), os.path.relpath(path, root)
        kind = KINDS[stat.S_IFMT(status.st_mode)]
        row = {"type": kind, "mode": f"{stat.S_IMODE(status.st_mode):04o}", "uid": status.st_uid, "gid": status.st_gid}
        if kind == "2":
            row["link"] = os.readlink(path)
            row["mode"] = "0777"
        if kind in "34":
            row["device"] = [os.major(status.st_rdev), os.minor(status.st_rdev)]
        if kind == "0":
            row["size"] = status.st_size
            with open(path, "rb") as file:
                row["sha256"] = hashlib.sha256(file.read()).hexdigest()
            row["same"] = first.setdefault(status.st_ino, name)
            row["names"] = status.st_nlink
            try:
                row["capability"] = os.getxattr(path, "security.capability").hex()
            except OSError:
                pass
        out[name] = row
    return out


def main():
    found = rows_of(sys.argv[1])
    for name, row in sorted(found.items()):
        print(name, json.dumps(row, sort_keys=True))
    if len(sys.argv) < 3:
        return
    with open(sys.argv[2]) as file:
        said = {row["path"]: row for row in json.load(file)}
    wrong = sorted(set(said) ^ set(found))
    for name in set(said) & set(found):
        row, other = found[name], said[name]
        for key in ("type", "mode", "uid", "gid", "link", "size"):
            if key == "mode" and row["type"] == "2" or key not in row:
                continue
            if str(row[key]) != str(other.get(key)):
                wrong.append(f"{name}: {key} is {row[key]}, image files says {other.get(key)}")
    if wrong:
        sys.exit("differs from `nacre image files`:\n" + "\n".join(wrong[:20]))


main()
