#!/usr/bin/env bash
# Several control planes on one state: records and leases in Postgres, blobs in an S3 store of others' code that verifies
# signatures. B goes on with what A made, builds nothing anew, and is refused where it must be; both run the farm at once; A is
# killed; the bucket, the database, a blob go wrong.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
. "$(dirname "$0")/grid_lib.sh"
. "$(dirname "$0")/small_os.sh"
. "$(dirname "$0")/planes_lib.sh"
for program in apt-get python3 git curl; do command -v "$program" >/dev/null || skip "no $program"; done
[ "$(id -u)" -eq 0 ] || skip "only root may start a server as another user"
start_postgres
programs=$(dirname "$(dirname "$NACRE")")
if [ -x "$programs/store/store_test" ]; then
  export NACRE_TEST_POSTGRES=$postgres_url
  check "store_test: state, leases and artifacts on Postgres" "$programs/store/store_test" --gtest_filter='*postgres*:Shared*'
  if grep -q SKIPPED "$out"; then fail "some tests were skipped"; fi
  ask_postgres farm 'DROP TABLE IF EXISTS records, things' >/dev/null 2>&1
  unset NACRE_TEST_POSTGRES
fi
s3_server || { absent "no S3 server: $(tail -n 1 "$scratch/go.log")"; finish; }

export AWS_ACCESS_KEY_ID=flow AWS_SECRET_ACCESS_KEY=only-of-this-test NACRE_HTTP_TIMEOUT=10 no_proxy='*'
unset AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION AWS_ENDPOINT_URL_S3 NACRE_FARM_DATABASE
bucket_port=$(free_port)
export AWS_ENDPOINT_URL=http://127.0.0.1:$bucket_port NACRE_STATE=$postgres_url NACRE_ARTIFACTS=s3://blobs/nacre
"$s3server" "127.0.0.1:$bucket_port" blobs "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" >"$scratch/s3.log" 2>&1 </dev/null &
children+=("$!")
wait_for_port "$bucket_port" || { fail "the S3 server does not start"; cat "$scratch/s3.log"; finish; }
bucket() { python3 "$source_root/tests/flow/s3.py" "$@"; }

small_os "$scratch/os"
small_package libtiny 1.0 "" 'echo 1.0 >"$d/version"'
small_package tool 2.5 libtiny 'echo tool >"$d/data"'
small_image tool tool
A=$scratch/a B=$scratch/b

echo "-- A builds and publishes"
plane "$A"
check "nacre up" "$NACRE" up --quiet --json || finish
first=$(digest tool)
same "  the serial is in Postgres" 1 "$(ask_postgres farm "SELECT value FROM records WHERE kind = 'head' AND key = 'community'")"
python3 - "$A/state.db" >"$scratch/local" <<'END'
import sqlite3, sys
kinds = {row[0] for row in sqlite3.connect(sys.argv[1]).execute("SELECT DISTINCT kind FROM records")}
print(*sorted(kinds & {"head", "build", "serial/community", "name/community", "image", "channel", "tested"}))
END
same "  and not in SQLite" "" "$(cat "$scratch/local")"
bucket list >"$scratch/objects"
[ "$(grep -c '^sha256/' "$scratch/objects")" -gt 20 ] && passed "  the blobs are in the bucket ($(wc -l <"$scratch/objects") objects)" ||
  fail "the bucket has $(wc -l <"$scratch/objects") objects"
same "  nothing waits to go there" "" "$(ls "$A/unshared")"
if grep -rqF "$AWS_SECRET_ACCESS_KEY" "$A" 2>/dev/null; then fail "the secret is below NACRE_HOME"; fi

echo "-- B has nothing but the keys"
plane "$B"
what="other keys" expect_error 6 "this machine's key 'nacre-stage0.rsa.pub' is" "docs/shared-state.md" -- "$NACRE" up --quiet
joined "$B"
check "nacre up" "$NACRE" up --quiet --json
same "  builds nothing" "kept:2" "$(made)"
same "  publishes nothing" 1 "$(newest_serial)"
same "  has A's image" "$first" "$(digest tool)"
check "  and its evidence" "$NACRE" verify --quiet tool
serves_serial "B" 1
start_server
curl -fsS --max-time 20 -o "$scratch/tool.apk" "http://$served/community/$(uname -m)/tool-2.5-r0.apk"
stop_server
same "  serves a package that it did not build" "$(sha256sum <"$(NACRE_HOME=$A blob "$(sha256sum "$scratch/tool.apk" | cut -d' ' -f1 | sed s/^/sha256:/)")")" \
  "$(sha256sum <"$scratch/tool.apk")"
