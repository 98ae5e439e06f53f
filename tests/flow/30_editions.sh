#!/usr/bin/env bash
# Editions never mix: every way that a user has of bringing two together, or stage0 into what ships, is refused.
. "$(dirname "$0")/lib.sh"
need_home
clone_home home
copy_os os
define flow-tiny <<'STEP'
mkdir -p ${{targets.destdir}}/usr/share/flow
echo tiny > ${{targets.destdir}}/usr/share/flow/tiny
STEP
cat >"$NACRE_OS_DIR/images/tiny.yaml" <<'YAML'
contents:
  packages:
    - flow-tiny
YAML
arch=$(uname -m)

# One package and one image in both editions.
check "community: a small package and image" "$NACRE" up --quiet flow-tiny || finish
check "production: the same" "$NACRE" promote --quiet flow-tiny || finish
for edition in stage0 community production; do
  "$NACRE" index --quiet --edition $edition --repository "$scratch/$edition" >/dev/null || fail "no repository of $edition"
done
community=$scratch/community/$arch/flow-tiny-1-r0.apk
production=$scratch/production/$arch/flow-tiny-1-r0.apk
stage0=$(find "$scratch/stage0" -name 'build-base-*.apk' | head -n 1)

echo "-- nacre index"
what="two editions in one index" expect_error 6 "'$production' is signed by 'nacre-production.rsa.pub', expected 'nacre-community.rsa.pub'" \
  "an index holds packages of one edition" -- "$NACRE" index --quiet --out "$scratch/x" "$community" "$production"
what="the other way round" expect_error 6 "'$community' is signed by 'nacre-community.rsa.pub', expected 'nacre-production.rsa.pub'" \
  -- "$NACRE" index --quiet --edition production --out "$scratch/x" "$production" "$community"
what="stage0 in a community index" expect_error 6 "is signed by 'nacre-stage0.rsa.pub', expected 'nacre-community.rsa.pub'" \
  -- "$NACRE" index --quiet --out "$scratch/x" "$stage0"
same "no index was written" no "$([ -e "$scratch/x" ] && echo yes || echo no)"
# A signature under a name that lies: production's segment, with the name of community's key, over the same content.
python3 - "$production" "$scratch/liar.apk" <<'PY'
import sys, zlib, gzip
data = open(sys.argv[1], 'rb').read()
inflate = zlib.decompressobj(31)
segment = bytearray(inflate.decompress(data))
old, new = b'.SIGN.RSA256.nacre-production.rsa.pub', b'.SIGN.RSA256.nacre-community.rsa.pub'
assert segment.startswith(old)
segment[:100] = new.ljust(100, b'\0')
segment[148:156] = b' ' * 8
segment[148:156] = b'%06o\0 ' % sum(segment[:512])
open(sys.argv[2], 'wb').write(gzip.compress(bytes(segment), mtime=0) + inflate.unused_data)
PY
what="a key name that lies" expect_error 6 "the signature does not fit the key and the content" \
  -- "$NACRE" index --quiet --out "$scratch/x" "$scratch/liar.apk"

echo "-- nacre verify"
what="package of the other edition" expect_error 6 "the package is signed by 'nacre-production.rsa.pub', expected 'nacre-community.rsa.pub' of edition community" \
  "content of two editions never mixes" -- "$NACRE" verify --quiet "$production"
what="stage0 package as community's" expect_error 6 "the package is signed by 'nacre-stage0.rsa.pub'" -- "$NACRE" verify --quiet "$stage0"
what="index of the other edition" expect_error 6 "is signed by 'nacre-community.rsa.pub', expected 'nacre-production.rsa.pub' of edition production" \
  -- "$NACRE" verify --quiet --edition production "$scratch/community/$arch/APKINDEX.tar.gz"
what="image with the index of the other edition" expect_error 6 "is signed by 'nacre-community.rsa.pub', expected 'nacre-production.rsa.pub'" \
  -- "$NACRE" verify --quiet --index "$scratch/community/$arch/APKINDEX.tar.gz" nacre-production/tiny
what="production's image as community's" expect_error 6 "" -- "$NACRE" verify --quiet \
  --key-package "$scratch/community/keys/nacre-community.rsa.pub" --key-attestation "$scratch/community/keys/nacre-community.ecdsa.pub" \
  --index "$scratch/community/$arch/APKINDEX.tar.gz" nacre-production/tiny
check "each verifies in its own" "$NACRE" verify --quiet tiny && check "each verifies in its own" "$NACRE" verify --quiet nacre-production/tiny

