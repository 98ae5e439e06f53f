#!/usr/bin/env bash
# Runs everything that `./x test` promises and ends with the line that CI reads: N passed, N failed, N skipped.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
lanes=$(nproc)
results=$(mktemp -d)  # One file for each check: its outcome and name.
trap 'rm -rf "$results"' EXIT
note() { echo "$1 $2" >>"$results/$1"; }

# check NAME COMMAND…: exit 0 passes, 77 is a skip, anything else fails.
check() {
  local name=$1 log why rc=0 start=$SECONDS
  shift
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || rc=$?
  case $rc in
    0) note passed "$name"; echo "ok       $name ($((SECONDS - start)) s)" ;;
    77) note skipped "$name"; echo "skipped  $name: $(tail -n 1 "$log")" ;;
    *)
      note failed "$name"
      why=$(grep -E -A 8 '^FAIL |: Failure$|ERROR: |WARNING: ThreadSanitizer' "$log" | head -n 40)
      printf 'failed: %s\n%s\n' "$name" "${why//$'\n'/$'\n'  }" >>"$results/said"
      { echo "FAILED   $name (exit $rc, $((SECONDS - start)) s)"; tail -n 60 "$log"; } >"$log.said"
      cat "$log.said"  # at once, beside what others say
      ;;
  esac
  rm -f "$log" "$log.said"
}

# beside NAME COMMAND…: a check beside others, as many at once as there are cores. together: waits for all of them.
beside() {
  while [ "$(jobs -rp | wc -l)" -ge "$lanes" ]; do wait -n; done
  check "$@" &
}
together() { wait; }
count() { [ ! -f "$results/$1" ] && echo 0 || wc -l <"$results/$1"; }

# Most of the time goes into building. The thread sanitizer sees nothing in rooms without threads: it gets the tests of
# those that have some. The address sanitizer gets all rooms but cli, which reads foreign bytes by the rooms below it; it is
# built without optimization and without every check of ubsan (the fuzz preset has those).
threaded=(os_test codec_test net_test crypto_test store_test engine_test sandbox_test console_test)
mapfile -t below_cli < <(sed -n 's/^nacre_room(\([a-z]*\) .*/\1_test/p' src/*/CMakeLists.txt | grep -vx cli_test)

# build PRESET [TARGET …]: all of a preset, or these.
build() {
  local preset=$1 start=$SECONDS
  shift
  ./x deps && tools/build.sh "$preset" "$@" || {
    note failed "build $preset"
    echo "failed: build $preset" >>"$results/said"
    return
  }
  echo "built    $preset ($((SECONDS - start)) s)"
}

# unit_suite PRESET [TEST …]: runs all test programs, or these.
unit_suite() {
  local preset=$1 program
  shift
  for program in build/"$preset"/src/*/*_test; do
    [ $# -eq 0 ] || [[ " $* " == *" $(basename "$program") "* ]] || continue
    beside "$preset/$(basename "$program")" "$program" --gtest_brief=1
  done
}

# Scripts to run: those that take minutes first, so that no lane is left alone with one at the end.
scripts() {
  local script
  for script in tests/flow/{61_farm_crash,94_farm_real,35_pipelines,90_update,85_registry}.sh \
    tools/check_*.sh tools/check_*.py tests/conformance/*.sh tests/flow/*.sh; do
    [ ! -x "$script" ] || [[ $script == */10_up.sh ]] || echo "$script"
  done | awk '!seen[$0]++'
}
wanted() { [ -z "${NACRE_ONLY:-}" ] || [[ $1 == *"$NACRE_ONLY"* ]]; }

export NACRE_SHARED=${NACRE_SHARED:-$PWD/../shared}
export NACRE=$PWD/build/release/src/cli/nacre
# tests/flow/10_up.sh makes the distribution here, the others work on clones of it. A home that the caller names is kept.
if [ -z "${NACRE_TEST_HOME:-}" ]; then
  export NACRE_TEST_HOME=$PWD/build/test-home
  rm -rf "$NACRE_TEST_HOME"
fi
build release
# It waits for single-threaded steps much of its time: compilers fill that.
if wanted tests/flow/10_up.sh; then check tests/flow/10_up.sh tests/flow/10_up.sh & fi
if [ -z "${NACRE_ONLY:-}" ]; then
  build asan "${below_cli[@]}"
  build tsan "${threaded[@]}"
  unit_suite tsan "${threaded[@]}"  # the longest first
  unit_suite asan "${below_cli[@]}"
  unit_suite release
fi
together
while read -r script; do
  wanted "$script" && beside "$script" "$script"
done < <(scripts)
together

[ ! -f "$results/said" ] || cat "$results/said"  # again, at the end: what failed, and the first words of why
echo "$(count passed) passed, $(count failed) failed, $(count skipped) skipped"
[ ! -f "$results/failed" ]
