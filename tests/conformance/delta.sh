#!/usr/bin/env bash
# What `nacre delta` counts in real definitions. NACRE_SHARED names the directory that has the corpus (2,419 definitions
# without their side files). NACRE_WOLFI_OS may name a checkout of all 3,401 at the commit that the corpus was taken from,
# with side files: then patches count, too. docs/delta.md says why the numbers are what they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
nacre=$PWD/${1:-build/release}/src/cli/nacre
corpus=${NACRE_SHARED:-/nowhere}/corpus/wolfi-definitions.tar.zst
if [ ! -f "$corpus" ] || [ ! -x "$nacre" ]; then
  echo "no corpus in the directory that NACRE_SHARED names, or no $nacre"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export NACRE_HOME=$work/home NACRE_OS_DIR=$PWD/os
mkdir "$NACRE_HOME" "$work/corpus"
tar -C "$work/corpus" --zstd -xf "$corpus"

# measure NAME DIR
measure() {
  "$nacre" delta --quiet --json --definitions "$2" --pipeline-dir "$2/pipelines" >"$work/$1.json"
}

measure corpus "$work/corpus"
[ -z "${NACRE_WOLFI_OS:-}" ] || measure full "$NACRE_WOLFI_OS"
python3 - "$work" "${NACRE_WOLFI_OS:-}" <<'END'
import json, os, sys
work, checkout = sys.argv[1:]
bad = 0


def same(what, expected, found):
    global bad
    bad += expected != found
    print(f"{'equal  ' if expected == found else 'DIFFERS'} {what}: {found}" + ("" if expected == found else f", expected {expected}"))


def totals(report, *names):
    return " ".join(str(report["totals"][name]) for name in names)


def edits(report, kind):
    rows = [sum(e["kind"] == kind for e in p["edits"]) for p in report["packages"]]
    return f"{sum(r > 0 for r in rows)} {sum(rows)}"


def entries(report, *inputs):
    return sum(e["input"] in inputs for p in report["packages"] for b in p["bumps"] for e in b["entries"])


corpus = json.load(open(f"{work}/corpus.json"))
same("corpus: definitions", "2419", totals(corpus, "definitions"))
same("corpus: definitions with patches, patches named", "144 214", totals(corpus, "patched", "patches"))
same("corpus: definitions with picks, picks", "20 355", totals(corpus, "picked", "picks"))
same("corpus: definitions with bumps, steps, entries", "173 190 1132", totals(corpus, "bumped", "bumps", "bumpEntries"))
if not checkout:
    sys.exit(bad > 0)

full = json.load(open(f"{work}/full.json"))
same("all: definitions", "3401", totals(full, "definitions"))
same("all: definitions with picks, picks", "32 373", totals(full, "picked", "picks"))
same("all: definitions with bumps, steps", "248 273", totals(full, "bumped", "bumps"))
same("all: entries of `deps`", 1470, entries(full, "deps"))
same("all: entries of every input", 1669, entries(full, "deps", "packages", "replaces", "package", "properties"))
same("all: sed, definitions and commands", "237 334", edits(full, "sed"))

# Three ways to name a patch. Hunks and lines by their first letters, as a count without a parser has them.
named = {"step": 0, "series": 0, "script": 0}
theirs = hunks = lines = 0
definitions = set()
for package in full["packages"]:
    for patch in package["patches"]:
        named[patch["via"]] += 1
        definitions.add(package["package"])
        theirs += not patch["file"]
        if not patch["file"] or patch["via"] == "series" or (patch["via"], package["package"]) == ("script", "py3-sentencepiece"):
            continue
        with open(os.path.join(checkout, package["package"], patch["file"]), errors="replace") as file:
            for line in file:
                hunks += line.startswith("@@")
                lines += line[:1] in "+-" and not line.startswith(("+++", "---"))
same("all: patches by steps, series, scripts", "299 12 2", "{step} {series} {script}".format(**named))
same("all: of them the source's own", 3, theirs)
same("all: hunks and lines by first letters, without series", "859 8034", f"{hunks} {lines}")
same("all: definitions with patches", 204, len(definitions))
same("all: patches that nothing names", "23", totals(full, "deadPatches"))
sys.exit(bad > 0)
END
