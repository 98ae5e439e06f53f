#!/usr/bin/env bash
# Packages are built twice, in another root and at another time, with the same bytes; production gets those, signed with its own key.
. "$(dirname "$0")/lib.sh"
need_home
clone_home home
names=(ca-certificates-bundle nacre-baselayout tzdata zlib)
arch=$(uname -m)

check "promote ${names[*]}" "$NACRE" promote "${names[@]}" || finish
for name in "${names[@]}"; do
  if grep -E "^  $name +" "$out" | grep -qF "a second build gave the same bytes"; then passed "$name: the same bytes"
  else fail "$name: no word of a second build"; sed 's/^/      /' "$out"; fi
  says "  it was a build" "$err" "done     build $name a second time: the same bytes"
done
says "published" "$out" "published: edition production, serial 1 (promote community serial 1)"
says "the image whose packages are all there follows" "$out" "  static "
same "no other image does" 1 "$("$NACRE" serials --quiet --json --edition production | json '[-1]["images"].__len__()')"

"$NACRE" index --quiet --repository "$scratch/community" >/dev/null
"$NACRE" index --quiet --edition production --repository "$scratch/production" >/dev/null
# Nothing but the signature differs: everything after the first gzip member is the same.
cat >"$scratch/compare.py" <<'PY'
import sys, zlib
def parts(path):
    data = open(path, 'rb').read()
    inflate = zlib.decompressobj(31)
    inflate.decompress(data)
    return data[:len(data) - len(inflate.unused_data)], inflate.unused_data
(signature, rest), (other_signature, other_rest) = map(parts, sys.argv[1:])
sys.exit(rest != other_rest or signature == other_signature)
PY
for file in "$scratch/production/$arch"/*.apk; do
  check "$(basename "$file"): byte for byte, signature aside" python3 "$scratch/compare.py" "$file" "$scratch/community/$arch/$(basename "$file")"
  check "  verifies in production" "$NACRE" verify --quiet --edition production "$file"
done
check "nacre-production/static verifies" "$NACRE" verify --quiet nacre-production/static

check "a second run" "$NACRE" promote --quiet "${names[@]}"
says "has nothing to do" "$out" "nothing to do: edition production is at serial 1"

# What was built but not published is not promoted.
copy_os os
sed -i 's/^  description: Directories/  description: All directories/' "$NACRE_OS_DIR/packages/nacre-baselayout.yaml"
check "build without publishing" "$NACRE" build --quiet nacre-baselayout
what="promotion of what was not published" expect_error 4 \
  "the last build of 'nacre-baselayout' is not what community serial 1 holds" "promoting 'nacre-baselayout'" \
  "hint: run \`nacre up\` first" -- "$NACRE" promote --quiet nacre-baselayout
what="promotion of what is not there" expect_error 3 "zlip" -- "$NACRE" promote --quiet zlip
finish
