#!/usr/bin/env bash
# An emergency rehearsed: `nacre drill` rebuilds, tests, composes and publishes in a copy, and leaves the edition as it was. Its own
# small distribution: three packages of Debian as stage 0, two definitions, one image.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" -eq 0 ] && command -v python3 >/dev/null || skip "not root, or no python3"
# state: a digest of all records of the home.
state() {
  python3 -c '
import hashlib, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT kind, key, value FROM records ORDER BY 1, 2").fetchall()
print(len(rows), hashlib.sha256(repr(rows).encode()).hexdigest())' "$NACRE_HOME/state.db"
}
export NACRE_HOME=$scratch/home
. "$(dirname "$0")/small_os.sh"
small_os "$scratch/os"
printf 'sources: []\n' >"$NACRE_OS_DIR/sources.lock"
define libtiny <<'END'
mkdir -p "${{targets.destdir}}/usr/share/tiny"
echo "${{package.full-version}}" >"${{targets.destdir}}/usr/share/tiny/version"
END
define tool <<'END'
mkdir -p "${{targets.destdir}}/usr/share/tool"
echo tool >"${{targets.destdir}}/usr/share/tool/data"
END
sed -i 's/^environment:/  dependencies:\n    runtime: [libtiny]\nenvironment:/' "$NACRE_OS_DIR/packages/tool.yaml"
printf 'contents:\n  packages: [tool]\n' >"$NACRE_OS_DIR/images/tool.yaml"
what="nothing published yet" expect_error 3 "edition community has no serial yet" "nacre up" -- "$NACRE" drill --quiet libtiny
"$NACRE" up --quiet >"$out" 2>"$err" || { tail -n 3 "$err"; skip "the small distribution cannot be made: no archive of Debian?"; }
same "a serial" 1 "$(newest_serial)"
before=$(state)
definitions=$(cd "$NACRE_OS_DIR" && find . -type f -exec sha256sum {} + | sort)

check "a drill" "$NACRE" drill --quiet --json libtiny || finish
cp "$out" "$scratch/drill.json"
same "  builds what was touched, and composes the image that has it" "libtiny 1-r1 | libtiny 1-r1 | tool" "$(python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
print(d["package"], d["version"], "|", *d["built"], "|", *d["images"])' "$scratch/drill.json")"
same "  with a time for each stage" "copy plan build test images publish" "$(python3 -c '
import json, sys
print(*json.load(open(sys.argv[1]))["stages"])' "$scratch/drill.json")"
same "the edition is as it was" 1 "$(newest_serial)"
same "  so is its state" "$before" "$(state)"
same "  and the definitions" "$definitions" "$(cd "$NACRE_OS_DIR" && find . -type f -exec sha256sum {} + | sort)"
same "  the copy is gone" "" "$(find "$NACRE_HOME/work" -maxdepth 1 -name 'drill-*')"
check "for people" "$NACRE" drill --quiet --skip-tests libtiny
says "  it says what was done" "$out" "1 built, "
what="a slip of the pen" expect_error 3 "no definition 'libtny'" "did you mean 'libtiny'?" -- "$NACRE" drill --quiet libtny
finish