small_image both tool libtiny
check "an image more" "$NACRE" up --quiet --json
same "  without a build" "kept:2" "$(made)"
same "  is serial 2" 2 "$(newest_serial)"
check "a channel" "$NACRE" farm channel set lts 2 --quiet --reason "B says so"
check "production, from a second build in another home" "$NACRE" promote --quiet
plane "$A"
same "A sees serial, image, channel and production" "2 2 1" \
  "$(newest_serial) $("$NACRE" farm channel list lts --json --quiet | json '["serial"]') $(newest_serial --edition production)"
both=$(digest both)
check "  with all bytes" "$NACRE" verify --quiet both
check "  as files for a web server" "$NACRE" index --quiet --repository "$scratch/repository"

echo "-- both run the farm"
git -c init.defaultBranch=main init -q "$scratch/tree"
printf 'gates: {reproducibility: off}\n' >"$NACRE_OS_DIR/farm.yaml"
cp -a "$NACRE_OS_DIR/." "$scratch/tree/"
commit() { git -C "$scratch/tree" add -A && git -C "$scratch/tree" -c user.name=t -c user.email=t@example.org commit -qm "$1"; }
commit "the distribution"
git clone -q --bare "$scratch/tree" "$scratch/definitions.git"
what="no repository" expect_error 2 "no repository of definitions is named" "--repository DIR" -- "$NACRE" farm run --once
farm() { NACRE_HOME=$1 "$NACRE" farm run --quiet --once --json --repository "$scratch/definitions.git" >"$1.farm" 2>"$1.farm.err" </dev/null; }
farms() {  # farms TEXT: both at once, until neither has anything to do
  local rc=0 one two
  farm "$A" & one=$!
  farm "$B" & two=$!
  wait $one || rc=$?
  wait $two || rc=$?
  if [ $rc -eq 0 ]; then passed "$1"; else fail "$1: exit $rc"; tail -n 5 "$A.farm.err" "$B.farm.err" "$A.farm" "$B.farm" | sed 's/^/      /'; fi
}
farms "the distribution as it is"
plane "$A"
before=$(newest_serial)
for round in 1 2 3; do
  NACRE_OS_DIR=$scratch/tree small_package libtiny 1.$round "" "echo 1.$round >\"\$d/version\""
  commit "libtiny 1.$round" && git -C "$scratch/tree" push -q "$scratch/definitions.git" "HEAD:change/libtiny-1.$round"
  farms "change/libtiny-1.$round"
  git -C "$scratch/tree" fetch -q "$scratch/definitions.git" main && git -C "$scratch/tree" reset -q --hard FETCH_HEAD
done
same "  each published once" $((before + 3)) "$(newest_serial)"
same "  all are done" "done" "$("$NACRE" farm queue --all --quiet --json | python3 -c 'import json, sys; print(*sorted({c["state"] for c in json.load(sys.stdin)}))')"
same "  the ledger is in the same Postgres" 4 "$(ask_postgres farm 'SELECT count(*) FROM changes')"
says "  main has them" <(git -C "$scratch/definitions.git" log --format=%s main) "libtiny 1.3"
same "  serials have no gap" "$(seq -s ' ' "$(newest_serial)")" "$("$NACRE" serials --quiet --json | python3 -c 'import json, sys; print(*[s["serial"] for s in json.load(sys.stdin)])')"

echo "-- A is killed, B goes on"
export NACRE_OS_DIR=$scratch/tree
rm -f "$NACRE_OS_DIR/farm.yaml"
began=$(date +%s%N)
small_package libtiny 2.0 "" 'echo 2.0 >"$d/version"'
check "a run to measure" "$NACRE" up --quiet
took=$((($(date +%s%N) - began) / 1000000))
for i in 1 2 3 4 5 6; do
  small_package libtiny 2.$i "" "echo 2.$i >\"\$d/version\""
  plane "$A"
  "$NACRE" up --quiet >"$scratch/killed" 2>&1 </dev/null &
  job=$!
  sleep "$(python3 -c "print($took * (0.35 + 0.1 * $i) / 1000)")"
  kill -9 "$job" 2>/dev/null
  { wait "$job"; } 2>/dev/null
  plane "$B"
  check "killed after $((35 + 10 * i)) % of a run: B publishes libtiny 2.$i" "$NACRE" up --quiet
  same "  it is in the newest serial" "libtiny-2.$i-r0" "$("$NACRE" index --quiet --json | python3 -c 'import json, sys
