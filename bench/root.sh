#!/usr/bin/env bash
# How long until the first program runs in a root of 60 and of 490 store trees (the root mounted, the process started).
#   NACRE_TEST_HOME=HOME [ROUNDS=30] bench/root.sh
# HOME holds unpacked trees; what it lacks of 490 is made of hard links to the small ones. Goal: 5 ms.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${NACRE_TEST_HOME:?a NACRE_HOME with unpacked trees}"
probe=${NACRE_BUILD:-build/release}/src/sandbox/root_probe
[ -x "$probe" ] || { echo "build it first: ninja -C build/release root_probe" >&2; exit 77; }
scratch=$(mktemp -d "$NACRE_TEST_HOME/bench.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/program/usr/bin"
cat >"$scratch/now.c" <<'END'
#include <stdio.h>
#include <time.h>
int main(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  printf("%.4f\n", time.tv_sec * 1e3 + time.tv_nsec / 1e6);
}
END
gcc -static -O2 -o "$scratch/program/usr/bin/now" "$scratch/now.c"
mapfile -t trees < <(find "$NACRE_TEST_HOME/trees" -mindepth 1 -maxdepth 1 -type d | sort)
small=() all=("${trees[@]}")
for tree in "${trees[@]}"; do [ "$(find "$tree" | head -n 200 | wc -l)" -ge 100 ] || small+=("$tree"); done
for ((i = 0; ${#all[@]} < 489; i++)); do
  cp -al "${small[i % ${#small[@]}]}" "$scratch/tree$i"
  all+=("$scratch/tree$i")
done
for layers in 59 489; do
  "$probe" /usr/bin/now "$scratch/upper" "${ROUNDS:-30}" "${all[@]:0:layers}" "$scratch/program"
done
