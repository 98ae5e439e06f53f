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

unit_suite() {
  local preset=$1 program
  ./x build "$preset" || { failed=$((failed + 1)); failures+=("build $preset"); return; }
  for program in build/"$preset"/src/*/*_test; do
    check "$preset/$(basename "$program")" "$program" --gtest_brief=1
  done
}

if [ -n "${NACRE_ONLY:-}" ]; then presets=(); else presets=(release asan tsan); fi
for preset in "${presets[@]}"; do unit_suite "$preset"; done

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
