#!/usr/bin/env bash
# The farm's ledger on Postgres: the tests that SQLite passes, on a server of this test's own.
. "$(dirname "$0")/lib.sh"

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
[ -n "$bin" ] || skip "no Postgres on this machine"
[ "$(id -u)" -eq 0 ] || skip "only root may start a server as another user"
programs=$(dirname "$(dirname "$NACRE")")

start_postgres() {
  # Where its user can reach it, wherever this checkout is.
  to=$(mktemp -d)
  chown postgres "$to"
  as_postgres "$bin/initdb" -D "$to/data" --auth=trust --no-sync >"$scratch/postgres.log" 2>&1 &&
    as_postgres "$bin/pg_ctl" -D "$to/data" -w -l "$to/log" -o "-k '$to' -c listen_addresses= -c fsync=off" start >>"$scratch/postgres.log" 2>&1 ||
    { fail "Postgres does not start"; tail -n 20 "$scratch/postgres.log"; finish; }
  cleaners+=("as_postgres '$bin/pg_ctl' -D '$to/data' -m immediate stop >'$scratch/stop' 2>&1; rm -rf '$to'")
  export NACRE_TEST_POSTGRES="postgres://postgres@/postgres?host=$to"
}
as_postgres() { (cd / && setpriv --reuid=postgres --regid=postgres --init-groups "$@"); }

start_postgres
for room in store farm; do
  [ -x "$programs/$room/${room}_test" ] || skip "${room}_test is not built beside the program"
  check "${room}_test on Postgres" "$programs/$room/${room}_test" --gtest_filter='*postgres*'
  says "  it ran" "$out" "PASSED"
  if grep -q "SKIPPED" "$out"; then fail "some tests were skipped"; fi
done

# The server goes in the middle: an error that may pass, and the next call finds it again.
as_postgres "$bin/pg_ctl" -D "$to/data" -m immediate restart -w -l "$to/log" >"$scratch/restart" 2>&1
check "after a restart" "$programs/farm/farm_test" --gtest_filter='*AnyOrder*postgres*'
finish
