#!/usr/bin/env bash
# usage: ./x fuzz [SECONDS] [TARGET …]   each target (or those named) for so long, in turns of at most NACRE_FUZZ_TURN seconds
#        ./x fuzz summary                what all runs so far came to
# What targets learn, their logs, findings and sums stay in NACRE_FUZZ_DIR (build/fuzz/state), and the next run goes on from
# there. A target with a finding is left, the others go on; exit code 1 when there was one.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
state=${NACRE_FUZZ_DIR:-build/fuzz/state}
programs=build/fuzz/fuzz
turn_most=${NACRE_FUZZ_TURN:-300}
mkdir -p "$state"/{corpus,logs,sums,findings,seeds}

# sum NAME FIELD: seconds, processor seconds, executions of all runs of a target.
sum() { [ -f "$state/sums/$1" ] && awk -v field="$2" '{ s += $field } END { printf "%.0f", s }' "$state/sums/$1" || echo 0; }
findings() { find "$state/findings" -name "$1-*" | wc -l; }

summary() {
  printf '%-26s %9s %9s %13s %8s %8s\n' target seconds processor executions corpus findings
  local file name total=0
  for file in "$state"/sums/*; do
    [ -f "$file" ] || continue
    name=${file##*/}
    printf '%-26s %9s %9s %13s %8s %8s\n' "$name" "$(sum "$name" 1)" "$(sum "$name" 2)" "$(sum "$name" 3)" \
      "$(find "$state/corpus/$name" -type f | wc -l)" "$(findings "$name")"
    total=$((total + $(sum "$name" 3)))
  done
  echo "$total executions in all"
}

# turn NAME SECONDS: one run, added to the target's sums. False when it found something.
turn() {
  local name=$1 seconds=$2 log=$state/logs/$1.log rc=0 times executions
  mkdir -p "$state/corpus/$name"
  [ -n "$(ls -A "$state/corpus/$name")" ] || cp -r "$state/seeds/$name/." "$state/corpus/$name/" 2>/dev/null || true
  TIMEFORMAT='%R %U %S'
  { time "$programs/${name}_fuzz" -max_total_time="$seconds" -max_len=65536 -timeout=30 -rss_limit_mb=2048 -detect_leaks=1 \
    -print_final_stats=1 -verbosity=0 -artifact_prefix="$state/findings/$name-" "$state/corpus/$name" >"$log.turn" 2>&1; } \
    2>"$log.time" || rc=$?
  times=$(tail -n 1 "$log.time")
  executions=$(awk '/^stat::number_of_executed_units/ { n = $2 } END { print n + 0 }' "$log.turn")
  awk -v executions="$executions" '{ print $1, $2 + $3, executions }' <<<"$times" >>"$state/sums/$name"
  { echo "== $(date -u +%FT%TZ) $name, $seconds s, exit $rc"; cat "$log.turn"; } >>"$log"
  [ "$rc" -ne 0 ] || { rm -f "$log.turn" "$log.time"; return 0; }
  echo "== $name found something (exit $rc):"
  tail -n 60 "$log.turn"
  rm -f "$log.turn" "$log.time"
  return 1
}

if [ "${1:-}" = summary ]; then summary; exit 0; fi
seconds=${1:-30}
case $seconds in *[!0-9]*) echo "x: expected seconds, got '$seconds'" >&2; exit 2 ;; esac
shift || true
names=()
for program in "$programs"/*_fuzz; do
  name=${program##*/}
  name=${name%_fuzz}
  [ $# -gt 0 ] || names+=("$name")
done
for name in "$@"; do
  name=${name%_fuzz}
  [ -x "$programs/${name}_fuzz" ] || { echo "x: no fuzz target named '$name'" >&2; exit 3; }
  names+=("$name")
done
[ "${#names[@]}" -gt 0 ] || { echo "x: no fuzz targets in $programs" >&2; exit 3; }
python3 fuzz/make_seeds.py "$state/seeds"

found=0 left=$seconds
while [ "$left" -gt 0 ] && [ "${#names[@]}" -gt 0 ]; do
  this=$((left < turn_most ? left : turn_most))
  still=()
  for name in "${names[@]}"; do
    echo "== $name, $this s"
    if turn "$name" "$this"; then still+=("$name"); else found=$((found + 1)); fi
  done
  names=("${still[@]}")
  left=$((left - this))
done
summary
[ "$found" -eq 0 ] || { echo "$found targets with a finding: $state/findings"; exit 1; }
