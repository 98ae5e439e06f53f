#!/usr/bin/env python3
"""Writes an unsigned APKINDEX.tar.gz of COUNT packages shaped like those of a large repository: make_index.py COUNT FILE."""
import base64
import gzip
import hashlib
import io
import random
import sys
import tarfile

count, file = int(sys.argv[1]), sys.argv[2]
rng = random.Random(5)
words = "lib py3 go rust data tools core net http json ssl crypto db sql test build font lang perl ruby node web ui".split()
names = [f"{rng.choice(words)}-{rng.choice(words)}{i}" for i in range(count)]
out = []
for i, name in enumerate(names):
    version = f"{rng.randrange(30)}.{rng.randrange(40)}.{rng.randrange(20)}-r{rng.randrange(9)}"
    checksum = "Q1" + base64.b64encode(hashlib.sha1(name.encode()).digest()).decode()
    depends = [f"so:libc.so.6"] + [f"so:lib{names[rng.randrange(count)]}.so.{rng.randrange(9)}" for _ in range(rng.randrange(12))]
    depends += [names[rng.randrange(count)] for _ in range(rng.randrange(4))]
    provides = [f"so:lib{name}.so.{rng.randrange(9)}=1.{i}", f"cmd:{name}={version}", f"pc:{name}={version}"][: rng.randrange(4)]
    out.append(
        f"C:{checksum}\nP:{name}\nV:{version}\nA:x86_64\nS:{rng.randrange(1000, 9999999)}\nI:{rng.randrange(1000, 99999999)}\n"
        f"T:The {name} package, one of many that a repository of this size holds\nU:https://example.org/{name}\n"
        f"L:Apache-2.0\no:{name}\nm:someone\nt:1700000000\nc:{hashlib.sha1(str(i // 3).encode()).hexdigest()}\n"
        f"D:{' '.join(depends)}\n" + (f"p:{' '.join(provides)}\n" if provides else "") + "\n")
# The last one can be installed: it needs nothing.
out[-1] = "\n".join(row for row in out[-1].replace(names[-1], "leaf").split("\n") if not row.startswith("D:"))
text = "".join(out).encode()
buffer = io.BytesIO()
with tarfile.open(fileobj=buffer, mode="w") as tar:
    for entry, content in (("DESCRIPTION", b"large"), ("APKINDEX", text)):
        info = tarfile.TarInfo(entry)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
with open(file, "wb") as target:
    target.write(gzip.compress(buffer.getvalue(), 6, mtime=0))
