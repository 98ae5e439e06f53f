#!/usr/bin/env bash
# Channels and time: edge and stable, pins, roll-backs, every state of an edition by a word, tags and history of images that
# recompose, withdrawal and end of life with reasons, and what gc leaves. No distribution is needed: three small definitions, and a
# stage 0 of a shell and a C library.
. "$(dirname "$0")/lib.sh"
command -v apt-get >/dev/null || skip "no apt-get to make stage 0 with"
command -v python3 >/dev/null || skip "no python3"
export NACRE_HOME=$scratch/home
. "$(dirname "$0")/small_os.sh"
small_os "$scratch/os"
library() { small_package libtiny "$1" "" "echo $1 >\"\$d/version\""; }
library 1.0
small_package tool 2.5.1 libtiny 'head -c 20000 /dev/zero >"$d/data"'
small_package other 7 "" 'echo 7 >"$d/seven"'
small_image tool tool
small_image other other
check "serial 1" "$NACRE" up --quiet || finish
at() { "$NACRE" serials --quiet --json --at "$1" | json '[0]["serial"]'; }
channel() { "$NACRE" farm channel list "$1" --json --quiet | json "$2"; }
digest() { "$NACRE" image inspect --quiet --json "$@" | json '["digest"]'; }

echo "-- images recompose"
first=$(digest tool) others=$(digest other)
library 1.1
check "serial 2: the library changed" "$NACRE" up --quiet --json
same "  one image of two is composed again" "tool" "$(python3 -c 'import json,sys
print(" ".join(i["name"] for i in json.load(open(sys.argv[1]))["images"] if i["composed"]))' "$out")"
second=$(digest tool)
[ "$first" != "$second" ] && passed "  it has another digest" || fail "the image did not change"
same "  the other one stays" "$others" "$(digest other)"
check "image history" "$NACRE" image history --quiet --json tool
same "  serial, packages that changed, tags" "2 libtiny 1.0-r0 -> 1.1-r0 2.5.1-r0 2.5.1 2.5 latest serial-2 edge" \
  "$(python3 -c 'import json,sys; r=json.load(open(sys.argv[1]))[0]; print(r["serial"], *r["changed"], *r["tags"], *r["channels"])' "$out")"
what="no such image" expect_error 3 "no serial of edition community has an image 'toll'" "did you mean 'tool'?" -- "$NACRE" image history toll

echo "-- edge and stable"
same "edge names the newest" 2 "$(channel edge '["serial"]')"
check "follow with nothing soaked" "$NACRE" farm channel follow --quiet
says "  says so" "$out" "nothing has soaked on edge"
check "follow" "$NACRE" farm channel follow --quiet --soak 0s
same "  stable names what has soaked" 2 "$(channel stable '["serial"]')"
check "set back" "$NACRE" farm channel rollback stable 1 --quiet --reason "1.1 is bad"
same "  stable is at 1" 1 "$(channel stable '["serial"]')"
check "follow after that" "$NACRE" farm channel follow --quiet --json --soak 0s
same "  does not come back to 2" "1 2 the channel was set back from serial 2" \
  "$(python3 -c 'import json,sys; r=json.load(open(sys.argv[1])); n=r["notNewer"][0]; print(r["serial"], n["serial"], n["why"])' "$out")"
what="edge cannot be set" expect_error 2 "edge names the newest serial, and moves by publishing" -- "$NACRE" farm channel set edge 1
check "farm serials" "$NACRE" farm serials --quiet
says "  says why stable is behind" "$out" "not stable: the channel was set back from serial 2"
check "a channel of our own" "$NACRE" farm channel set lts 1 --quiet --reason "for a customer"
check "  pinned" "$NACRE" farm channel pin lts --quiet --reason audit
what="  it does not move" expect_error 4 "channel 'lts' of edition community is pinned to serial 1: audit" "nacre farm channel unpin lts" \
  -- "$NACRE" farm channel set lts 2
check "  unpinned" "$NACRE" farm channel unpin lts --quiet
check "  and moved" "$NACRE" farm channel set lts 2 --quiet

echo "-- every state by a word"
today=$(date -u +%F)
same "serial, date, channels" "1 2 2 1 2" "$(at 1) $(at "$today") $(at edge) $(at stable) $(at @lts)"
same "an image at a channel, by tag and by --at" "$first $first $second" "$(digest tool:stable) $(digest tool --at stable) $(digest tool --at "$today")"
check "why at a serial" "$NACRE" why --quiet libtiny --at 1
says "  of that time" "$out" "libtiny-1.0-r0"
check "verify at a channel" "$NACRE" verify --quiet tool --at stable
check "two states compared" "$NACRE" repo diff --quiet --json community@stable community@edge
what="a word that is none" expect_error 2 "'2.5' is no serial, date or channel" -- "$NACRE" serials --at 2.5
what="no such channel" expect_error 3 "no channel 'stabel'" "did you mean 'stable'?" -- "$NACRE" serials --at stabel
what="before the first" expect_error 3 "had no serial yet on 2001-01-01" -- "$NACRE" serials --at 2001-01-01

