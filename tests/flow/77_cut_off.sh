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
check "it is built" "$NACRE" up --skip-tests --json --paranoid 5 nginx
cp "$out" "$scratch/more.json"
same "  zlib is built" built "$(made "$scratch/more.json" zlib | cut -d' ' -f1)"
case $(made "$scratch/more.json" nginx) in
  "cut off "*"zlib changed in 1 name (nacre_one_more), and nothing of that is used"*) passed "  nginx stands: nothing of its own is in what changed" ;;
  *) fail "  nginx: $(made "$scratch/more.json" nginx)" ;;
esac
says "  and a build confirms it" "$err" "build nginx to confirm that it was cut off rightly: the same bytes"

# Another type for a function that nginx calls: only the header tells.
python3 - "$NACRE_OS_DIR/packages/zlib.yaml" <<'PY'
import sys
text = open(sys.argv[1]).read()
step = "  - runs: echo 'int nacre_one_more"
text = text.replace(step, "  - runs: sed -i 's/int ZEXPORT deflateEnd/signed &/' zlib.h\n\n" + step)
open(sys.argv[1], "w").write(text)
PY
check "a function that nginx calls is declared otherwise" "$NACRE" up --skip-tests --quiet --json nginx
cp "$out" "$scratch/followed.json"
case $(made "$scratch/followed.json" nginx) in
  "built "*"it names deflateEnd of zlib.h, which changed"* | "same "*"it names deflateEnd of zlib.h, which changed"*) passed "  nginx is built: $(made "$scratch/followed.json" nginx)" ;;
  *) fail "  nginx: $(made "$scratch/followed.json" nginx)" ;;
esac

# Three users of zlib.h: of a function, of the macro with its version, of an inline function.
user() {
  cat >"$NACRE_OS_DIR/packages/$1.yaml" <<END
package:
  name: $1
  version: "1"
  epoch: 0
  description: $2
  copyright:
    - license: MIT
environment:
  contents:
    packages: [build-base, zlib-dev]
pipeline:
  - runs: |
      printf '#include <stdio.h>\\n#include <zlib.h>\\nint main(int n, char **a) { $3 }\\n' >user.c
      gcc -O2 -Wl,-z,now -o user user.c -lz
      install -D user \${{targets.destdir}}/usr/bin/$1
END
}
user of-function "Takes a function" "return (int)crc32(0, (const Bytef *)a[0], (uInt)n);"
user of-version "Takes the version" "puts(ZLIB_VERSION); return (int)adler32(0, 0, 0) + n * (a == 0);"
user of-inline "Takes an inline function" "return nacre_twice(n) + (int)adler32(0, 0, 0) * (a == 0);"
# release WORDS: zlib whose header ends with these words, put in place of the release before.
release() {
  python3 - "$NACRE_OS_DIR/packages/zlib.yaml" "$1" <<'PY'
import re, sys
text = open(sys.argv[1]).read()
text = re.sub(r"  - name: Release\n    runs: \|\n(      .*\n)+\n", "", text)
at = text.index("  - name: Configure")
step = "  - name: Release\n    runs: |\n" + "".join("      %s\n" % line for line in sys.argv[2].splitlines()) + "\n"
open(sys.argv[1], "w").write(text[:at] + step + text[at:])
PY
}
# What nobody reads takes nothing.
mkdir -p "$NACRE_OS_DIR/packages/of-function"
printf '#include <zlib.h>\nconst char *const text = ZLIB_VERSION;\n' >"$NACRE_OS_DIR/packages/of-function/unused.c"
release "sed -i '/define ZLIB_H\$/a static inline int nacre_twice(int x) { return x * 2; }' zlib.h"
check "three users of zlib are built" "$NACRE" up --skip-tests --quiet --json of-function of-version of-inline
release "sed -i '/define ZLIB_H\$/a static inline int nacre_twice(int x) { return x * 2; }' zlib.h
echo 'int nacre_new(void);' >>zlib.h
echo 'int nacre_new(void) { return 2; }' >>adler32.c
sed -i 's/define ZLIB_VERSION \"[0-9.]*/&.9/' zlib.h"
check "a release with a function more and another version" "$NACRE" up --skip-tests --json --paranoid 5 of-function of-version of-inline
cp "$out" "$scratch/release.json"
for name in of-function of-inline; do
  case $(made "$scratch/release.json" $name) in
    "cut off "*"zlib-dev changed in "*", and nothing of that is used"*) passed "  $name stands: $(made "$scratch/release.json" $name)" ;;
    *) fail "  $name: $(made "$scratch/release.json" $name)" ;;
  esac
  says "  and a build confirms it" "$err" "build $name to confirm that it was cut off rightly: the same bytes"
