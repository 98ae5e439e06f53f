#!/bin/sh
# Compiles every definition of a directory with nacre and with the reference tool, side by side in one run.
#   bench/compile.sh DEFINITIONS PIPELINES REFERENCE [BUILD]
# DEFINITIONS holds *.yaml, PIPELINES is given to both as --pipeline-dir, REFERENCE is the other tool's program.
# Prints seconds of wall clock (best of three for nacre) and the ratios. The reference takes one definition a call,
# as many calls at a time as there are cores.
set -eu
definitions=${1:?a directory of definitions} pipelines=${2:?a directory of pipelines} reference=${3:?the other tool}
build=${4:-build/release}
nacre=$build/src/cli/nacre
NACRE_HOME=$(mktemp -d)
export NACRE_HOME
trap 'rm -rf "$NACRE_HOME"' EXIT

now() { date +%s.%N; }
took() { # NAME COMMAND …: keeps the best of three runs in the variable NAME
  name=$1 best=
  shift
  for _ in 1 2 3; do
    start=$(now)
    "$@" > /dev/null
    best=$(awk -v a="$start" -v b="$(now)" -v c="${best:-999}" 'BEGIN { d = b - a; printf "%.3f", d < c ? d : c }')
  done
  eval "$name=$best"
}

count=$(find "$definitions" -maxdepth 1 -name '*.yaml' ! -name '.*' | wc -l)
took cold_check "$nacre" compile --arch x86_64 --check --fresh --pipeline-dir "$pipelines" "$definitions"
took cold_json "$nacre" compile --arch x86_64 --fresh --pipeline-dir "$pipelines" "$definitions"
"$nacre" compile --arch x86_64 --check --pipeline-dir "$pipelines" "$definitions" > /dev/null
took warm_check "$nacre" compile --arch x86_64 --check --pipeline-dir "$pipelines" "$definitions"
took warm_json "$nacre" compile --arch x86_64 --pipeline-dir "$pipelines" "$definitions"
start=$(now)
find "$definitions" -maxdepth 1 -name '*.yaml' ! -name '.*' -print0 |
  xargs -0 -P "$(nproc)" -n 1 "$reference" compile --log-level error --arch x86_64 --pipeline-dir "$pipelines" \
    > /dev/null 2> /dev/null
theirs=$(awk -v a="$start" -v b="$(now)" 'BEGIN { printf "%.3f", b - a }')

echo "$count definitions, $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)"
for row in "nacre, all anew, count only:$cold_check" "nacre, all anew, JSON printed:$cold_json" \
  "nacre, nothing changed, count only:$warm_check" "nacre, nothing changed, JSON printed:$warm_json" \
  "reference, one call for each:$theirs"; do
  awk -v what="${row%:*}" -v s="${row##*:}" -v t="$theirs" 'BEGIN { printf "%-40s %8.3f s  %7.1f x\n", what, s, t / s }'
done
