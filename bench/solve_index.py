#!/usr/bin/env python3
"""Writes an APKINDEX as large as a large distribution's, and a world for it.

usage: solve_index.py FOLDER [PACKAGES [WORLD]]

FOLDER/x86_64/APKINDEX.tar.gz, FOLDER/APKINDEX (the text) and FOLDER/world. The shape is a real one's: layers of libraries
that packages need by `so:` names, commands, development packages, several versions of most, a few virtual names.
"""
import base64
import hashlib
import io
import pathlib
import random
import sys
import tarfile

folder = pathlib.Path(sys.argv[1])
count = int(sys.argv[2]) if len(sys.argv) > 2 else 30000
asked = int(sys.argv[3]) if len(sys.argv) > 3 else 300
rng = random.Random(20261124)

records, names, libraries = [], [], []
while len(records) < count:
    i = len(names)
    name = f"package-{i:05}"
    library = rng.randrange(3) == 0
    needs = set()
    if libraries:
        for _ in range(rng.randint(1, 6)):  # popular ones are needed more often
            needs.add("so:" + libraries[int(len(libraries) * rng.random() ** 8)])
    for _ in range(rng.randrange(3)):
        if names:
            needs.add(names[int(len(names) * rng.random() ** 6)])
    for version in range(rng.randint(1, 4)):
        full = f"{1 + i % 7}.{version}.{i % 10}-r{rng.randrange(4)}"
        gives = [f"cmd:{name}={full}", f"pc:{name}={1 + i % 7}.{version}"]
        if library:
            gives.append(f"so:lib{i}.so.1={1}.{version}")
        if i % 400 == 0:
            gives.append("virtual-service")
        digest = base64.b64encode(hashlib.sha1(f"{name} {full}".encode()).digest()).decode()
        records.append("\n".join([
            f"C:Q1{digest}", f"P:{name}", f"V:{full}", "A:x86_64", "S:123456", "I:654321", f"T:one of many, {name}",
            f"U:https://example.org/{name}", "L:MIT", f"o:{name}", "t:1700000000", "c:" + "0" * 40,
            "D:" + " ".join(sorted(needs)), "p:" + " ".join(gives)]) + "\n")
    if library:
        libraries.append(f"lib{i}.so.1")
    names.append(name)

text = "\n".join(records)
(folder / "x86_64").mkdir(parents=True, exist_ok=True)
(folder / "APKINDEX").write_text(text)
(folder / "world").write_text("\n".join(rng.sample(names, asked)) + "\n")
with tarfile.open(folder / "x86_64/APKINDEX.tar.gz", "w:gz") as archive:
    for name, data in (("DESCRIPTION", b"bench"), ("APKINDEX", text.encode())):
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