echo "-- over HTTP"
start_server
arch=$(uname -m)
index_of() { curl -fs "http://$served/community/$1/$arch/APKINDEX.tar.gz" | sha256sum; }
same "@1, @stable are one index" "$(index_of @1)" "$(index_of @stable)"
same "@2, @edge, @$today are another" "$(index_of @2) $(index_of @2)" "$(index_of @edge) $(index_of "@$today")"
[ "$(index_of @1)" != "$(index_of @2)" ] && passed "  they differ" || fail "serial 1 has the index of serial 2"
same "a package of the channel's serial" "200 404" "$(for at in @1 @2; do
  curl -so "$scratch/x" -w '%{http_code} ' "http://$served/community/$at/$arch/libtiny-1.0-r0.apk"; done | sed 's/ $//')"
same "no such moments" "404 404 404" "$(for at in @9 @nothing @2001-01-01; do
  curl -so "$scratch/x" -w '%{http_code} ' "http://$served/community/$at/$arch/APKINDEX.tar.gz"; done | sed 's/ $//')"
tag() { curl -fs -o "$scratch/x" -D - "http://$served/v2/nacre/tool/manifests/$1" | tr -d '\r' | sed -n 's/^docker-content-digest: //Ip'; }
same "registry tags" "$first $second $first $second" "$(tag stable) $(tag edge) $(tag serial-1) $(tag 2.5)"
says "  in the list" <(curl -fs "http://$served/v2/nacre/tool/tags/list") '"stable"'

# A client of nacre that trusts the channel's root follows it backwards: its metadata has versions of its own.
client() { NACRE_HOME=$scratch/client "$NACRE" "$@"; }
curl -fs "http://$served/community/keys/nacre-community.rsa.pub" >"$scratch/nacre-community.rsa.pub"
lts_root() { curl -fs "http://$served/community/@lts/tuf/root.json"; }
lts_root >"$scratch/lts.root.json"
check "a client trusts the channel lts" client repo trust --quiet "http://$served/community/@lts" --root "$scratch/lts.root.json"
chosen() {  # the version of libtiny that a lock of that client takes
  printf 'contents:\n  keyring: [%s]\n  repositories: [http://%s/community/%s]\n  packages: [libtiny]\narchs: [%s]\n' \
    "$scratch/nacre-community.rsa.pub" "$served" "$1" "$arch" >"$scratch/locked.yaml"
  (cd "$scratch" && client apko lock locked.yaml >"$scratch/lock.out" 2>&1 || { cat "$scratch/lock.out" >&2; exit 1; }
    python3 -c 'import json; print(json.load(open("locked.lock.json"))["contents"]["packages"][0]["version"])')
}
same "  and takes what it names" 1.1-r0 "$(chosen @lts)"
check "  the channel is set back" "$NACRE" farm channel rollback lts --quiet
same "  the client follows" 1.0-r0 "$(chosen @lts)"
if "$NACRE" index --quiet --repository "$scratch/at-edge" --at edge >/dev/null; then
  same "a channel's directory has the channel's metadata" edge \
    "$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["signed"]["x-nacre-channel"])' "$scratch/at-edge/tuf/timestamp.json")"
else
  fail "index --at edge"
fi
mv "$scratch/at-edge" "$scratch/passed-off"
cp "$NACRE_HOME/keys/nacre-community.rsa.pub" "$scratch/passed-off/"
check "a client trusts lts in a directory" client repo trust --quiet "$scratch/passed-off" --root "$scratch/lts.root.json"
printf 'contents:\n  keyring: [%s]\n  repositories: [%s]\n  packages: [libtiny]\narchs: [%s]\n' \
  "$scratch/nacre-community.rsa.pub" "$scratch/passed-off" "$arch" >"$scratch/off.yaml"
what="  edge put in its place" expect_error 6 "is of channel 'edge', and what is trusted is of channel 'lts'" -- \
  env NACRE_HOME="$scratch/client" "$NACRE" apko lock "$scratch/off.yaml"

echo "-- a pinned image"
check "tool stays at serial 1 in lts" "$NACRE" farm channel pin lts 1 --image tool --quiet --reason "2 loses connections"
check "lts goes on" "$NACRE" farm channel set lts 2 --quiet
same "  without it" "$first" "$(tag lts)"
same "  packages do" "$(index_of @2)" "$(index_of @lts)"
check "static files of the channel" "$NACRE" image publish --quiet --static "$scratch/static" --at lts
same "  have it, and no wrong tags" "$first lts stable" "$(python3 - "$scratch/static" <<'END'
import hashlib, json, pathlib, sys
root = pathlib.Path(sys.argv[1]) / "v2/nacre/tool"
tags = [t for t in json.load(open(root / "tags/list"))["tags"] if not t.startswith("sha256-")]
print("sha256:" + hashlib.sha256((root / "manifests/lts.index").read_bytes()).hexdigest(), *tags)
END
)"
check "unpinned" "$NACRE" farm channel unpin lts --image tool --quiet
same "  it is where the channel is" "$second" "$(tag lts)"

