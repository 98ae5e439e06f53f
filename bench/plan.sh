#!/usr/bin/env bash
# The planner on the field's graph and corpus: times of its pure steps, the load of all definitions, a year replayed.
#   bench/plan.sh GRAPH.json.zst HISTORY.tsv.zst [DEFINITIONS]
# DEFINITIONS: a directory of definitions with pipelines/ in it. Build first: ninja -C build/release nacre plan_probe
set -euo pipefail
graph=${1:?the graph, see docs/formats/graph.md} history=${2:?the history} definitions=${3:-}
build=${NACRE_BUILD:-build/release}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export NACRE_HOME="$work/home"
zstd -dcq "$graph" >"$work/graph.json"
"$build/src/plan/plan_probe" "$work/graph.json" ${definitions:+"$definitions"}
load() {
  local start
  start=$(date +%s.%N)
  "$build/src/cli/nacre" plan --graph json --definitions "$definitions" --pipeline-dir "$definitions/pipelines" --quiet >"$work/loaded.json"
  awk -v a="$start" -v b="$(date +%s.%N)" -v what="$1" 'BEGIN { printf "graph of all definitions, %s: %.2f s\n", what, b - a }'
}
if [ -n "$definitions" ]; then
  for _ in 1 2 3; do
    rm -rf "$NACRE_HOME/compiled"
    load "nothing kept"
    load "all kept"
  done
fi
"$build/src/cli/nacre" simulate --graph-file "$graph" --rates bench/rates/debian.json --sizes bench/rates/sizes.tsv "$history"
