#!/usr/bin/env bash
# The loop: zlib is at an older release; `nacre watch` finds the newer one, `nacre update` applies it, rebuilds what is built with
# it, recomposes the image that holds it, publishes; `nacre rollback` gives the digests from before.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/old_zlib.sh"
need_home
command -v curl >/dev/null || skip "no curl"
need_old_zlib

clone_home home
copy_os os
# Debian's index is the feed: the others may or may not be reachable.
export NACRE_FEED_GITHUB=off NACRE_FEED_DEBIAN_SUITES="forky sid"
set_zlib_back
sed -i -e "s/^  version: $old$/  version:   $old   # a comment that stays/" -e '1i # The first line, a comment, stays.' "$zlib"

# image NAME: its digest in the newest serial.
image() {
  "$NACRE" serials --quiet --json | python3 -c '
import json, sys
print(next(i["digest"] for i in json.load(sys.stdin)[-1]["images"] if i["name"] == sys.argv[1]))' "$1"
}
# report EXPRESSION: of the flow's JSON report, with `built` and `images` by name.
report() {
  python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))
built = {b["definition"]: b for b in r["built"]}
images = {i["name"]: i for i in r["images"]}
print(eval(sys.argv[2]))' "$scratch/report" "$1"
}

# ---- to the older release, by hand

check "plan" "$NACRE" plan --quiet
says "  zlib is to be built" "$out" "build  zlib"
says "  nginx too" "$out" "build  nginx"
check "with zlib $old" "$NACRE" up --quiet --json || finish
cp "$out" "$scratch/report"
same "  built: zlib and nginx" "nginx zlib" "$(report '" ".join(sorted(n for n in built if built[n]["made"] == "built"))')"
same "  serial 2" 2 "$(newest_serial)"
old_nginx=$(image nginx)
cp "$zlib" "$scratch/zlib.old"

# ---- the feed knows a newer one

check "watch" "$NACRE" watch --quiet --json zlib
to=$(json '[0]["proposal"]["to"]' <"$out")
problem=$(json '[0]["proposal"]["problem"]' <"$out")
same "  watch changes nothing" "$(sha256sum <"$scratch/zlib.old")" "$(sha256sum <"$zlib")"
if [ -n "$problem" ]; then
  [ "$failures" -eq 0 ] || finish
  skip "zlib $to is proposed, and cannot be had now: $problem"
fi
passed "  it proposes $old -> $to"
check "  and shows the definition as it would become" "$NACRE" watch --quiet --diff zlib
says "  with its comments" "$out" "version:   $to   # a comment that stays"
check "delta counts how far behind" "$NACRE" delta --quiet --json
same "  zlib is behind, and repacked" "True repacked" "$(python3 -c '
import json, sys
row = next(r for r in json.load(sys.stdin)["packages"] if r["package"] == "zlib")
print(row["releasesBehind"] >= 1, row["source"])' <"$out")"

# ---- update

check "update" "$NACRE" update --quiet --json zlib || finish
cp "$out" "$scratch/report"
same "  the definition: version and digest changed, nothing else" \
  "$(sed -e "s/version:   $old   #/version:   $to   #/" -e 's/expected-sha256: .*/expected-sha256: NEW/' "$scratch/zlib.old")" \
  "$(sed -e 's/expected-sha256: .*/expected-sha256: NEW/' "$zlib")"
digest=$(sed -n 's/.*expected-sha256: //p' "$zlib")
[ "$to" != "$new" ] || same "  the digest is upstream's known one" "$new_sha256" "$digest"
same "  the lock has the new source, once" 1 "$(grep -c "sha256: $digest" "$lock")"
same "  each suite once" "" "$(grep -A 4 "sha256: $digest" "$lock" | sed -n 's/.*debian-suites: \[\(.*\)\]/\1/p' | tr -d ' ' | tr , '\n' | sort | uniq -d)"
same "  nginx is rebuilt, since zlib changed" "True" \
  "$(report 'built["nginx"]["made"] == "built" and "zlib changed" in built["nginx"]["why"]')"
passed "  its reasons: $(report '"; ".join(built["nginx"]["why"])')"
same "  the epoch that the factory wrote" "1.26.3-r1 2" \
  "$(report 'built["nginx"].get("bumpedFrom")') $(sed -n 's/^  epoch: //p' "$NACRE_OS_DIR/packages/nginx.yaml")"
same "  nothing else is" "" "$(report '" ".join(n for n in built if built[n]["made"] != "kept" and n not in ("zlib", "nginx"))')"
same "  one image is composed" "nginx" "$(report '" ".join(n for n in images if images[n]["composed"])')"
same "  the others keep their digests" True \
  "$(report 'all(i["pull"]["bytes"] == 0 for n, i in images.items() if n != "nginx")')"
same "  serial 3" 3 "$(newest_serial)"
check "  nginx verifies" "$NACRE" verify --quiet nginx
new_nginx=$(image nginx)
if [ "$new_nginx" != "$old_nginx" ]; then passed "  nginx has a new digest"; else fail "nginx has its old digest"; fi

# What a client that has the old image pulls: counted from the manifests, by another hand.
for number in 2 3; do
  check "  serial $number as a layout" "$NACRE" image publish --quiet --serial $number --layout "$scratch/layout$number"
done
counted=$(python3 - "$scratch/layout" "$old_nginx" "$new_nginx" <<'END'
import json, sys
def layers(number, digest):
    read = lambda d: json.load(open(f"{sys.argv[1]}{number}/blobs/sha256/{d[7:]}"))
    return {l["digest"]: l["size"] for l in read(read(digest)["manifests"][0]["digest"])["layers"]}
old, new = layers(2, sys.argv[2]), layers(3, sys.argv[3])
moved = {d: s for d, s in new.items() if d not in old}
print(len(moved), len(new), sum(moved.values()), *sorted(moved))
END
)
same "  layers that changed, of all, and their bytes" "$counted" \
  "$(report '(lambda p: " ".join([str(p["layers"]), str(p["layersTotal"]), str(p["bytes"]), *sorted(p["digests"])]))(images["nginx"]["pull"])')"
passed "  a client pulls $(report '"{layers} of {layersTotal} layers, {bytes} bytes".format(**images["nginx"]["pull"])')"

check "update again" "$NACRE" update --quiet zlib
says "  nothing newer" "$out" "at the newest release"
same "  and no new serial" 3 "$(newest_serial)"

# ---- and back

check "rollback" "$NACRE" rollback --quiet
says "  says what it is" "$out" "serial 4: the content of serial 2, the same digests"
same "  nginx has its old digest" "$old_nginx" "$(image nginx)"
check "  it verifies" "$NACRE" verify --quiet nginx
start_server
same "  and is what the server gives" "$old_nginx" "$(curl -fsI "http://$served/v2/nacre/nginx/manifests/latest" | tr -d '\r' |
  awk 'tolower($1) == "docker-content-digest:" { print $2 }')"
stop_server
check "rollback to serial 3, the newer release" "$NACRE" rollback --quiet 3
same "  nginx has its new digest" "$new_nginx" "$(image nginx)"
what="rollback to the future" expect_error 2 "serial 9 is not before the newest, 5" -- "$NACRE" rollback --quiet 9
finish
