#!/usr/bin/env python3
"""Builds and tests public definitions as they are, against the names of os/compat, and prints a table.

    build_all.py --definitions DIR --work DIR [--nacre PROGRAM] [--again] NAME … | @FILE

--definitions holds NAME.yaml and pipelines/. Sources come from where NACRE_SOURCE_MIRRORS says, and from Debian's archive.
A definition with a result below --work is not built again unless --again is given or its file changed. What each needs of
the network is its own: package managers of Go, Rust, Node get it, nobody else.
"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
NEEDS_NETWORK = re.compile(r"uses: *(go/|cargo/|npm/)|\b(go (build|install)|cargo (auditable )?build|npm (ci|install))\b")
SYSTEMS = (("R/build", "R"), ("phpize", "php"), ("cargo/build", "cargo"), ("cargo ", "cargo"), ("go/build", "go"),
           ("ruby/build", "ruby gem"), ("perl/", "perl"), ("py/pip-build-install", "python pip"), ("npm", "npm"), ("meson/", "meson"), ("cmake", "cmake"),
           ("autoconf/configure", "autotools"), ("autogen", "autotools"), ("./configure", "configure"),
           ("autoconf/make", "make"), ("go build", "go"), ("make", "make"))


def seconds(text):
    """'2.3 s', '760 ms', '1 min 03 s'."""
    total = 0.0
    for value, unit in re.findall(r"([0-9.]+) (min|ms|s|h)\b", text):
        total += float(value) * {"ms": 0.001, "s": 1, "min": 60, "h": 3600}[unit]
    return total


def system_of(text):
    body = text.split("\ntest:")[0]
    return next((name for mark, name in SYSTEMS if mark in body), "shell")


ONCE = re.compile(r"^done +stage0\b.* \((.*?)\)$", re.M)  # the packages of the table, made for whichever definition came first


def times_of(name, said):
    """What the log says of each step, against the time of the build around them."""
    guest = re.search(rf"^done +build {re.escape(name)}: \d+ steps(?:, states.*?)? \(([^()]*)\)$", said, re.M)
    if not guest:
        return {}
    within = said[:guest.start()]
    begin = max(within.rfind("done     fetch"), within.rfind("done     stage0"), 0)
    steps = re.findall(r"^done +(?! |fetch|build |package |stage0|git clone)(.*?): .* \((.*?)\)$", within[begin:], re.M)
    spent = round(sum(seconds(time) for _, time in steps), 2)
    return {"steps": len(steps), "step_seconds": spent, "overhead": round(seconds(guest.group(1)) - spent, 2)}


def distribution(work):
    """A directory as NACRE_OS_DIR wants it: the table of the field's names, our pipelines, no definitions."""
    folder = work / "distribution"
    (folder / "packages").mkdir(parents=True, exist_ok=True)
    for name, target in (("stage0.yaml", "os/compat/stage0.yaml"), ("files", "os/compat/files"),
                         ("sources.lock", "os/compat/sources.lock"), ("pipelines", "os/pipelines")):
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(ROOT / target)
    return folder


def run(command, log, environment, limit):
    began = time.monotonic()
    with open(log, "w") as out:
        try:
            code = subprocess.run(command, stdout=out, stderr=out, env=environment, timeout=limit).returncode
        except subprocess.TimeoutExpired:
            code = 124
            out.write(f"nacre: stopped after {limit} s\n")
    return code, time.monotonic() - began, pathlib.Path(log).read_text(errors="replace")


def reason(text):
    """What the program said, short."""
    lines = text.splitlines()
    at = next((i for i, line in enumerate(lines) if line.startswith("nacre: ")), None)
    if at is None:
        return lines[-1] if lines else "nothing said"
    said = re.sub(r"^nacre: (\S+:\d+:\d+: )?", "", lines[at])
    inner = [line.strip() for line in lines[at + 1:] if line.startswith("    ") and line.strip()]
    inner = [line for line in inner if not re.match(r"\d* *\|", line)]
    telling = [line for line in inner if re.search(r"error|FAIL|not found|No such|cannot|undefined|requires", line)]
    return (said + (" — " + (telling or inner)[-1] if inner else ""))[:230]


