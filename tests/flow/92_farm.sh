#!/usr/bin/env bash
# The factory by itself: a local upstream releases, and the farm makes serials of it, merges, images, and refuses.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/farm_lib.sh"
need_home
command -v git >/dev/null || skip "no git"

clone_home home
forget_distribution
start_upstream
empty_os "$scratch/os"
library_source libone 1 1 | source_release libone 1.0
library_source libtwo 1 1 | source_release libtwo 1.0
library libone 1.0
library libtwo 1.0 'printf "int libtwo_value(void); int main(void) { return libtwo_value() %% 10 == 9; }" | cc -xc - -l:libtwo.so && ./a.out'
user_of app libone libtwo
user_of other libtwo

farm() { "$NACRE" farm "$@"; }
# change FIELD N: of change N, now.
change() { farm queue --quiet --all --json | python3 -c 'import json, sys; print(next(c for c in json.load(sys.stdin) if c["id"] == int(sys.argv[2]))[sys.argv[1]])' "$1" "$2"; }
serial_packages() { "$NACRE" serials --quiet --json >/dev/null; "$NACRE" image inspect --quiet --json "$1" 2>/dev/null | python3 -c '
import json, sys
print(" ".join(sorted(p["name"] + "=" + p["version"] for p in json.load(sys.stdin)["packages"])))'; }
image_digest() { "$NACRE" serials --quiet --json | python3 -c '
import json, sys
print(next(i["digest"] for i in json.load(sys.stdin)[-1]["images"] if i["name"] == sys.argv[1]))' "$1"; }

# ---- the distribution as it is

what="before any farm ran" expect_error 3 "no farm has run here yet" -- "$NACRE" farm status --quiet
check "the first run" farm run --quiet --once || finish
same "  serial 1" 1 "$(newest_serial)"
same "  the change is done" "done" "$(change state 1)"
check "  again" farm run --quiet --once
says "  nothing to do" "$out" "0 new, 0 done, 0 red"
git clone -q "$NACRE_HOME/farm/definitions.git" "$scratch/clone" 2>/dev/null
git -C "$scratch/clone" config user.email test@nacre.invalid
git -C "$scratch/clone" config user.name test
main() { git -C "$NACRE_HOME/farm/definitions.git" show "main:$1"; }

# ---- a release that is compatible, and one upstream that is down

library_source libone 2 1 | source_release libone 1.1
touch "$upstream/libtwo.down"
farm upstreams --quiet --ask libone --ask libtwo >/dev/null
check "libone 1.1" farm run --quiet --once
same "  published as serial 2" "2 done" "$(newest_serial) $(change state 2)"
says "  main has it" <(main packages/libone.yaml) 'version: "1.1"'
same "  one commit" "libone: update 1.0 to 1.1" "$(git -C "$NACRE_HOME/farm/definitions.git" log -1 --format=%s main)"
check "  why" farm why --quiet 2
says "  what uses it was cut off: same ABI" "$out" "1 built, 1 cut off"
check "  status" farm status --quiet
says "  names the upstream that is down" "$out" "1 do not answer"

# ---- a breaking one

rm "$upstream/libtwo.down"
library_source libtwo 2 2 | source_release libtwo 2.0
farm upstreams --quiet --ask libtwo >/dev/null
before_app=$(image_digest app)
check "libtwo 2.0, another soname" farm run --quiet --once
same "  published as serial 3" "3 done" "$(newest_serial) $(change state 3)"
check "  why" farm why --quiet 3
says "  both users were rebuilt" "$out" "3 built, 1 kept"
says "  with the next epoch, in the same commit" <(main packages/app.yaml) "epoch: 1"
if [ "$before_app" != "$(image_digest app)" ]; then passed "  the image has another digest"; else fail "the image of app is as it was"; fi
check "  it verifies" "$NACRE" verify --quiet app

# ---- one that fails its tests

library_source libtwo 9 2 | source_release libtwo 2.1
farm upstreams --quiet --ask libtwo >/dev/null
what="libtwo 2.1 fails its test" refused 4 farm run --quiet --once
same "  it is red, nothing is published" "red tested 3" "$(change state 4) $(printf built >/dev/null; change stage 4 | sed s/built/tested/) $(newest_serial)"
says "  main does not have it" <(main packages/libtwo.yaml) 'version: "2.0"'
check "  why" farm why --quiet 4
says "  names the step" "$out" "libtwo"
check "  its log" farm log --quiet 4
says "  has what was run" "$out" "test libtwo"
check "  it is not tried again by itself" farm run --quiet --once

# ---- fixed by the next release, which takes its place

library_source libtwo 3 2 | source_release libtwo 2.2
farm upstreams --quiet --ask libtwo >/dev/null
check "libtwo 2.2" farm run --quiet --once
same "  published; the red one gave way" "4 done superseded" "$(newest_serial) $(change state 5) $(change state 4)"

# ---- by hand: a branch, and a person's approval

git -C "$scratch/clone" pull -q
printf 'merge: {default: approve}\n' >"$scratch/clone/farm.yaml"
sed -i 's/A library of/The first library of/' "$scratch/clone/packages/libone.yaml"
git -C "$scratch/clone" add -A && git -C "$scratch/clone" commit -qm "libone: say which it is"
git -C "$scratch/clone" push -q origin HEAD:change/words 2>/dev/null
check "a branch by hand" farm run --quiet --once
same "  waits for a person" "waiting gated" "$(change state 6) $(change stage 6)"
check "  approve" farm approve --quiet 6
check "  goes on" farm run --quiet --once
same "  is published" "5 done" "$(newest_serial) $(change state 6)"
same "  its branch is gone" "" "$(git -C "$NACRE_HOME/farm/definitions.git" branch --list 'change/*')"

# ---- a definition that does not compile turns red, and main stays

git -C "$scratch/clone" pull -q
printf 'package: {name: broken}\n' >"$scratch/clone/packages/broken.yaml"
git -C "$scratch/clone" add -A && git -C "$scratch/clone" commit -qm "broken"
git -C "$scratch/clone" push -q origin HEAD:change/broken 2>/dev/null
what="a broken definition" refused 4 farm run --quiet --once
same "  is red" red "$(change state 7)"
touch -d '100 days ago' "$NACRE_HOME"/farm/logs/{5,7}.log
check "  a look, long after" farm run --quiet --once
same "  removes logs of what ended" 7.log "$(cd "$NACRE_HOME/farm/logs" && ls 5.log 7.log 2>/dev/null)"
check "  cancel" farm cancel --quiet 7
check "  and rest" farm run --quiet --once

# ---- a known vulnerability: nothing new ships with it, what mends it goes first and closes the advisory

push() { git -C "$scratch/clone" add -A && git -C "$scratch/clone" commit -qm "$1" && git -C "$scratch/clone" push -q origin HEAD:main 2>/dev/null; }
mkdir "$scratch/osv"
python3 - "$scratch/osv/one.json" <<'END'
import json, sys, time
json.dump({"id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2026-99999"], "schema_version": "1.6.0",
           "modified": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "summary": "counts wrong",
           "affected": [{"package": {"ecosystem": "npm", "name": "libtwo"},
                         "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.3.0"}]}]}]},
          open(sys.argv[1], "w"))
