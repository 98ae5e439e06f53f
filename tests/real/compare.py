#!/usr/bin/env python3
"""Packages of two builds of one definition side by side: file list, types, modes, owners, link targets, depends, provides.

    compare.py DIR-OF-OURS DIR-OF-THE-REFERENCE

Prints one line for each difference; exit 1 when there is one. File contents are not compared: two builds embed their own
times and paths.
"""
import io
import pathlib
import sys
import tarfile
import zlib

def segments(path):
    """The gzip members of an .apk, each as its tar bytes."""
    data = path.read_bytes()
    while data:
        stream = zlib.decompressobj(31)
        out = stream.decompress(data) + stream.flush()
        yield out
        data = stream.unused_data


def read(path):
    """(fields of .PKGINFO, {path: (type, mode, owner, link)}) of a package."""
    fields, files = {}, {}
    for part in segments(path):
        # A segment may stop without end-of-archive blocks.
        with tarfile.open(fileobj=io.BytesIO(part + b"\0" * 1024), mode="r:") as archive:
            for entry in archive:
                if entry.name == ".PKGINFO":
                    for line in archive.extractfile(entry).read().decode().splitlines():
                        if " = " in line and not line.startswith("#"):
                            key, value = line.split(" = ", 1)
                            fields.setdefault(key, set()).add(value)
                elif not entry.name.startswith("."):
                    files[entry.name.rstrip("/")] = (entry.type.decode(), f"{entry.mode & 0o7777:04o}",
                                                     f"{entry.uid}:{entry.gid}", entry.linkname)
    return fields, files


def compare(name, ours, theirs):
    for key in ("depend", "provides", "replaces", "pkgver", "arch", "license", "origin"):
        mine, other = ours[0].get(key, set()), theirs[0].get(key, set())
        for value in sorted(mine - other):
            yield f"{name}: {key}: only ours: {value}"
        for value in sorted(other - mine):
            yield f"{name}: {key}: only the reference's: {value}"
    for path in sorted(set(ours[1]) | set(theirs[1])):
        mine, other = ours[1].get(path), theirs[1].get(path)
        if mine is None or other is None:
            yield f"{name}: file: only {'ours' if other is None else 'the reference' + chr(39) + 's'}: {path}"
        elif mine != other:
            yield f"{name}: file: {path}: {' '.join(mine)} / {' '.join(other)}"


def main():
    mine, other = (pathlib.Path(word) for word in sys.argv[1:3])
    names = {p.name for p in mine.rglob("*.apk")} | {p.name for p in other.rglob("*.apk")}
    found = 0
    for name in sorted(names):
        pair = [next(folder.rglob(name), None) for folder in (mine, other)]
        if None in pair:
            print(f"{name}: only {'ours' if pair[1] is None else 'the reference' + chr(39) + 's'}")
            found += 1
            continue
        for line in compare(name, read(pair[0]), read(pair[1])):
            print(line)
            found += 1
    print(f"{len(names)} packages, {found} differences")
    return 1 if found or not names else 0


if __name__ == "__main__":
    sys.exit(main())