done
case $(made "$scratch/release.json" of-version) in
  "built "*"it names ZLIB_VERSION of zlib.h, which changed"*) passed "  of-version is built: $(made "$scratch/release.json" of-version)" ;;
  *) fail "  of-version: $(made "$scratch/release.json" of-version)" ;;
esac
# What took nothing but a number may wait for its own next change; who took code may not.
release "sed -i '/define ZLIB_H\$/a static inline int nacre_twice(int x) { return x * 3; }' zlib.h
echo 'int nacre_new(void);' >>zlib.h
echo 'int nacre_new(void) { return 2; }' >>adler32.c
sed -i 's/define ZLIB_VERSION \"[0-9.]*/&.10/' zlib.h"
was=$(sed -n 's/^  version: //p' "$NACRE_OS_DIR/packages/zlib.yaml")
sed -i "s/^  version: .*/  version: 1.99/; s/^  epoch: .*/  epoch: 0/; /uri:/s/\\\${{package.version}}/$was/" "$NACRE_OS_DIR/packages/zlib.yaml"
check "a release, and a day's time to follow" "$NACRE" up --skip-tests --json --postpone 1d --paranoid 5 of-function of-version of-inline
cp "$out" "$scratch/wait.json"
case $(made "$scratch/wait.json" of-version) in
  "postponed "*"it names ZLIB_VERSION of zlib.h, which changed; put off until 20"*) passed "  of-version waits: $(made "$scratch/wait.json" of-version)" ;;
  *) fail "  of-version: $(made "$scratch/wait.json" of-version)" ;;
esac
same "  of-inline does not" built "$(made "$scratch/wait.json" of-inline | cut -d' ' -f1)"
check "the next plan" "$NACRE" plan --quiet of-version
says "  has nothing to do" "$out" "nothing to build"
check "what was put off stays so" "$NACRE" up --skip-tests --quiet --json of-version
same "  of-version" postponed "$(made "$out" of-version | cut -d' ' -f1)"
check "unless it is asked for" "$NACRE" up --skip-tests --quiet --json --postponed of-version
same "  then it is built" built "$(made "$out" of-version | cut -d' ' -f1)"

release "sed -i '/define ZLIB_H\$/a static inline int nacre_twice(int x) { return x * 4; }' zlib.h
echo 'int nacre_new(void);' >>zlib.h
echo 'int nacre_new(void) { return 2; }' >>adler32.c
sed -i 's/define ZLIB_VERSION \"[0-9.]*/&.9/' zlib.h"
check "a fix in an inline function" "$NACRE" up --skip-tests --quiet --json --paranoid 5 of-function of-version of-inline
cp "$out" "$scratch/fix.json"
case $(made "$scratch/fix.json" of-inline) in
  "built "*"it names nacre_twice of zlib.h, which changed"*) passed "  reaches who took it: $(made "$scratch/fix.json" of-inline)" ;;
  *) fail "  of-inline: $(made "$scratch/fix.json" of-inline)" ;;
esac
same "  and nobody else" "cut off" "$(made "$scratch/fix.json" of-function | cut -c1-7)"
finish
