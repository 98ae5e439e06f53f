#!/usr/bin/env python3
"""Refuses an include that goes up the house: a room may include only rooms with a smaller number.

The numbers are those that src/CMakeLists.txt gives beside each room. Two rooms of one number do not include each
other. Only a few rooms may include net (src/CMakeLists.txt is the list of rooms, NET_USERS below of its users).
"""
import pathlib
import re
import sys

NET_USERS = {"net", "store", "engine", "build", "worker", "index", "image", "publish", "watch", "farm", "cli"}

src = pathlib.Path(__file__).resolve().parent.parent / "src"
number = {m[1]: int(m[2]) for m in re.finditer(r"^    (\w+)\)?\s+# (\d+)", (src / "CMakeLists.txt").read_text(), re.M)}
bad = []
for file in sorted(src.rglob("*.[ch]*")):
    room = file.relative_to(src).parts[0]
    if room not in number:
        continue
    for line_number, line in enumerate(file.read_text().splitlines(), 1):
        include = re.match(r'#include "(\w+)/', line)
        if not include or include[1] == room or include[1] not in number:
            continue
        where = f"{file.relative_to(src.parent)}:{line_number}"
        if number[include[1]] >= number[room]:
            bad.append(f"{where}: {room} ({number[room]}) includes {include[1]} ({number[include[1]]})")
        if include[1] == "net" and room not in NET_USERS:
            bad.append(f"{where}: {room} does no I/O over the network, and includes net")
print("\n".join(bad) or f"{len(number)} rooms, no include goes up")
sys.exit(bool(bad))
