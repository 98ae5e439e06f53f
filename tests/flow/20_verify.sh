#!/usr/bin/env bash
# One flipped byte anywhere in what was published is refused by `nacre verify` with a message that names it.
. "$(dirname "$0")/lib.sh"
need_home
clone_home home

"$NACRE" index --quiet --repository "$scratch/good" >/dev/null || { fail "no repository"; finish; }
keys=$scratch/good/keys
verify() {
  "$NACRE" verify --quiet --key-package "$keys/nacre-community.rsa.pub" --key-attestation "$keys/nacre-community.ecdsa.pub" "$@"
}
apk=$(basename "$scratch"/good/*/nacre-baselayout-*.apk)
mkdir "$scratch/bad"

# flipped FILE OFFSET CODE TEXT…: a byte of FILE beside good others is changed; SUBJECT (the file, or the one that it is about)
# is refused.
flipped() {
  local file=$1 at=$2 code=$3 subject=${1%.intoto.sigstore.json}
  subject=${subject%.spdx.json}
  shift 3
  cp -f "$scratch"/good/*/"$apk"* "$scratch"/good/*/APKINDEX* "$scratch/bad/"
  flip_byte "$scratch/bad/$file" "$at"
  what="byte $at of $file" expect_error "$code" "$@" "verifying '$scratch/bad/$subject'" -- verify "$scratch/bad/$subject"
}

# members FILE: where each gzip member of it begins, and its end.
members() {
  python3 - "$1" <<'PY'
import sys, zlib
data, at = open(sys.argv[1], 'rb').read(), 0
while at < len(data):
    print(at)
    inflate = zlib.decompressobj(31)
    inflate.decompress(data[at:])
    at = len(data) - len(inflate.unused_data)
print(at)
PY
}

# position TEXT FILE: 20 bytes into what comes after TEXT, or the first place behind it where a changed bit leaves a digit
# of base64: what is none is refused before any signature is looked at.
position() {
  python3 - "$1" "$2" <<'PY'
import string, sys
data = open(sys.argv[2], 'rb').read()
digits = (string.ascii_letters + string.digits + '+/').encode()
at = data.index(sys.argv[1].encode()) + len(sys.argv[1]) + 20
while data[at] ^ 1 not in digits:
    at += 1
print(at)
PY
}

cp "$scratch"/good/*/"$apk"* "$scratch"/good/*/APKINDEX* "$scratch/bad/"
check "the package as it is" verify "$scratch/bad/$apk"
check "the index as it is" verify "$scratch/bad/APKINDEX.tar.gz"

mapfile -t at < <(members "$scratch/bad/$apk")
same "the package has a signature, a control and a data segment" 4 "${#at[@]}"
flipped "$apk" $(((at[0] + at[1]) / 2)) 2 "reading the first segment"
flipped "$apk" $(((at[1] + at[2]) / 2)) 2 "reading the control segment"
flipped "$apk" $(((at[2] + at[3]) / 2)) 2 "reading the data segment"
for begin in "${at[@]:0:3}"; do  # the time in a gzip header changes no content
  case $begin in
    0) flipped "$apk" 4 6 "the statement is about sha256:" ;;
    "${at[1]}") flipped "$apk" $((begin + 4)) 6 "checking the signature of the control segment" ;;
    *) flipped "$apk" $((begin + 4)) 6 "the data segment has the SHA-256" ;;
  esac
done
flipped "$apk" $((at[3] - 1)) 2 "reading the package '$scratch/bad/$apk'"

mapfile -t at < <(members "$scratch/good/$(uname -m)/APKINDEX.tar.gz")
flipped APKINDEX.tar.gz $(((at[0] + at[1]) / 2)) 2 "reading the first segment"
flipped APKINDEX.tar.gz $(((at[1] + at[2]) / 2)) 2 "reading the index segment"
flipped APKINDEX.tar.gz 4 6 "the statement is about sha256:"
flipped APKINDEX.tar.gz $((at[1] + 4)) 6 "checking the signature of"

for about in "$apk" APKINDEX.tar.gz; do
  bundle=$about.intoto.sigstore.json
  flipped "$bundle" "$(position '"payload":"' "$scratch/bad/$bundle")" 6 "no signature of the envelope fits the key"
  flipped "$bundle" "$(position '"sig":"' "$scratch/bad/$bundle")" 6 "no signature of the envelope fits the key"
  flipped "$bundle" "$(position '"hint":"' "$scratch/bad/$bundle")" 6 "is not as the key's owner writes it"
  flipped "$bundle" "$(position '"mediaType":"application/vnd.dev.sig' "$scratch/bad/$bundle")" 6 "is not as the key's owner writes it"
done
flipped "$apk.spdx.json" 500 6 "the SBOM beside the package has other bytes than the one inside"
rm "$scratch/bad/APKINDEX.tar.gz.intoto.sigstore.json"
flip_byte "$scratch/bad/$apk.spdx.json" 500
cp "$scratch"/good/*/APKINDEX.tar.gz "$scratch/bad/"
NACRE_HOME=$scratch/empty what="index without provenance" expect_error 6 "there is no provenance for" -- \
  verify "$scratch/bad/APKINDEX.tar.gz"

# Images: every blob of `static`, in the store.
check "the image as it is" verify static
"$NACRE" image publish --quiet --layout "$scratch/layout" static >/dev/null
python3 - "$scratch/layout" >"$scratch/blobs" <<'PY'
import json, os, sys
layout = sys.argv[1]
seen = {}
def visit(digest, kind):
    if digest in seen:
        return
    seen[digest] = kind
    with open(os.path.join(layout, 'blobs', digest.replace(':', '/')), 'rb') as file:
        data = file.read()
    if kind != 'index' and 'manifest' not in kind:
        return
    value = json.loads(data)
    about = '' if kind in ('index', 'manifest') else 'attestation '
    for row in value.get('manifests', []):
        visit(row['digest'], 'manifest')
    if 'config' in value:
        visit(value['config']['digest'], about + 'config')
    for row in value.get('layers', []):
        visit(row['digest'], about + 'layer')
top = json.load(open(os.path.join(layout, 'index.json')))['manifests']
for row in top:
    if 'latest' == row.get('annotations', {}).get('org.opencontainers.image.ref.name'):
        visit(row['digest'], 'index')
for row in top:
    visit(row['digest'], 'attestation manifest')
for digest, kind in seen.items():
    print(digest, kind)
PY
count=$(wc -l <"$scratch/blobs")
if [ "$count" -ge 20 ]; then passed "the image has $count blobs"; else fail "only $count blobs found"; fi
while read -r digest kind; do
  file=$(blob "$digest")
  flip_byte "$file" $(($(stat -c %s "$file") / 2))
  what=$kind expect_error 6 "${digest#sha256:}" -- verify static
  ln -f "$NACRE_TEST_HOME${file#"$NACRE_HOME"}" "$file"
done <"$scratch/blobs"
check "the image is as it was" verify static

# The same from a registry, by who has nothing but the keys and the index.
index=$scratch/good/$(uname -m)/APKINDEX.tar.gz
start_server
remote() {
  rm -rf "$scratch/empty"
  NACRE_HOME=$scratch/empty verify --index "$index" "$served/nacre/static:latest"
}
check "the image from a registry" remote
# The tag still leads to an index, another one: nothing is said about it.
for kind in index manifest config layer 'attestation manifest' 'attestation layer'; do
  digest=$(sed -n "s/^\(sha256:[0-9a-f]*\) $kind\$/\1/p" "$scratch/blobs" | head -n 1)
  file=$(blob "$digest")
  flip_byte "$file" $(($(stat -c %s "$file") / 2))
  if [ "$kind" = index ]; then named="has no attestation"; else named=${digest#sha256:}; fi
  what="$kind from a registry" expect_error 6 "$named" -- remote
  ln -f "$NACRE_TEST_HOME${file#"$NACRE_HOME"}" "$file"
done
finish
