#!/usr/bin/env python3
"""Random solver cases, answered by nacre and by an apk program, output and all.

usage: beside_apk.py NACRE APK [COUNT [FIRST]]

Each case is written below a scratch directory in apk-tools' form: with what is installed, tags, upgrades and removals.
Prints each that is answered otherwise, and how many of how many agree. Exit code 1 when one differs.
"""
import base64
import hashlib
import os
import pathlib
import random
import subprocess
import sys
import tarfile
import tempfile

OPS = ["", "", "", "=", ">", "<", "~", ">=", "<="]


def record(rng, name, version, names):
    def some():
        return f"v{rng.randrange(3)}" if rng.randrange(4) == 0 else f"p{rng.randrange(names)}"

    def atom():
        op = rng.choice(OPS)
        return some() + (op + str(rng.randint(1, 3)) if op else "")

    lines = ["C:Q1" + base64.b64encode(hashlib.sha1(f"{name} {version} {rng.random()}".encode()).digest()).decode(),
             f"P:{name}", f"V:{version}", "S:10", "I:100"]
    needs = [("!" if rng.randrange(7) == 0 else "") + atom() for _ in range(rng.randrange(4))]
    if needs:
        lines.append("D:" + " ".join(dict.fromkeys(needs)))
    gives = []
    if rng.randrange(3) == 0:
        gives.append(f"v{rng.randrange(3)}")
    if rng.randrange(5) == 0:
        gives.append(f"v{rng.randrange(3)}={rng.randint(1, 3)}")
    if gives:
        lines.append("p:" + " ".join(gives))
    if rng.randrange(10) == 0:
        lines.append(f"i:{some()} {some()}")
    if rng.randrange(3) == 0:
        lines.append(f"k:{rng.randint(1, 3)}")
    return "\n".join(lines) + "\n"


def write_case(folder, seed):
    rng = random.Random(seed)
    names = rng.randint(3, 9)
    packages = [(f"p{i}", str(v)) for i in range(names) for v in range(1, 1 + rng.randint(1, 3))]
    main, tagged = [], []
    for name, version in packages:
        (tagged if rng.randrange(8) == 0 else main).append(record(rng, name, version, names))
    (folder / "main.repo").write_text("\n".join(main))
    (folder / "tagged.repo").write_text("\n".join(tagged))
    world = list(dict.fromkeys(f"p{rng.randrange(names)}" for _ in range(rng.randint(1, 3))))
    lines = ["@REPO main.repo", "@REPO @t tagged.repo"]
    kind = rng.randrange(4)
    if kind == 0:  # something is installed already
        have = {}
        for text in main:
            name = text.split("\nP:")[1].split("\n")[0]
            if rng.randrange(3) == 0:
                have.setdefault(name, text)
        (folder / "some.installed").write_text("\n".join(have.values()))
        lines += ["@INSTALLED some.installed", "@WORLD " + " ".join(have or world)]
        lines.insert(0, rng.choice(["@ARGS upgrade", "@ARGS upgrade -a", f"@ARGS add {world[0]}", f"@ARGS del {world[0]}",
                                    f"@ARGS add -u {world[0]}", f"@ARGS fix {world[0]}"]))
    else:
        atoms = []
        for name in world:
            op = rng.choice(OPS)
            tag = "@t" if rng.randrange(5) == 0 else ""
            atoms.append(("!" if rng.randrange(10) == 0 else "") + name + tag + (op + str(rng.randint(1, 3)) if op else ""))
        if rng.randrange(5) == 0:
            atoms.append(f"v{rng.randrange(3)}")
        lines.insert(0, "@ARGS add " + " ".join(atoms))
    case = folder / "random.test"
    case.write_text("\n".join(lines) + "\n@EXPECT\n")
    return case, lines


def ask_apk(apk, folder, lines):
    with tempfile.TemporaryDirectory() as root:
        root = pathlib.Path(root)
        for part in ("etc/apk/cache", "lib/apk/db", "var/log", "tmp"):
            (root / part).mkdir(parents=True)
        (root / "lib/apk/db/installed").write_text("")
        (root / "etc/apk/world").write_text("")
        repositories, arguments = [], []
        for line in lines:
            words = line.split()
            if words[0] == "@ARGS":
                arguments = words[1:]
            elif words[0] == "@WORLD":
                (root / "etc/apk/world").write_text("\n".join(words[1:]) + "\n")
            elif words[0] == "@INSTALLED":
                (root / "lib/apk/db/installed").write_text((folder / words[1]).read_text() + "\n")
            else:
                file = folder / words[-1]
                packed = f"{file}.tar.gz"
                with tarfile.open(packed, "w:gz") as archive:
                    archive.add(file, "APKINDEX")
                repositories.append(" ".join(words[1:-1] + [f"test:/{packed}"]))
        (root / "etc/apk/repositories").write_text("\n".join(repositories) + "\n")
        done = subprocess.run([apk, "--root", str(root), "--repositories-file", str(root / "etc/apk/repositories"), "--no-cache",
                               "--allow-untrusted", "--simulate", "--root-tmpfs=no", *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.stdout


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    nacre, apk = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 500
    first = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    same = 0
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(first, first + count):
            folder = pathlib.Path(scratch) / str(seed)
            folder.mkdir()
            case, lines = write_case(folder, seed)
            case.write_text("\n".join(lines) + "\n@EXPECT\n" + ask_apk(apk, folder, lines))
            ours = subprocess.run([nacre, "solve", "--case", str(case)], capture_output=True, text=True, check=False)
            if ours.returncode == 0:
                same += 1
            else:
                print(f"seed {seed}: {lines[0]}\n{ours.stdout}{ours.stderr}")
    print(f"{same} of {count} random cases answered alike")
    sys.exit(same != count)


if __name__ == "__main__":
    main()
