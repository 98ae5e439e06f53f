#!/usr/bin/env bash
# Any earlier state is one command away, with the same digests, and old and new are served side by side.
. "$(dirname "$0")/lib.sh"
need_home
clone_home home
copy_os os
arch=$(uname -m)
define flow-tiny <<'STEP'
mkdir -p ${{targets.destdir}}/usr/share/flow
echo one > ${{targets.destdir}}/usr/share/flow/tiny
STEP
printf '%s\n' 'contents:' '  packages:' '    - flow-tiny' '    - nacre-baselayout' >"$NACRE_OS_DIR/images/tiny.yaml"

digests() { "$NACRE" serials --quiet --json | json "[$1]['images']"; }
packages() { "$NACRE" index --quiet --json --serial "$1" | python3 -c 'import json, sys
for row in json.load(sys.stdin): print(row["name"], row["version"], row["sha256"])'; }

check "serial 2" "$NACRE" up --quiet flow-tiny || finish
sed -i -e 's/echo one/echo two/' -e 's/version: "1"/version: "2"/' "$NACRE_OS_DIR/packages/flow-tiny.yaml"
check "serial 3" "$NACRE" up --quiet flow-tiny || finish
says "it says what changed" "$out" "published: edition community, serial 3 (flow-tiny 2-r0)"
says "  and which layers clients pull" "$out" "update: 2 of 3 layers, "
same "  of one image only" 1 "$(grep -c 'update: ' "$out")"
[ "$(digests 1)" != "$(digests 2)" ] && passed "two serials, two digests" || fail "serial 3 has the images of serial 2"

check "rollback" "$NACRE" rollback --quiet
says "  is a new serial" "$out" "edition community is at serial 4: the content of serial 2, the same digests"
same "  same images" "$(digests 1)" "$(digests 3)"
same "  same packages" "$(packages 2)" "$(packages 4)"
check "rollback to 1" "$NACRE" rollback --quiet 1
same "  same images" "$(digests 0)" "$(digests 4)"
same "  same packages" "$(packages 1)" "$(packages 5)"
check "the way back to 3" "$NACRE" rollback --quiet 3
same "  same images" "$(digests 2)" "$(digests 5)"
check "nacre serials" "$NACRE" serials --quiet
same "  lists all, oldest first" "1 2 3 4 5 6" "$(awk '{print $1}' "$out" | xargs)"
says "  with reasons" "$out" "rollback to 2"
check "nacre up after the rollback" "$NACRE" up --quiet flow-tiny
says "  has nothing to do: the definitions say what serial 3 says" "$out" "nothing to do: edition community is at serial 6"
check "the image verifies" "$NACRE" verify --quiet tiny
check "the image of an older serial, too" "$NACRE" verify --quiet tiny:serial-2

echo "-- refusals"
expect_message 2 "$NACRE" rollback --quiet 9 <<'TEXT'
nacre: serial 9 is not before the newest, 6
  hint: `nacre serials` lists them
TEXT
expect_message 2 "$NACRE" rollback --quiet 6 <<'TEXT'
nacre: serial 6 is not before the newest, 6
  hint: `nacre serials` lists them
TEXT
expect_message 2 "$NACRE" rollback --quiet six <<'TEXT'
nacre: expected the number of a serial, got 'six'
  hint: `nacre serials` lists them
TEXT
expect_message 3 "$NACRE" rollback --quiet --edition production <<'TEXT'
nacre: edition production has no serial yet
  hint: `nacre promote` makes the first
TEXT

echo "-- nacre serve"
start_server
get() { curl -fsS --max-time 10 "http://$served/$1"; }
description() { get "$1" | tar -xzO DESCRIPTION 2>/dev/null; }
same "newest index" "nacre community serial 6" "$(description "community/$arch/APKINDEX.tar.gz")"
for number in 1 2 3; do
  same "index of serial $number" "nacre community serial $number" "$(description "community/serial/$number/$arch/APKINDEX.tar.gz")"
done
for version in 1 2; do
  same "package of version $version" "$(packages $((version + 1)) | awk '$1 == "flow-tiny" { print $3 }')" \
    "$(get "community/$arch/flow-tiny-$version-r0.apk" | sha256sum | cut -d' ' -f1)"
done
image_digest() { curl -fsSI --max-time 10 "http://$served/v2/nacre/tiny/manifests/$1" | tr -d '\r' | sed -n 's/^docker-content-digest: //Ip'; }
wanted() { "$NACRE" serials --quiet --json | python3 -c "import json, sys; print([i['digest'] for i in json.load(sys.stdin)[$1]['images'] if i['name'] == 'tiny'][0])"; }
same "tag serial-2" "$(wanted 1)" "$(image_digest serial-2)"
same "tag serial-3" "$(wanted 2)" "$(image_digest serial-3)"
same "tag latest" "$(wanted 5)" "$(image_digest latest)"
same "an old digest is still served" 200 "$(curl -sS -o /dev/null -w '%{http_code}' "http://$served/v2/nacre/tiny/manifests/$(wanted 1)")"
# Published while the server runs.
"$NACRE" rollback --quiet 2 >/dev/null
same "a serial published meanwhile is served at once" "nacre community serial 7" "$(description "community/$arch/APKINDEX.tar.gz")"
same "  and so is its image" "$(wanted 1)" "$(image_digest latest)"
finish