print(*["{}-{}".format(p["name"], p["version"]) for p in json.load(sys.stdin)["packages"] if p["name"] == "libtiny"])' 2>/dev/null ||
    "$NACRE" index --quiet | awk '$1 == "libtiny" { print $1 "-" $2 }')"
done
same "  serials have no gap" "$(seq -s ' ' "$(newest_serial)")" "$("$NACRE" serials --quiet --json | python3 -c 'import json, sys; print(*[s["serial"] for s in json.load(sys.stdin)])')"
check "  what is published is whole" "$NACRE" verify --quiet tool

echo "-- the bucket is away"
plane "$A"
before=$(newest_serial)
small_package libtiny 3.0 "" 'echo 3.0 >"$d/version"'
AWS_ENDPOINT_URL=http://127.0.0.1:1 what="nobody answers" expect_error 5 "s3://blobs/nacre" "127.0.0.1" -- "$NACRE" up --quiet
AWS_SECRET_ACCESS_KEY=wrong what="a wrong secret" expect_error 6 "s3://blobs/nacre" "AWS_SECRET_ACCESS_KEY" -- "$NACRE" up --quiet
NACRE_ARTIFACTS=s3://nowhere/nacre what="no such bucket" expect_error 3 "NoSuchBucket" "NACRE_ARTIFACTS" -- "$NACRE" up --quiet
NACRE_ARTIFACTS=s3://blobs/other what="another place" expect_error 4 "the blobs of this state are in s3://blobs/nacre" -- "$NACRE" up --quiet
same "  nothing was published" "$before" "$(newest_serial)"
check "it is back: the same command goes on" "$NACRE" up --quiet
same "  and publishes" $((before + 1)) "$(newest_serial)"

