#!/usr/bin/env python3
"""Random worlds, answered by nacre and by libsolv in its apk mode; a small checker of apk's rules judges both.

usage: beside_libsolv.py NACRE APK2SOLV TESTSOLV [COUNT [FIRST]]

APK2SOLV and TESTSOLV are libsolv's tools, built with -DENABLE_APK=ON -DMULTI_SEMANTICS=ON (Debian's binaries are built
without). A difference counts against nacre when its set breaks a rule, or when it says no where libsolv's set breaks
none. Exit code 1 when one does.
"""
import base64
import collections
import hashlib
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tarfile
import tempfile

OPS = ["", "", "", "=", ">", "<", ">=", "<="]
ATOM = re.compile(r"(!?)([a-z0-9]+)(>=|<=|=|>|<)?(\d+)?$")


class Package:
    def __init__(self, name, version, needs, gives, companions):
        self.name, self.version, self.needs, self.gives, self.companions = name, version, needs, gives, companions


def make_packages(rng):
    names = rng.randint(3, 9)

    def atom():
        name = f"v{rng.randrange(3)}" if rng.randrange(4) == 0 else f"p{rng.randrange(names)}"
        op = rng.choice(OPS)
        return name + (op + str(rng.randint(1, 3)) if op else "")

    packages = []
    for name, version in [(f"p{i}", v) for i in range(names) for v in range(1, 1 + rng.randint(1, 3))]:
        needs = [("!" if rng.randrange(7) == 0 else "") + atom() for _ in range(rng.randrange(4))]
        gives = [f"v{rng.randrange(3)}"] if rng.randrange(3) == 0 else []
        if rng.randrange(5) == 0:
            gives.append(f"v{rng.randrange(3)}={rng.randint(1, 3)}")
        companions = [f"p{rng.randrange(names)}", f"p{rng.randrange(names)}"] if rng.randrange(10) == 0 else []
        packages.append(Package(name, version, list(dict.fromkeys(needs)), gives, companions))
    world = list(dict.fromkeys(atom() for _ in range(rng.randint(1, 3))))
    return packages, world


def index_text(packages):
    records = []
    for p in packages:
        digest = hashlib.sha1(f"{p.name}-{p.version}".encode()).digest()
        lines = ["C:Q1" + base64.b64encode(digest).decode(), f"P:{p.name}", f"V:{p.version}", "A:x86_64", "S:10", "I:100"]
        lines += ["D:" + " ".join(p.needs)] if p.needs else []
        lines += ["p:" + " ".join(p.gives)] if p.gives else []
        lines += ["i:" + " ".join(p.companions)] if p.companions else []
        lines += ["k:1"]  # else apk takes none that merely provides a name, a rule that libsolv has not
        records.append("\n".join(lines) + "\n")
    return "\n".join(records) + "\n"


def gives_name(package, name):
    """Versions under which a package has the name; None: without a version."""
    found = [package.version] if package.name == name else []
    for word in package.gives:
        given, _, version = word.partition("=")
        if given == name:
            found.append(int(version) if version else None)
    return found


def satisfies(package, atom):
    _, name, op, wanted = ATOM.match(atom).groups()
    for version in gives_name(package, name):
        if not op:
            return True
        have = -1 if version is None else version  # apk reads a provide without a version as older than any
        if {"=": have == int(wanted), ">": have > int(wanted), "<": have < int(wanted),
            ">=": have >= int(wanted), "<=": have <= int(wanted)}[op]:
            return True
    return False


def faults(chosen, packages, world):
    """What of apk's rules a set of packages breaks."""
    broken = []
    for who, atoms in [("world", world)] + [(f"{p.name}-{p.version}", p.needs) for p in chosen]:
        for atom in atoms:
            if atom.startswith("!"):
                broken += [f"{who}: {atom} beside {p.name}-{p.version}" for p in chosen
                           if satisfies(p, atom[1:]) and f"{p.name}-{p.version}" != who]
            elif not any(satisfies(p, atom) for p in chosen):
                broken.append(f"{who}: nothing gives {atom}")
    # Several may give one name only where all give it without a version.
    owners = collections.defaultdict(dict)
    for p in chosen:
        for word in [f"{p.name}={p.version}"] + p.gives:
            name, _, version = word.partition("=")
            owners[name].setdefault(p, []).append(version)
    for name, gives in owners.items():
        if len(gives) > 1 and any(version for versions in gives.values() for version in versions):
            broken.append(f"{len(gives)} packages give {name}, and one with a version")
    return broken


def ask_libsolv(apk2solv, testsolv, folder, world):
    with open(folder / "index.tar.gz", "rb") as index, open(folder / "r.solv", "wb") as out:
        subprocess.run([apk2solv, "-r"], stdin=index, stdout=out, check=True)
    jobs = []
    for atom in world:
        refused, name, op, version = ATOM.match(atom).groups()
        jobs.append(f"job {'conflict' if refused else 'install'} provides {name}" + (f" {op} {version}" if op else ""))
    (folder / "case.t").write_text("repo r 0 solv r.solv\nsystem x86_64 apk\n" + "\n".join(jobs) + "\nresult transaction,problems <inline>\n")
    done = subprocess.run([testsolv, "-r", str(folder / "case.t")], capture_output=True, text=True, check=False)
    if "problem" in done.stdout:
        return None
    return set(re.findall(r"^install (\w+)-(\d+)\.", done.stdout, re.M))


def ask_nacre(nacre, folder, world):
    done = subprocess.run([nacre, "solve", "--json", "--arch", "x86_64", "-r", str(folder / "index.tar.gz"), *world],
                          capture_output=True, text=True, check=False)
    if done.returncode in (3, 4):
        return None
    if done.returncode:
        sys.exit(f"nacre solve ended with {done.returncode}: {done.stderr}")
    return {(p["name"], p["version"]) for p in json.loads(done.stdout)[0]["packages"]}


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    nacre, apk2solv, testsolv = (os.path.abspath(word) for word in sys.argv[1:4])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 500
    first = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    tally = collections.Counter()
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(first, first + count):
            folder = pathlib.Path(scratch) / str(seed)
            folder.mkdir()
            packages, world = make_packages(random.Random(seed))
            (folder / "APKINDEX").write_text(index_text(packages))
            with tarfile.open(folder / "index.tar.gz", "w:gz") as archive:
                archive.add(folder / "APKINDEX", "APKINDEX")
            by_name = {(p.name, str(p.version)): p for p in packages}
            ours, theirs = ask_nacre(nacre, folder, world), ask_libsolv(apk2solv, testsolv, folder, world)
            of_ours = faults([by_name[key] for key in ours], packages, world) if ours is not None else []
            of_theirs = faults([by_name[key] for key in theirs], packages, world) if theirs is not None else []
            if of_ours:
                tally["wrong"] += 1
                print(f"seed {seed}: {world}: nacre's answer breaks a rule: {of_ours}")
            elif ours is None and theirs is not None and not of_theirs:
                tally["wrong"] += 1
                print(f"seed {seed}: {world}: nacre says no, libsolv's answer breaks no rule: {sorted(theirs)}")
            elif ours is None and theirs is not None:
                tally["no, where libsolv's set breaks a rule of apk's"] += 1
            elif ours is not None and theirs is None:
                tally["yes, and no rule broken, where libsolv says no"] += 1
            else:
                tally["both no" if ours is None else "same set" if ours == theirs else "both yes, other packages"] += 1
    for what, number in sorted(tally.items()):
        print(f"{number:6} {what}")
    sys.exit(tally["wrong"] > 0)


main()