END
export NACRE_OSV=$scratch/osv
git -C "$scratch/clone" fetch -q && git -C "$scratch/clone" reset -q --hard origin/main && git -C "$scratch/clone" clean -qfd
rm "$scratch/clone/farm.yaml"
NACRE_OS_DIR=$scratch/clone check "the scanner finds it" "$NACRE" scan --quiet --record
push "libtwo: a vulnerability is known"
check "  the advisory itself may ship" farm run --quiet --once
sed -i 's/A library of/The second library of/' "$scratch/clone/packages/libtwo.yaml"
git -C "$scratch/clone" add -A && git -C "$scratch/clone" commit -qm "libtwo: other words" && git -C "$scratch/clone" push -q origin HEAD:change/other-words 2>/dev/null
what="what has it does not ship anew" refused 4 farm run --quiet --once
number=$(farm queue --quiet --json | json '[0]["id"]')
says "  the gate says so" <(change error "$number") "CVE-2026-99999"
farm cancel --quiet "$number" >/dev/null
printf 'gates: {vulnerabilities: off}\n' >"$scratch/clone/farm.yaml"
git -C "$scratch/clone" add -A && git -C "$scratch/clone" commit -qm "other rules" && git -C "$scratch/clone" push -q origin HEAD:change/own-rules 2>/dev/null
what="nor with rules that it brings along" refused 4 farm run --quiet --once
number=$(farm queue --quiet --json | json '[0]["id"]')
says "  the gates of main say so" <(change error "$number") "CVE-2026-99999"
farm cancel --quiet "$number" >/dev/null
git -C "$scratch/clone" reset -q --hard HEAD^
library_source libtwo 4 2 | source_release libtwo 2.3
farm upstreams --quiet --ask libtwo >/dev/null
check "libtwo 2.3" farm run --quiet --once
number=$(farm queue --all --quiet --json | python3 -c 'import json, sys; print(max(c["id"] for c in json.load(sys.stdin) if c["package"] == "libtwo"))')
same "  is a matter of security, and published" "security done" "$(change cause "$number") $(change state "$number")"
says "  closes the advisory" <(main advisories/libtwo.advisories.yaml) "fixed-version: 2.3-r0"