echo "-- a blob is damaged in the bucket"
apk=$(ask_postgres farm "SELECT value FROM records WHERE kind = 'name/community' AND key = 'libtiny-3.0-r0.$(uname -m)'")
hex=${apk#sha256:}
bucket get "sha256/$hex" >"$scratch/blob"
same "the bucket has the package" "$hex" "$(sha256sum "$scratch/blob" | cut -d' ' -f1)"
cp "$scratch/blob" "$scratch/damaged" && flip_byte "$scratch/damaged" 100
bucket put "sha256/$hex" "$scratch/damaged"
C=$scratch/c
joined "$C"
plane "$C"
what="it is refused and named" expect_error 6 "s3://blobs/nacre gave other bytes for blob $hex" -- "$NACRE" index --quiet --repository "$scratch/from-c"
[ -n "$(ls "$C/quarantine")" ] && passed "  its bytes are in quarantine" || fail "no bytes in quarantine"
bucket delete "sha256/$hex"
rm "$A/shared-with"
NACRE_HOME=$A check "  mended as the hint says" "$NACRE" farm channel set lts 1 --quiet --reason "any record"
check "  and read" "$NACRE" index --quiet --repository "$scratch/from-c"

echo "-- gc"
printf 'nobody names this' >"$scratch/nobody"
bucket put "sha256/$(sha256sum "$scratch/nobody" | cut -d' ' -f1)" "$scratch/nobody"
plane "$B"
count=$(bucket list | wc -l)
check "gc leaves what is young" "$NACRE" gc --quiet --json
same "  in the bucket" "0 $count" "$(json '["sharedBlobs"]' <"$out") $(bucket list | wc -l)"
check "gc --days 0" "$NACRE" gc --quiet --days 0 --json
[ "$(json '["sharedBlobs"]' <"$out")" -ge 1 ] && passed "  removed $(json '["sharedBlobs"]' <"$out") of $count" || fail "removed nothing"
bucket list | grep -q "$(sha256sum "$scratch/nobody" | cut -d' ' -f1)" && fail "what nobody names is still there"
D=$scratch/d
joined "$D"
plane "$D"
for serial in $(seq "$(newest_serial)"); do
  "$NACRE" index --quiet --serial "$serial" --repository "$scratch/all/$serial" >>"$scratch/all.log" 2>&1 || { fail "serial $serial is not whole after gc"; tail -n 3 "$scratch/all.log"; }
done
passed "  every serial is whole on a fourth machine"
check "  with its images" "$NACRE" image publish --quiet --static "$scratch/static"
check "  up builds nothing there" "$NACRE" up --quiet --json
same "  but finds all" "kept:2" "$(made)"

echo "-- a home that was alone moves into a state"
other_state=${postgres_url%/*}/other
ask_postgres farm 'CREATE DATABASE other' >/dev/null
E=$scratch/e
plane "$E"
alone() { local -x NACRE_STATE="" NACRE_ARTIFACTS=""; "$@"; }
moves() { local -x NACRE_STATE=$other_state NACRE_ARTIFACTS=s3://blobs/other; "$@"; }
small_package libtiny 3.1 "" 'echo 3.1 >"$d/version"'
alone check "it publishes on its own" "$NACRE" up --quiet
commit "the distribution of E"
small_package libtiny 3.2 "" 'echo 3.2 >"$d/version"'
commit "libtiny 3.2"
git clone -q --bare "$scratch/tree" "$scratch/of-e.git"
alone check "and by its farm" "$NACRE" farm run --quiet --once --repository "$scratch/of-e.git"
alone check "with a channel" "$NACRE" farm channel set lts 1 --quiet --reason "E says so"
alone "$NACRE" serials --quiet --json >"$scratch/serials.before"
alone "$NACRE" farm queue --all --quiet --json >"$scratch/queue.before"
tool=$(alone "$NACRE" image inspect --quiet --json tool | json '["digest"]')
what="nowhere to go" alone expect_error 2 "the state is not shared" "NACRE_STATE" -- "$NACRE" state share
what="a state that has records" expect_error 4 "has another record" "records move into an empty state" -- "$NACRE" state share
same "  which is as it was" 1 "$(ask_postgres farm "SELECT count(*) FROM records WHERE kind = 'head' AND key = 'community'")"
alone check "  and the home goes on" "$NACRE" serials --quiet
AWS_ENDPOINT_URL=http://127.0.0.1:1 what="nobody takes the blobs" moves expect_error 5 "s3://blobs/other" -- "$NACRE" state share
same "  nothing is visible" 0 "$(ask_postgres other "SELECT count(*) FROM records WHERE kind = 'head'")"
moves check "nacre state share" "$NACRE" state share --quiet --json
[ "$(json '["records"]' <"$out")" -gt 10 ] && passed "  $(json '["records"]' <"$out") records" || fail "it moved $(cat "$out")"
same "  and the farm's change" 1 "$(json '["changes"]' <"$out")"
moves check "  again" "$NACRE" state share --quiet --json
same "  moves nothing of the farm" 0 "$(json '["changes"]' <"$out")"
what="the home without its state" alone expect_error 4 "were moved to postgres://127.0.0.1" "set NACRE_STATE" -- "$NACRE" serials
F=$scratch/f
mkdir -p "$F" && cp -a "$E/signer" "$F/" && find "$F/signer" -name '*.sock*' -delete
for place in "$E" "$F"; do
  plane "$place"
  moves "$NACRE" serials --quiet --json >"$scratch/serials.after"
  same "serials are as they were in ${place##*/}" "$(cat "$scratch/serials.before")" "$(cat "$scratch/serials.after")"
  moves "$NACRE" farm queue --all --quiet --json >"$scratch/queue.after"
  same "  and the farm's changes" "$(cat "$scratch/queue.before")" "$(cat "$scratch/queue.after")"
done
moves check "F builds nothing" "$NACRE" up --quiet --json
same "  finds all" "kept:2" "$(made)"
moves check "  and verifies what E made" "$NACRE" verify --quiet tool
same "  the same image" "$tool" "$(moves "$NACRE" image inspect --quiet --json tool | json '["digest"]')"
same "  its channel" 1 "$(moves "$NACRE" farm channel list lts --json --quiet | json '["serial"]')"

echo "-- the database is away"
plane "$A"
NACRE_STATE=postgres://me:pass-word@127.0.0.1:1/none what="nobody answers" expect_error 5 "cannot connect to the Postgres database" -- "$NACRE" serials
if grep -q pass-word "$err"; then fail "the password is shown"; fi
NACRE_STATE=mysql://x what="another scheme" expect_error 2 "expected the address of a shared state as postgres://…, got 'mysql'" -- "$NACRE" serials
NACRE_STATE='' what="artifacts without a state" expect_error 2 "cannot hold the artifacts of a state that is this machine's alone" -- "$NACRE" serials
finish
