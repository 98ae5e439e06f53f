#!/usr/bin/env bash
# What stands between a soaked serial and stable: known vulnerabilities at that moment, data too old, a gate that farm.yaml names,
# waivers, the end of a stream; where a refusal is seen. And tags in a registry that follow the verbs of channels, by manifests alone,
# also after a crash. No distribution is needed.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/farm_lib.sh"
for program in apt-get python3 git curl docker-registry; do command -v "$program" >/dev/null || skip "no $program"; done
export NACRE_HOME=$scratch/home
. "$(dirname "$0")/small_os.sh"
small_os "$scratch/first"
# What scanners know a package by is in its tree.
library() {  # VERSION [LINES]
  small_package libtiny "$1" "" "seq ${2:-10} >\"\$d/data\"; n=\${{targets.destdir}}/usr/lib/node_modules/libtiny
      mkdir -p \"\$n\"; printf '{\"name\": \"libtiny\", \"version\": \"$1.0\"}\\n' >\"\$n/package.json\""
}
library 1.0
small_package tool 2.5.1 libtiny 'echo tool >"$d/data"'
small_package other 7 "" 'echo 7 >"$d/seven"'
small_image tool tool
small_image other other
registry_log=info start_registry
rules() {  # SOAK [GATES]
  printf 'registry: %s\nchannels:\n  stable:\n    soak: %s\n    gates: {%s}\n' "$registry" "$1" "${2:-}" >"$NACRE_OS_DIR/farm.yaml"
}
rules 0s
farm() { "$NACRE" farm "$@"; }
check "serial 1" farm run --quiet --once || { farm log 1 | tail -n 20; finish; }
same "  is edge and stable" "edge 1 stable 1" "$(farm channel --quiet --json | python3 -c '
import json, sys
print(" ".join("{} {}".format(c["channel"], c["serial"]) for c in json.load(sys.stdin)))')"
git clone -q "$NACRE_HOME/farm/definitions.git" "$scratch/clone" 2>/dev/null
git -C "$scratch/clone" config user.email test@nacre.invalid
git -C "$scratch/clone" config user.name test
export NACRE_OS_DIR=$scratch/clone
push() { git -C "$NACRE_OS_DIR" add -A && git -C "$NACRE_OS_DIR" commit -qm "$1" && git -C "$NACRE_OS_DIR" push -q origin HEAD:main 2>/dev/null; }
stable() { farm channel list stable --json --quiet | json "$1"; }
osv() {  # AGE
  mkdir -p "$scratch/osv"
  python3 - "$scratch/osv/one.json" "$1" <<'END'
import json, sys, time
when = time.gmtime(time.time() - 86400 * float(sys.argv[2]))
json.dump({"id": "GHSA-aaaa-bbbb-dddd", "aliases": ["CVE-2026-99998"], "schema_version": "1.6.0",
           "modified": time.strftime("%Y-%m-%dT%H:%M:%SZ", when), "summary": "counts wrong",
           "affected": [{"package": {"ecosystem": "npm", "name": "libtiny"},
                         "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2.0"}]}]}]},
          open(sys.argv[1], "w"))
END
}

echo "-- a vulnerability becomes known while a serial soaks"
osv 0
export NACRE_OSV=$scratch/osv
small_package other 8 "" 'echo 8 >"$d/seven"'
push "other 8"
check "serial 2, which does not touch what has it" farm run --quiet --once
same "  is published, and stable stays" "2 1" "$(newest_serial) $(stable '["serial"]')"
check "farm channel" farm channel --quiet
says "  says that it is refused" "$out" "not serial 2: refused since 20"
says "  and why" "$out" "vulnerabilities: libtiny: libtiny 1.0-r0 has CVE-2026-99998 (libtiny 1.0.0), fixed in 1.2.0"
check "farm status" farm status --quiet
says "  too" "$out" "not serial 2: refused since 20"
same "  as JSON" 2 "$(farm status --quiet --json | json '["channels"][1]["notNewer"][0]["serial"]')"
check "farm serials" farm serials --quiet
says "  too" "$out" "not stable: refused since 20"
start_server
curl -fs "http://$served/farm/" >"$scratch/page"
says "the page" "$scratch/page" "<span class=red>not serial 2</span>: refused since 20"
says "  has the channel" "$scratch/page" "<td>stable<td>1<td>20"
stop_server
since=$(stable '["notNewer"][0]["refusedSince"]')
sleep 1
check "the next look" farm run --quiet --once
same "  judges again, and knows since when it refuses" "$since" "$(stable '["notNewer"][0]["refusedSince"]')"
library 1.2
push "libtiny 1.2"
check "serial 3 mends it" farm run --quiet --once
same "  and is stable" "3 3" "$(newest_serial) $(stable '["serial"]')"
check "the history" farm channel list stable --quiet
says "  keeps the refusal" "$out" "refused      2  vulnerabilities: libtiny"