echo "-- images"
image() { printf '%s\n' "$@" >"$scratch/mix.yaml"; }
image 'contents:' '  packages:' '    - flow-tiny' '    - build-base'
what="stage0 package in an image" expect_error 6 "$scratch/mix.yaml:4:7: build-base-1-r0 is of the edition stage0, and only packages of community may be chosen" \
  "hint: stage0 builds but never ships" -- "$NACRE" image build --quiet --skip-tests "$scratch/mix.yaml"
image 'contents:' '  packages:' '    - flow-tiny@production'
what="package pinned to the other edition" expect_error 2 "$scratch/mix.yaml:3:7: " "takes 'flow-tiny@production' from the repository '@production'" \
  -- "$NACRE" image build --quiet --skip-tests "$scratch/mix.yaml"
image 'contents:' '  repositories:' "    - $scratch/community" "    - '@production $scratch/production'" '  keyring:' \
  "    - $scratch/community/keys/nacre-community.rsa.pub" "    - $scratch/production/keys/nacre-production.rsa.pub" \
  '  packages:' '    - tini' '    - flow-tiny@production'
what="repositories of both editions" expect_error 6 "flow-tiny-1-r0 is of the edition production" "of the edition community" \
  "content of two editions must not mix" -- "$NACRE" image build --quiet --skip-tests "$scratch/mix.yaml"
image 'contents:' '  repositories:' "    - $scratch/community" '  keyring:' "    - $scratch/production/keys/nacre-production.rsa.pub" \
  '  packages:' '    - tini'
what="a repository that no key of the keyring signed" expect_error 6 "$scratch/community" -- \
  "$NACRE" image build --quiet --skip-tests "$scratch/mix.yaml"
image 'contents:' '  packages:' '    - flow-tiny'
what="image of edition stage0" expect_error 6 "edition stage0 builds and never ships: no image is made of it" \
  -- "$NACRE" image build --quiet --skip-tests --edition stage0 "$scratch/mix.yaml"
image 'contents:' '  packages:' '    - tini'
what="community's package in production's image" expect_error 6 "$scratch/mix.yaml:3:7: tini-" "is of the edition community, and only packages of production may be chosen" \
  -- "$NACRE" image build --quiet --skip-tests --edition production "$scratch/mix.yaml"
define flow-leans <<'STEP'
mkdir -p ${{targets.destdir}}/usr/share/flow
echo leans > ${{targets.destdir}}/usr/share/flow/leans
STEP
sed -i 's/^environment:/  dependencies:\n    runtime:\n      - build-base\nenvironment:/' "$NACRE_OS_DIR/packages/flow-leans.yaml"
printf '%s\n' 'contents:' '  packages:' '    - flow-leans' >"$NACRE_OS_DIR/images/leans.yaml"
what="stage0 as a run-time need of what an image holds" expect_error 6 "build-base-1-r0 is of the edition stage0, and only packages of community may be chosen" \
  -- "$NACRE" up --quiet flow-leans
rm "$NACRE_OS_DIR/images/leans.yaml" "$NACRE_OS_DIR/packages/flow-leans.yaml"
same "community stays as it was" 2 "$(newest_serial)"

echo "-- serials"
# In a home that never published flow-tiny, the record of its build is made to name production's .apk: the same name, version and content.
second=$scratch/home
clone_home other
check "build without publishing" "$NACRE" build --quiet flow-tiny
digest=$(sha256sum <"$production" | cut -d' ' -f1)
mkdir -p "$NACRE_HOME/blobs/sha256/${digest:0:2}"
cp "$second/blobs/sha256/${digest:0:2}/$digest" "$NACRE_HOME/blobs/sha256/${digest:0:2}/"
python3 - "$NACRE_HOME/state.db" "$(sha256sum <"$community" | cut -d' ' -f1)" "$digest" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
table, columns = [(t, [c[1] for c in db.execute(f'pragma table_info({t})')])
                  for (t,) in db.execute("select name from sqlite_master where type = 'table'")
                  if 'value' in [c[1] for c in db.execute(f'pragma table_info({t})')]][0]
changed = db.execute(f"update {table} set value = replace(value, ?, ?) where kind = 'build' and value like '%flow-tiny%'", sys.argv[2:]).rowcount
db.commit()
sys.exit(changed != 1)
PY
[ $? -eq 0 ] || fail "the record was not found"
rm "$NACRE_OS_DIR/images/tiny.yaml"
what="production's package in a community serial" expect_error 6 \
  "flow-tiny-1-r0.$arch is signed by 'nacre-production.rsa.pub': edition community takes only what 'nacre-community.rsa.pub' signed" \
  -- "$NACRE" up --quiet --skip-tests flow-tiny
same "nothing was published" 1 "$(newest_serial)"
finish
