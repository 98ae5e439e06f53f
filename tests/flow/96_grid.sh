#!/usr/bin/env bash
# A grid: BuildGrid with its scheduler in Postgres, and two workers (buildbox-worker). A worker is killed in the middle of a
# build: the other one gets it, and the package is that of a build here. The farm's ledger is in the same Postgres.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/farm_lib.sh"
. "$(dirname "$0")/grid_lib.sh"
[ -n "${NACRE_TEST_LARGE-}" ] || skip "NACRE_TEST_LARGE=1 fetches BuildGrid (PyPI) and buildbox-worker (Debian), 200 MB, and runs them"
[ "$(id -u)" -eq 0 ] || skip "only root may start Postgres as another user, and workers that make sandboxes"
[ -f "$NACRE_TEST_HOME/state.db" ] || skip "10_up.sh made no home in $NACRE_TEST_HOME"
command -v git >/dev/null || skip "no git"
fetch_grid || skip "$(tail -n 1 "$scratch/grid.log")"
clone_home home
forget_distribution
start_postgres
start_grid
start_worker one
start_worker two

# ---- builds

empty_os "$scratch/os"
define grid-hello <<'END_'
echo 'long hello(void) { return 7; }' >hello.c
cc -O2 -shared -nostdlib -fPIC -Wl,-z,relro,-z,now -o hello.so hello.c
install -D -m 755 hello.so ${{targets.destdir}}/usr/lib/grid/hello.so
END_
define grid-slow <<'END_'
for i in $(seq 20); do echo "second $i of the slow build"; sleep 1; done
mkdir -p ${{targets.destdir}}/usr/share
ls /sys/class/net 2>/dev/null | grep -v '^lo$' >${{targets.destdir}}/usr/share/network || true
echo slow >${{targets.destdir}}/usr/share/slow
END_
digests() { python3 -c '
import json, sys
for row in json.load(sys.stdin):
    for package in row["packages"]: print(package["name"], package["sha256"])'; }
cp -a "$NACRE_HOME" "$scratch/home-there"
check "builds here" "$NACRE" build --json grid-hello grid-slow || finish
digests <"$out" >"$scratch/here"
export NACRE_HOME=$scratch/home-there NACRE_ENGINE=grpc://127.0.0.1:$grid_port NACRE_ENGINE_LOGS=grpc://127.0.0.1:$logs_port

# seen N: how often nacre showed that line.
seen() { grep -c "second $1 of the slow build" "$scratch/slow.err"; }
# wait_for_holder N [NOT]: until a worker, not that one, runs it and came to second N; its name is left in $holder.
wait_for_holder() {
  local _ name
  for _ in $(seq 1800); do
    for name in one two; do
      [ "$name" = "${2-}" ] || ! grep -qs "second $1 of" "$scratch/$name"/work/nacre-worker-*/work/log || { holder=$name; return; }
    done
    kill -0 "$build" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}
NACRE_PROGRESS=json "$NACRE" build --json grid-slow >"$scratch/slow" 2>"$scratch/slow.err" </dev/null &
build=$!
wait_for_holder 1 || { fail "no worker took the build"; tail -n 20 "$scratch"/slow.err "$scratch"/*.log; finish; }
# buildbox-worker sends what it has every five seconds.
for _ in $(seq 200); do [ "$(seen 2)" -eq 0 ] || break; sleep 0.1; done
same "the log is followed while the build runs" "1 0" "$(seen 2) $(seen 20)"
kill_worker "$holder"
killed_at=$(date +%s) dead=$holder
if wait_for_holder 1 "$dead"; then passed "worker $dead died, worker $holder has the build"; else fail "worker $dead died, and no other took the build"; fi
if wait "$build"; then
  passed "  a build outlives the worker that it ran on: done $(($(date +%s) - killed_at)) s after"
else
  fail "a worker died: $(tail -n 5 "$scratch/slow.err")"
fi
same "  the same package" "$(grep slow "$scratch/here")" "$(digests <"$scratch/slow")"
same "  its log was seen from the start again, to its end" "2 1" "$(seen 2) $(seen 20)"
check "two builds at once, on the worker that is left" "$NACRE" build --json --again --jobs 2 grid-hello grid-slow
same "  the same packages" "$(cat "$scratch/here")" "$(digests <"$out")"
start_worker "$dead"

# ---- the farm: its ledger and the grid's scheduler are in one Postgres

export NACRE_FARM_DATABASE=$postgres_url
start_upstream
rm "$NACRE_OS_DIR"/packages/*.yaml
library_source libone 1 1 | source_release libone 1.0
library libone 1.0
user_of app libone
printf 'watch: {every: 0s}\ngates: {reproducibility: off}\n' >"$NACRE_OS_DIR/farm.yaml"
check "the farm's first run" "$NACRE" farm run --once || finish
says "  builds went to the grid" "$err" "of inputs sent"
library_source libone 2 1 | source_release libone 1.1
check "a release of upstream" "$NACRE" farm run --once
says "  was built there" "$err" "run libone on grpc://127.0.0.1:$grid_port"
same "  and published" "2" "$(newest_serial)"
check "  the queue" "$NACRE" farm queue --all --quiet --json
same "  says so" "done done" "$(json '[0]["state"]' <"$out") $(json '[1]["state"]' <"$out")"
[ ! -e "$NACRE_HOME/farm/farm.db" ] && passed "  no ledger but the one in Postgres" || fail "a ledger in SQLite"
same "  which holds both changes" 2 "$(ask_postgres farm "SELECT count(*) FROM changes")"
same "  as BuildGrid holds its jobs" t "$(ask_postgres grid "SELECT count(*) > 3 FROM jobs")"
git clone -q "$NACRE_HOME/farm/definitions.git" "$scratch/main" 2>/dev/null
export NACRE_OS_DIR=$scratch/main
check "what main names is kept" "$NACRE" build --json libone app
digests <"$out" >"$scratch/farm-there"
unset NACRE_ENGINE NACRE_FARM_DATABASE
NACRE_HOME=$scratch/home check "  the same, made here" "$NACRE" build --json libone app
same "  the same packages" "$(digests <"$out")" "$(cat "$scratch/farm-there")"
same "  three of them" 3 "$(wc -l <"$scratch/farm-there")"
finish