echo "-- data that is too old, a gate of one's own, waivers"
rules 1d "size: {image: {percent: 0, bytes: 1KiB}}"
library 1.3 4000
push "libtiny 1.3, larger"
NACRE_OSV='' what="without data, where there was some" refused 4 farm run --quiet --once
number=$(farm queue --quiet --json | json '[0]["id"]')
check "  why" farm why --quiet "$number"
says "  says what to do" "$out" "NACRE_OSV names no data on vulnerabilities, and there was some, of 20"
check "  status" farm status --quiet
says "  says by what is judged" "$out" "known vulnerabilities: not asked about: NACRE_OSV names no data"
check "  what it changes" farm why --quiet --diff "$number"
says "  is kept" "$out" '+  version: "1.3"'
check "  retry" farm retry --quiet "$number"
check "serial 4" farm run --quiet --once
same "  soaks" "4 3" "$(newest_serial) $(stable '["serial"]')"
check "farm channel" farm channel --quiet
says "  says until when" "$out" "not serial 4: on edge for"
osv 9
check "follow" farm channel follow --soak 0s --quiet
says "  data of nine days ago" "$out" "the data on vulnerabilities is of"
osv 0
check "with new data" farm channel follow --soak 0s --quiet
says "  the image is too large" "$out" "size: tool"
same "  it is not the gate of publishing" 3 "$(stable '["serial"]')"
check "a key" farm waive --quiet --new-key --who anna --key "$scratch/anna.pem"
check "waived" farm waive --quiet size tool --reason "it holds a table now" --days 2 --key "$scratch/anna.pem"
check "follow" farm channel follow --soak 0s --quiet
same "  goes on" 4 "$(stable '["serial"]')"
printf 'channels: {stable: {gates: {tests: on}}}\n' >"$NACRE_OS_DIR/farm.yaml"
what="no gate of a channel" expect_error 2 "'tests' is no gate of a channel" -- farm channel follow --quiet
rules 1d

echo "-- the end of a stream"
push "rules"
small_package other 9 "" 'echo 9 >"$d/seven"'
push "other 9"
check "serial 5" farm run --quiet --once
serial=$(newest_serial)
printf 'streams:\n  - {definitions: other, end: %s, grace: 3d, note: take another}\n' "$(date -u -d '10 days ago' +%F)" >"$NACRE_OS_DIR/streams.yaml"
check "follow" farm channel follow --soak 0s --quiet
says "  refuses what is past its grace" "$out" "other is past its end of life and its grace: upstream mends it no longer"
same "  stable stays" 4 "$(stable '["serial"]')"
check "clients are told" "$NACRE" serials --quiet
says "  of the package" "$out" "other came to its end of life on"
start_server
curl -fs "http://$served/farm/" >"$scratch/page"
says "the page, too" "$scratch/page" "<td>other<td class=held>end of life"
stop_server
rm "$NACRE_OS_DIR/streams.yaml"
check "follow without an end" farm channel follow --soak 0s --quiet
same "  stable goes on" "$serial" "$(stable '["serial"]')"

echo "-- tags in the registry"
digest() { "$NACRE" image inspect --quiet --json "$@" | json '["digest"]'; }
one=$(digest tool --at 1) now=$(digest tool)
uploads() { grep -c 'http.request.uri="*/v2/[^ ]*/blobs/uploads' "$scratch/registry.log"; }
puts() { grep -c 'http.request.method=PUT.*manifests' "$scratch/registry.log"; }
check "the registry has what stable named last" test "$(pushed tool stable)" = "$now"
before=$(uploads)
if [ "$before" -gt 0 ]; then passed "its log counts uploads: $before"; else fail "no upload in the registry's log"; tail -n 3 "$scratch/registry.log"; fi
check "stable is set back" farm channel rollback stable 1 --quiet --reason "later ones are bad"
says "  says which tags moved" "$out" "nacre/tool:stable"
same "  the tag moved with it, others did not" "$one $now $now" "$(pushed tool stable) $(pushed tool edge) $(pushed tool latest)"
check "image tool stays there" farm channel pin stable 1 --image tool --quiet --reason "2 loses connections"
check "stable goes on" farm channel set stable "$serial" --quiet
same "  but for tool" "$one $(digest other)" "$(pushed tool stable) $(pushed other stable)"
check "a channel of one's own" farm channel set lts 1 --quiet --reason "for a customer"
same "  has tags" "$one" "$(pushed tool lts)"
same "no blob was sent for any of it" "$before" "$(uploads)"
check "again" farm channel set lts 1 --quiet
count=$(puts)
check "  and nothing is put" farm run --quiet --once
same "  neither by the farm" "$count" "$(puts)"

echo "-- killed in between"
kill -STOP "$registry_pid"
"$NACRE" farm channel unpin stable --image tool --quiet >"$scratch/verb" 2>&1 </dev/null &
verb=$!
for _ in $(seq 100); do [ "$(stable '["images"]')" != "[]" ] || break; sleep 0.05; done
sleep 0.3
kill -KILL "$verb"
wait "$verb" 2>/dev/null
kill -CONT "$registry_pid"
same "the channel moved, its tag did not" "[] $one" "$(stable '["images"]') $(pushed tool stable)"
check "the next run" farm run --quiet --once
same "  moves it" "$now" "$(pushed tool stable)"
same "  without a blob" "$before" "$(uploads)"
what="a registry that is down" expect_error 5 "channel 'stable' was changed, its tags are not all moved yet" "nacre farm run" -- \
  farm channel set stable 4 --registry 127.0.0.1:1 --quiet
check "a roll-back of edge" farm channel rollback edge 1 --quiet
same "  moves edge, latest and the serial's tag" "$one $one $one" \
  "$(pushed tool edge) $(pushed tool latest) $(pushed tool "serial-$(newest_serial)")"
same "  without a blob" "$before" "$(uploads)"
finish