echo "-- a roll-back of edge"
check "rollback edge" "$NACRE" farm channel rollback edge 1 --quiet
same "  is a new serial" "3 $first" "$(channel edge '["serial"]') $(tag edge)"
check "follow" "$NACRE" farm channel follow --quiet --soak 0s
same "  stable goes to it: its content has soaked" 3 "$(channel stable '["serial"]')"

echo "-- withdrawal"
small_package other 8 "" 'echo 8 >"$d/seven"'
check "serial 4" "$NACRE" up --quiet || finish
rm "$NACRE_OS_DIR/images/other.yaml"
check "other is withdrawn" "$NACRE" repo remove --quiet community other=8-r0 --reason "it eats files (example 1)"
what="verify refuses an image of a package that the index has no longer, and says why" expect_error 6 "is not in the signed index" \
  "other=8-r0 was withdrawn in serial 5" "it eats files (example 1)" -- "$NACRE" verify other
for verb in "verify other --at 4" "image inspect other" "serials"; do
  # shellcheck disable=SC2086
  check "$verb" "$NACRE" $verb
  says "  tells the reason" "$out" "other=8-r0 was withdrawn in serial 5"
  says "  whole" "$out" "it eats files (example 1)"
done
"$NACRE" run other >"$out" 2>"$err" || true
says "run tells it, too" "$err" "other=8-r0 was withdrawn in serial 5"
says "notices.json" <(curl -fs "http://$served/community/notices.json") '"reason":"it eats files (example 1)"'
notice() { curl -fs -o "$scratch/x" -D - "http://$served$1" | tr -d '\r' | sed -n 's/^nacre-notice: //Ip'; }
says "a header of the package" <(notice "/community/$arch/other-8-r0.apk") "it eats files"
says "a header of the image" <(notice /v2/nacre/other/manifests/serial-4) "it eats files"
same "none of others" "" "$(notice "/community/$arch/libtiny-1.0-r0.apk")"
check "follow" "$NACRE" farm channel follow --quiet --soak 0s --json
same "stable passes over what holds it" 5 "$(json '["serial"]' <"$out")"

echo "-- end of life"
cat >"$NACRE_OS_DIR/streams.yaml" <<END
streams:
  - definitions: lib*
    end: $(date -u -d '10 days ago' +%F)
    grace: 30d
    note: take libtiny2
END
small_package other 9 "" 'echo 9 >"$d/seven"'
check "within its grace it is published" "$NACRE" up
says "  with a note" "$err" "libtiny came to its end of life on"
says "  that says what to take" "$err" "take libtiny2"
check "inspect" "$NACRE" image inspect tool --quiet
says "  tells it" "$out" "note: libtiny came to its end of life"
sed -i "s/grace: 30d/grace: 5d/" "$NACRE_OS_DIR/streams.yaml"
what="an image that needs what is gone" expect_error 3 "published no longer: libtiny: upstream mends it no longer since" -- "$NACRE" up
what="building it for a serial" expect_error 6 "'libtiny' is published no longer" "streams.yaml:2" -- "$NACRE" up libtiny
rm "$NACRE_OS_DIR/images/tool.yaml" "$NACRE_OS_DIR/packages/tool.yaml"
check "without such an image" "$NACRE" up --quiet
same "  the new serial has none of it" other "$("$NACRE" index --quiet --json | python3 -c 'import json,sys; print(" ".join(p["name"] for p in json.load(sys.stdin)))')"
printf '    waived: {who: anna, reason: a customer moves, until: %s}\n' "$(date -u -d tomorrow +%F)" >>"$NACRE_OS_DIR/streams.yaml"
check "waived" "$NACRE" up --quiet
same "  it is back" "libtiny other" "$("$NACRE" index --quiet --json | python3 -c 'import json,sys; print(" ".join(p["name"] for p in json.load(sys.stdin)))')"

echo "-- gc"
before=$(for n in 1 2 3 4; do index_of "@$n"; done) before_tag=$(tag stable)
head -c 300000 /dev/urandom >"$scratch/stray"
stray=$(sha256sum "$scratch/stray" | cut -d' ' -f1)
mkdir -p "$NACRE_HOME/blobs/sha256/${stray:0:2}"
cp "$scratch/stray" "$NACRE_HOME/blobs/sha256/${stray:0:2}/$stray"
check "gc --days 0" "$NACRE" gc --quiet --json --days 0
freed=$(json '["bytes"]' <"$out")
if [ "$freed" -ge 300000 ]; then passed "  reports what it freed: $freed bytes"; else fail "gc freed $freed bytes"; fi
[ -e "$NACRE_HOME/blobs/sha256/${stray:0:2}/$stray" ] && fail "a blob that nothing names is left" || passed "  what nothing names is gone"
same "every serial is whole" "$before" "$(for n in 1 2 3 4; do index_of "@$n"; done)"
for n in 1 2 3 4; do check "  tool of serial $n verifies" "$NACRE" verify --quiet "tool:serial-$n"; done
same "the channel still answers" "$before_tag" "$(tag stable)"
finish