# ---- new rules wait for a person, also where the old ones and the new ones say that nothing waits

git -C "$scratch/clone" fetch -q && git -C "$scratch/clone" reset -q --hard origin/main
printf 'merge: {default: automatic}\nlogs: {keep: 30d}\n' >"$scratch/clone/farm.yaml"
git -C "$scratch/clone" add -A && git -C "$scratch/clone" commit -qm "other rules" && git -C "$scratch/clone" push -q origin HEAD:change/rules 2>/dev/null
check "a branch that changes the rules" farm run --quiet --once
number=$(farm queue --quiet --json | json '[0]["id"]')
same "  waits for a person" "waiting gated" "$(change state "$number") $(change stage "$number")"
check "  why" farm why --quiet "$number"
says "  says what it changes" "$out" "it changes farm.yaml, which a person approves"
check "  approve" farm approve --quiet "$number"
check "  goes on" farm run --quiet --once
same "  main has the rules" "done $(cat "$scratch/clone/farm.yaml")" "$(change state "$number") $(main farm.yaml)"

# ---- two released at once: asked at once, two workers, each published once

library_source libone 6 1 | source_release libone 1.2
library_source libtwo 6 2 | source_release libtwo 2.4
for name in libone libtwo; do echo 1.5 >"$upstream/$name.slow"; done
: >"$upstream/requests"
serial=$(newest_serial)
farm upstreams --quiet --ask libone --ask libtwo >/dev/null
check "libone 1.2 and libtwo 2.4, two workers" farm run --quiet --once --json --workers 2
cp "$out" "$scratch/both"
rm "$upstream"/*.slow
same "  upstreams that are slow were asked at the same time" "libone libtwo True" "$(python3 - "$upstream/requests" <<'END'
import sys
rows = sorted(line.split() for line in open(sys.argv[1]))
first = {name: (float(came), float(gone)) for name, code, came, gone in reversed(rows)}
print(*sorted(first), max(came for came, gone in first.values()) < min(gone for came, gone in first.values()))
END
)"
same "  both are done" "libone 1.2 done libtwo 2.4 done" "$(python3 - "$scratch/both" <<'END'
import json, sys
print(*(f"{c['package']} {c['to']} {c['state']}" for c in sorted(json.load(open(sys.argv[1]))["changes"], key=lambda c: c["package"])))
END
)"
same "  two serials, one for each" "$((serial + 2)) 1 1" \
  "$(newest_serial) $("$NACRE" serials --quiet | grep -c 'update libone 1.1 -> 1.2') $("$NACRE" serials --quiet | grep -c 'update libtwo 2.3 -> 2.4')"
says "  main has one" <(main packages/libone.yaml) 'version: "1.2"'
says "  and the other" <(main packages/libtwo.yaml) 'version: "2.4"'
for number in $(python3 -c 'import json, sys; print(*(c["id"] for c in json.load(open(sys.argv[1]))["changes"]))' "$scratch/both"); do
  farm why --quiet --json "$number"
done | python3 -c '
import datetime, json, sys
decoder, text, spans = json.JSONDecoder(), sys.stdin.read(), []
while text.strip():
    change, end = decoder.raw_decode(text.lstrip())
    text = text.lstrip()[end:]
    steps = [(datetime.datetime.fromisoformat(s["at"].rstrip("Z")).timestamp(), s["seconds"]) for s in change["history"] if s.get("seconds")]
    spans.append((min(at - took for at, took in steps), max(at for at, took in steps)))
print(max(a for a, b in spans) < min(b for a, b in spans))' >"$scratch/overlap"
same "  they were under way at the same time" True "$(cat "$scratch/overlap")"
check "  app verifies" "$NACRE" verify --quiet app
: >"$upstream/requests"
farm upstreams --quiet --ask libone --ask libtwo >/dev/null
check "asked again" farm run --quiet --once
same "  they are told that nothing changed" "libone 304 libtwo 304" "$(sort "$upstream/requests" | cut -d' ' -f1,2 | tr '\n' ' ' | sed 's/ $//')"

# ---- rollback

serial=$(newest_serial)
check "rollback" "$NACRE" rollback --quiet 3
same "  a new serial" "$((serial + 1))" "$(newest_serial)"
check "  verifies" "$NACRE" verify --quiet app
[ "$failures" -eq 0 ] || finish

# ---- as a service: from upstream's release to an image in a registry, and what each stage of that took

command -v docker-registry >/dev/null && command -v curl >/dev/null || skip "no docker-registry or curl: the service was not tried"
start_registry
git -C "$scratch/clone" fetch -q && git -C "$scratch/clone" reset -q --hard origin/main
printf 'watch: {every: 1s}\nchannels: {stable: {soak: 1s}}\n' >"$scratch/clone/farm.yaml"
git -C "$scratch/clone" add -A && git -C "$scratch/clone" commit -qm "ask every second" && git -C "$scratch/clone" push -q origin HEAD:main
"$NACRE" farm run --quiet --registry "$registry" >"$scratch/service" 2>&1 </dev/null &
service=$!
children+=("$service")
# What the registry lacked is there at once; then comes the change by hand, and only after it the release.
asked() { farm queue --quiet --all --json | python3 -c 'import json, sys; print(*(c["state"] for c in json.load(sys.stdin) if c["package"] == "ask every second"))'; }
for _ in $(seq 300); do [ "$(asked)" != "done" ] || break; sleep 0.3; done
before=$(pushed app latest)
if [ -n "$before" ]; then passed "the images are in the registry"; else fail "nothing was pushed"; cat "$scratch/service"; fi
library_source libone 5 2 | source_release libone 2.0
released=$(date +%s.%N)
for _ in $(seq 900); do  # a registry that is asked while a tag moves may know none for a moment
  after=$(pushed app latest)
  [ -z "$after" ] || [ "$after" = "$before" ] || break
  sleep 0.1
done
if [ "$after" != "$before" ]; then passed "from libone's release to the pushed image of app: $(python3 -c "import time; print(f'{time.time() - $released:.1f} s')")"
else fail "the image of app was not pushed"; tail -n 20 "$scratch/service"; fi
for _ in $(seq 100); do [ "$(pushed app "serial-$(newest_serial)")" != "$after" ] || break; sleep 0.1; done  # tags come one by one
same "  by its tags, too" "$after" "$(pushed app "serial-$(newest_serial)")"
number=$(farm queue --all --quiet --json | python3 -c 'import json, sys; print(max(c["id"] for c in json.load(sys.stdin) if c["package"] == "libone"))')
same "  it is that release's" 2.0 "$(change to "$number")"
for _ in $(seq 100); do [ "$(change state "$number")" != "done" ] || break; sleep 0.1; done
check "  the split" farm why --quiet "$number"
awk '{ print "      " $0 }' "$out"
check "  edge and stable" "$NACRE" farm channel list --quiet
kill "$service"
wait "$service"
same "  the service ends when it is told to" 0 $?
check "  the distance from upstream" "$NACRE" delta --quiet --offline --json
says "  is measured" "$out" "libone"
finish
