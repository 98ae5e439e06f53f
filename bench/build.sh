#!/usr/bin/env bash
# A trivial C package, from command to signed package and index, in a root of stage 0: ours, and the reference's bubblewrap
# runner in the same run when NACRE_PEER_MELANGE names it and `bwrap` is there.
#   NACRE=build/release/src/cli/nacre NACRE_TEST_HOME=HOME [NACRE_PEER_MELANGE=MELANGE] [ROUNDS=10] bench/build.sh
# HOME holds a stage 0. One line for each tool: the least, the median and the most of all rounds, in seconds, all warm.
set -euo pipefail
: "${NACRE:?the program}" "${NACRE_TEST_HOME:?a NACRE_HOME with a stage 0}"
rounds=${ROUNDS:-10}
here=$(dirname "$(readlink -f "$0")")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export NACRE_HOME=$NACRE_TEST_HOME NACRE_PROGRESS=plain
arch=$(uname -m)
ln -s "$(readlink -f "$NACRE")" "$scratch/melange"
cd "$scratch"
"$NACRE" index --quiet --edition stage0 --repository repo >/dev/null
mkdir src
echo 'int main(void) { return 0; }' >src/hello.c
cp "$here/trivial-c.yaml" hello.yaml
./melange keygen local.rsa 2>/dev/null

# timed NAME COMMAND…: one round to warm up, then the figures.
timed() {
  local name=$1 i
  shift
  "$@" >"$name.log" 2>&1 || { echo "$name: failed"; tail -n 5 "$name.log"; return 1; }
  for ((i = 0; i < rounds; i++)); do
    local begin=$EPOCHREALTIME
    "$@" >"$name.log" 2>&1
    python3 -c "print($EPOCHREALTIME - $begin)"
  done | sort -n >"$name.times"
  awk -v name="$name" '{ t[NR] = $1 } END { printf "%-10s min %.3f  median %.3f  max %.3f\n", name, t[1], t[int((NR + 1) / 2)], t[NR] }' \
    "$name.times"
}
median() { awk '{ t[NR] = $1 } END { print t[int((NR + 1) / 2)] }' "$1.times"; }

build=(build hello.yaml --source-dir src --arch "$arch" --signing-key local.rsa -r "$scratch/repo"
  -k "$scratch/repo/keys/nacre-stage0.rsa.pub")
timed ours ./melange "${build[@]}" --out-dir ours
if [ -x "${NACRE_PEER_MELANGE:-/nonexistent}" ] && command -v bwrap >/dev/null; then
  timed reference "$NACRE_PEER_MELANGE" "${build[@]}" --out-dir theirs --runner bubblewrap &&
    python3 -c "print(f'ratio of medians: {$(median reference) / $(median ours):.1f}')"
else
  echo "reference: skipped (NACRE_PEER_MELANGE, bwrap)"
fi
