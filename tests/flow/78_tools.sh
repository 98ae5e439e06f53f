#!/usr/bin/env bash
# Who runs a tool waits for its own next change; who holds something embedded is built with every change of it.
. "$(dirname "$0")/lib.sh"
need_home
clone_home home
copy_os os

definition() { # NAME PACKAGES <<< steps
  {
    printf 'package:\n  name: %s\n  version: "1"\n  epoch: 0\n  description: of a test\n  copyright:\n    - license: Apache-2.0\n' "$1"
    printf 'environment:\n  contents:\n    packages: [build-base%s]\npipeline:\n  - runs: |\n' "$2"
    sed 's/^/      /'
  } >"$NACRE_OS_DIR/packages/$1.yaml"
}
made() {
  python3 - "$out" "$1" <<'PY'
import json, sys
rows = {row["definition"]: row for row in json.load(open(sys.argv[1]))["built"]}
row = rows[sys.argv[2]]
print(row["made"], "; ".join(row["why"]))
PY
}
tool() {
  definition try-tool '' <<END
mkdir -p \${{targets.destdir}}/usr/bin
printf '#!/bin/sh\n# $1\necho told\n' >\${{targets.destdir}}/usr/bin/try-tool
chmod 755 \${{targets.destdir}}/usr/bin/try-tool
END
}
library() {
  definition try-static '' <<END
mkdir -p \${{targets.destdir}}/usr/lib
echo 'int tried(void) { return $1; }' >try.c
gcc -O1 -c try.c
ar rcD \${{targets.destdir}}/usr/lib/libtry.a try.o
END
}
tool first
library 1
definition try-runs ', try-tool' <<'END'
mkdir -p ${{targets.destdir}}/usr/share/try
try-tool >${{targets.destdir}}/usr/share/try/told
END
definition try-holds ', try-static' <<'END'
mkdir -p ${{targets.destdir}}/usr/share/try
sha256sum </usr/lib/libtry.a >${{targets.destdir}}/usr/share/try/held
END

check "all are built" "$NACRE" up --skip-tests --quiet --json try-runs try-holds
tool second
library 2
check "the tool and the static library change" "$NACRE" up --skip-tests --quiet --json --paranoid 5 try-runs try-holds
same "  the tool is built" built "$(made try-tool | cut -d' ' -f1)"
same "  who runs it is left alone, with the reason, and a build confirms it" \
  "cut off try-tool is a tool: its users follow with their next change" "$(made try-runs)"
case $(made try-holds) in
  "built "*"try-static"*) passed "  who holds the library is built: $(made try-holds)" ;;
  *) fail "  who holds the library: $(made try-holds)" ;;
esac
check "what is kept of it" "$NACRE" plan --quiet --json try-runs try-holds
says "  is nothing to do" "$out" '"action": "keep"'
if grep -q maybe "$out"; then fail "  something may change"; else passed "  at all"; fi
finish
