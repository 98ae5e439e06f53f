#!/usr/bin/env bash
# What a change of a library rebuilds: users only when their view of it changed, which is recorded and can be confirmed.
. "$(dirname "$0")/lib.sh"
need_home
clone_home home
copy_os os
made() {
  python3 - "$1" "$2" <<'PY'
import json, sys
rows = {row["definition"]: row for row in json.load(open(sys.argv[1]))["built"]}
row = rows[sys.argv[2]]
print(row["made"], "; ".join(row["why"]))
PY
}

check "nothing changed" "$NACRE" up --skip-tests --quiet --json nginx
cp "$out" "$scratch/kept.json"
same "  nginx is kept" "kept " "$(made "$scratch/kept.json" nginx)"

# Content, but not what linking sees: a word in the description.
sed -i 's/^  description: .*/  description: Compression, with another word/' "$NACRE_OS_DIR/packages/zlib.yaml"
check "zlib changes, its ABI does not" "$NACRE" up --skip-tests --json --paranoid 5 nginx
cp "$out" "$scratch/cut.json"
same "  zlib is built" built "$(made "$scratch/cut.json" zlib | cut -d' ' -f1)"
case $(made "$scratch/cut.json" nginx) in
  "cut off "*"the ABI of zlib-dev is the same, and it is linked with"*) passed "  nginx is cut off, with the reason" ;;
  *) fail "  nginx: $(made "$scratch/cut.json" nginx)" ;;
esac
says "  and a build confirms it" "$err" "build nginx to confirm that it was cut off rightly: the same bytes"
check "the next plan" "$NACRE" plan --quiet nginx
says "  has nothing to do" "$out" "nothing to build"

# A function more: another ABI.
python3 - "$NACRE_OS_DIR/packages/zlib.yaml" <<'PY'
import sys
text = open(sys.argv[1]).read()
at = text.index("  - uses: autoconf/make") if "  - uses: autoconf/make" in text else text.index("  - runs:", text.index("  - uses: fetch"))
text = text[:at] + "  - runs: echo 'int nacre_one_more(void) { return 1; }' >>adler32.c\n\n" + text[at:]
open(sys.argv[1], "w").write(text)
PY
check "zlib exports a function more" "$NACRE" plan --quiet --explain nginx
says "  nginx may follow" "$out" "because zlib may change"
check "it is built" "$NACRE" up --skip-tests --quiet --json nginx
cp "$out" "$scratch/followed.json"
case $(made "$scratch/followed.json" nginx) in
  "cut off "*) fail "  nginx was cut off: $(made "$scratch/followed.json" nginx)" ;;
  *) passed "  and nginx is built with it: $(made "$scratch/followed.json" nginx)" ;;
esac
finish
