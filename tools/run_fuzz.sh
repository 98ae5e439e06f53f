#!/usr/bin/env bash
# usage: ./x fuzz [SECONDS] [TARGET]: runs each fuzz target (or one) for a while; stops at the first finding.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
seconds=${1:-30}
only=${2:-}
ran=0
for program in build/fuzz/fuzz/*_fuzz; do
  name=$(basename "$program")
  [ -z "$only" ] || [ "$name" = "$only" ] || continue
  mkdir -p "build/fuzz/corpus/$name"
  echo "== $name, $seconds s"
  "$program" -max_total_time="$seconds" -max_len=65536 -print_final_stats=0 -verbosity=0 \
    -artifact_prefix="build/fuzz/$name-" "build/fuzz/corpus/$name"
  ran=$((ran + 1))
done
[ "$ran" -gt 0 ] || { echo "x: no fuzz target named '$only'" >&2; exit 3; }
echo "$ran targets, no finding"
