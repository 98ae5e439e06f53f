#!/usr/bin/env bash
# What `nacre gc` keeps of foreign images: the newest image of a definition and the packages of a lock, while their files are
# there; and what it frees. Needs no distribution.
. "$(dirname "$0")/lib.sh"
export NACRE_HOME=$scratch/home
command -v python3 >/dev/null && command -v openssl >/dev/null || skip "no python3 or no openssl"
cd "$scratch" || exit 1
python3 "$source_root/tests/flow/make_apks.py" "$scratch/repo" || skip "the packages cannot be made"
define_image() {
  cat >web.yaml <<END
contents:
  repositories: [$scratch/repo]
  keyring: [$scratch/repo/keys/test.rsa.pub]
  packages: [$1]
archs: [$(uname -m)]
END
}
gc() {
  sleep 0.1  # "older than no days" means that some time must pass
  check "$1" "$NACRE" gc --quiet --json --days 0
  freed=$(json '["blobs"]' <"$out") bytes=$(json '["bytes"]' <"$out")
}

define_image "special, demo"
check "an image" "$NACRE" image build --quiet --json --layout layout web.yaml || finish
first=$(json '["digest"]' <"$out")
gc "gc"
check "  the image is whole" "$NACRE" image export --quiet "$first" root.tar
check "a lock" "$NACRE" apko lock web.yaml
gc "gc"

# ---- the next image of the same definition takes its place

define_image odd
check "another image of the same definition" "$NACRE" image build --quiet --json web.yaml
second=$(json '["digest"]' <"$out")
size=$(stat -c %s "$(blob "$first")")
gc "gc"
if [ "$freed" -gt 0 ] && [ "$bytes" -ge "$size" ]; then
  passed "  frees the first: $freed blobs, $bytes bytes"
else
  fail "  freed $freed blobs and $bytes bytes"
fi
if [ -e "$(blob "$first")" ]; then fail "  its index is still there"; else passed "  it is gone"; fi
check "  the second is whole" "$NACRE" image export --quiet "$second" root.tar
special=$(sha256sum <"repo/$(uname -m)/special-1.0-r0.apk" | cut -d' ' -f1)
if [ -e "$(blob "sha256:$special")" ]; then passed "  so are the packages of the lock"; else fail "  a package of the lock is gone"; fi
check "  the layout of the first is whole" python3 -c '
import hashlib, pathlib
for blob in pathlib.Path("layout/blobs/sha256").iterdir():
    assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name, blob'

# ---- the lock makes its image again with the repository gone

define_image "special, demo"
mv repo repo.away
check "from the lock alone, without the repository" "$NACRE" image build --quiet --json web.yaml --lockfile web.lock.json --locked
same "  the packages of the lock" "['demo', 'libdemo', 'special']" \
  "$(python3 -c 'import json, sys; print(sorted(p.split("=")[0] for p in json.load(sys.stdin)["images"][0]["packages"]))' <"$out")"
mv repo.away repo

# ---- without their files nothing is kept

rm web.yaml web.lock.json
gc "gc without definition and lock"
same "  nothing is left" "" "$(find "$NACRE_HOME/blobs" -type f)"
if [ "$bytes" -gt 0 ]; then passed "  $bytes bytes freed"; else fail "  no bytes reported"; fi
records=$(json '["records"]' <"$out")
if [ "$records" -gt 0 ]; then passed "  $records records of what is gone"; else fail "  no record of what is gone was forgotten"; fi
same "  none of them is left" "" "$(python3 - "$NACRE_HOME/state.db" <<'END'
import sqlite3, sys
gone = """segment layer image-contents file-digests library-name image-words foreign-image foreign-apk foreign-file solver-pool
          mapped-index foreign-index foreign-answer foreign-root""".split()
for kind, key in sqlite3.connect(sys.argv[1]).execute('SELECT kind, key FROM records ORDER BY kind'):
    if kind in gone: print(kind, key)
END
)"
gc "gc again"
same "  finds nothing" "0 0 0" "$freed $bytes $(json '["records"]' <"$out")"
finish
