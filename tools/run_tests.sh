#!/usr/bin/env bash
# Runs everything that `./x test` promises and ends with the line that CI reads: N passed, N failed, N skipped.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
passed=0 failed=0 skipped=0
failures=()

# check NAME COMMAND…: exit 0 passes, 77 is a skip, anything else fails.
check() {
  local name=$1 log rc=0 start=$SECONDS
  shift
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || rc=$?
  case $rc in
    0) passed=$((passed + 1)); echo "ok       $name ($((SECONDS - start)) s)" ;;
    77) skipped=$((skipped + 1)); echo "skipped  $name: $(tail -n 1 "$log")" ;;
    *) failed=$((failed + 1)); failures+=("$name"); echo "FAILED   $name (exit $rc)"; tail -n 60 "$log" ;;
  esac
  rm -f "$log"
}

# The thread sanitizer sees nothing in rooms without threads: it gets the tests of those that have some. CPU minutes to
# build from nothing, by a sample of the units: release 7, asan 9 (16 with -g and every check of ubsan; the fuzz preset
# keeps those that are left out here), tsan 2 (6 for all rooms).
threaded=(os_test codec_test net_test crypto_test store_test engine_test sandbox_test console_test)

# unit_suite PRESET [TEST …]: builds and runs all test programs, or these.
unit_suite() {
  local preset=$1 program start=$SECONDS
  shift
  ./x deps && { [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >/dev/null; } &&
    ninja -C "build/$preset" --quiet "$@" || { failed=$((failed + 1)); failures+=("build $preset"); return; }
  echo "built    $preset ($((SECONDS - start)) s)"
  for program in build/"$preset"/src/*/*_test; do
    [ $# -eq 0 ] || [[ " $* " == *" $(basename "$program") "* ]] || continue
    check "$preset/$(basename "$program")" "$program" --gtest_brief=1
  done
}

if [ -z "${NACRE_ONLY:-}" ]; then
  unit_suite release
  unit_suite asan
  unit_suite tsan "${threaded[@]}"
fi

export NACRE_SHARED=${NACRE_SHARED:-$PWD/../shared}
./x build release || failed=$((failed + 1))
export NACRE=$PWD/build/release/src/cli/nacre
# tests/flow/10_up.sh makes the distribution here, the others work on clones of it. A home that the caller names is kept.
if [ -z "${NACRE_TEST_HOME:-}" ]; then
  export NACRE_TEST_HOME=$PWD/build/test-home
  rm -rf "$NACRE_TEST_HOME"
fi
for script in tools/check_*.sh tools/check_*.py tests/conformance/*.sh tests/flow/*.sh; do
  [ -x "$script" ] || continue
  [ -z "${NACRE_ONLY:-}" ] || [[ $script == *"$NACRE_ONLY"* ]] || continue
  check "$script" "$script"
done

[ "$failed" -eq 0 ] || printf 'failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
