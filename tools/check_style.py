#!/usr/bin/env python3
"""Refuses what the conventions refuse and a person should not have to look for.

In src/ and fuzz/: lines of at most 120 columns, no tabs, no blanks at the end of a line, no TODO. Headers begin with
#pragma once, and of the types and functions that a header declares for others at least half have a comment: above (one may
stand over several in a row), at the end of the line, or on a member. Only cli prints (and programs of their own, named
below); nothing opens a whole namespace; nothing throws. No file of the repository names a package registry's host. Flow
and conformance tests can be run: tools/run_tests.sh passes over what cannot.
"""
import pathlib
import re
import subprocess
import sys

WIDTH = 120
PRINTS = re.compile(r"std::(cout|cerr|clog)\b|(?<![\w.])(std::)?(printf|puts)\(|fmt::print\(")
HOSTS = re.compile(r"\b(deb\.debian\.org|snapshot\.debian\.org|registry\.npmjs\.org|pypi\.org|files\.pythonhosted\.org|"
                   r"proxy\.golang\.org|crates\.io|repo1?\.maven\.org|docker\.io|ghcr\.io|quay\.io|cgr\.dev|rubygems\.org)\b")
# With a main() of their own: one runs inside the sandbox and reports on stdout, the other is what engines run.
PROGRAMS = {"src/sandbox/probe.cc", "src/worker/worker.cc"}
ROOT = pathlib.Path(__file__).resolve().parent.parent
bad = []


def say(file, number, text):
    bad.append(f"{file}:{number}: {text}")


def without_strings(line):
    return re.sub(r'"(\\.|[^"\\])*"', '""', line)


def check_lines(file, lines):
    room = pathlib.Path(file).parts[1]
    test = file.endswith(("_test.cc", "_fuzz.cc"))
    in_raw = False
    for number, line in enumerate(lines, 1):
        if len(line) > WIDTH:
            say(file, number, f"{len(line)} columns, at most {WIDTH}")
        if line != line.rstrip() and not in_raw:
            say(file, number, "blanks at the end of the line")
        if "\t" in line and not in_raw:
            say(file, number, "a tab")
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            say(file, number, "unfinished: do it, or say in docs/ what is missing")
        code = without_strings(line.split("//")[0])
        if file.startswith("src/") and re.search(r"\busing namespace (?!std::\w*literals)", code):
            say(file, number, "opens a whole namespace")
        if PRINTS.search(code) and room != "cli" and not test and file not in PROGRAMS:
            say(file, number, "prints; rooms emit events, and only cli prints")
        if re.search(r"\bthrow\b", code) and not in_raw:
            say(file, number, "throws; errors are values")
        if line.count('R"') % 2 == 1 and ')"' not in line:
            in_raw = True
        elif in_raw and ')"' in line:
            in_raw = False


def check_header(file, lines):
    if not lines or lines[0] != "#pragma once":
        say(file, 1, "a header begins with #pragma once")
    if file.endswith("_test.h") or "/test_" in file:
        return
    declared = said = 0
    comment = False
    for number, line in enumerate(lines):
        if re.match(r"\s*//", line):
            comment = True
        elif not line.strip():
            comment = False
        elif re.match(r"(struct|class|enum class) \w+[^;]*$", line):
            body = lines[number:next((n for n in range(number, len(lines)) if lines[n].startswith("}")), len(lines))]
            declared += 1
            said += comment or any("//" in part for part in body)
        elif re.match(r"\w[\w:<>,*& ]* \w+\(.*$", line):
            declared += 1
            said += comment or "//" in line
    if said * 2 < declared:
        say(file, 1, f"{said} of {declared} types and functions have a comment, at least half should")


def files(*patterns):
    out = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [f for f in out.splitlines() if (ROOT / f).is_file()]


for name in files("src/*.cc", "src/*.h", "fuzz/*.cc"):
    text = (ROOT / name).read_text().splitlines()
    check_lines(name, text)
    if name.endswith(".h"):
        check_header(name, text)

for name in files():
    if name == "tools/check_style.py":
        continue
    try:
        text = (ROOT / name).read_text().splitlines()
    except UnicodeDecodeError:
        continue
    for number, line in enumerate(text, 1):
        found = HOSTS.search(line)
        if found:
            say(name, number, f"names a registry's host ({found[0]}); ask the machine's own configuration")

for name in files("tests/flow/[0-9]*.sh", "tests/conformance/*.sh"):
    if not (ROOT / name).stat().st_mode & 0o100:
        say(name, 1, "cannot be run: chmod +x")

print("\n".join(bad) or "style holds")
sys.exit(bool(bad))
