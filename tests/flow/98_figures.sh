#!/usr/bin/env bash
# What `nacre cve report` says, reckoned again by another hand (cve_figures.py): over made-up advisories with every odd order of
# events, and over the field's own where NACRE_ADVISORIES names a copy.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "no python3"
export NACRE_HOME=$scratch/home NACRE_OS_DIR=$scratch/os PYTHONDONTWRITEBYTECODE=1
mkdir -p "$NACRE_OS_DIR/packages" "$scratch/made"
figures() { python3 "$source_root/tests/flow/cve_figures.py" "$@"; }

# agree TEXT DIR: nacre's report on these documents and ours.
agree() {
  check "$1" "$NACRE" cve report --quiet --json --top 100 --advisories "$2" || return
  cp "$out" "$scratch/report.json"
  check "  every figure agrees" figures compare "$2" "$scratch/report.json" && sed -n '1s/^/      /p' "$out"
}

figures make "$scratch/made"
agree "600 advisories" "$scratch/made"
same "  in which cases are open for ever, and false positives were taken back" "True True" "$(python3 -c '
import json, sys
cohorts = json.load(open(sys.argv[1]))["cohorts"]
print(any(row["p90Hours"] is None for row in cohorts), any(row["cases"] > row["counted"] for row in cohorts))' "$scratch/report.json")"
# The comparison can fail.
sed -i 's/"counted": \([0-9]*\)/"counted": 1\1/' "$scratch/report.json"
refused 1 figures compare "$scratch/made" "$scratch/report.json" && passed "  and a wrong figure is found"

if [ -d "${NACRE_ADVISORIES:-/nonexistent}" ] && python3 -c 'import yaml' 2>/dev/null; then
  agree "the field's advisories" "$NACRE_ADVISORIES"
  check "the study of them, by its own rules" figures study "$NACRE_ADVISORIES" && sed 's/^/      /' "$out"
else
  printf 'skip  the field'\''s advisories: NACRE_ADVISORIES names none, or no PyYAML\n'
fi
finish