def build(name, arguments, environment, before=None):
    definition = arguments.definitions / f"{name}.yaml"
    text = definition.read_text()
    common = [str(definition), "--pipeline-dir", str(arguments.definitions / "pipelines"), "--gates-warn"]
    if NEEDS_NETWORK.search(text.split("\ntest:")[0]):
        common += ["--network", "always"]
    out = arguments.work / "packages" / name
    if before is not None:
        return test(name, arguments, environment, common, before)
    result = {"name": name, "system": system_of(text), "digest": hashlib.sha256(text.encode()).hexdigest(),
              "version": re.search(r'version: *"?([^"\s]+)', text).group(1)}
    log = arguments.work / "logs" / f"{name}.build"
    code, took, said = run([arguments.nacre, "build", "--again", *common, "--out", str(out)], log, environment, arguments.limit)
    result.update(built=code == 0, seconds=round(took, 1))
    result.update(times_of(name, said))
    result["seconds"] = round(result["seconds"] - sum(seconds(time) for time in ONCE.findall(said)), 1)
    result["findings"] = len(re.findall(r"\[(?:hardening/)?[a-z-]+\]$", said, re.M))
    result["packages"] = len(re.findall(r"^\S+-r\d+\.apk  ", said, re.M))
    if code != 0:
        result["why"] = reason(said)
        return result
    return test(name, arguments, environment, common, result)


def test(name, arguments, environment, common, result):
    result.pop("why", None)
    log = arguments.work / "logs" / f"{name}.test"
    code, took, said = run([arguments.nacre, "test", *common, "--test-package-append", "wolfi-base"], log, environment, arguments.limit)
    counted = re.search(r"(\d+) tests passed, (\d+) passed before", said)
    result.update(tested=code == 0, tests=sum(map(int, counted.groups())) if counted else
                  len(re.findall(r"^done +test .*: passed", said, re.M)))
    if code != 0:
        result["why"] = reason(said)
    return result


def row(r):
    if not r["built"]:
        outcome = "failed: " + r.get("why", "")
    elif not r["tested"]:
        outcome = f"built; tests: {r['tests']} passed, then " + r.get("why", "")
    else:
        outcome = f"built, {r['tests']} tests passed"
    clean = outcome.replace("|", "\\|")
    over = f"{r['overhead']:.2f} s" if "overhead" in r else ""
    return f"| {r['name']} | {r['version']} | {r['system']} | {r['packages'] or ''} | {r['seconds']:.1f} s | {over} | {clean} |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--definitions", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--nacre", default=str(ROOT / "build/release/src/cli/nacre"))
    parser.add_argument("--limit", type=int, default=900, help="seconds for a build or a test")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--retest", action="store_true", help="run the tests that failed again")
    parser.add_argument("--table", action="store_true", help="only print what is known")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    names = []
    for name in arguments.names:
        names += pathlib.Path(name[1:]).read_text().split() if name.startswith("@") else [name]
    for folder in ("logs", "results", "packages"):
        (arguments.work / folder).mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, NACRE_OS_DIR=str(distribution(arguments.work)), NACRE_PROGRESS="plain", NACRE_STEP_CACHE="0")
    environment.setdefault("NACRE_HOME", str(arguments.work / "home"))
    results = []
    for name in names:
        kept = arguments.work / "results" / f"{name}.json"
        known = json.loads(kept.read_text()) if kept.exists() else None
        definition = arguments.definitions / f"{name}.yaml"
        if known and arguments.table and (arguments.work / "logs" / f"{name}.build").exists():
            known.update(times_of(name, (arguments.work / "logs" / f"{name}.build").read_text(errors="replace")))
            known["system"] = system_of(definition.read_text())
        changed = known and known["digest"] != hashlib.sha256(definition.read_bytes()).hexdigest()
        if known is None or (not arguments.table and (arguments.again or changed)):
            if arguments.table:
                continue
            known = build(name, arguments, environment)
            kept.write_text(json.dumps(known, indent=1) + "\n")
            print(row(known), file=sys.stderr, flush=True)
        elif arguments.retest and known["built"] and not known["tested"]:
            known = build(name, arguments, environment, known)
            kept.write_text(json.dumps(known, indent=1) + "\n")
            print(row(known), file=sys.stderr, flush=True)
        results.append(known)
    results.sort(key=lambda r: (r["system"], r["name"]))
    print("| definition | version | build system | packages | time | of it not in steps | result |")
    print("|---|---|---|---|---|---|---|")
    for result in results:
        print(row(result))
    good = [r for r in results if r["built"]]
    print(f"\n{len(good)} of {len(results)} built, {sum(r.get('tested', False) for r in good)} with all their tests; "
          f"{len({r['system'] for r in good})} build systems")
    return 0 if len(good) == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
